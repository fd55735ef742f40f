"""What in a statement reaches beyond its database, or past the rules of it."""

from collections.abc import Iterator
from typing import Any

from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_trees import Node, called, dotted, kind_of, walk
from bluegreen.adapters.postgres.sql_written import written

CLUSTER = {
    "create_role_stmt": "CREATE ROLE", "alter_role_stmt": "ALTER ROLE", "alter_role_set_stmt": "ALTER ROLE",
    "drop_role_stmt": "DROP ROLE", "grant_role_stmt": "GRANT of a role", "alter_system_stmt": "ALTER SYSTEM",
    "createdb_stmt": "CREATE DATABASE", "alter_database_stmt": "ALTER DATABASE", "dropdb_stmt": "DROP DATABASE",
    "alter_database_set_stmt": "ALTER DATABASE", "alter_database_refresh_coll_stmt": "ALTER DATABASE",
    "create_table_space_stmt": "CREATE TABLESPACE", "drop_table_space_stmt": "DROP TABLESPACE",
    "alter_table_space_options_stmt": "ALTER TABLESPACE", "drop_owned_stmt": "DROP OWNED",
    "reassign_owned_stmt": "REASSIGN OWNED", "load_stmt": "LOAD", "check_point_stmt": "CHECKPOINT",
}  # fmt: skip
OTHER = {
    "create_subscription_stmt": "CREATE SUBSCRIPTION", "alter_subscription_stmt": "ALTER SUBSCRIPTION",
    "drop_subscription_stmt": "DROP SUBSCRIPTION", "create_foreign_server_stmt": "CREATE SERVER",
    "alter_foreign_server_stmt": "ALTER SERVER", "create_user_mapping_stmt": "CREATE USER MAPPING",
    "alter_user_mapping_stmt": "ALTER USER MAPPING", "import_foreign_schema_stmt": "IMPORT FOREIGN SCHEMA",
    "create_foreign_table_stmt": "CREATE FOREIGN TABLE", "create_fdw_stmt": "CREATE FOREIGN DATA WRAPPER",
    "alter_fdw_stmt": "ALTER FOREIGN DATA WRAPPER", "drop_user_mapping_stmt": "DROP USER MAPPING",
}  # fmt: skip
SHARED = {
    pg.OBJECT_DATABASE: "a database", pg.OBJECT_ROLE: "a role", pg.OBJECT_TABLESPACE: "a tablespace",
    pg.OBJECT_PARAMETER_ACL: "a server setting",
}  # fmt: skip
"""Kinds of objects that all databases share."""

FUNCTIONS = {
    **dict.fromkeys((
        "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal", "pg_promote", "pg_terminate_backend",
        "pg_cancel_backend", "pg_create_restore_point", "pg_create_physical_replication_slot", "pg_wal_replay_pause",
        "pg_create_logical_replication_slot", "pg_drop_replication_slot", "pg_backup_start", "pg_backup_stop",
        "pg_replication_origin_create", "pg_replication_origin_drop", "pg_stat_reset_shared",
    ), "cluster-statement"),
    **dict.fromkeys((
        "lo_import", "lo_export", "pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "pg_file_write",
        "pg_file_unlink", "pg_file_rename", "pg_ls_logdir", "pg_ls_waldir", "pg_file_sync",
    ), "server-file"),
    "http_get": "other-database",
}  # fmt: skip
EXTENSIONS = frozenset({
    "dblink", "postgres_fdw", "file_fdw", "mysql_fdw", "oracle_fdw", "tds_fdw", "redis_fdw", "mongo_fdw", "multicorn",
    "http", "pg_net", "pg_cron", "pg_background", "adminpack", "plproxy", "pglogical", "citus",
})  # fmt: skip
"""Extensions whose purpose is to reach out: of the database, or of the server."""

UNTRUSTED = frozenset({"c", "internal", "plpython3u", "plpythonu", "plpython2u", "plperlu", "pltclu", "plsh", "plr"})

Danger = tuple[str, str]


