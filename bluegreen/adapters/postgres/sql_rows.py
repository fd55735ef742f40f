"""What a statement does to rows and sequences: UPDATE, DELETE, TRUNCATE, setval.

A table in the answer is followed by the columns that the WHERE pins to values, `users(id)`: whether they are a key,
and whether the table was there at all, is known to the catalogue only.
"""

from collections.abc import Iterator
from typing import Any

from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_trees import Node, called, kind_of, range_name, text_of, walk

Danger = tuple[str, str]

NOT_RUN = frozenset({"create_function_stmt", "rule_stmt", "view_stmt", "prepare_stmt", "create_trig_stmt"})
"""Statements that hold others without running them."""


def rows(node: Node) -> Iterator[Danger]:
    """Pairs (kind, object) of one statement, also of what its WITH does."""
    kind = kind_of(node)
    if kind in NOT_RUN or (kind == "explain_stmt" and not _analyses(node.explain_stmt)):
        return
    yield from _whole(kind, node)
    for name, item in walk(node):
        if name in ROWS:
            yield from ROWS[name](item)
        elif name == "func_call" and called(item) == "setval":
            yield "sequence-moved", (text_of(item.args[0]) or "") if item.args else ""


def _analyses(explain: Any) -> bool:
    return any(item.def_elem.defname == "analyze" for item in explain.options)


def _whole(kind: str, node: Node) -> Iterator[Danger]:
    """What is said by the statement itself."""
    if kind == "truncate_stmt":
        for item in node.truncate_stmt.relations:
            yield "truncated", range_name(item.range_var)
            if node.truncate_stmt.restart_seqs:
                yield "sequence-moved", range_name(item.range_var)
    elif kind == "lock_stmt":
        yield from (("explicit-lock", range_name(item.range_var)) for item in node.lock_stmt.relations)
    elif kind == "alter_seq_stmt" and _restarts(node.alter_seq_stmt.options):
        yield "sequence-moved", range_name(node.alter_seq_stmt.sequence)
    elif kind == "alter_table_stmt" and _subtypes(node.alter_table_stmt) & {pg.AT_DisableTrigAll}:
        yield "triggers-switched-off", range_name(node.alter_table_stmt.relation)
    elif kind == "alter_table_stmt" and any(
        _identity_restarts(item.alter_table_cmd) for item in node.alter_table_stmt.cmds
    ):
        yield "sequence-moved", range_name(node.alter_table_stmt.relation)


def _subtypes(statement: Any) -> set[int]:
    return {item.alter_table_cmd.subtype for item in statement.cmds}


def _identity_restarts(command: Any) -> bool:
    return command.subtype == pg.AT_SetIdentity and _restarts(getattr(command, "def").list.items)


def _restarts(options: Any) -> bool:
    return any(item.def_elem.defname == "restart" for item in options)


def _update(statement: Any) -> Iterator[Danger]:
    yield "unbatched-update", _target(statement, statement.from_clause) + _set(statement.target_list)


def _delete(statement: Any) -> Iterator[Danger]:
    yield "unbatched-delete", _target(statement, statement.using_clause)


def _target(statement: Any, others: Any) -> str:
    relation = statement.relation
    mine = {relation.relname, relation.alias.aliasname} - {""}
    pinned = sorted(set(_pinned(statement.where_clause, mine, alone=not others)))
    return range_name(relation) + (f"({','.join(pinned)})" if pinned else "")


def _set(targets: Any) -> str:
    """The columns that are set."""
    return "=" + ",".join(dict.fromkeys(item.res_target.name for item in targets))


def _pinned(where: Node, mine: set[str], *, alone: bool) -> Iterator[str]:
    """The columns that must equal a value, or one of a few."""
    kind = kind_of(where)
    if kind == "bool_expr" and where.bool_expr.boolop == pg.AND_EXPR:
        for item in where.bool_expr.args:
            yield from _pinned(item, mine, alone=alone)
    elif kind == "a_expr" and where.a_expr.name and where.a_expr.name[-1].string.sval == "=":
        expression = where.a_expr
        for column, value in ((expression.lexpr, expression.rexpr), (expression.rexpr, expression.lexpr)):
            if kind_of(column) == "column_ref" and _values(expression.kind, value):
                fields = [item.string.sval for item in column.column_ref.fields]
                if (len(fields) == 1 and alone) or (len(fields) > 1 and fields[-2] in mine):
                    yield fields[-1]


def _values(kind: int, node: Node) -> bool:
    if kind in (pg.AEXPR_IN, pg.AEXPR_OP_ANY):
        items = node.list.items if kind_of(node) == "list" else [node]
        return all(_value(item) or kind_of(item) == "a_array_expr" for item in items)
    return bool(kind == pg.AEXPR_OP and _value(node))


def _value(node: Node) -> bool:
    while kind_of(node) == "type_cast":
        node = node.type_cast.arg
    if kind_of(node) == "sub_link":
        return bool(node.sub_link.sub_link_type == pg.EXPR_SUBLINK)
    return kind_of(node) in ("a_const", "param_ref")


def _merge(statement: Any) -> Iterator[Danger]:
    name = range_name(statement.relation)
    for item in statement.merge_when_clauses:
        clause = item.merge_when_clause
        if clause.command_type == pg.CMD_UPDATE:
            yield "unbatched-update", name + _set(clause.target_list)
        elif clause.command_type == pg.CMD_DELETE:
            yield "unbatched-delete", name
        elif clause.command_type == pg.CMD_INSERT:
            yield "rows-copied", name


def _insert(statement: Any) -> Iterator[Danger]:
    name = range_name(statement.relation)
    query = statement.select_stmt.select_stmt
    reads = any(kind in ("range_var", "join_expr") for kind in map(kind_of, query.from_clause))
    yield ("rows-copied" if reads else "rows-inserted"), name
    conflict = statement.on_conflict_clause
    if conflict.action == pg.ONCONFLICT_UPDATE:
        key = ",".join(sorted(item.index_elem.name for item in conflict.infer.index_elems))
        pinned = f"({key})" if key and not reads else ""
        yield "unbatched-update", f"{name}{pinned}{_set(conflict.target_list)}"


ROWS = {"update_stmt": _update, "delete_stmt": _delete, "merge_stmt": _merge, "insert_stmt": _insert}
