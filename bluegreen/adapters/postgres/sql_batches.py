"""The statements that a backfill is run with, made from its parse tree: the range of keys becomes a second condition
beside its own WHERE. Keys travel as jsonb, which loses nothing: dates as ISO, everything else as its own text.
"""

from dataclasses import dataclass

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_backfill import Backfill


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the key; `type` as it can stand in a statement, `dated`: a date or time."""

    name: str
    type: str
    dated: bool


Key = tuple[Column, ...]


def batch(backfill: Backfill, key: Key, *, first: bool) -> str:
    """Change the rows up to key $1 and, but for the `first`, above key $2. Gives `changed`, and of these `kept`: how
    many the WHERE still finds."""
    tree = type(backfill.tree)()
    tree.CopyFrom(backfill.tree)
    own, limits = backfill.tree.where_clause, [_compared(backfill, key, "<=", 1)]
    if not first:
        limits.append(_compared(backfill, key, ">", 2))
    tree.where_clause.CopyFrom(_all_of(own, *limits))
    still = pg.Node()
    if backfill.deletes:
        still.CopyFrom(_expression("false"))
    else:
        still.CopyFrom(own)
    tree.returning_clause.exprs.add().res_target.CopyFrom(pg.ResTarget(name="still", val=still))
    whole = postgast.parse(
        "WITH batch AS (DELETE FROM x) SELECT count(*) AS changed, count(*) FILTER (WHERE still) AS kept FROM batch"
    )
    inner = whole.stmts[0].stmt.select_stmt.with_clause.ctes[0].common_table_expr.ctequery
    if isinstance(tree, pg.DeleteStmt):
        inner.delete_stmt.CopyFrom(tree)
    else:
        inner.update_stmt.CopyFrom(tree)
    return postgast.deparse(whole)


def boundary(backfill: Backfill, key: Key, *, first: bool) -> str:
    """The key (`upper`) at which a batch of $1 rows ends, or the last one there is (NULL: none); but for the `first`,
    of those above key $2. Rows are skipped within the index, nothing is computed for them."""
    names = _names(backfill, key)
    packed = ", ".join(
        quoted(column.name) if column.dated else f"CAST({quoted(column.name)} AS text)" for column in key
    )
    order, back = ", ".join(names), ", ".join(f"{name} DESC" for name in names)
    ends = (
        f"(SELECT jsonb_build_array({packed}) FROM (SELECT {order} FROM x ORDER BY {place} LIMIT 1) AS span)"  # noqa: S608 - quoted names only
        for place in (f"{order} OFFSET $1 - 1", back)
    )
    whole = postgast.parse(f"SELECT COALESCE({', '.join(ends)}) AS upper")
    for select in postgast.find_nodes(whole, pg.SelectStmt):
        if select.from_clause and select.from_clause[0].HasField("range_var"):
            select.from_clause[0].range_var.CopyFrom(backfill.tree.relation)
            if not first:
                select.where_clause.CopyFrom(_compared(backfill, key, ">", 2))
    return postgast.deparse(whole)


def remaining(backfill: Backfill) -> str:
    """Whether the WHERE still finds a row."""
    return _found(backfill, "SELECT EXISTS (SELECT FROM x)")


def count(backfill: Backfill) -> str:
    """How many rows the WHERE finds."""
    return _found(backfill, "SELECT (SELECT count(*) FROM x)")


def lock(backfill: Backfill) -> str:
    """Keep everybody from writing the table until the transaction ends; who reads goes on."""
    whole = postgast.parse("LOCK TABLE x IN SHARE ROW EXCLUSIVE MODE")
    target = whole.stmts[0].stmt.lock_stmt.relations[0].range_var
    target.CopyFrom(backfill.tree.relation)
    target.ClearField("alias")
    return postgast.deparse(whole)


def canary(backfill: Backfill, key: Key) -> str:
    """Read one row by its key $1, as users do."""
    whole = postgast.parse("SELECT FROM x")
    select = whole.stmts[0].stmt.select_stmt
    select.from_clause[0].range_var.CopyFrom(backfill.tree.relation)
    select.where_clause.CopyFrom(_compared(backfill, key, "=", 1))
    return postgast.deparse(whole)


def quoted(name: str) -> str:
    """A name as it can stand in a statement."""
    return '"' + name.replace('"', '""') + '"'


def _found(backfill: Backfill, frame: str) -> str:
    tree = backfill.tree
    whole = postgast.parse(frame)
    (link,) = postgast.find_nodes(whole, pg.SubLink)
    select = link.subselect.select_stmt
    select.from_clause[0].range_var.CopyFrom(tree.relation)
    select.from_clause.extend(tree.using_clause if isinstance(tree, pg.DeleteStmt) else tree.from_clause)
    select.where_clause.CopyFrom(tree.where_clause)
    if tree.HasField("with_clause"):
        select.with_clause.CopyFrom(tree.with_clause)
    return postgast.deparse(whole)


def _compared(backfill: Backfill, key: Key, operator: str, parameter: int) -> pg.Node:
    left = ", ".join(_names(backfill, key))
    right = ", ".join(
        f"CAST(CAST(${parameter} AS jsonb) ->> {place} AS {column.type})" for place, column in enumerate(key)
    )
    return _expression(f"({left}) {operator} ({right})")


def _names(backfill: Backfill, key: Key) -> list[str]:
    return [".".join(map(quoted, (*backfill.names, column.name))) for column in key]


def _expression(text: str) -> pg.Node:
    return postgast.parse(f"SELECT {text}").stmts[0].stmt.select_stmt.target_list[0].res_target.val


def _all_of(*conditions: pg.Node) -> pg.Node:
    return pg.Node(bool_expr=pg.BoolExpr(boolop=pg.AND_EXPR, args=conditions))
