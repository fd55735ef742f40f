"""Values that a column may take, as SQL: plain ones of its type first, then what its constraints speak of.

'1' comes first among texts because it can be read as most other types: a migration that casts the column to a number
should not fail on a row of ours.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NUMBERS = ("1", "0", "2", "-1", "10", "100", "1000", "5", "3")
TEXTS = ("1", "a", "A", "abc", "a@example.com", "https://example.com", "en", "USD", "A1", "+10000000", "2000-01-01", "")
BY_NAME = (
    (r"e_?mail", "a@example.com"),
    (r"ur[il]$|link", "https://example.com"),
    (r"uuid|guid", "00000000-0000-4000-8000-000000000001"),
    (r"(_at|_on|date|time|timestamp)$", "2000-01-01"),
    (r"json|payload|metadata", "{}"),
    (r"(^|_)ip(_|$)", "127.0.0.1"),
)
"""What a text holds that is called so."""

OF_TYPE = {
    "boolean": ("true", "false"),
    "date": ("2000-01-01", "2030-01-01", "now"),
    "interval": ("1 day", "0"),
    "time": ("12:00",),
    "uuid": ("00000000-0000-4000-8000-000000000001",),
    "inet": ("127.0.0.1", "10.0.0.0/8"),
    "cidr": ("10.0.0.0/8",),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "bytea": ("\\x01", ""),
    "json": ("{}", "[]", '"a"', "1"),
    "jsonb": ("{}", "[]", '"a"', "1"),
    "xml": ("<a/>",),
    "point": ("(1,1)",),
    "line": ("{1,1,1}",),
    "lseg": ("[(0,0),(1,1)]",),
    "box": ("(1,1),(0,0)",),
    "path": ("((0,0),(1,1))",),
    "polygon": ("((0,0),(1,1),(1,0))",),
    "circle": ("<(0,0),1>",),
    "jsonpath": ("$",),
    "pg_lsn": ("0/1",),
}
ANYTHING = ("1", "a", "", "{}", "[1]", "(1,1)", "POINT(0 0)")
"""For types that nobody foresaw."""

SPOKEN_TEXT = re.compile(r"'((?:[^']|'')*)'")
SPOKEN_NUMBER = re.compile(r"(?<![\w.$'])-?\d+(?:\.\d+)?(?![\w'])")


@dataclass(frozen=True, slots=True)
class Column:
    """A column to fill. `required`: takes no NULL; `filled`: Postgres fills it; `base`: its type, or what its domain
    stands on."""

    attnum: int
    name: str
    type: str
    base: str
    category: str
    required: bool
    filled: bool
    domain: int | None = None
    labels: tuple[str, ...] = ()


def candidates(column: Column, conditions: Iterable[str] = ()) -> tuple[str, ...]:
    """Values for it, as SQL of its base type. `conditions` are those of its constraints, whose literals may fit."""
    texts = list(dict.fromkeys(_texts(column, " ".join(conditions))))
    values = [_cast(text, column.base) for text in texts]
    if column.category == "C":
        values.insert(0, f"jsonb_populate_record(NULL::{column.base}, '{{}}')")
    if _kind(column) == "bit":  # its length must be met
        values.insert(0, f"1::{column.base}")
    return tuple(values)


def _texts(column: Column, spoken: str) -> Iterable[str]:
    plain, said = _plain(column), _spoken(column, spoken)
    return (*plain[:3], *said, *plain[3:])


def _kind(column: Column) -> str:
    return re.sub(r"\s*\(.*|\s+with(out)? time zone", "", column.base)


def _plain(column: Column) -> Sequence[str]:
    if column.labels:
        return column.labels
    if column.category == "A":
        return ("{}", "{1}", "{a}")
    if column.category == "R":
        return ("{(,)}", "{}") if "multirange" in column.base else ("(,)", "empty")
    if column.category == "N":
        return _fitting(column.base)
    if column.category == "S":
        named = [value for pattern, value in BY_NAME if re.search(pattern, column.name, re.IGNORECASE)]
        return (*named, *TEXTS)
    return OF_TYPE.get("date" if _kind(column) == "timestamp" else _kind(column), ANYTHING)


def _spoken(column: Column, spoken: str) -> Iterable[str]:
    literals = [text.replace("''", "'") for text in SPOKEN_TEXT.findall(spoken)]
    numbers = SPOKEN_NUMBER.findall(SPOKEN_TEXT.sub("", spoken))
    if column.category == "N":
        return _around([*literals, *numbers])
    if column.category == "S":
        return (*literals, *_long(numbers))
    if column.category == "D":
        return [text for text in literals if re.match(r"\d{4}-\d\d-\d\d|\d\d:\d\d", text)]
    if column.category == "A":
        return [f"{{{_quoted(text)}}}" for text in [*literals, *numbers]]
    return ()


def _fitting(type_: str) -> Sequence[str]:
    limits = re.search(r"numeric\((\d+),(-?\d+)\)", type_)
    return ("0", *NUMBERS) if limits and int(limits[1]) <= int(limits[2]) else NUMBERS


def _around(numbers: Iterable[str]) -> Iterable[str]:
    for text in numbers:
        if re.fullmatch(r"-?\d{1,18}", text):
            yield from (text, str(int(text) + 1), str(int(text) - 1))
        elif re.fullmatch(r"-?\d+\.\d+", text):
            yield text


def _long(numbers: Iterable[str]) -> Iterable[str]:
    for number in numbers:
        if number.isdecimal() and 0 < int(number) <= 1000:
            yield from ("1" * int(number), "a" * int(number), "A" * int(number), "1" * (int(number) + 1))


def _cast(text: str, type_: str) -> str:
    return "'" + text.replace("'", "''") + f"'::{type_}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
