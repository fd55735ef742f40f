"""Questions that a new partition raises: rows of the default partition that belong into it, and rows of a table that is
attached which do not."""

# ruff: noqa: S608 - names and expressions stand here as Postgres itself printed them

from collections.abc import Iterator

from bluegreen.adapters.postgres.sql_bounds import taken
from bluegreen.adapters.postgres.sql_definitions import functions
from bluegreen.adapters.rehearsal.question import Question, rows_of
from bluegreen.domain.catalogue import Catalogue, Thing

DEFAULT = "DEFAULT"


def of_partition(thing: Thing, former: Thing | None, before: Catalogue, after: Catalogue) -> Iterator[Question]:
    """About a table that has become a partition; nothing about others, and about partitions of a new table."""
    parent = _named(thing.facts.get("partition_of"), before)
    bound = str(thing.facts.get("bound"))
    if parent is None or bound == DEFAULT or (former and former.facts.get("partition_of")):
        return
    condition = taken(str(parent.facts.get("partitioned")), bound)
    if not condition:
        return
    for other in before.values():
        if other.kind == "table" and _parent(other) == _parent(thing) and other.facts.get("bound") == DEFAULT:
            source = rows_of(other, before, after, condition)
            sql = f"SELECT 1 FROM {source} WHERE {condition}"
            yield Question("partition", thing, sql, calls=functions(condition))
    if former is not None:
        source = rows_of(former, before, after, condition)
        sql = f"SELECT 1 FROM {source} WHERE ({condition}) IS NOT TRUE"
        yield Question("violations", thing, sql, calls=functions(condition))


def _named(name: object, catalogue: Catalogue) -> Thing | None:
    return next((thing for thing in catalogue.values() if thing.kind == "table" and thing.name == name), None)


def _parent(thing: Thing) -> object:
    return thing.facts.get("partition_of")
