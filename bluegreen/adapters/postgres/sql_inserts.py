"""What the text of a live query holds, and how it becomes one that can be prepared.

pg_stat_statements puts parameters where literals stood, also where Postgres's grammar takes none (`interval $1`,
`extract($1 from now())`), and leaves no type beside them. libpg_query reads such texts, and writes them out as casts.
"""

import re
from collections.abc import Iterator

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.queries import MARK
from bluegreen.adapters.postgres.sql_text import read

QUERIES = {"select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"}
ARITHMETIC = {"+", "-", "*", "/", "%"}
NUMBERS = {"generate_series", "make_interval", "make_date"}
"""Functions that are ambiguous without a type, and whose literals are nearly always whole numbers."""


def split(text: str) -> tuple[str, ...]:
    """The statements of a file of queries. SqlRefused for what is no SQL."""
    return tuple(bare for statement in read(text).statements if (bare := _bare(statement.text)))


def stand_ins(text: str) -> tuple[str, ...]:
    """What to prepare for this query: itself, what its cursor reads, an INSERT with the columns of its COPY, and one
    for each INSERT of its MERGE. Nothing for other commands, for what cannot be read, and for our own questions."""
    try:
        statements = postgast.parse(text).stmts
    except postgast.PgQueryError:
        return ()
    if len(statements) != 1 or MARK in text or _monitoring(statements[0]):
        return ()
    node = statements[0].stmt
    kind = node.WhichOneof("node")
    if kind == "declare_cursor_stmt":
        return (_written(node.declare_cursor_stmt.query),)
    if kind == "copy_stmt":
        copy = node.copy_stmt
        return (_insert(copy.relation, copy.attlist),) if copy.is_from and copy.attlist else ()
    return (text, *_merged(node.merge_stmt)) if kind in QUERIES else ()


def repaired(text: str) -> str:
    """The same query with parameters only where Postgres's own grammar takes them; as it is where that fails."""
    try:
        return _repaired(text)
    except postgast.PgQueryError:
        return text


def _repaired(text: str) -> str:
    tree = postgast.parse(text)
    for call in postgast.find_nodes(tree, pg.FuncCall):
        if call.funcformat == pg.COERCE_SQL_SYNTAX and call.funcname[-1].string.sval == "extract":
            call.funcformat = pg.COERCE_EXPLICIT_CALL  # pg_catalog.extract($1, x) takes a parameter
    for test in postgast.find_nodes(tree, pg.NullTest):
        if test.arg.WhichOneof("node") == "param_ref":  # it would be taken for text, against all else that is said
            test.arg.CopyFrom(pg.Node(a_const=pg.A_Const(sval=pg.String(sval=""))))
    for select in postgast.find_nodes(tree, pg.SelectStmt):
        _group_by_the_same(select)
    return postgast.deparse(tree)


def parameters(text: str) -> tuple[int, ...]:
    """The numbers of its parameters, ascending."""
    tokens = postgast.scan(text).tokens
    raw = text.encode()
    return tuple(sorted({int(raw[t.start + 1 : t.end]) for t in tokens if t.token == pg.PARAM}))


def guesses(text: str) -> tuple[frozenset[int], ...]:
    """Which parameters may be whole numbers where Postgres cannot tell; the most likely first."""
    tree = postgast.parse(text)
    sums, lists = frozenset(_in_sums(tree, alone=True)), frozenset(_in_lists(tree))
    beside = frozenset(_in_sums(tree, alone=False))
    return tuple(dict.fromkeys(guess for guess in (sums, lists, sums | lists, beside, beside | lists) if guess))


def _bare(text: str) -> str:
    """Without the comments before it, like `-- name: …`."""
    raw = text.encode()
    for token in postgast.scan(text).tokens:
        if token.token not in (pg.SQL_COMMENT, pg.C_COMMENT):
            return raw[token.start :].decode().strip()
    return ""


def _monitoring(statement: pg.RawStmt) -> bool:
    """Whether it reads nothing but the catalogue, our ledger, or what functions of Postgres say."""
    named = {with_.ctename for with_ in postgast.find_nodes(statement, pg.CommonTableExpr)}
    tables = [t for t in postgast.find_nodes(statement, pg.RangeVar) if t.schemaname or t.relname not in named]
    if not tables:
        called = [call.funcname[-1].string.sval for call in postgast.find_nodes(statement, pg.FuncCall)]
        return bool(called) and all(name.startswith("pg_") for name in called)
    return all(
        table.schemaname in ("pg_catalog", "information_schema", "bluegreen")
        or (table.relname.startswith("pg_stat_statements") if table.schemaname else table.relname.startswith("pg_"))
        for table in tables
    )


