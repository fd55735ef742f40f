"""What the definitions say that Postgres prints of its indexes and constraints, taken apart by its own grammar."""

from dataclasses import dataclass

import postgast
from postgast import pg_query_pb2 as pg


@dataclass(frozen=True, slots=True)
class Unique:
    """What a unique index compares: expressions, its WHERE ("" without), and whether NULL equals NULL."""

    expressions: tuple[str, ...]
    where: str
    nulls_equal: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """The columns of both sides, and the parts of the other table's name. `full`: MATCH FULL."""

    columns: tuple[str, ...]
    table: tuple[str, ...]
    referenced: tuple[str, ...]
    full: bool


def unique(definition: str) -> Unique | None:
    """Of CREATE UNIQUE INDEX; None where it compares by other operators than equality, or cannot be read."""
    index = _statement(definition).index_stmt
    if index.access_method != "btree" or not index.index_params:
        return None
    compared = tuple(_compared(item.index_elem) for item in index.index_params)
    return Unique(compared, expression(index.where_clause), index.nulls_not_distinct)


def foreign_key(definition: str) -> ForeignKey | None:
    """Of FOREIGN KEY (…) REFERENCES …; None where it cannot be read."""
    key = _constraint(definition)
    if key.contype != pg.CONSTR_FOREIGN or len(key.fk_attrs) != len(key.pk_attrs) or key.pk_with_period:
        return None
    names = [part for part in (key.pktable.schemaname, key.pktable.relname) if part]
    return ForeignKey(
        tuple(item.string.sval for item in key.fk_attrs),
        tuple(names),
        tuple(item.string.sval for item in key.pk_attrs),
        key.fk_matchtype == "f",
    )


def check(definition: str) -> str:
    """The condition of CHECK (…); "" where it cannot be read."""
    constraint = _constraint(definition)
    return expression(constraint.raw_expr) if constraint.contype == pg.CONSTR_CHECK else ""


def not_null(definition: str) -> str:
    """The column of NOT NULL column (Postgres 18); "" where it cannot be read."""
    constraint = _constraint(definition)
    return constraint.keys[0].string.sval if constraint.contype == pg.CONSTR_NOTNULL and constraint.keys else ""


def functions(expression: str) -> tuple[str, ...]:
    """The names of all functions that it calls, without their schemas."""
    try:
        calls = postgast.find_nodes(postgast.parse(f"SELECT {expression}"), pg.FuncCall)
        return tuple(dict.fromkeys(call.funcname[-1].string.sval for call in calls))
    except postgast.PgQueryError:
        return ()


def columns(expression: str) -> frozenset[str]:
    """The names of all columns that it reads."""
    try:
        found = postgast.find_nodes(postgast.parse(f"SELECT {expression}"), pg.ColumnRef)
        return frozenset(part.string.sval for column in found for part in column.fields)
    except postgast.PgQueryError:
        return frozenset()


def quoted(name: str) -> str:
    """A name as it can always stand in SQL."""
    return '"' + name.replace('"', '""') + '"'


def parts(name: str) -> tuple[str, ...]:
    """The parts of a name, as Postgres quotes it, without their quotes."""
    try:
        target = postgast.parse(f"SELECT {name}").stmts[0].stmt.select_stmt.target_list[0].res_target
    except postgast.PgQueryError:
        return (name,)
    return tuple(field.string.sval for field in target.val.column_ref.fields) or (name,)


def expression(node: pg.Node) -> str:
    """A part of a parse tree as text; "" for none."""
    if node.WhichOneof("node") is None:
        return ""
    select = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    select.target_list.append(pg.Node(res_target=pg.ResTarget(val=node)))
    raw = pg.RawStmt(stmt=pg.Node(select_stmt=select))
    return postgast.deparse(pg.ParseResult(version=180000, stmts=[raw])).removeprefix("SELECT ")


def _statement(text: str) -> pg.Node:
    try:
        return postgast.parse(text).stmts[0].stmt
    except postgast.PgQueryError:
        return pg.Node()


def _constraint(definition: str) -> pg.Constraint:
    commands = _statement(f"ALTER TABLE x ADD {definition}").alter_table_stmt.cmds
    return getattr(commands[0].alter_table_cmd, "def").constraint if commands else pg.Constraint()


def _compared(element: pg.IndexElem) -> str:
    text = quoted(element.name) if element.name else f"({expression(element.expr)})"
    names = [quoted(part.string.sval) for part in element.collation]
    return f"{text} COLLATE {'.'.join(names)}" if names else text
