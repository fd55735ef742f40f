"""What a changelog says between two versions, and the words in it that make people look twice.

Markdown as it is written in the field (keepachangelog.com, conventional-changelog, releases by hand): a heading that
begins with a version opens its section, of whatever level, newest first or newest last. What stands under no version,
or under "Unreleased", is nobody's.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bluegreen.domain.versions import Version, parse

WORDS = {
    "breaking": r"\bbreak(?:s|ing)\b|\bincompatib\w*",
    "remove": r"\bremov(?:e|es|ed|al|ing)\b|\bdrop(?:s|ped|ping)?\b",
    "rename": r"\brenam(?:e|es|ed|ing)\b",
    "policy": r"\bpolic(?:y|ies)\b",
    "migration": r"\bmigrat(?:e|es|ed|ion|ions|ing)\b",
    "security": r"\bsecurity\b|\bCVE-\d{4}-\d+|\bGHSA-\w+|\bvulnerab\w*|\bexploit\w*"
    r"|\bSSRF\b|\bXSS\b|\bCSRF\b|\bRCE\b|\bprivilege escalation\b|\binjections?\b",
}
"""What is looked for, by the mark that it leaves."""

MARKS = {mark: re.compile(pattern, re.IGNORECASE) for mark, pattern in WORDS.items()}

HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*")
FENCE = re.compile(r"\s*(```+|~~~+)")
TARGET = re.compile(r" {0,3}\[[^\]]+\]:\s+\S+")
BULLET = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+")
TITLE = re.compile(
    r"(?:\[|\*\*|<a [^>]*></a>)*(?:(?:version|release)\s+)?(?P<name>[A-Za-z0-9_][A-Za-z0-9._+-]*)(?P<rest>.*)",
    re.IGNORECASE,
)
YANKED = re.compile(r"\byanked\b", re.IGNORECASE)

LONGEST = 400
"""Characters of a line that are kept."""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of the file; `code`: it stands in a fence, and says nothing of the file's own shape."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of a version, with the words it is marked by; `heading`: a title within the version's section, whose
    marks its entries have too. One entry may have stood on several lines."""

    version: str
    line: str
    marks: tuple[str, ...] = ()
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What a changelog says of one version. `yanked`: it was taken back."""

    version: str
    lines: tuple[Line, ...] = ()
    yanked: bool = False


@dataclass(frozen=True, slots=True)
class Extract:
    """The entries between two versions, the latest first. `undone`: the step goes back, and these are given up.
    `doubt`: what could not be found, in words."""

    lines: tuple[Line, ...] = ()
    undone: bool = False
    doubt: str = ""


def sections(text: str, names: Iterable[str] = ()) -> tuple[Section, ...]:
    """The versions of a changelog, in the order of the text. `names`: further words that are versions, where they have
    no numbers to know them by; with such, whatever stands among them on the same level is one too."""
    known = frozenset(name for name in names if parse(name) is None)
    found: list[tuple[str, bool, list[Text]]] = []
    for line, version in _with_titles(_plain(text), known):
        if version is not None:
            title = HEADING.fullmatch(line.text)
            named = version or (_first_word(title[2]) if known and title else "")
            found.append((named, bool(YANKED.search(line.text)), []))
        elif found:
            found[-1][2].append(line)
    return tuple(
        Section(version, tuple(_entries(version, lines)), yanked) for version, yanked, lines in found if version
    )


def released(text: str) -> tuple[str, ...]:
    """The versions that a changelog says were released, without those that were taken back."""
    return tuple(section.version for section in sections(text) if not section.yanked)


def between(text: str, live: str, new: str) -> Extract:
    """The entries after `live` up to `new`; where `new` is the older one, those that are given up."""
    if live == new:
        return Extract()
    found = sections(text, (live, new))
    old, next_ = parse(live), parse(new)
    if old is None or next_ is None:
        return _by_place(found, live, new)
    low, high, undone = (old, next_, False) if old < next_ else (next_, old, True)
    chosen: list[tuple[Version, Section]] = []
    for section in found:
        version = parse(section.version)
        if version is not None and low < version <= high:
            chosen.append((version, section))
    chosen.sort(key=lambda each: each[0], reverse=True)
    doubt = "" if any(parse(section.version) == next_ for section in found) else f"it does not mention {new}"
    return Extract(tuple(line for _, section in chosen for line in section.lines), undone, doubt)


def _by_place(found: tuple[Section, ...], live: str, new: str) -> Extract:
    """The entries between two versions that only their place in the text orders."""
    at = {section.version: index for index, section in reversed(list(enumerate(found)))}
    if new not in at:
        return Extract(doubt=f"it does not mention {new}")
    if live not in at:
        return Extract(found[at[new]].lines, doubt=f"it does not mention {live}: these are the entries of {new} alone")
    first, last = sorted((at[live], at[new]))
    between = [section for section in found[first : last + 1] if section.version != live]
    if at[new] > at[live]:  # newest last
        between.reverse()
    return Extract(tuple(line for section in between for line in section.lines))


def _plain(text: str) -> Iterator[Text]:
    """Its lines as they count: without comments and link targets, and underlined titles written like any other."""
    fence, held = "", ""
    for line in (*re.sub(r"<!--.*?(?:-->|\Z)", "", text, flags=re.DOTALL).splitlines(), ""):
        opened = FENCE.match(line)
        under = UNDERLINE.fullmatch(line) if held and not fence else None
        if held:
            level = "" if under is None else "# " if under[1].startswith("=") else "## "
            yield Text(f"{level}{held}")
            held = ""
        if under is not None or (not fence and TARGET.match(line)):
            continue
        if fence or opened:
            yield Text(line, code=True)
            closed = fence and opened and opened[1].startswith(fence)
            fence = "" if closed else fence or (opened[1] if opened else "")
        elif line.strip() and not HEADING.fullmatch(line) and not BULLET.match(line) and line[:1].strip():
            held = line.strip()  # perhaps it is underlined
        else:
            yield Text(line)


def _with_titles(lines: Iterable[Text], known: frozenset[str]) -> Iterator[tuple[Text, str | None]]:
    """Each line, with the version whose section it opens; "" for a title on the same level that is no version."""
    level = 6
    for line in lines:
        title = None if line.code else HEADING.fullmatch(line.text)
        if title is None:
            yield line, None
            continue
        depth = len(title[1])
        version = _version(title[2], depth, known)
        level = min(level, depth) if version else level
        yield line, version if version or depth > level else ""


def _first_word(title: str) -> str:
    found = TITLE.match(title)
    return "" if found is None or found["name"].lower() == "unreleased" else found["name"]


def _version(title: str, level: int, known: frozenset[str]) -> str | None:
    """The version that a title begins with. Deep down in a section, a title that goes on in words is none."""
    found = TITLE.match(title)
    if found is None:
        return None
    name, rest = found["name"].rstrip("."), found["rest"].lstrip("])* ")
    if name not in known and parse(name) is None:
        return None
    return None if level > 2 and rest[:1].isalpha() and not YANKED.match(rest) else name


def _entries(version: str, lines: Iterable[Text]) -> Iterator[Line]:
    above: dict[int, tuple[str, ...]] = {}
    for text, level in _joined(lines):
        own = tuple(mark for mark, pattern in MARKS.items() if pattern.search(text))
        if level:
            above = {depth: marks for depth, marks in above.items() if depth < level} | {level: own}
        inherited = [mark for marks in above.values() for mark in marks]
        yield Line(version, _cut(text), tuple(dict.fromkeys((*own, *inherited))), level > 0)


def _joined(lines: Iterable[Text]) -> Iterator[tuple[str, int]]:
    """Entries as they are meant, each with its level where it is a title: what was wrapped is one entry again."""
    entry = ""
    for line in lines:
        title = None if line.code else HEADING.fullmatch(line.text)
        if entry and (title or line.code or not line.text.strip() or BULLET.match(line.text)):
            yield entry, 0
            entry = ""
        if title is not None:
            yield title[2], len(title[1])
        elif line.code:
            yield line.text.rstrip(), 0
        else:
            entry = f"{entry} {line.text.strip()}" if entry else line.text.rstrip()
    if entry:
        yield entry, 0


def _cut(text: str) -> str:
    text = text.expandtabs(4)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def bounded(lines: tuple[Line, ...], most: int) -> tuple[Line, ...]:
    """At most so many lines: where there are more, those that are marked come before all others, in their order."""
    if len(lines) <= most:
        return lines
    marked = [index for index, line in enumerate(lines) if line.marks]
    rest = [index for index, line in enumerate(lines) if not line.marks]
    return tuple(lines[index] for index in sorted((marked + rest)[:most]))
