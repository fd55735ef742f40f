"""What changes of tables, views and sequences mean for the running version."""

import re
from collections.abc import Iterator

from bluegreen.domain.breaks_columns import position
from bluegreen.domain.catalogue import How, Thing
from bluegreen.domain.differences import RELATIONS, Difference, Look
from bluegreen.domain.marks import Mark, said

NOT_SIMPLE = re.compile(
    r"\b(?:JOIN|GROUP BY|HAVING|DISTINCT|UNION|INTERSECT|EXCEPT|LIMIT|OFFSET|WITH)\b", re.IGNORECASE
)


def table_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One table or foreign table."""
    thing, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        yield Mark("table-dropped", thing, "is dropped, with its rows")
    elif difference.how is How.ADDED:
        yield from _child_added(look, thing)
    elif after is not None:
        if "name" in difference.fields:
            yield _renamed(look, thing, after)
        for field in difference.fields:
            yield from _table_fact(field, thing, after)


def _child_added(look: Look, table: Thing) -> Iterator[Mark]:
    """A new child shows its rows in a parent that was there. A new partition must take none from the default one."""
    parents = [name for name in said(table, "inherits").split(", ") if ("table", name) in look.named_before]
    if parents:
        yield Mark("inheritance-changed", table, f"is new, and its rows are found in {parents[0]}")
    parent = said(table, "partition_of")
    for other in look.before.values():
        rest = said(other, "bound") == "DEFAULT" and said(other, "partition_of") == parent
        if other.kind == "table" and parent and rest:
            yield Mark("default-partition-scanned", other, f"must hold no row that belongs to the new {table.name}")


def _renamed(look: Look, before: Thing, after: Thing) -> Mark:
    view = look.named_after.get(("view", before.name))
    kind = "table-renamed" if before.kind in ("table", "foreign_table") else "view-dropped"
    if view is None:
        return Mark(kind, before, f"is called {after.name} now")
    missing = stands_in(look, before, view)
    if missing:
        return Mark(kind, before, f"is called {after.name} now, and the view {view.name} {missing}")
    return Mark("renamed-with-view", before, f"is called {after.name} now; the view {view.name} stands in for it")


def stands_in(look: Look, table: Thing, view: Thing) -> str:
    """What keeps a view from standing in for a table, "" where nothing does: it has the same columns, is written
    through to rows, grants the same, and leaves no row security behind (a view reads with its owner's rights)."""
    columns = [(name, said(c, "type")) for name, c in look.columns_before(table.key).items()]
    shown = [(name, said(c, "type")) for name, c in look.columns_after(view.key).items()]
    if shown[: len(columns)] != columns:
        return "has other columns"
    if NOT_SIMPLE.search(said(view, "definition")) or re.search(r"\bWHERE\b", said(view, "definition")):
        return "does not show or take all rows"
    if table.facts.get("row_security") and "security_invoker=" not in said(view, "options"):
        return "goes past the row security (WITH (security_invoker = true) keeps it)"
    granted = {
        said(t, "grantee"): said(t, "privileges") for t in look.children_after.get(view.key, ()) if t.kind == "grant"
    }
    for grant in look.children_before.get(table.key, ()):
        rights = set(said(grant, "privileges").split(", ")) - {"TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}
        if NOT_SIMPLE.search(said(table, "definition")):
            rights &= {"SELECT"}  # a view that cannot be written to
        if grant.kind == "grant" and not rights <= set(granted.get(said(grant, "grantee"), "").split(", ")):
            return f"does not grant {said(grant, 'grantee')} what the table did"
    return ""


def _table_fact(field: str, before: Thing, after: Thing) -> Iterator[Mark]:
    now = after.facts.get(field)
    if field in ("partition_of", "inherits", "bound"):
        yield from _family(field, before, after)
    elif field == "persistence" and now == "unlogged":
        yield Mark("unlogged", before, "is unlogged now")
    elif field in ("row_security", "forced_row_security"):
        if now:
            yield Mark("row-security-changed", before, "has its rows filtered by policies now")
        else:
            yield Mark("row-security-dropped", before, "has its rows no longer filtered by policies")
    elif field == "owner":
        yield Mark("owner-changed", before, f"belongs to {now} now")
    elif field == "replica_identity" and now == "n":
        yield Mark("replica-identity-missing", before, "has no replica identity: once published, no row can be changed")
    elif field in ("server", "options") and before.kind == "foreign_table":
        yield Mark("options-changed", before, f"has {field} {now}")


def _family(field: str, before: Thing, after: Thing) -> Iterator[Mark]:
    """Whose rows are found where."""
    now = after.facts.get(field)
    if field == "partition_of":
        kind = "partition-attached" if now else "partition-detached"
        yield Mark(kind, before, f"becomes a partition of {now}" if now else "is no partition any more")
    elif field == "inherits":
        yield Mark("inheritance-changed", before, f"inherits from {now or 'nothing'} now")
    elif now and before.facts.get(field):
        yield Mark("partition-attached", before, f"takes {now} now")


def publication_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One publication. Rows of a published table without a replica identity can be neither changed nor removed."""
    after = difference.after
    if after is None:
        yield Mark("object-dropped", difference.thing, "is dropped")
        return
    definition = said(after, "definition")
    if not re.search(r"\b(?:update|delete)\b", definition):
        return
    for table in look.before.values():
        published = "all tables" in definition or f"{table.name} (" in definition
        if table.kind == "table" and published and table.key in look.after and not _identified(look, table):
            yield Mark("replica-identity-missing", table, f"has no key, and {after.name} publishes its changes")


def _identified(look: Look, table: Thing) -> bool:
    how = said(look.after[table.key], "replica_identity") or "d"
    things = look.children_after.get(table.key, ())
    return how in ("f", "i") or (how == "d" and any(t.kind == "index" and t.facts.get("primary") for t in things))


def view_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One view or materialised view."""
    thing, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        yield from _view_removed(look, thing)
    elif difference.how is How.CHANGED and after is not None:
        yield from _view_changed(look, difference, thing, after)


def _view_removed(look: Look, view: Thing) -> Iterator[Mark]:
    """Something else can have taken its name: a table in the place of a view, a materialised view."""
    others = (look.named_after.get((kind, view.name)) for kind in RELATIONS - {view.kind})
    instead = next((other for other in others if other is not None), None)
    if instead is None:
        yield Mark("view-dropped", view, "is dropped")
        return
    columns = [(name, said(c, "type")) for name, c in look.columns_before(view.key).items()]
    shown = [(name, said(c, "type")) for name, c in look.columns_after(instead.key).items()]
    if shown[: len(columns)] != columns:
        yield Mark("view-columns-changed", view, f"is a {instead.kind} with other columns now")
    elif instead.kind == "matview" and not instead.facts.get("populated", True):
        yield Mark("view-empty", instead, "has no data")
    elif view.kind == "view" and instead.kind == "matview" and not NOT_SIMPLE.search(said(view, "definition")):
        yield Mark("view-read-only", view, "is materialised now and cannot be written to")
    else:
        yield Mark("view-changed", view, f"is a {instead.kind} now")


def only_longer(former: str, now: str) -> bool:
    """Whether a view asks the same of the same rows, and shows more columns after the former ones."""
    (shown, rest), (more, other) = (_parts(text) for text in (former, now))
    return rest == other and (more == shown or more.startswith(f"{shown},"))


def _parts(definition: str) -> tuple[str, str]:
    """What a view shows, and of which rows."""
    shown, _, rest = " ".join(definition.split()).partition(" FROM ")
    return shown, rest


def _view_changed(look: Look, difference: Difference, before: Thing, after: Thing) -> Iterator[Mark]:
    if "name" in difference.fields:
        yield _renamed(look, before, after)
    if "definition" in difference.fields:
        former, now = said(before, "definition"), said(after, "definition")
        if before.kind == "view" and not NOT_SIMPLE.search(former) and NOT_SIMPLE.search(now):
            yield Mark("view-read-only", before, "is put together from more than one table's rows now")
        elif only_longer(former, now):
            yield Mark("view-changed", before, "has more columns now")
        else:
            yield Mark("view-meaning-changed", before, "asks something else now")
    if "options" in difference.fields:
        yield Mark("options-changed", before, f"has the options {said(after, 'options') or 'of a plain view'} now")
    if "owner" in difference.fields:
        yield Mark("owner-changed", before, f"belongs to {said(after, 'owner')} now")
    if "populated" in difference.fields and not after.facts.get("populated"):
        yield Mark("view-empty", before, "has no data any more")


def sequence_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One sequence."""
    before, after = difference.thing, difference.after
    if difference.how is How.REMOVED:
        if not _of_replaced_default(look, before):
            yield Mark("sequence-dropped", before, "is dropped")
        return
    if difference.how is How.ADDED or after is None:
        return
    if "name" in difference.fields and not _of_identity(look, before):
        yield Mark("sequence-dropped", before, f"is called {after.name} now")
    changed = [
        f
        for f in difference.fields
        if f in ("increment", "cycle") or (f in ("minimum", "maximum") and _narrower(f, before, after))
    ]
    if changed:
        text = ", ".join(f"{f} {said(before, f) or 'off'} → {said(after, f) or 'off'}" for f in changed)
        yield Mark("sequence-changed", before, f"has {text}")
    if "owner" in difference.fields:
        yield Mark("owner-changed", before, f"belongs to {said(after, 'owner')} now")
    backwards = (
        position(after) < position(before)
        if int(after.facts.get("increment") or 1) > 0
        else position(after) > position(before)
    )
    if "position" in difference.fields and backwards:
        yield Mark(
            "sequence-moved",
            before,
            f"is at {said(after, 'position') or 'its start'}; it was at {said(before, 'position')}",
        )


def _of_identity(look: Look, sequence: Thing) -> bool:
    """Whether it belongs to an identity column: nobody needs to know its name."""
    owner = said(sequence, "owned_by")
    return any(t.kind == "column" and t.name == owner and said(t, "identity") for t in look.before.values())


def _of_replaced_default(look: Look, sequence: Thing) -> bool:
    """Whether its column is gone (and told), or became an identity (and is told there)."""
    column = next(
        (t for t in look.before.values() if t.kind == "column" and t.name == said(sequence, "owned_by")), None
    )
    if column is None:
        return False
    now = look.after.get(column.key)
    return now is None or bool(said(now, "identity")) or said(now, "default") != said(column, "default")


def _narrower(field: str, before: Thing, after: Thing) -> bool:
    former, now = int(before.facts.get(field) or 0), int(after.facts.get(field) or 0)
    return now > former if field == "minimum" else now < former
