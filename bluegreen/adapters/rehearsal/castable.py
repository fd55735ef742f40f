"""Which values of a column its new type would not take, as a condition in SQL."""

import re
from collections.abc import Sequence

RANGES = {
    "smallint": (-32768, 32767),
    "integer": (-2147483648, 2147483647),
    "bigint": (-9223372036854775808, 9223372036854775807),
}
NUMBERS = (*RANGES, "numeric", "real", "double precision")
TEXTS = ("text", "character varying", "character")
SHAPES = {
    "uuid": r"^\{?([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}\}?$",
    "numeric": r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*NaN\s*$",
    "boolean": r"^\s*(t|tr|tru|true|y|ye|yes|on|1|f|fa|fal|fals|false|n|no|of|off|0)\s*$",
}
WHOLE = r"^\s*[+-]?\d+\s*$"


def uncastable(column: str, was: str, is_: str, labels: Sequence[str] = ()) -> str:
    """True for rows that the cast without a USING would not take, or would cut; "" where that is not known. Types as
    Postgres writes them; `labels` those of the new type, if it is an enum."""
    old, new = _name(was), _name(is_)
    if labels:
        listed = ", ".join("'" + label.replace("'", "''") + "'" for label in labels)
        return f"{column}::text NOT IN ({listed})"
    if new in ("character varying", "character") and (limit := re.search(r"\((\d+)\)", is_)):
        return f"length(rtrim({column}::text)) > {limit[1]}"
    if old in NUMBERS:
        return _of_number(column, new, is_)
    if old in TEXTS:
        return _of_text(column, new)
    return ""


def _of_number(column: str, new: str, is_: str) -> str:
    if new in RANGES:
        low, high = RANGES[new]
        return f"round({column}::numeric) NOT BETWEEN {low} AND {high}"
    if new == "numeric" and (limits := re.search(r"\((\d+),(-?\d+)\)", is_)):
        digits, scale = int(limits[1]), int(limits[2])
        return f"abs(round({column}::numeric, {scale})) >= 1e{digits - scale}"
    return ""


def _of_text(column: str, new: str) -> str:
    if new in RANGES:
        low, high = RANGES[new]
        # CASE: the cast is not tried where it would fail
        return (
            f"CASE WHEN {column}::text !~ '{WHOLE}' THEN true"
            f" ELSE trim({column}::text)::numeric NOT BETWEEN {low} AND {high} END"
        )
    if new in SHAPES:
        return f"{column}::text !~{'*' if new == 'boolean' else ''} '{SHAPES[new]}'"
    return ""


def _name(type_: str) -> str:
    return re.sub(r"\s*\([^)]*\)", "", type_)
