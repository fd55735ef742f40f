"""Changelogs as they are written in the field: what stands between two versions, and which words are marked."""

import pytest

from bluegreen.domain.changelog import between, bounded, released, sections
from bluegreen.domain.versions import parse

KEPT = """\
# Changelog

All notable changes are here. 1.0.0 is not mentioned in this sentence as a version.

## [Unreleased]
### Removed
- what nobody has yet

## [1.3.0] - 2026-03-01
### Removed
- the old login page, which was
  announced a year ago
  - and its styles
### Security
- CVE-2026-1234: tokens are checked

## [1.2.0] - 2026-02-01 [YANKED]
### Changed
- **Breaking:** `OLD_KEY` was renamed to `NEW_KEY`

## [1.1.0] - 2026-01-01
- A migration of the accounts
- Nothing else

## 1.0.0
- First

[1.3.0]: https://example.org/1.3.0
"""
NEWEST_LAST = "## 1.0.0\n- a\n\n## 1.1.0\n- b\n\n## 1.2.0\n- c\n"


def said(text: str, live: str, new: str) -> list[tuple[str, str]]:
    return [(line.version, line.line) for line in between(text, live, new).lines if not line.heading]


def test_the_entries_between_two_versions_are_those_after_the_live_one_up_to_the_new_one() -> None:
    assert said(KEPT, "1.1.0", "1.3.0") == [
        ("1.3.0", "- the old login page, which was announced a year ago"),
        ("1.3.0", "  - and its styles"),
        ("1.3.0", "- CVE-2026-1234: tokens are checked"),
        ("1.2.0", "- **Breaking:** `OLD_KEY` was renamed to `NEW_KEY`"),
    ]


def test_every_entry_bears_its_own_marks_and_those_of_its_title() -> None:
    marks = {line.line: line.marks for line in between(KEPT, "1.0.0", "1.3.0").lines}
    assert marks["- the old login page, which was announced a year ago"] == ("remove",)
    assert marks["- CVE-2026-1234: tokens are checked"] == ("security",)
    assert marks["- **Breaking:** `OLD_KEY` was renamed to `NEW_KEY`"] == ("breaking", "rename")
    assert marks["- A migration of the accounts"] == ("migration",)
    assert marks["- Nothing else"] == ()


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("BREAKING CHANGE: all of it", "breaking"),
        ("breaks clients before 1.0", "breaking"),
        ("an incompatible format", "breaking"),
        ("Removed the flag", "remove"),
        ("drop support for Postgres 12", "remove"),
        ("column renamed", "rename"),
        ("password policies", "policy"),
        ("please migrate first", "migration"),
        ("fixes a vulnerability", "security"),
        ("GHSA-abcd-1234", "security"),
        ("stored XSS in the footer", "security"),
    ],
)
def test_the_words_that_make_people_look_twice(line: str, mark: str) -> None:
    (entry,) = between(f"## 1.1.0\n- {line}\n", "1.0.0", "1.1.0").lines
    assert mark in entry.marks


@pytest.mark.parametrize("line", ["a dropdown menu", "police", "we enjoyed the break", "secure by nature"])
def test_words_that_only_look_alike_are_not_marked(line: str) -> None:
    (entry,) = between(f"## 1.1.0\n- {line}\n", "1.0.0", "1.1.0").lines
    assert entry.marks == ()


def test_a_changelog_with_the_newest_last_is_read_the_same_way() -> None:
    assert said(NEWEST_LAST, "1.0.0", "1.2.0") == [("1.2.0", "- c"), ("1.1.0", "- b")]


def test_going_back_shows_what_is_given_up() -> None:
    extract = between(NEWEST_LAST, "1.2.0", "1.0.0")
    assert extract.undone
    assert [line.line for line in extract.lines] == ["- c", "- b"]


def test_a_changelog_that_does_not_know_the_new_version_says_so() -> None:
    extract = between(KEPT, "1.1.0", "1.4.0")
    assert extract.doubt == "it does not mention 1.4.0"
    assert {line.version for line in extract.lines} == {"1.3.0", "1.2.0"}


