"""Which types take all values of another one, written and read in the same way."""

import re

from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.differences import base_type

FORM = re.compile(
    r"^(?P<name>[^(\[]+?)\s*(?:\((?P<numbers>[\d,\s-]+)\))?(?P<zone> with(?:out)? time zone)?(?P<array>(?:\[\])*)$"
)

WIDER = {
    "smallint": {"integer", "bigint"},
    "integer": {"bigint"},
    "real": {"double precision"},
    "cidr": {"inet"},
    "character varying": {"text"},
    "text": {"character varying"},
}
"""By name alone; a limit of the new type is looked at apart. Numbers of another kind (integer → numeric) are written
and read in other ways, text of another kind (→ citext, json → jsonb) is compared in other ways."""

LIMITED = {"character varying", "bit varying", "timestamp", "time", "interval", "numeric"}
"""Types whose number in brackets is a limit; without one there is none."""


def widened(before: str, after: str, catalogue: Catalogue) -> bool:
    """Whether each value of the one type is one of the other. Types as Postgres writes them (format_type)."""
    before = base_type(before, catalogue)
    if before == after:
        return True
    old, new = FORM.match(before), FORM.match(after)
    if old is None or new is None or old["array"] != new["array"] or old["zone"] != new["zone"]:
        return False
    if old["name"] != new["name"] and new["name"] not in WIDER.get(old["name"], ()):
        return False
    if new["numbers"] is None:
        return old["name"] in LIMITED or old["numbers"] is None
    return old["name"] == new["name"] and old["name"] in LIMITED and _room(old["name"], old["numbers"], new["numbers"])


def _room(name: str, former: str | None, now: str) -> bool:
    if former is None:
        return False
    if name != "numeric":
        return int(now) >= int(former)
    digits, scale = _numeric(former)
    more_digits, more_scale = _numeric(now)
    # Another scale is shown in another way (1.50, 1.500), but compares equal.
    return more_scale >= scale and more_digits - more_scale >= digits - scale


def _numeric(numbers: str) -> tuple[int, int]:
    digits, _, scale = numbers.partition(",")
    return int(digits), int(scale or 0)
