"""Rows that a statement inserts as they stand in its text."""

from collections.abc import Iterator
from dataclasses import dataclass

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_definitions import expression


@dataclass(frozen=True, slots=True)
class Inserted:
    """INSERT INTO table (columns) VALUES …: the parts of the table's name, the columns (none: all, in their order), and
    the values of each row as SQL, "" for those that are no constants."""

    table: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def inserted(text: str) -> tuple[Inserted, ...]:
    """Of each INSERT of constants that gives way to no conflict; nothing for what cannot be read."""
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return ()
    return tuple(found for insert in postgast.find_nodes(tree, pg.InsertStmt) for found in _inserted(insert))


def _inserted(insert: pg.InsertStmt) -> Iterator[Inserted]:
    rows = insert.select_stmt.select_stmt.values_lists
    if rows and not insert.HasField("on_conflict_clause"):
        names = [part for part in (insert.relation.schemaname, insert.relation.relname) if part]
        yield Inserted(
            tuple(names),
            tuple(column.res_target.name for column in insert.cols),
            tuple(tuple(_constant(value) for value in row.list.items) for row in rows),
        )


def _constant(node: pg.Node) -> str:
    inner = node
    while inner.WhichOneof("node") == "type_cast":
        inner = inner.type_cast.arg
    return expression(node) if inner.WhichOneof("node") == "a_const" and not inner.a_const.isnull else ""
