"""What a statement works out for each row it reads and that can fail on some: a division, a cast.

On a copy without rows it cannot be seen to fail. Which type a column has, the catalogue knows.
"""

from collections.abc import Iterator
from typing import Any

from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_trees import Node, kind_of, walk

Danger = tuple[str, str]

READS = frozenset({
    "select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "create_table_as_stmt",
})  # fmt: skip
"""Statements that work on rows while they run."""

WORDS = {
    "int4": "integer", "int8": "bigint", "int2": "smallint", "float4": "real", "float8": "double precision",
    "varchar": "character varying", "bpchar": "character", "bool": "boolean",
    "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
}  # fmt: skip
"""Types by the names that the parser gives them, as catalogues write them."""


def fallible(node: Node) -> Iterator[Danger]:
    """Pairs (rows-may-not-fit, what) of one statement: `/`, or `column::type`; `::type` for a cast of a document's
    text."""
    if kind_of(node) not in READS:
        return
    for name, item in walk(node):
        if name == "a_expr" and _divides(item):
            yield "rows-may-not-fit", "/"
        elif name == "type_cast":
            yield from _cast(item)


def _divides(expression: Any) -> bool:
    operator = expression.name[-1].string.sval if expression.name else ""
    return operator in ("/", "%") and expression.kind == pg.AEXPR_OP and not _not_zero(expression.rexpr)


def _not_zero(node: Node) -> bool:
    while kind_of(node) == "type_cast":
        node = node.type_cast.arg
    if kind_of(node) == "a_expr":
        return bool(node.a_expr.kind == pg.AEXPR_NULLIF)
    if kind_of(node) != "a_const":
        return False
    number = node.a_const.fval.fval or str(node.a_const.ival.ival)
    return float(number) != 0 or bool(node.a_const.sval.sval)


def _cast(cast: Any) -> Iterator[Danger]:
    names = cast.type_name.names
    target = names[-1].string.sval if names else ""
    target = WORDS.get(target, target)
    if cast.type_name.array_bounds:
        return
    kind = kind_of(cast.arg)
    if kind == "column_ref" and cast.arg.column_ref.fields[-1].string.sval:
        yield "rows-may-not-fit", f"{cast.arg.column_ref.fields[-1].string.sval}::{target}"
    elif _of_a_document(cast.arg) and target not in ("text", "character varying"):
        yield "rows-may-not-fit", f"::{target}"


def _of_a_document(node: Node) -> bool:
    names = [part.string.sval for part in node.a_expr.name] if kind_of(node) == "a_expr" else []
    return names[-1:] in (["->>"], ["#>>"])