def reach(node: Node) -> Iterator[Danger]:
    """Pairs (kind, object) of one statement."""
    kind = kind_of(node)
    statement: Any = getattr(node, kind) if kind else None
    if kind in CLUSTER:
        yield "cluster-statement", CLUSTER[kind]
    elif kind in OTHER:
        yield "other-database", OTHER[kind]
    elif kind in SPECIAL:
        yield from SPECIAL[kind](statement)
    yield from written(node)
    yield from _calls(node)


def _copy(statement: Any) -> Iterator[Danger]:
    if statement.is_program:
        yield "copy-program", statement.filename
    elif statement.filename:
        yield "server-file", statement.filename


def _drop(statement: Any) -> Iterator[Danger]:
    if statement.remove_type in (pg.OBJECT_FOREIGN_SERVER, pg.OBJECT_FDW):
        yield "other-database", "DROP SERVER"
    elif statement.remove_type == pg.OBJECT_EVENT_TRIGGER:
        yield "event-trigger", dotted(statement.objects[0])
    elif statement.remove_type == pg.OBJECT_SCHEMA and "bluegreen" in map(dotted, statement.objects):
        yield "ledger-touched", "schema bluegreen"


def _shared(field: str) -> Any:
    def look(statement: Any) -> Iterator[Danger]:
        type_ = getattr(statement, field)
        if type_ in SHARED:
            yield "cluster-statement", SHARED[type_]
        elif type_ == pg.OBJECT_EVENT_TRIGGER:
            yield "event-trigger", "an event trigger"
        elif type_ in (pg.OBJECT_FOREIGN_SERVER, pg.OBJECT_FDW):
            yield "other-database", "a foreign server"

    return look


def _extension(statement: Any) -> Iterator[Danger]:
    if statement.extname in EXTENSIONS:
        yield "other-database", f"extension {statement.extname}"
    elif statement.extname in UNTRUSTED:
        yield "untrusted-language", f"extension {statement.extname}"


def _language(statement: Any) -> Iterator[Danger]:
    yield "untrusted-language", statement.plname


def _code(statement: Any) -> Iterator[Danger]:
    options = statement.args if hasattr(statement, "args") else statement.options
    for item in options:
        name = item.def_elem.arg.string.sval.lower()
        if item.def_elem.defname == "language" and name in UNTRUSTED:
            yield "untrusted-language", name


def _event(statement: Any) -> Iterator[Danger]:
    yield "event-trigger", statement.trigname


def _set(statement: Any) -> Iterator[Danger]:
    name = statement.name.lower()
    if statement.kind in (pg.VAR_RESET, pg.VAR_RESET_ALL, pg.VAR_SET_DEFAULT):
        return
    if name in ("role", "session_authorization"):
        value = statement.args[0].a_const.sval.sval if statement.args else ""
        if value.lower() != "none":
            yield "role-switched", value
    elif name == "session_replication_role":
        yield from _replication_role(statement.args[0].a_const.sval.sval if statement.args else "")


def _replication_role(value: str) -> Iterator[Danger]:
    if value.lower() not in ("origin", "default"):
        yield "triggers-switched-off", value


SPECIAL = {
    "copy_stmt": _copy,
    "drop_stmt": _drop,
    "comment_stmt": _shared("objtype"),
    "sec_label_stmt": _shared("objtype"),
    "grant_stmt": _shared("objtype"),
    "rename_stmt": _shared("rename_type"),
    "alter_owner_stmt": _shared("object_type"),
    "create_extension_stmt": _extension,
    "create_plang_stmt": _language,
    "create_function_stmt": _code,
    "do_stmt": _code,
    "create_event_trig_stmt": _event,
    "alter_event_trig_stmt": _event,
    "variable_set_stmt": _set,
}


def _calls(node: Node) -> Iterator[Danger]:
    for name, item in walk(node):
        if name != "func_call":
            continue
        function = called(item)
        if function in FUNCTIONS:
            yield FUNCTIONS[function], f"{function}()"
        elif function.startswith("dblink"):
            yield "other-database", f"{function}()"
        elif function == "set_config" and len(item.args) > 1:
            what, value = (arg.a_const.sval.sval.lower() for arg in item.args[:2])
            if what == "session_replication_role":
                yield from _replication_role(value)
            elif what in ("role", "session_authorization"):
                yield "role-switched", value
