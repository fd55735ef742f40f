"""What all changes of a catalogue mean for the version that is running."""

from collections.abc import Callable, Iterator

from bluegreen.domain.breaks_columns import column_marks
from bluegreen.domain.breaks_constraints import constraint_marks, index_marks
from bluegreen.domain.breaks_relations import publication_marks, sequence_marks, table_marks, view_marks
from bluegreen.domain.breaks_routines import (
    function_marks,
    grant_marks,
    other_marks,
    policy_marks,
    rule_marks,
    schema_marks,
    trigger_marks,
    type_marks,
)
from bluegreen.domain.catalogue import How
from bluegreen.domain.differences import RELATIONS, Difference, Look, last_part
from bluegreen.domain.marks import Mark

RULES: dict[str, Callable[[Look, Difference], Iterator[Mark]]] = {
    "schema": schema_marks,
    "table": table_marks,
    "foreign_table": table_marks,
    "view": view_marks,
    "matview": view_marks,
    "sequence": sequence_marks,
    "column": column_marks,
    "constraint": constraint_marks,
    "index": index_marks,
    "trigger": trigger_marks,
    "rule": rule_marks,
    "policy": policy_marks,
    "function": function_marks,
    "aggregate": function_marks,
    "enum": type_marks,
    "domain": type_marks,
    "composite": type_marks,
    "range": type_marks,
    "grant": grant_marks,
    "publication": publication_marks,
}


def breaks(look: Look) -> Iterator[Mark]:
    """What each change means, in the order of the changes."""
    hidden = {mark.thing.key for mark in _tables(look) if mark.kind == "renamed-with-view"}
    for difference in look.differences:
        # Behind a view with the former names, columns of the table may be called otherwise.
        if difference.fields == ("name",) and difference.thing.kind == "column" and difference.thing.of in hidden:
            continue
        yield from RULES.get(difference.thing.kind, other_marks)(look, difference)
        yield from _shadows(look, difference)


def _shadows(look: Look, difference: Difference) -> Iterator[Mark]:
    """A new relation with the name of one that is in another schema."""
    thing = difference.thing
    if difference.how is How.ADDED and thing.kind in RELATIONS and "." in thing.name:
        own = last_part(thing.name)
        for other in look.before.values():
            alike = other.kind in RELATIONS and last_part(other.name) == own and other.name != thing.name
            if alike and other.key in look.after and look.after[other.key].name == other.name:
                yield Mark("name-shadowed", thing, f"has the name of {other.name}")


def _tables(look: Look) -> Iterator[Mark]:
    for difference in look.differences:
        if difference.thing.kind == "table":
            yield from table_marks(look, difference)
