"""What a file does to rows that are there, from its text: UPDATE, DELETE, TRUNCATE and the like."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bluegreen.domain.breaks_constraints import key_columns
from bluegreen.domain.catalogue import Thing
from bluegreen.domain.differences import RELATIONS, Look, base_type, index_form, last_part
from bluegreen.domain.expressions import cast_can_fail
from bluegreen.domain.marks import said
from bluegreen.domain.seen import FileSeen, LockSeen, StatementSeen
from bluegreen.domain.weights import size_of

FEW = 500
"""Rows that one statement may change: they are locked for some ten milliseconds."""

ABOUT = frozenset({"unbatched-update", "unbatched-delete", "truncated", "rows-copied", "rows-inserted"})
"""Dangers about rows of a table: they count where the table was there."""

FORM = re.compile(r"(?P<name>[^(=]*)(?:\((?P<pinned>[^)]*)\))?(?:=(?P<set>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """`users(id)=email`: the table, the columns that a WHERE pins to values, and those that are set."""

    name: str
    pinned: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()

    @staticmethod
    def read(text: str) -> "Target":
        """As adapters/postgres/sql_rows.py writes it."""
        match = FORM.fullmatch(text)
        if match is None:
            return Target(text)
        pinned, filled = (frozenset(filter(None, (match[part] or "").split(","))) for part in ("pinned", "set"))
        return Target(match["name"], pinned, filled)


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


def changed_rows(seen: FileSeen, look: Look, kind: str, text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, object and words for a danger about rows; nothing for tables that came with the file."""
    target = Target.read(text)
    table = existing(look, target.name)
    if table is None:
        if not look.before:
            yield kind, target.name, "is changed in one go"
        return
    size = size_of(seen, table)
    if size is not None and size.rows == 0 and not size.bytes:
        return
    few = _by_key(look, table, target.pinned) or (size is not None and 0 <= size.rows <= FEW)
    if kind == "unbatched-update" and few:
        before = look.columns_before(table.key)
        new = bool(target.filled) and all(name not in before for name in target.filled)
        yield ("rows-filled" if new else "rows-updated"), table.name, "has rows changed"
    elif kind == "unbatched-delete" and few:
        yield "rows-deleted", table.name, "has rows removed"
    else:
        many = f"about {size.rows:,}" if size is not None and size.rows > 0 else "any number of"
        yield kind, table.name, WORDS[kind].format(many=many)


WORDS = {
    "unbatched-update": "has {many} rows, changed in one go",
    "unbatched-delete": "has {many} rows, removed in one go",
    "truncated": "loses all of its rows",
    "rows-copied": "gets rows from another query",
    "rows-inserted": "gets new rows",
}


def _by_key(look: Look, table: Thing, pinned: frozenset[str]) -> bool:
    """Whether the WHERE picks single rows by a unique key."""
    forms = (
        index_form(thing)
        for thing in look.children_before.get(table.key, ())
        if thing.kind == "index" and thing.facts.get("unique")
    )
    keys = ({column.strip('"') for column in key_columns(form)} for form in forms if " WHERE " not in form)
    return any(key and key <= pinned for key in keys)


def written_by_code(
    seen: FileSeen, look: Look, statement: StatementSeen, had: tuple[LockSeen, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Tables that a statement writes to without saying so: a function that it calls, SQL that it puts together, a
    tool. `had` are the locks that the statement before it has left: in a transaction they stay, and say nothing of
    this one."""
    if any(kind in ABOUT for kind, _ in statement.dangers):
        return
    locked = (
        lock.table for lock in statement.locks if lock.mode == "ROW EXCLUSIVE" and lock.existed and lock not in had
    )
    for key in dict.fromkeys((*locked, *statement.written)):
        table = look.before.get(key)
        if table is None or table.kind != "table":
            continue
        if not statement.text:
            yield from _written_by_tool(seen, table, scanned=key in statement.scanned)
            continue
        for kind, name, _ in changed_rows(seen, look, "unbatched-update", table.name):
            yield kind, name, "is written to by code that the statement runs"


def _written_by_tool(seen: FileSeen, table: Thing, *, scanned: bool) -> Iterator[tuple[str, str, str]]:
    """A tool keeps a history of its own in a table: that is nobody else's."""
    size, name = size_of(seen, table), last_part(table.name).strip('"')
    small = size is not None and 0 <= size.rows <= FEW
    used = any(re.search(rf"\b{re.escape(name)}\b", query.text, re.IGNORECASE) for query in seen.queries)
    if scanned and not small:
        yield "unbatched-update", table.name, "is read to its end and written to by the tool"
    elif used or not small:
        yield "rows-written", table.name, "is written to by the tool"


def misfit(look: Look, text: str) -> str:
    """What is wrong with `/` or `column::type`, worked out for rows of production; "" where it fits all of them."""
    source, cast, target = text.partition("::")
    if not cast:
        return "divides by what may be 0" if look.before else ""
    columns = [t for t in look.before.values() if t.kind == "column" and last_part(t.name).strip('"') == source]
    if not source or any(cast_can_fail(base_type(said(c, "type"), look.before), target) for c in columns):
        return f"takes {source or 'a text of a document'} for {target}, which may not fit each row"
    return ""
