"""What a migration says to us in its comments: `-- bluegreen: WORD key=value key="a longer value"`.

A directive that would be overlooked is refused: an unknown word, one that is no `key=value`, one said twice, an accept
of something that is no kind of finding, or without a reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.scripts import SqlRefused
from bluegreen.domain.kinds import KINDS

NO_TRANSACTION, ACCEPT, BACKFILL, BEFORE_SWITCH = "no-transaction", "accept", "backfill", "before-switch"

WORDS = {
    NO_TRANSACTION: "-- bluegreen: no-transaction",
    ACCEPT: '-- bluegreen: accept KIND reason="why"',
    BACKFILL: "-- bluegreen: backfill table=NAME key=COLUMN",
    BEFORE_SWITCH: "-- bluegreen: before-switch",
}
"""The known words, and how each is written."""

BEGINNING = re.compile(r"--\s*bluegreen\s*:\s*")
ARGUMENT = re.compile(r'\s*(?:(?P<key>[a-z_-]+)=)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"=]+))(?=\s|$)')


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its line, its word, the words after it without a key, and those with one."""

    line: int
    word: str
    plain: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


def directives(text: str) -> tuple[Directive, ...]:
    """The directives of a file, in order. SqlRefused for what cannot be understood; postgast's error for no SQL."""
    raw = text.encode()
    found = []
    for token in postgast.scan(text).tokens:
        comment = raw[token.start : token.end].decode().strip()
        if token.token == pg.SQL_COMMENT and (begun := BEGINNING.match(comment)):
            line = raw[: token.start].count(b"\n") + 1
            found.append(_directive(line, comment, comment[begun.end() :]))
    return tuple(found)


def _directive(line: int, comment: str, said: str) -> Directive:
    word, _, rest = said.partition(" ")
    if word not in WORDS:
        raise SqlRefused(line, f"{comment!r} is not known; what is known: {'; '.join(map(repr, WORDS.values()))}")
    plain: list[str] = []
    values: dict[str, str] = {}
    while rest.strip():
        match = ARGUMENT.match(rest)
        if match is None or match["key"] in values:
            raise SqlRefused(line, f"{comment!r} cannot be read; it is written {WORDS[word]!r}")
        value = match["bare"] if match["quoted"] is None else match["quoted"]
        if match["key"]:
            values[match["key"]] = value
        else:
            plain.append(value)
        rest = rest[match.end() :]
    found = Directive(line, word, tuple(plain), values)
    if word == ACCEPT:
        _check_accept(found)
    return found


def _check_accept(found: Directive) -> None:
    """SqlRefused for an accept that names no kind of finding, one that cannot be accepted, or no reason."""
    how = f"it is written {WORDS[ACCEPT]!r}"
    if len(found.plain) != 1 or found.values.keys() - {"reason"}:
        raise SqlRefused(found.line, f"accept names one kind of finding and a reason; {how}")
    kind = KINDS.get(found.plain[0])
    if kind is None:
        near = get_close_matches(found.plain[0], KINDS, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise SqlRefused(found.line, f"there is no kind of finding called {found.plain[0]}.{meant}")
    if not kind.acceptable:
        raise SqlRefused(found.line, f"{kind.name} cannot be accepted: {kind.meaning}")
    if not found.values.get("reason", "").strip():
        raise SqlRefused(found.line, f"accept {kind.name} needs a reason; {how}")
