"""What changes of constraints and indexes mean for the running version."""

import re
from collections.abc import Iterator

from bluegreen.domain.breaks_columns import never_null
from bluegreen.domain.catalogue import How, Thing
from bluegreen.domain.differences import Difference, Look, index_form, last_part
from bluegreen.domain.expressions import always_other, can_fail, names_in, only_wider, passes_null
from bluegreen.domain.marks import Mark, said

ADDED = {"c": "check-added", "p": "unique-added", "u": "unique-added", "f": "foreign-key-added", "x": "exclusion-added"}
WORDS = {"c": "CHECK", "p": "PRIMARY KEY", "u": "UNIQUE", "f": "FOREIGN KEY", "x": "EXCLUDE"}
KEY_COLUMNS = re.compile(r"\A[^()]*\((?P<columns>[^()]*)\)")
ACTS = re.compile(r"ON (?:DELETE|UPDATE) (?:CASCADE|SET (?:NULL|DEFAULT))")


def constraint_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One constraint of a table that was there."""
    if said(difference.thing, "type") not in ADDED:
        return  # a NOT NULL of Postgres 18: its column tells it
    if difference.how is How.ADDED:
        yield from _added(look, difference.thing)
    elif difference.how is How.REMOVED:
        yield from _removed(look, difference.thing)
    else:
        yield from _changed(look, difference)


def index_marks(look: Look, difference: Difference) -> Iterator[Mark]:
    """One index of a table or materialised view that was there."""
    after = difference.after
    if after is not None and _broken(look, difference, after):
        yield Mark("index-invalid", after, "is left invalid")
        return
    if _of_constraint(difference.thing):
        return  # its constraint tells it
    if difference.how is How.ADDED:
        yield from _index_added(look, difference.thing)
    elif difference.how is How.REMOVED:
        yield from _index_removed(look, difference.thing)
    elif after is not None and after.facts.get("unique") and index_form(difference.thing) != index_form(after):
        yield from _index_added(look, after)


def _broken(look: Look, difference: Difference, index: Thing) -> bool:
    """Whether it is left invalid. That of a partitioned table is valid only once all partitions have theirs."""
    if index.facts.get("valid", True) or not (difference.how is How.ADDED or "valid" in difference.fields):
        return False
    table = look.after.get(index.of)
    return table is None or not said(table, "partitioned")


def _of_constraint(index: Thing) -> bool:
    return bool(said(index, "constraint")) or bool(index.facts.get("primary"))


def _index_added(look: Look, index: Thing) -> Iterator[Mark]:
    form = index_form(index)
    table = look.after.get(index.of)
    if table is not None and table.kind == "matview":
        return
    if index.facts.get("unique") and not _binds_nothing(look, index.of, form, index):
        yield Mark("unique-added", index, f"allows each value only once: {form}")
    elif can_fail(form, look.types_after(index.of)):
        yield Mark("may-fail-on-rows", index, f"is worked out for each row that is written: {form}")


def _index_removed(look: Look, index: Thing) -> Iterator[Mark]:
    form = index_form(index)
    if index.facts.get("unique"):
        if not _unique_after(look, index.of, form):
            yield Mark("unique-dropped", index, f"is dropped: {form}")
    elif form not in [index_form(t) for t in look.children_after.get(index.of, ()) if t.kind == "index"]:
        yield Mark("index-dropped", index, "is dropped")


def key_columns(definition: str) -> list[str]:
    """The key's columns of an index or a UNIQUE; [] where there are expressions."""
    found = KEY_COLUMNS.search(definition)
    if found is None:
        return []
    return [column.strip().split(" ")[0] for column in found["columns"].split(",") if column.strip()]


def _binds_nothing(look: Look, of: str, definition: str, own: Thing) -> bool:
    """Whether a new UNIQUE forbids nothing that rows of the running version could hold."""
    columns = key_columns(definition)
    if not columns:
        return False
    before, after = look.columns_before(of), look.columns_after(of)
    if any(set(columns) >= key for key in _keys(look, of)):
        return True
    for name in columns:
        column = after.get(name)
        if column is None or name in before:
            continue
        default = said(column, "default")
        if always_other(default) or said(column, "identity"):
            return True
        if not default and not said(column, "generated") and "NULLS NOT DISTINCT" not in definition:
            return True
    return False


def _keys(look: Look, of: str) -> Iterator[set[str]]:
    """The columns of each UNIQUE that was there, without those that hold for a part of the rows only."""
    for thing in look.children_before.get(of, ()):
        form = index_form(thing)
        if (
            thing.kind == "index"
            and thing.facts.get("unique")
            and thing.facts.get("valid", True)
            and " WHERE " not in form
        ):
            columns = key_columns(form)
            # With NULLs a UNIQUE lets the same values in again.
            known = look.columns_before(of)
            filled = all(name in known and known[name].facts.get("not_null") for name in columns)
            if columns and (filled or "NULLS NOT DISTINCT" in form):
                yield set(columns)


def _added(look: Look, constraint: Thing) -> Iterator[Mark]:
    type_, definition = said(constraint, "type"), said(constraint, "definition")
    text = f"is new: {WORDS[type_]} binds what the running version writes ({definition})"
    if "NOT ENFORCED" in definition:
        return
    if type_ == "c":
        yield from _check_added(look, constraint, definition, text)
    elif type_ in ("p", "u"):
        if not _same_key(look, constraint.of, definition) and not _binds_nothing(
            look, constraint.of, definition, constraint
        ):
            yield Mark(ADDED[type_], constraint, text)
    elif type_ == "f":
        if _parent_unbound(look, constraint, definition):
            yield Mark(ADDED[type_], constraint, text)
    else:
        yield Mark(ADDED[type_], constraint, text)


