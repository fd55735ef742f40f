"""What stands in a file of SQL, read by Postgres's own grammar: the statements, and what each of them needs.

The parser is postgast (libpg_query of Postgres 18); nothing else knows it. Its positions of statements count bytes,
those of errors characters (seen with 0.2.0; its documentation says bytes).
"""

import hashlib
import re

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.scripts import (
    HEADER,
    Alone,
    LockMode,
    Relation,
    Script,
    SqlRefused,
    Statement,
    Target,
)
from bluegreen.adapters.postgres.sql_directives import NO_TRANSACTION, Directive, directives
from bluegreen.adapters.postgres.sql_targets import created, targets


def read(text: str) -> Script:
    """The statements of a migration. SqlRefused for what is no SQL, and for what a migration may not hold."""
    if "\0" in text:
        raise SqlRefused(text[: text.index("\0")].count("\n") + 1, "a NUL byte: no text")
    try:
        statements = tuple(_statements(text))
        said = directives(text)
        transactional = _transactional(said, statements)
    except postgast.PgQueryError as exc:
        raise _syntax_error(text, exc) from exc
    for statement in statements:
        if transactional and (statement.concurrent or statement.alone is Alone.AGAIN):
            what = "CONCURRENTLY" if statement.concurrent else statement.text.split()[0].upper()
            raise SqlRefused(
                statement.line,
                f"{what} cannot run inside a transaction: make the first line of the file {HEADER!r}",
            )
    return Script(transactional, statements, said, _meaning(text, transactional))


def _syntax_error(text: str, exc: postgast.PgQueryError) -> SqlRefused:
    at = max(exc.cursorpos - 1, 0)
    line = text[:at].count("\n") + 1
    if text[at : at + 1] == "\\":
        word = text[at:].split(maxsplit=1)[0]
        return SqlRefused(line, f"{word} is a command of psql, not SQL: write plain SQL here")
    return SqlRefused(line, exc.message)


def _meaning(text: str, transactional: bool) -> str:
    try:
        plain = postgast.deparse(postgast.parse(text))
    except postgast.PgQueryError:  # what its grammar reads, it cannot always write
        return ""
    return hashlib.sha256(f"{transactional} {plain}".encode()).hexdigest()


def _transactional(found: tuple[Directive, ...], statements: tuple[Statement, ...]) -> bool:
    """Whether no header says otherwise."""
    headers = [directive for directive in found if directive.word == NO_TRANSACTION]
    for header in headers:
        if header.plain or header.values:
            raise SqlRefused(header.line, f"{HEADER!r} takes no arguments")
        if any(statement.line <= header.line for statement in statements):
            raise SqlRefused(header.line, f"{HEADER!r} must stand before the first statement")
    return not headers


def _statements(text: str) -> list[Statement]:
    raw = text.encode()
    found = []
    for parsed in postgast.parse(text).stmts:
        end = parsed.stmt_location + parsed.stmt_len if parsed.stmt_len else len(raw)
        line = raw[: parsed.stmt_location].count(b"\n") + 1
        body = raw[parsed.stmt_location : end].decode()
        found.append(_statement(body, line, parsed.stmt))
    return found


def _statement(text: str, line: int, node: pg.Node) -> Statement:
    kind = node.WhichOneof("node") or ""
    _refuse(line, kind, node)
    if kind == "index_stmt":
        return _create_index(text, line, node.index_stmt)
    if kind == "drop_stmt" and node.drop_stmt.concurrent:
        names = tuple(_named(item) for item in node.drop_stmt.objects)
        return Statement(text, line, Alone.DROPS_INDEX, concurrent=True, indexes=names)
    if kind == "reindex_stmt":
        return _reindex(text, line, node.reindex_stmt)
    if kind == "alter_table_stmt":
        return _alter_table(text, line, node)
    if kind == "variable_set_stmt":
        return Statement(text, line, setting=True, limit=node.variable_set_stmt.name == "statement_timeout")
    locked = targets(kind, node)
    strong = bool(locked) or kind in STRONG
    return Statement(text, line, _alone(kind, node), strong=strong, targets=locked, creates=created(kind, node))


