"""Which tables a statement locks so that their users wait, and how strongly (Postgres manual, 13.3.1 and each command).

What nobody can read from the text (a DO block, a function that is called) has no targets: its locks are found by
whoever watches it run.
"""

from collections.abc import Iterator
from typing import Any

from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.scripts import LockMode, Relation, Target

LOCK_NUMBERS = {
    5: LockMode.SHARE,
    6: LockMode.SHARE_ROW_EXCLUSIVE,
    7: LockMode.EXCLUSIVE,
    8: LockMode.ACCESS_EXCLUSIVE,
}
"""Modes as LOCK TABLE numbers them (lockdefs.h); weaker ones stop neither readers nor writers."""

WEAK = {
    pg.AT_ValidateConstraint, pg.AT_SetStatistics, pg.AT_SetOptions, pg.AT_ResetOptions, pg.AT_SetRelOptions,
    pg.AT_ResetRelOptions, pg.AT_ClusterOn, pg.AT_DropCluster, pg.AT_AttachPartition,
}  # fmt: skip
"""Forms of ALTER TABLE that take SHARE UPDATE EXCLUSIVE at most on the table that they name."""

TRIGGERS = {
    pg.AT_EnableTrig, pg.AT_EnableAlwaysTrig, pg.AT_EnableReplicaTrig, pg.AT_EnableTrigAll, pg.AT_EnableTrigUser,
    pg.AT_DisableTrig, pg.AT_DisableTrigAll, pg.AT_DisableTrigUser,
}  # fmt: skip

WHOLE = {
    pg.OBJECT_TABLE, pg.OBJECT_INDEX, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_SEQUENCE, pg.OBJECT_FOREIGN_TABLE,
}  # fmt: skip
PARTS = {pg.OBJECT_TRIGGER, pg.OBJECT_POLICY, pg.OBJECT_RULE}
"""What DROP names by its table and then its own name."""

ON_RELATION = {
    "index_stmt": LockMode.SHARE,
    "reindex_stmt": LockMode.ACCESS_EXCLUSIVE,
    "create_trig_stmt": LockMode.SHARE_ROW_EXCLUSIVE,
    "rule_stmt": LockMode.ACCESS_EXCLUSIVE,
    "rename_stmt": LockMode.ACCESS_EXCLUSIVE,
    "cluster_stmt": LockMode.ACCESS_EXCLUSIVE,
    "truncate_stmt": LockMode.ACCESS_EXCLUSIVE,
    "create_policy_stmt": LockMode.ACCESS_EXCLUSIVE,
    "alter_policy_stmt": LockMode.ACCESS_EXCLUSIVE,
    "alter_object_schema_stmt": LockMode.ACCESS_EXCLUSIVE,
    "alter_seq_stmt": LockMode.SHARE_ROW_EXCLUSIVE,
}
"""Statements that lock in one mode every relation that stands in them outside a query."""


def targets(kind: str, node: pg.Node) -> tuple[Target, ...]:
    """The tables, views and sequences whose users wait while it runs; empty for a statement that stops nobody."""
    body = getattr(node, kind) if kind else node
    if kind in ON_RELATION:
        partners = kind == "truncate_stmt"
        return tuple(Target(name, ON_RELATION[kind], partners=partners) for name in _outside_queries(body))
    return tuple(_by_kind(kind, body))


def _by_kind(kind: str, body: Any) -> Iterator[Target]:
    if kind == "alter_table_stmt":
        yield from _alter_table(body)
    elif kind == "drop_stmt":
        yield from _drop(body)
    elif kind == "create_stmt":
        yield from _create_table(body)
    elif kind == "view_stmt" and body.replace:
        yield Target(_relation(body.view), LockMode.ACCESS_EXCLUSIVE)
    elif kind == "refresh_mat_view_stmt":
        yield Target(_relation(body.relation), LockMode.EXCLUSIVE if body.concurrent else LockMode.ACCESS_EXCLUSIVE)
    elif kind == "lock_stmt" and body.mode in LOCK_NUMBERS:
        for item in body.relations:
            yield Target(_relation(item.range_var), LOCK_NUMBERS[body.mode])


def _alter_table(body: pg.AlterTableStmt) -> Iterator[Target]:
    commands = [item.alter_table_cmd for item in body.cmds]
    strong = [command for command in commands if command.subtype not in WEAK]
    if strong:
        writers_only = all(_stops_writers_only(command) for command in strong)
        mode = LockMode.SHARE_ROW_EXCLUSIVE if writers_only else LockMode.ACCESS_EXCLUSIVE
        yield Target(_relation(body.relation), mode)
    for command in commands:
        attached = command.subtype == pg.AT_AttachPartition
        mode = LockMode.ACCESS_EXCLUSIVE if attached else LockMode.SHARE_ROW_EXCLUSIVE
        for name in _outside_queries(command):
            yield Target(name, mode)


def _stops_writers_only(command: Any) -> bool:
    added = getattr(command, "def").constraint
    foreign = command.subtype == pg.AT_AddConstraint and added.contype == pg.CONSTR_FOREIGN
    return foreign or command.subtype in TRIGGERS


def _drop(body: pg.DropStmt) -> Iterator[Target]:
    for item in body.objects:
        words = [part.string.sval for part in item.list.items]
        if body.remove_type in PARTS:
            words = words[:-1]
        elif body.remove_type not in WHOLE:
            continue
        partners = body.remove_type == pg.OBJECT_TABLE
        yield Target(Relation(words[-1], ".".join(words[-2:-1])), LockMode.ACCESS_EXCLUSIVE, partners=partners)


def _create_table(body: pg.CreateStmt) -> Iterator[Target]:
    if body.HasField("partbound"):
        for item in body.inh_relations:
            yield Target(_relation(item.range_var), LockMode.ACCESS_EXCLUSIVE)
    for element in body.table_elts:
        for name in _outside_queries(element):
            yield Target(name, LockMode.SHARE_ROW_EXCLUSIVE)


def created(kind: str, node: pg.Node) -> Relation | None:
    """The table that a statement makes: nobody uses it yet."""
    if kind == "create_stmt":
        return _relation(node.create_stmt.relation)
    if kind == "create_table_as_stmt":
        return _relation(node.create_table_as_stmt.into.rel)
    return None


def _outside_queries(message: Any) -> Iterator[Relation]:
    """The relations that stand in a piece of a statement; not those that a query or an expression in it reads."""
    if isinstance(message, pg.RangeVar):
        yield _relation(message)
        return
    if isinstance(message, pg.SelectStmt | pg.UpdateStmt | pg.InsertStmt | pg.DeleteStmt | pg.TableLikeClause):
        return
    for field, value in message.ListFields():
        if field.message_type is None or field.name == "transition_rels":
            continue
        for part in [value] if hasattr(value, "ListFields") else value:
            yield from _outside_queries(part)


def _relation(found: pg.RangeVar) -> Relation:
    return Relation(found.relname, found.schemaname)
