"""Versions, and which steps from one to the next a release may take.

The rules are what upgrade guides ask of people: never skip a major version, one minor version at a time, back across
patches only (semver.org, item 11, for the order). They hold for versions of the form [v]MAJOR.MINOR[.PATCH][-pre]; of
any other nothing is guessed, and that is said. Numbers alone do not tell whether a version between two others was ever
released: a changelog does, where it mentions the new one.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

FORM = re.compile(
    r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
YEARS = range(1990, 2200)
"""A first number among these is a year: the numbers order such versions, and say nothing of majors and minors."""

Identifier = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class VersionRules:
    """What a release may do: each False, and anything but "any", is held to."""

    skip_minor: bool = False
    skip_major: bool = False
    downgrade: Literal["never", "patch", "any"] = "patch"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version that can be compared. `rank` puts pre-releases before their release: (0, ...) before (1,)."""

    major: int
    minor: int
    patch: int = 0
    rank: tuple[int, tuple[Identifier, ...]] = (1, ())

    @property
    def is_release(self) -> bool:
        """Whether it is no pre-release."""
        return self.rank[0] == 1

    @property
    def is_dated(self) -> bool:
        """Whether its first number is a year."""
        return self.major in YEARS

    @property
    def minor_name(self) -> str:
        """The minor version that it belongs to."""
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the rules say of a step: `objections` refuse it, each with the key that would allow it; `remarks` are to be
    known. `nearer`: a version to deploy first, "" where none is known."""

    objections: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    nearer: str = ""


def parse(text: str) -> Version | None:
    """The version that a text is as a whole; None where it has another form."""
    found = FORM.fullmatch(text)
    if found is None:
        return None
    pre = tuple(_identifier(word) for word in found[4].split(".")) if found[4] else ()
    return Version(int(found[1]), int(found[2]), int(found[3] or 0), (0, pre) if pre else (1, ()))


def judge(live: str, new: str, rules: VersionRules, released: Collection[str] = ()) -> Opinion:
    """What the rules say of the step from `live` to `new`. `released`: all versions that are known to have been
    released, empty where nobody knows; then every number in between is taken to have been."""
    if live == new:
        return Opinion()
    old, next_ = parse(live), parse(new)
    if old is None or next_ is None:
        odd = " and ".join(dict.fromkeys(text for text, version in ((live, old), (new, next_)) if version is None))
        return Opinion(
            remarks=(f"{odd}: not of the form MAJOR.MINOR.PATCH, so the version policy cannot tell this step",)
        )
    if next_ < old:
        return _down(live, new, old, next_, rules)
    if old.is_dated or next_.is_dated:
        return Opinion(remarks=(f"{live} to {new}: versions named by date do not tell whether one is skipped",))
    return _up(live, new, old, next_, rules, released)


def _down(live: str, new: str, old: Version, next_: Version, rules: VersionRules) -> Opinion:
    told = f"{new} is older than {live}"
    across = "" if (next_.major, next_.minor) == (old.major, old.minor) else " across a minor version"
    across = across if next_.major == old.major else " across a major version"
    if rules.downgrade == "any" or (rules.downgrade == "patch" and not across):
        return Opinion(remarks=(f"{told}: a downgrade{across}",))
    if rules.downgrade == "never":
        return Opinion((f'{told}, and [release] downgrade = "never"',))
    return Opinion((f'{told}: a downgrade{across}, and [release] downgrade = "patch" allows patches only',))


def _up(live: str, new: str, old: Version, next_: Version, rules: VersionRules, released: Collection[str]) -> Opinion:
    known = [version for text in released if (version := parse(text)) is not None and version.is_release]
    majors = _majors(old, next_, known)
    if majors and not rules.skip_major:
        skipped = _listed([f"{major}" for major in majors])
        return Opinion(
            (f"{live} to {new} skips the major version{_s(majors)} {skipped} ([release] skip_major)",),
            (),
            _nearer((majors[0], min((each.minor for each in known if each.major == majors[0]), default=0)), known),
        )
    minors = _minors(old, next_, known)
    if minors and not rules.skip_minor:
        skipped = _listed([f"{major}.{minor}" for major, minor in minors])
        return Opinion(
            (f"{live} to {new} skips the minor version{_s(minors)} {skipped} ([release] skip_minor)",),
            (),
            _nearer(minors[0], known),
        )
    skipped = _listed([f"{major}" for major in majors] or [f"{major}.{minor}" for major, minor in minors])
    return Opinion(remarks=(f"{live} to {new} skips {skipped}",) if skipped else ())


def _majors(old: Version, next_: Version, known: list[Version]) -> list[int]:
    """The major versions between the two, as far as they were released."""
    there = {version.major for version in known}
    return [major for major in _between(old.major, next_.major) if not there or major in there]


def _minors(old: Version, next_: Version, known: list[Version]) -> list[tuple[int, int]]:
    """The minor versions between the two: where nobody knows what was released, those whose numbers lie between."""
    if known:
        there = {(version.major, version.minor) for version in known}
        return sorted(each for each in there if (old.major, old.minor) < each < (next_.major, next_.minor))
    if old.major == next_.major:
        return [(old.major, minor) for minor in _between(old.minor, next_.minor)]
    return [(next_.major, minor) for minor in _between(-1, next_.minor)]


MOST = 1000
"""Numbers between two versions that are looked at: more are named by nobody."""


def _between(low: int, high: int) -> range:
    return range(low + 1, min(high, low + 1 + MOST))


def _nearer(minor: tuple[int, int], known: list[Version]) -> str:
    """The version to deploy first: the latest patch of a minor version where patches are known."""
    patches = [version.patch for version in known if (version.major, version.minor) == minor]
    return f"{minor[0]}.{minor[1]}.{max(patches, default=0)}"


FEW = 4


def _s(things: Collection[object]) -> str:
    return "s" if len(things) > 1 else ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _identifier(word: str) -> Identifier:
    """A part of a pre-release, as they are ordered: numbers before words, numbers by value (semver.org, item 11)."""
    return (0, int(word), "") if word.isdigit() else (1, 0, word)


def sorted_between(texts: Collection[str], low: str, high: str) -> Iterator[str]:
    """Those that are after `low` and not after `high`, the latest first; none where these cannot be compared."""
    bottom, top = parse(low), parse(high)
    if bottom is None or top is None:
        return
    found = {text: version for text in texts if (version := parse(text)) is not None and bottom < version <= top}
    yield from sorted(found, key=lambda text: found[text], reverse=True)
