"""What a statement would change in the catalogue, by its text alone: for what was not run.

Only what would be refused beside a running version is told; names may be those of things that the file itself made.
"""

from collections.abc import Iterator
from typing import Any

from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_trees import Node, dotted, ident, kind_of, range_name

Danger = tuple[str, str]

DROPPED = {
    pg.OBJECT_TABLE: "table-dropped", pg.OBJECT_FOREIGN_TABLE: "table-dropped", pg.OBJECT_VIEW: "view-dropped",
    pg.OBJECT_MATVIEW: "view-dropped", pg.OBJECT_SEQUENCE: "sequence-dropped", pg.OBJECT_INDEX: "index-dropped",
    pg.OBJECT_SCHEMA: "schema-dropped", pg.OBJECT_TYPE: "type-dropped", pg.OBJECT_DOMAIN: "type-dropped",
    pg.OBJECT_FUNCTION: "function-dropped", pg.OBJECT_PROCEDURE: "function-dropped",
    pg.OBJECT_ROUTINE: "function-dropped",
    pg.OBJECT_AGGREGATE: "function-dropped", pg.OBJECT_TRIGGER: "trigger-dropped", pg.OBJECT_RULE: "rule-changed",
    pg.OBJECT_POLICY: "policy-changed", pg.OBJECT_EXTENSION: "extension-dropped", pg.OBJECT_CAST: "object-dropped",
    pg.OBJECT_OPERATOR: "object-dropped", pg.OBJECT_COLLATION: "object-dropped",
    pg.OBJECT_PUBLICATION: "object-dropped",
}  # fmt: skip
RENAMED = {
    **DROPPED,
    pg.OBJECT_TABLE: "table-renamed", pg.OBJECT_FOREIGN_TABLE: "table-renamed", pg.OBJECT_COLUMN: "column-renamed",
    pg.OBJECT_INDEX: "", pg.OBJECT_TRIGGER: "", pg.OBJECT_POLICY: "", pg.OBJECT_RULE: "",
    pg.OBJECT_TABCONSTRAINT: "constraint-renamed", pg.OBJECT_ATTRIBUTE: "type-altered",
}  # fmt: skip
COMMANDS = {
    pg.AT_DropColumn: "column-dropped", pg.AT_AlterColumnType: "type-changed", pg.AT_SetNotNull: "not-null-added",
    pg.AT_DropNotNull: "not-null-dropped", pg.AT_DropConstraint: "constraint-dropped",
    pg.AT_AddIdentity: "identity-changed", pg.AT_SetIdentity: "identity-changed",
    pg.AT_DropIdentity: "identity-changed", pg.AT_SetExpression: "generated-changed",
    pg.AT_DropExpression: "generated-changed", pg.AT_AddIndexConstraint: "unique-added",
    pg.AT_AttachPartition: "partition-attached", pg.AT_DetachPartition: "partition-detached",
    pg.AT_AddInherit: "inheritance-changed", pg.AT_DropInherit: "inheritance-changed",
    pg.AT_SetUnLogged: "unlogged", pg.AT_EnableRowSecurity: "row-security-changed",
    pg.AT_ForceRowSecurity: "row-security-changed", pg.AT_DisableRowSecurity: "row-security-dropped",
    pg.AT_ChangeOwner: "owner-changed", pg.AT_AlterConstraint: "constraint-changed",
    pg.AT_EnableTrig: "trigger-changed", pg.AT_DisableTrig: "trigger-changed",
    pg.AT_EnableAlwaysTrig: "trigger-changed",
    pg.AT_EnableReplicaTrig: "trigger-changed", pg.AT_EnableTrigAll: "trigger-changed",
    pg.AT_DisableTrigAll: "trigger-changed", pg.AT_EnableTrigUser: "trigger-changed",
    pg.AT_DisableTrigUser: "trigger-changed", pg.AT_EnableRule: "rule-changed", pg.AT_DisableRule: "rule-changed",
    pg.AT_SetLogged: "rewrite", pg.AT_SetAccessMethod: "rewrite", pg.AT_SetTableSpace: "rewrite",
}  # fmt: skip
CONSTRAINTS = {
    pg.CONSTR_CHECK: "check-added", pg.CONSTR_PRIMARY: "unique-added", pg.CONSTR_UNIQUE: "unique-added",
    pg.CONSTR_FOREIGN: "foreign-key-added", pg.CONSTR_EXCLUSION: "exclusion-added", pg.CONSTR_NOTNULL: "not-null-added",
}  # fmt: skip
MADE = {
    "create_trig_stmt": "trigger-added", "rule_stmt": "rule-changed", "create_policy_stmt": "policy-changed",
    "alter_policy_stmt": "policy-changed", "alter_domain_stmt": "domain-tightened", "alter_type_stmt": "object-changed",
}  # fmt: skip


