"""What a migration says to us in its comments: `-- bluegreen: WORD key=value key="a longer value"`.

A directive that would be overlooked is refused: an unknown word, one that is no `key=value`, one said twice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.scripts import SqlRefused

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
    return Directive(line, word, tuple(plain), values)
