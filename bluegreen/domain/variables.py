"""The variables of a release's example, of the live colour and of the idle one, compared by name and by fingerprint."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.domain.prints import Print
from bluegreen.domain.secrets import Turn, base, judge, lists
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import Rules, exact, fits, names_of

Prints = Mapping[str, Print]
"""Fingerprints by the name of the variable."""


class Kind(StrEnum):
    """What was found."""

    MISSING = "missing"
    NEW = "new"
    RENAMED = "renamed"
    UNKNOWN = "unknown"
    GONE = "gone"
    CHANGED = "changed"
    UNLIKE = "secret"
    SESSION = "session"
    ALIKE = "alike"
    PUBLIC = "public"
    DEFAULT = "default"


class Level(StrEnum):
    """What follows from it."""

    NOTE = "note"
    WARNING = "warning"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about some variables, in words (`text`, with their names): no value of any stands in it."""

    kind: Kind
    level: Level
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Given:
    """What is compared: `idle` is what the new release will get. None: not known. `former` is the example of the
    release that serves, `renames` the new name of each old one, as the changelog says."""

    idle: Prints
    live: Prints | None = None
    example: Prints | None = None
    former: Prints | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    colour: Colour = Colour.GREEN
    release: str = ""


def compare(given: Given, rules: Rules) -> tuple[Finding, ...]:
    """All that is to be said, the worst first."""
    found = list(_Comparison(given, rules).findings())
    order = list(reversed(Level))
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def changed(given: Given, rules: Rules) -> tuple[str, ...]:
    """The names that the idle colour has with another value than the live one, or that only one of them has, but those
    that differ between the colours anyway."""
    live = given.live or {}
    anyway = (*rules.ignore, *rules.differ)
    names = [name for name in live.keys() | given.idle.keys() if not fits(name, anyway)]
    return tuple(sorted(name for name in names if not _alike(live.get(name), given.idle.get(name))))