@pytest.mark.parametrize(
    "heading",
    [
        "## [1.2.0] - 2026-01-01", "## 1.2.0", "# v1.2.0 (2026-01-01)", "### [1.2.0](https://example.org) (2026-01-01)",
        "## Version 1.2.0", "## Release v1.2.0", "1.2.0\n-----", "v1.2.0 / 2026-01-01\n===================",
        "## **1.2.0**", "## 1.2.0 Codename Zeus", "## 1.2.0 ##", "## 1.2", "## <a name=\"1.2.0\"></a>1.2.0",
    ],
)  # fmt: skip
def test_headings_of_many_kinds_open_a_version(heading: str) -> None:
    text = f"# Changelog\n\n{heading}\n\n- new\n\n## 1.1.0\n- old\n"
    ((version, entry),) = said(text, "1.1.0", "1.2.0")
    assert (parse(version), entry) == (parse("1.2.0"), "- new")


@pytest.mark.parametrize(
    "inside",
    ["```\n# 1.1.0\n```", "### 1.1.0 compatibility", "- see 1.1.0", "<!-- ## 1.1.0 -->", "Upgrade from\n1.1.0 first."],
)
def test_what_only_looks_like_a_version_opens_none(inside: str) -> None:
    text = f"## 1.2.0\n- new\n{inside}\n- more\n"
    assert [section.version for section in sections(text)] == ["1.2.0"]
    assert said(text, "1.1.0", "1.2.0")[-1] == ("1.2.0", "- more")


def test_a_title_beside_the_versions_ends_the_one_before() -> None:
    text = "## 1.2.0\n- new\n## Contributors\n- ann\n"
    assert said(text, "1.1.0", "1.2.0") == [("1.2.0", "- new")]


@pytest.mark.parametrize(
    "text",
    [
        "# nightly-3\n- c\n# nightly-2\n- b\n# nightly-1\n- a\n",
        "# nightly-1\n- a\n# nightly-2\n- b\n# nightly-3\n- c\n",
    ],
)
def test_versions_without_order_are_taken_by_their_place(text: str) -> None:
    assert said(text, "nightly-1", "nightly-3") == [("nightly-3", "- c"), ("nightly-2", "- b")]


def test_a_live_version_that_is_not_mentioned_leaves_the_new_one_alone() -> None:
    extract = between("# nightly-3\n- c\n# nightly-2\n- b\n", "nightly-1", "nightly-3")
    assert [line.line for line in extract.lines] == ["- c"]
    assert "does not mention nightly-1" in extract.doubt


def test_what_was_released_is_what_has_a_version_and_was_not_taken_back() -> None:
    assert released(KEPT) == ("1.3.0", "1.1.0", "1.0.0")


def test_the_same_version_has_nothing_between() -> None:
    assert between(KEPT, "1.1.0", "1.1.0").lines == ()


def test_where_there_are_too_many_lines_the_marked_ones_are_kept_first() -> None:
    entries = "".join(f"- entry {number}\n" for number in range(50))
    lines = between(f"## 1.1.0\n{entries}- breaking\n", "1.0.0", "1.1.0").lines
    kept = bounded(lines, 3)
    assert [line.line for line in kept] == ["- entry 0", "- entry 1", "- breaking"]


@pytest.mark.parametrize(
    "text", ["", "\0\0", "#" * 10_000, "- x\n" * 10, "```\n", "<!--", "## 1.1.0", "\r\n## 1.1.0\r\n- x\r\n"]
)
def test_odd_texts_are_read_without_a_fuss(text: str) -> None:
    between(text, "1.0.0", "1.1.0")
    between(text, "a", "b")


def test_a_long_line_is_cut() -> None:
    (line,) = between(f"## 1.1.0\n- {'x' * 10_000}\n", "1.0.0", "1.1.0").lines
    assert len(line.line) == 400
