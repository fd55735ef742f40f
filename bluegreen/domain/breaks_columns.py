"""What changes of columns mean for the running version."""

from collections.abc import Iterator

from bluegreen.domain.catalogue import How, Thing
from bluegreen.domain.differences import Difference, Look, last_part
from bluegreen.domain.expressions import can_fail, worked_out
from bluegreen.domain.marks import Mark, said
from bluegreen.domain.type_widening import widened


def column_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One column of a table, view or foreign table that was there."""
    table = look.table(difference.thing)
    if table is not None and table.kind in ("view", "matview"):
        yield from _of_view(difference)
    elif difference.how is How.ADDED:
        yield from _added(look, difference.thing)
    elif difference.how is How.REMOVED:
        yield Mark("column-dropped", difference.thing, "is dropped, with its values")
    else:
        yield from _changed(look, difference)


def _of_view(difference: Difference) -> Iterator[Mark]:
    thing = difference.thing
    if difference.how is How.REMOVED:
        yield Mark("view-columns-changed", thing, "is gone from its view")
    elif difference.how is How.CHANGED and difference.after is not None:
        if "name" in difference.fields:
            yield Mark("view-columns-changed", thing, f"is called {last_part(difference.after.name)} now")
        elif "type" in difference.fields:
            yield Mark("view-columns-changed", thing, _types(difference))
        elif "default" in difference.fields:
            yield from _default(thing, difference.after)


def _added(look: Look, column: Thing) -> Iterator[Mark]:
    generated = said(column, "generated")
    if generated:
        if can_fail(generated, look.types_after(column.of)):
            yield Mark("may-fail-on-rows", column, f"is worked out for each row that is written: {generated}")
        return
    domain = look.named_after.get(("domain", said(column, "type")))
    required = column.facts.get("not_null") or (domain is not None and domain.facts.get("not_null"))
    default = said(column, "default") or (said(domain, "default") if domain is not None else "")
    if required and not default and not said(column, "identity"):
        yield Mark(
            "column-required", column, "is new, NOT NULL and without a default: INSERTs that do not know it fail"
        )


def _types(difference: Difference) -> str:
    after = difference.after or difference.thing
    return f"changes from {said(difference.thing, 'type')} to {said(after, 'type')}"


def _changed(look: Look, difference: Difference) -> Iterator[Mark]:
    before, after, fields = difference.thing, difference.after or difference.thing, difference.fields
    if "name" in fields:
        yield Mark("column-renamed", before, f"is called {last_part(after.name)} now")
    if "type" in fields:
        fits = widened(said(before, "type"), said(after, "type"), look.before)
        yield Mark("type-widened" if fits else "type-changed", before, _types(difference))
    if "collation" in fields:
        yield Mark("collation-changed", before, f"is sorted by {said(after, 'collation') or 'the default'} now")
    if "not_null" in fields:
        yield from _not_null(look, before, after)
    if "identity" in fields:
        yield from _identity(look, before, after)
    elif "default" in fields and "generated" not in fields:
        yield from _default(before, after)
    if "generated" in fields:
        how = said(after, "generated") or "no longer"
        yield Mark(
            "generated-changed",
            before,
            f"is worked out from {how}" if said(after, "generated") else "is no longer worked out",
        )


def _not_null(look: Look, before: Thing, after: Thing) -> Iterator[Mark]:
    if not after.facts.get("not_null"):
        yield Mark("not-null-dropped", before, "may be NULL now")
    elif not never_null(look, before):
        yield Mark("not-null-added", before, "must not be NULL any more: writes of the running version may fail")


def never_null(look: Look, column: Thing) -> bool:
    """Whether a CHECK kept NULLs out of it before this file, for new rows at least."""
    own = last_part(column.name)
    forms = {f"CHECK (({own} IS NOT NULL))", f"CHECK (({own} IS NOT NULL)) NOT VALID"}
    return any(
        thing.kind == "constraint" and said(thing, "definition") in forms
        for thing in look.children_before.get(column.of, ())
    )


def _identity(look: Look, before: Thing, after: Thing) -> Iterator[Mark]:
    former, now = said(before, "identity"), said(after, "identity")
    if former == "always" and now:
        return
    if not former and now == "by default" and said(before, "default").startswith("nextval("):
        if _as_far(look, before, after):
            yield Mark("default-added", before, "gets its number from an identity now")
            return
    elif not former and now == "by default":
        yield Mark("default-added", before, "gets a number where none is given")
        return
    elif former and not now and said(after, "default"):
        yield Mark("default-added", before, f"gets {said(after, 'default')} where nothing is given")
        return
    yield Mark("identity-changed", before, f"is an identity {now}" if now else "is no identity any more")


def _as_far(look: Look, before: Thing, after: Thing) -> bool:
    """Whether the new identity goes on where the former sequence was."""
    table = look.table(before)
    if table is None:
        return False
    old = [t for t in look.before.values() if t.kind == "sequence" and t.name in said(before, "default")]
    owned = {f"{table.name}.{last_part(after.name)}", after.name}
    new = [
        t for t in look.after.values() if t.kind == "sequence" and said(t, "owned_by") in owned and look.is_new(t.key)
    ]
    reached = max((position(t) for t in old), default=0)
    return any(position(t) >= reached for t in new)


def position(sequence: Thing) -> int:
    """How far a sequence is; 0 for one that was never used."""
    value = said(sequence, "position")
    return int(value) if value.lstrip("-").isdigit() else 0


def _default(before: Thing, after: Thing) -> Iterator[Mark]:
    former, now = said(before, "default"), said(after, "default")
    if not now and after.facts.get("not_null"):
        yield Mark("default-dropped", before, f"has no default any more, and must be filled (it was {former})")
    elif not now:
        yield Mark("default-changed", before, f"stays NULL where nothing is given (it was {former})")
    else:
        kind = "default-added" if not former or (worked_out(former) and worked_out(now)) else "default-changed"
        yield Mark(kind, before, f"gets {now} where nothing is given (it was {former or 'NULL'})")