class _Comparison:
    """One comparison; each method tells one kind of thing."""

    def __init__(self, given: Given, rules: Rules) -> None:
        self._rules = rules
        self._idle = self._looked_at(given.idle) or {}
        self._live = self._looked_at(given.live)
        self._example = self._looked_at(given.example)
        self._former = self._looked_at(given.former)
        self._known = self._idle.keys() | (self._live or {}).keys()
        self._new, self._old = given.colour, given.colour.other
        self._of = f"the example of {given.release}" if given.release else "the example"
        example = self._example or {}
        self._renamed = {old: new for old, new in given.renames.items() if new in example and old not in example}

    def findings(self) -> Iterator[Finding]:
        """Everything."""
        yield from self._session()
        if self._example is not None:
            yield from self._moved()
            yield from self._missing(self._example)
            yield from self._unknown(self._example)
            yield from self._public(self._example)
            yield from self._default(self._example)
        if self._live is not None:
            yield from self._changed(self._live)
            yield from self._alike(self._live)
            yield from self._only_one(self._live)

    def _session(self) -> Iterator[Finding]:
        """Secrets that sessions hang on."""
        live = dict(self._live or {})
        for old, new in self._renamed.items():  # under its new name it is the same secret
            if old in live and new not in live and old not in self._idle:
                live[new] = live.pop(old)
        hang = frozenset(name for name in live.keys() | self._idle.keys() if self._hangs(name))
        before, after = lists(live, hang), lists(self._idle, hang)
        for name in sorted(before):
            if name not in before or not before[name].accepted:
                continue
            found = judge(before[name], after.get(name) or Print("", empty=True))
            if found.turn is Turn.SAME:
                continue
            level = {Turn.LOST: Level.REFUSED, Turn.HASTY: Level.WARNING, Turn.DROPS: Level.WARNING}.get(found.turn)
            unset = name not in after or not after[name].accepted
            text = f"would log everyone out: {self._old} has it, and {self._new} has none" if unset else found.text
            yield Finding(Kind.SESSION, level or Level.NOTE, (name,), f"{name} {text}")

    def _moved(self) -> Iterator[Finding]:
        for old, new in sorted(self._renamed.items()):
            if old in self._idle:
                both = new in self._idle
                left = f"{self._new} has both, and {old} is of no use" if both else f"{self._new} has {old}"
                level = Level.NOTE if both else Level.WARNING
                yield Finding(Kind.RENAMED, level, (old, new), f"{old} is called {new} now, and {left}")

    def _missing(self, example: Prints) -> Iterator[Finding]:
        live = self._live or {}
        told = {new for old, new in self._renamed.items() if old in self._idle}
        lacking = [name for name in example if name not in self._idle and name not in told]
        for fresh in (True, False):
            names = [name for name in lacking if (self._live is not None and name not in live) is fresh]
            if names:
                which = f"new in {self._of} and not set" if fresh else f"in {self._of} and not set"
                level = Level.REFUSED if self._rules.refuse_missing else Level.WARNING
                yield _finding(Kind.MISSING, level, names, f"{which} on {self._new}")
        new = [name for name in example if self._live is not None and name not in live and name in self._idle]
        if new:
            yield _finding(Kind.NEW, Level.NOTE, new, f"new in {self._of}, and set on {self._new}")

    def _unknown(self, example: Prints) -> Iterator[Finding]:
        strange = [name for name in self._idle if name not in example and name not in self._renamed]
        strange = [name for name in strange if base(name, example) not in example]
        alone = [name for name in strange if self._live is not None and name not in self._live]
        if alone:
            text = f"not in {self._of}, and not on {self._old}: set on {self._new} alone"
            yield _finding(Kind.UNKNOWN, Level.WARNING, alone, text)
        if both := [name for name in strange if name not in alone]:
            yield _finding(Kind.UNKNOWN, Level.NOTE, both, f"set on {self._new}, and not in {self._of}")

    def _public(self, example: Prints) -> Iterator[Finding]:
        """Secrets that everybody can read in the example."""
        names = [n for n in example if n in self._idle and self._is_secret(n) and not example[n].empty]
        if known := [name for name in names if self._idle[name].whole == example[name].whole]:
            text = f"still what stands in {self._of}, a secret that everybody can read, on {self._new}"
            yield _finding(Kind.PUBLIC, Level.WARNING, known, text)

    def _default(self, example: Prints) -> Iterator[Finding]:
        """Values that were the example's, which is another one now."""
        was = self._former or {}
        stayed = [
            name
            for name in example
            if name in was and name in self._idle and not self._is_secret(name) and not self._may_differ(name)
            if was[name].whole != example[name].whole and self._idle[name].whole == was[name].whole
        ]
        if stayed:
            text = f"{self._of} has another value than that of the release before, which {self._new} still has"
            yield _finding(Kind.DEFAULT, Level.NOTE, stayed, text)

    def _changed(self, live: Prints) -> Iterator[Finding]:
        both = [name for name in live if name in self._idle and not self._hangs(name) and not self._may_differ(name)]
        differ = [name for name in both if not _alike(live[name], self._idle[name])]
        urls = [n for n in differ if live[n].core and self._idle[n].core]
        secret = [name for name in differ if name not in urls and self._is_secret(name)]
        plain = [name for name in differ if name not in urls and name not in secret]
        if urls:
            text = f"{self._new} goes to another database than {self._old}, or as another role"
            yield _finding(Kind.UNLIKE, Level.WARNING, urls, text)
        if secret:
            text = f"another secret on {self._new} than on {self._old}"
            yield _finding(Kind.UNLIKE, Level.WARNING, secret, text)
        if plain:
            text = f"another value on {self._new} than on {self._old}"
            yield _finding(Kind.CHANGED, Level.NOTE, plain, text)

    def _alike(self, live: Prints) -> Iterator[Finding]:
        must = [name for name in live if name in self._idle and fits(name, exact(self._rules.differ))]
        if alike := [name for name in must if live[name].whole == self._idle[name].whole]:
            yield _finding(Kind.ALIKE, Level.WARNING, alike, "the same on both colours, and must differ between them")

    def _only_one(self, live: Prints) -> Iterator[Finding]:
        known = (self._example or {}).keys() | self._renamed.keys()
        gone = [n for n in live if n not in self._idle and n not in known and not self._hangs(n)]
        if gone:
            level = Level.NOTE if self._example is not None else Level.WARNING
            yield _finding(Kind.GONE, level, gone, f"set on {self._old}, and not on {self._new}")
        if self._example is None and (new := [n for n in self._idle if n not in live]):
            yield _finding(Kind.NEW, Level.NOTE, new, f"set on {self._new}, and not on {self._old}")

    def _looked_at(self, prints: Prints | None) -> Prints | None:
        if prints is None:
            return None
        return {name: each for name, each in prints.items() if not fits(name, self._rules.ignore)}

    def _hangs(self, name: str) -> bool:
        """Whether sessions hang on it; who names it among those that differ, knows that they do not."""
        if self._may_differ(name):
            return False
        first = base(name, self._known)
        return fits(name, self._rules.same) or (first != name and fits(first, self._rules.same))

    def _is_secret(self, name: str) -> bool:
        return fits(name, self._rules.secrets) or self._hangs(name)

    def _may_differ(self, name: str) -> bool:
        return fits(name, self._rules.differ)


def _finding(kind: Kind, level: Level, keys: Iterable[str], text: str) -> Finding:
    ordered = tuple(sorted(keys))
    return Finding(kind, level, ordered, f"{text}: {names_of(ordered)}")


def _alike(one: Print | None, other: Print | None) -> bool:
    """Whether both are there and the same, but for the application_name of a database URL."""
    if one is None or other is None:
        return one is other
    return one.whole == other.whole or (one.core != "" and one.core == other.core)