def changes(node: Node) -> Iterator[Danger]:
    """Pairs (kind, object) of one statement."""
    kind = kind_of(node)
    statement: Any = getattr(node, kind) if kind else None
    if kind == "drop_stmt" and statement.remove_type in DROPPED:
        for item in statement.objects:
            yield DROPPED[statement.remove_type], dotted(item)
    elif kind == "rename_stmt":
        found = RENAMED.get(statement.rename_type, "object-dropped")
        if found:
            yield found, _renamed(statement)
    elif kind == "alter_table_stmt":
        yield from _table(statement)
    elif kind in MADE:
        yield MADE[kind], _about(statement)
    else:
        yield from _rest(kind, statement)


def _rest(kind: str, statement: Any) -> Iterator[Danger]:
    if kind == "index_stmt" and statement.unique:
        yield "unique-added", range_name(statement.relation)
    elif kind == "grant_stmt" and not statement.is_grant:
        yield "grant-revoked", ", ".join(range_name(item.range_var) or dotted(item) for item in statement.objects)
    elif kind in ("alter_owner_stmt", "alter_object_schema_stmt"):
        name = range_name(statement.relation) or dotted(statement.object)
        yield ("owner-changed" if kind == "alter_owner_stmt" else "table-renamed"), name
    elif kind == "alter_enum_stmt" and statement.old_val:
        yield "enum-value-changed", ".".join(ident(item.string.sval) for item in statement.type_name)
    elif kind == "create_function_stmt" and statement.replace:
        yield "function-body-changed", ".".join(ident(item.string.sval) for item in statement.funcname)
    elif kind == "view_stmt" and statement.replace:
        yield "view-changed", range_name(statement.view)


def _about(statement: Any) -> str:
    for field in ("relation", "table"):
        if hasattr(statement, field) and getattr(statement, field).relname:
            return range_name(getattr(statement, field))
    names = statement.type_name if hasattr(statement, "type_name") else []
    return ".".join(ident(item.string.sval) for item in names)


def _renamed(statement: Any) -> str:
    name = range_name(statement.relation) or dotted(statement.object)
    return f"{name}.{ident(statement.subname)}" if statement.subname and statement.relation.relname else name


def _table(statement: Any) -> Iterator[Danger]:
    table = range_name(statement.relation)
    for item in statement.cmds:
        command = item.alter_table_cmd
        name = f"{table}.{ident(command.name)}" if command.name else table
        if command.subtype in COMMANDS:
            yield COMMANDS[command.subtype], name
        elif command.subtype == pg.AT_AddConstraint:
            constraint = getattr(command, "def").constraint
            if constraint.contype in CONSTRAINTS:
                yield CONSTRAINTS[constraint.contype], table
        elif command.subtype == pg.AT_AddColumn:
            yield from _column(table, getattr(command, "def").column_def)
        elif command.subtype == pg.AT_ColumnDefault:
            gone = not getattr(command, "def").WhichOneof("node")
            yield ("default-dropped" if gone else "default-changed"), name


def _column(table: str, column: Any) -> Iterator[Danger]:
    kinds = {item.constraint.contype for item in column.constraints}
    filled = kinds & {pg.CONSTR_DEFAULT, pg.CONSTR_IDENTITY, pg.CONSTR_GENERATED}
    serial = column.type_name.names and column.type_name.names[-1].string.sval in ("serial", "bigserial", "smallserial")
    if kinds & {pg.CONSTR_NOTNULL, pg.CONSTR_PRIMARY} and not filled and not serial:
        yield "column-required", f"{table}.{ident(column.colname)}"