def _same_key(look: Look, of: str, definition: str) -> bool:
    """Whether a unique index on just these columns was there (ADD CONSTRAINT … USING INDEX)."""
    columns = set(key_columns(definition))
    return bool(columns) and any(
        thing.kind == "index"
        and bool(thing.facts.get("unique"))
        and " WHERE " not in index_form(thing)
        and set(key_columns(index_form(thing))) == columns
        for thing in look.children_before.get(of, ())
    )


def _used(look: Look, of: str, definition: str) -> tuple[set[str], set[str]]:
    """The columns that a definition names: those that were there, and new ones."""
    before, after = look.columns_before(of), look.columns_after(of)
    names = names_in(definition) & after.keys()
    return {n for n in names if n in before}, {n for n in names if n not in before}


def _check_added(look: Look, constraint: Thing, definition: str, text: str) -> Iterator[Mark]:
    old, new = _used(look, constraint.of, definition)
    formers = [
        said(t, "definition")
        for t in look.children_before.get(constraint.of, ())
        if t.kind == "constraint" and said(t, "type") == "c"
    ]
    if any(only_wider(former, definition) for former in formers):
        yield Mark("check-widened", constraint, f"accepts all that was accepted before: {definition}")
        return
    free = not old and new and _new_columns_pass(look, constraint, definition, new)
    if not free and not _only_not_null(look, constraint, definition):
        yield Mark("check-added", constraint, text)


def _only_not_null(look: Look, constraint: Thing, definition: str) -> bool:
    """Whether it says of a column what was so before."""
    found = re.fullmatch(r"CHECK \(\((?P<column>\S+) IS NOT NULL\)\)(?: NOT VALID)?", definition)
    column = look.columns_before(constraint.of).get(found["column"]) if found else None
    return column is not None and (bool(column.facts.get("not_null")) or never_null(look, column))


def _new_columns_pass(look: Look, constraint: Thing, definition: str, new: set[str]) -> bool:
    """Whether a row passes in which the new columns are what they are without being given."""
    after = look.columns_after(constraint.of)
    if any(said(after[name], "generated") for name in new):
        return False
    if any(said(after[name], "default") for name in new):
        return bool(constraint.facts.get("validated"))  # the copy's row passed with the defaults
    return passes_null(definition)


def _parent_unbound(look: Look, constraint: Thing, definition: str) -> bool:
    """Whether a new foreign key can refuse a row of the running version. Over a new column without a default it
    cannot: the column stays NULL, and no row points at a parent that is deleted."""
    columns = key_columns(definition)
    before, after = look.columns_before(constraint.of), look.columns_after(constraint.of)
    for name in columns:
        column = after.get(name)
        if name not in before and column is not None and not said(column, "default") and not said(column, "generated"):
            return "MATCH FULL" in definition and len(columns) > 1
    return True


def brings_its_parent(look: Look, constraint: Thing) -> bool:
    """Whether a foreign key from new columns to a new table found their defaults there, on the copy's row."""
    parent = look.named_after.get(("table", said(constraint, "references")))
    old = look.columns_before(constraint.of)
    new = all(name not in old for name in key_columns(said(constraint, "definition")))
    return new and parent is not None and look.is_new(parent.key) and bool(constraint.facts.get("validated"))


def _removed(look: Look, constraint: Thing) -> Iterator[Mark]:
    type_, definition = said(constraint, "type"), said(constraint, "definition")
    remaining = [t for t in look.children_after.get(constraint.of, ()) if t.kind == "constraint"]
    if any(
        said(t, "definition").removesuffix(" NOT VALID") == definition.removesuffix(" NOT VALID") for t in remaining
    ):
        return
    if type_ in ("p", "u"):
        if not _unique_after(look, constraint.of, definition):
            yield Mark("unique-dropped", constraint, f"is dropped: {definition}")
    elif type_ == "f" and ACTS.search(definition):
        yield Mark("cascade-dropped", constraint, f"is dropped: {definition}")
    elif type_ != "c" or not any(only_wider(definition, said(t, "definition")) for t in remaining):
        yield Mark("constraint-dropped", constraint, f"is dropped: {definition}")


def _unique_after(look: Look, of: str, definition: str) -> bool:
    """Whether ON CONFLICT finds another one for the same columns or expressions: none that is deferrable."""
    things = look.children_after.get(of, ())
    deferrable = (t for t in things if t.kind == "constraint" and "DEFERRABLE" in said(t, "definition"))
    late = {last_part(t.name.partition(" on ")[0]).strip('"') for t in deferrable}
    columns = set(key_columns(definition))
    forms = [
        index_form(t)
        for t in things
        if t.kind == "index"
        and t.facts.get("unique")
        and t.facts.get("valid", True)
        and said(t, "constraint") not in late
    ]
    whole = [set(key_columns(form)) for form in forms if " WHERE " not in form]
    return definition in forms or (bool(columns) and " WHERE " not in definition and columns in whole)


def _changed(look: Look, difference: Difference) -> Iterator[Mark]:
    before, after = difference.thing, difference.after or difference.thing
    if "definition" in difference.fields or "references" in difference.fields:
        former, now = said(before, "definition"), said(after, "definition")
        looser = said(before, "type") == "f" and now == f"{former} DEFERRABLE"
        if now == former.removesuffix(" NOT VALID") or looser:
            pass
        elif said(before, "type") == "c" and only_wider(former, now):
            yield Mark("check-widened", before, f"accepts all that was accepted before: {now}")
        else:
            yield Mark("constraint-changed", before, f"was {former} and is {now}")
    if "name" in difference.fields:
        yield Mark("constraint-renamed", before, f"is called {last_part(after.name.partition(' on ')[0])} now")
