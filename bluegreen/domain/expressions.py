"""What can be told of SQL expressions as Postgres writes them (pg_get_expr, pg_get_constraintdef), without a parser."""

import re
from collections.abc import Mapping

from bluegreen.domain.differences import PART

LITERAL = re.compile(r"'(?:[^']|'')*'(?:::[\w\s\"\[\].]+?(?=[,)\]\s]|$))?")
CAST = re.compile(
    r"(?P<source>\((?:[a-z_][\w$]*|\"[^\"]+\")\)|\)|[\w\"]+)"
    r"::(?P<target>[a-z_\"][\w\".]*(?: [a-z]+)*(?:\([\d,]+\))?(?:\[\])?)"
)
TEXTS = ("text", "character varying", "character", "name", "citext")
TOTAL = {
    "smallint": {"integer", "bigint", "numeric", "real", "double precision"},
    "integer": {"bigint", "numeric", "real", "double precision"},
    "bigint": {"numeric", "real", "double precision"},
    "real": {"double precision", "numeric"},
    "numeric": {"double precision"},
    "date": {"timestamp without time zone", "timestamp with time zone", "timestamp"},
    "timestamp without time zone": {"date", "timestamp with time zone", "time without time zone"},
    "timestamp with time zone": {"date", "timestamp without time zone", "timestamp", "time without time zone"},
    "boolean": {"integer"},
    "jsonb": {"json"},
    "json": {"jsonb"},
    "uuid": set(),
}
"""Casts that fit each value (but for infinities)."""
DIVISION = re.compile(r"(?<![/*])[/%](?![*/])")
NULL_AWARE = re.compile(
    r"IS NOT NULL|IS DISTINCT|COALESCE|num_nonnulls|num_nulls|IS (?:NOT )?(?:TRUE|FALSE|UNKNOWN)|CASE\b"
)
CALL = re.compile(r"\w\s*\(|CURRENT_|LOCALTIME")
VOLATILE = re.compile(
    r"\b(?:nextval|gen_random_uuid|uuidv7|uuid_generate_v\d|random|clock_timestamp|uuidv4)\s*\(", re.IGNORECASE
)
ARRAY = re.compile(r"ARRAY\[(?P<items>[^\]]*)\]")
NUMERIC = r"(?:numeric|integer|bigint|smallint|real|double precision)"
NUMBERS = (
    re.compile(rf"'(-?\d+(?:\.\d+)?)'::{NUMERIC}"),
    re.compile(rf"\((-?\d+(?:\.\d+)?)\)::{NUMERIC}"),
)
"""Numbers with a cast, as Postgres writes them."""

LIMIT = re.compile(r"(?P<sign><=|>=|<|>)\s*\(?'?(?P<number>-?\d+(?:\.\d+)?)'?\)?")


def can_fail(expression: str, types: Mapping[str, str]) -> bool:
    """Whether working it out can fail on a row: a division, or a cast that does not fit each value. `types` are those
    of the table's columns."""
    bare = LITERAL.sub("''", _plain_numbers(expression))
    return any(not _by_a_number(bare, found.end()) for found in DIVISION.finditer(bare)) or any(
        cast_can_fail(types.get(found["source"].strip("()"), ""), found["target"])
        for found in CAST.finditer(bare)
        if not found["source"].isdigit()
    )


def _by_a_number(expression: str, place: int) -> bool:
    number = re.match(r"\s*\(?(\d+(?:\.\d+)?)", expression[place:])
    return number is not None and float(number[1]) != 0


def cast_can_fail(source: str, target: str) -> bool:
    """Whether a value of the one type may not be one of the other; "" is a type that is not known."""
    source, target = (re.sub(r"\(.*\)", "", text).strip() for text in (source, target))
    if target in TEXTS or target in ("regclass", "bytea") or source == target:
        return False
    return target not in TOTAL.get(source, set())


def worked_out(default: str) -> bool:
    """Whether a default is no constant."""
    return bool(CALL.search(LITERAL.sub("''", default)))


def passes_null(check: str) -> bool:
    """Whether a CHECK surely accepts a row in which what it names is NULL."""
    return not NULL_AWARE.search(LITERAL.sub("''", check))


def always_other(default: str) -> bool:
    """Whether a default gives each row a value of its own."""
    return bool(VOLATILE.search(default))


def names_in(text: str) -> set[str]:
    """The words in it that can be columns, as catalogues write them."""
    return set(PART.findall(re.sub(r"[^\w\"$.]+", " ", LITERAL.sub(" ", text))))


def only_wider(former: str, now: str) -> bool:
    """Whether a CHECK accepts all that the former one accepted: a longer list, a wider limit, another way to pass."""
    former, now = (_core(text) for text in (former, now))
    return former == now or _alternative(former, now) or _longer_list(former, now) or _wider_limit(former, now)


def _core(check: str) -> str:
    text = re.sub(r"\s+", " ", check).removesuffix(" NOT VALID").removeprefix("CHECK ").strip()
    return _plain_numbers(text)


def _plain_numbers(text: str) -> str:
    for form in NUMBERS:
        text = form.sub(r"\1", text)
    return text


def _alternative(former: str, now: str) -> bool:
    inner = former[1:-1] if former.startswith("(") else former
    return bool(inner) and now.startswith(f"({inner} OR ")


def _longer_list(former: str, now: str) -> bool:
    old, new = ARRAY.findall(former), ARRAY.findall(now)
    if len(old) != 1 or len(new) != 1 or "<> ALL" in now or "NOT (" in now:
        return False
    if ARRAY.sub("?", former) != ARRAY.sub("?", now):
        return False
    return set(re.split(r",\s*", old[0])) <= set(re.split(r",\s*", new[0]))


def _wider_limit(former: str, now: str) -> bool:
    old, new = list(LIMIT.finditer(former)), list(LIMIT.finditer(now))
    if not old or len(old) != len(new) or "NOT (" in now or LIMIT.sub("?", former) != LIMIT.sub("?", now):
        return False
    for a, b in zip(old, new, strict=True):
        low, high = float(a["number"]), float(b["number"])
        if a["sign"][0] != b["sign"][0] or ("=" in a["sign"] and "=" not in b["sign"] and low == high):
            return False
        if (high < low) if a["sign"][0] == "<" else (high > low):
            return False
    return True