STRONG = {
    "drop_stmt", "rename_stmt", "cluster_stmt", "alter_object_schema_stmt", "alter_owner_stmt", "alter_domain_stmt",
}  # fmt: skip
"""Statements that may stop writers or readers of a table that they do not name."""


def _refuse(line: int, kind: str, node: pg.Node) -> None:
    if kind == "transaction_stmt":
        raise SqlRefused(
            line,
            "BEGIN, COMMIT and the like do not belong into a migration: each file is one transaction already"
            f" (or none, with {HEADER!r})",
        )
    if kind == "copy_stmt" and not node.copy_stmt.filename:
        raise SqlRefused(line, "COPY from or to the client needs a client: write INSERT, or use a command")


def _create_index(text: str, line: int, node: pg.IndexStmt) -> Statement:
    if node.concurrent and not node.idxname:
        raise SqlRefused(
            line, "name the index: what a broken build leaves behind could not be found again by a chosen name"
        )
    table = Relation(node.relation.relname, node.relation.schemaname)
    return Statement(
        text,
        line,
        Alone.BUILDS_INDEX if node.concurrent else Alone.NO,
        concurrent=node.concurrent,
        strong=not node.concurrent,
        targets=() if node.concurrent else (Target(table, LockMode.SHARE),),
        if_not_exists=node.if_not_exists,
        table=table,
        indexes=(Relation(node.idxname, table.schema),) if node.idxname else (),
    )


def _reindex(text: str, line: int, node: pg.ReindexStmt) -> Statement:
    concurrent = any(item.def_elem.defname == "concurrently" for item in node.params)
    many = node.kind not in (pg.REINDEX_OBJECT_INDEX, pg.REINDEX_OBJECT_TABLE)
    alone = Alone.REBUILDS_INDEX if concurrent else Alone.AGAIN if many else Alone.NO
    target = Relation(node.relation.relname, node.relation.schemaname)
    return Statement(
        text,
        line,
        alone,
        concurrent=concurrent,
        strong=not concurrent,
        targets=() if concurrent or many else (Target(target, LockMode.ACCESS_EXCLUSIVE),),
        table=target if node.kind == pg.REINDEX_OBJECT_TABLE else None,
        indexes=(target,) if node.kind == pg.REINDEX_OBJECT_INDEX else (),
    )


def _alter_table(text: str, line: int, node: pg.Node) -> Statement:
    commands = [item.alter_table_cmd for item in node.alter_table_stmt.cmds]
    concurrent = any(getattr(command, "def").partition_cmd.concurrent for command in commands)
    locked = () if concurrent else targets("alter_table_stmt", node)
    alone = Alone.UNKNOWN if concurrent else Alone.NO
    return Statement(text, line, alone, concurrent=concurrent, strong=bool(locked), targets=locked)


def _alone(kind: str, node: pg.Node) -> Alone:
    """Whether Postgres refuses it inside a transaction, or may do so: a procedure may commit."""
    if kind == "vacuum_stmt" and node.vacuum_stmt.is_vacuumcmd:
        return Alone.AGAIN
    if kind == "cluster_stmt" and not node.cluster_stmt.relation.relname:
        return Alone.AGAIN
    if kind == "do_stmt" and re.search(r"\b(commit|rollback)\b", str(node.do_stmt), re.IGNORECASE):
        return Alone.UNKNOWN
    return Alone.UNKNOWN if kind in NEVER_IN_A_TRANSACTION else Alone.NO


NEVER_IN_A_TRANSACTION = {
    "call_stmt", "createdb_stmt", "dropdb_stmt", "alter_system_stmt", "create_table_space_stmt",
    "drop_table_space_stmt", "create_subscription_stmt", "alter_subscription_stmt", "drop_subscription_stmt",
}  # fmt: skip


def _named(item: pg.Node) -> Relation:
    *schema, name = [part.string.sval for part in item.list.items]
    return Relation(name, schema[-1] if schema else "")
