"""Which step from one version to the next is allowed: a table, and what is not guessed."""

import pytest

from bluegreen.domain.versions import VersionRules, judge, parse

STRICT = VersionRules()


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("1.2.3", "1.2.4"),
        ("1.9.0", "1.10.0"),
        ("v1.2.0", "1.2.1"),
        ("1.2", "1.2.1"),
        ("1.2.0-rc.1", "1.2.0"),
        ("1.2.0-alpha", "1.2.0-beta"),
        ("1.2.0-rc.2", "1.2.0-rc.10"),
        ("1.2.0-1", "1.2.0-alpha"),
        ("1.2.0-rc", "1.2.0-rc.1"),
        ("2026.9", "2026.11"),
    ],
)
def test_versions_are_ordered_as_people_read_them(low: str, high: str) -> None:
    first, second = parse(low), parse(high)
    assert first is not None
    assert second is not None
    assert first < second


@pytest.mark.parametrize(("one", "other"), [("v1.2.0", "1.2.0"), ("1.2", "1.2.0"), ("1.2.0+build.7", "1.2.0")])
def test_one_version_may_be_written_in_several_ways(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert judge(one, other, STRICT).objections == ()


@pytest.mark.parametrize("text", ["2026-11", "nightly-3", "1", "v", "", "1.2.3.4", "1.2.", "1.2.0 ", "a1.2.0", "1..2"])
def test_what_has_another_form_is_no_version(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("live", "new", "objection"),
    [
        pytest.param("1.2.0", "1.2.0", "", id="the same"),
        pytest.param("1.2.0", "1.2.9", "", id="patches may be skipped"),
        pytest.param("1.2.7", "1.3.0", "", id="the next minor"),
        pytest.param("1.2.7", "1.3.4", "", id="a patch of the next minor"),
        pytest.param("1.2.0", "1.4.0", "skips the minor version 1.3 ", id="a minor is skipped"),
        pytest.param("1.2.0", "1.9.0", "skips the minor versions 1.3, 1.4, 1.5, 1.6 and 2 more ", id="many are"),
        pytest.param("1.2.0", "2.0.0", "", id="the next major"),
        pytest.param("1.2.0", "2.2.0", "skips the minor versions 2.0, 2.1 ", id="minors of the next major"),
        pytest.param("1.2.0", "3.0.0", "skips the major version 2 ", id="a major is skipped"),
        pytest.param("1.2.0", "1.3.0-rc.1", "", id="a pre-release of the next minor"),
        pytest.param("1.3.0-rc.1", "1.3.0", "", id="its release"),
        pytest.param("1.2.3", "1.2.1", "", id="patches back"),
        pytest.param("1.3.0", "1.2.9", "a downgrade across a minor version", id="a minor back"),
        pytest.param("2.0.0", "1.9.0", "a downgrade across a major version", id="a major back"),
        pytest.param("1.2.0", "1.2.0-rc.1", "", id="back to a pre-release of the same"),
        pytest.param("0.1.0", "0.3.0", "skips the minor version 0.2 ", id="before 1.0 too"),
    ],
)
def test_the_steps_of_the_usual_policy(live: str, new: str, objection: str) -> None:
    opinion = judge(live, new, STRICT)
    assert bool(opinion.objections) == bool(objection)
    assert objection in "".join(opinion.objections)


@pytest.mark.parametrize(
    ("live", "new", "rules"),
    [
        ("1.2.0", "1.4.0", VersionRules(skip_minor=True)),
        ("1.2.0", "3.0.0", VersionRules(skip_major=True)),
        ("1.2.0", "2.3.0", VersionRules(skip_minor=True)),
        ("2.0.0", "1.9.0", VersionRules(downgrade="any")),
    ],
)
def test_what_the_configuration_allows_is_told_and_not_refused(live: str, new: str, rules: VersionRules) -> None:
    opinion = judge(live, new, rules)
    assert opinion.objections == ()
    assert opinion.remarks != ()


def test_with_downgrades_never_allowed_a_patch_back_is_refused_too() -> None:
    assert judge("1.2.3", "1.2.1", VersionRules(downgrade="never")).objections != ()


def test_a_skipped_major_is_refused_also_where_minors_may_be_skipped() -> None:
    assert "major version 2" in judge("1.0.0", "3.0.0", VersionRules(skip_minor=True)).objections[0]


@pytest.mark.parametrize(
    ("live", "new", "released", "objection"),
    [
        pytest.param("1.2.0", "1.4.0", ["1.2.0", "1.4.0"], "", id="1.3 was never released"),
        pytest.param("1.2.0", "1.4.0", ["1.2.0", "1.3.0", "1.3.2", "1.4.0"], "1.3 ", id="1.3 was"),
        pytest.param("1.2.0", "1.4.0", ["1.2.0", "1.3.0-rc.1", "1.4.0"], "", id="only candidates of 1.3"),
        pytest.param("1.2.0", "2.0.0", ["1.2.0", "1.3.0", "2.0.0"], "1.3 ", id="the last minor before a major"),
        pytest.param("1.2.0", "3.0.0", ["1.2.0", "3.0.0"], "", id="there is no 2"),
        pytest.param("1.2.0", "2.5.0", ["1.2.0", "2.5.0"], "", id="2 began with 2.5"),
        pytest.param("1.2.0", "1.4.0", ["nightly-3"], "1.3 ", id="nobody knows"),
    ],
)
def test_only_what_was_released_can_be_skipped(live: str, new: str, released: list[str], objection: str) -> None:
    said = "".join(judge(live, new, STRICT, released).objections)
    assert bool(said) == bool(objection)
    assert objection in said


def test_the_version_to_deploy_first_is_named() -> None:
    assert judge("1.2.0", "1.5.0", STRICT).nearer == "1.3.0"
    assert judge("1.2.0", "3.0.0", STRICT).nearer == "2.0.0"
    assert judge("1.2.0", "3.0.0", STRICT, ["2.1.0", "2.1.4", "2.2.0", "3.0.0"]).nearer == "2.1.4"
    assert judge("1.2.0", "1.5.0", STRICT, ["1.3.0", "1.3.12", "1.3.2", "1.4.0", "1.5.0"]).nearer == "1.3.12"


@pytest.mark.parametrize(
    ("live", "new"), [("2026-11", "2026-12"), ("nightly-3", "nightly-9"), ("1.2.0", "hotfix"), ("2026.1", "2026.9")]
)
def test_what_cannot_be_compared_is_said_and_not_guessed(live: str, new: str) -> None:
    opinion = judge(live, new, STRICT)
    assert opinion.objections == ()
    assert len(opinion.remarks) == 1


def test_versions_named_by_date_still_know_what_is_older() -> None:
    assert "is older than" in judge("2026.11", "2025.2", STRICT).objections[0]


def test_absurd_numbers_are_answered_at_once() -> None:
    assert judge("1.0.0", "999999999.999999999.0", VersionRules()).objections != ()
    assert judge("1.0.0", "1.999999999.0", VersionRules(skip_minor=True)).objections == ()