def _merged(merge: pg.MergeStmt) -> Iterator[str]:
    for item in merge.merge_when_clauses:
        clause = item.merge_when_clause
        if clause.command_type == pg.CMD_INSERT and clause.target_list:
            columns = [pg.Node(string=pg.String(sval=target.res_target.name)) for target in clause.target_list]
            yield _insert(merge.relation, columns)


def _insert(relation: pg.RangeVar, columns: "list[pg.Node]") -> str:
    """INSERT with a parameter for each column, whose type Postgres then knows."""
    values = [pg.Node(param_ref=pg.ParamRef(number=n)) for n, _ in enumerate(columns, 1)]
    rows = pg.SelectStmt(values_lists=[pg.Node(list=pg.List(items=values))], limit_option=pg.LIMIT_OPTION_DEFAULT)
    rows.op = pg.SETOP_NONE
    insert = pg.InsertStmt(override=pg.OVERRIDING_NOT_SET)
    insert.relation.CopyFrom(relation)
    insert.relation.ClearField("alias")
    insert.cols.extend(pg.Node(res_target=pg.ResTarget(name=column.string.sval)) for column in columns)
    insert.select_stmt.select_stmt.CopyFrom(rows)
    return _written(pg.Node(insert_stmt=insert))


def _written(node: pg.Node) -> str:
    return postgast.deparse(pg.ParseResult(version=180000, stmts=[pg.RawStmt(stmt=node)]))


def _group_by_the_same(select: pg.SelectStmt) -> None:
    """Of `SELECT f('a', x) … GROUP BY f('a', x)` only the first becomes `f($1, x)`: Postgres sees that they are one,
    and keeps the place of the first."""
    chosen = {_outline(target.res_target.val): target.res_target.val for target in select.target_list}
    for clause in (select.group_clause, select.distinct_clause):
        for node in clause:
            if node.WhichOneof("node") not in (None, "a_const", "column_ref") and (same := chosen.get(_outline(node))):
                node.CopyFrom(same)
    for item in select.sort_clause:
        same = chosen.get(_outline(item.sort_by.node))
        if same and item.sort_by.node.WhichOneof("node") not in ("a_const", "column_ref"):
            item.sort_by.node.CopyFrom(same)


def _outline(node: pg.Node) -> str:
    """The expression without its literals and parameters."""
    target = pg.SelectStmt(limit_option=pg.LIMIT_OPTION_DEFAULT, op=pg.SETOP_NONE)
    target.target_list.append(pg.Node(res_target=pg.ResTarget(val=node)))
    try:
        return re.sub(r"\$\d+", "$", postgast.normalize(_written(pg.Node(select_stmt=target))))
    except postgast.PgQueryError:
        return ""


def _number(node: pg.Node) -> Iterator[int]:
    if node.WhichOneof("node") == "param_ref":
        yield node.param_ref.number


def _in_sums(tree: pg.ParseResult, alone: bool) -> Iterator[int]:
    """In arithmetic with each other only, or (not `alone`) with anything."""
    for call in postgast.find_nodes(tree, pg.FuncCall):
        if call.funcname[-1].string.sval in NUMBERS:
            for argument in call.args:
                yield from _number(argument)
    for each in postgast.find_nodes(tree, pg.A_Expr):
        if each.kind == pg.AEXPR_OP and each.name[-1].string.sval in ARITHMETIC:
            sides = [each.lexpr.WhichOneof("node"), each.rexpr.WhichOneof("node")]
            if not alone or all(side in ("param_ref", None) for side in sides):
                yield from _number(each.lexpr)
                yield from _number(each.rexpr)


def _in_lists(tree: pg.ParseResult) -> Iterator[int]:
    for array in postgast.find_nodes(tree, pg.A_ArrayExpr):
        for element in array.elements:
            yield from _number(element)
    for select in postgast.find_nodes(tree, pg.SelectStmt):
        for row in select.values_lists:
            for item in row.list.items:
                yield from _number(item)
        for target in select.target_list:
            yield from _number(target.res_target.val)
