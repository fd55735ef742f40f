"""What a file does to rows that are there, from its text: UPDATE, DELETE, TRUNCATE and the like."""

from collections.abc import Iterator

from bluegreen.domain.breaks_constraints import key_columns
from bluegreen.domain.catalogue import Thing
from bluegreen.domain.differences import RELATIONS, Look, index_form, last_part
from bluegreen.domain.seen import FileSeen
from bluegreen.domain.weights import size_of

FEW = 500
"""Rows that one statement may change: they are locked for some ten milliseconds."""


def parted(said: str) -> tuple[str, frozenset[str]]:
    """The table, and the columns that a WHERE pins to values: `users(id)` → users, {id}."""
    name, _, columns = said.partition("(")
    return name, frozenset(part for part in columns.rstrip(")").split(",") if part)


def existing(look: Look, name: str, kinds: frozenset[str] = RELATIONS) -> Thing | None:
    """What was there by that name; without a schema, in any of them."""
    if not name:
        return None
    bare, full = last_part(name).strip('"'), name.replace('"', "")
    for thing in look.before.values():
        alike = thing.kind in kinds and last_part(thing.name).strip('"') == bare
        if alike and ("." not in full or thing.name.replace('"', "") == full):
            return thing
    return None


def changed_rows(seen: FileSeen, look: Look, kind: str, said: str) -> Iterator[tuple[str, str, str]]:
    """Kind, object and words for a danger about rows; nothing for tables that came with the file."""
    name, pinned = parted(said)
    table = existing(look, name)
    if table is None:
        if not look.before:
            yield kind, name, "is changed in one go"
        return
    size = size_of(seen, table)
    if size is not None and size.rows == 0 and not size.bytes:
        return
    few = _by_key(look, table, pinned) or (size is not None and size.rows <= FEW)
    if kind == "unbatched-update":
        yield ("rows-updated", table.name, "has a few rows changed") if few else (kind, table.name, _much(size))
    elif kind == "unbatched-delete":
        yield ("rows-deleted", table.name, "has a few rows removed") if few else (kind, table.name, _much(size))
    else:
        yield kind, table.name, "loses all of its rows" if kind == "truncated" else "gets rows from another query"


def _much(size: object) -> str:
    rows = getattr(size, "rows", None)
    return f"has about {rows:,} rows, changed in one go" if rows else "is changed in one go"


def _by_key(look: Look, table: Thing, pinned: frozenset[str]) -> bool:
    """Whether the WHERE picks single rows by a unique key."""
    return any(
        thing.kind == "index"
        and bool(thing.facts.get("unique"))
        and " WHERE " not in index_form(thing)
        and bool(key_columns(index_form(thing)))
        and {c.strip('"') for c in key_columns(index_form(thing))} <= pinned
        for thing in look.children_before.get(table.key, ())
    )
