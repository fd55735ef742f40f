"""Whether a statement changes tables that nobody but Postgres, or our ledger, writes."""

from collections.abc import Iterator
from typing import Any

from bluegreen.adapters.postgres.sql_trees import Node, dotted, kind_of, range_name, walk

Danger = tuple[str, str]

SHARED_CATALOGUES = frozenset({
    "pg_database", "pg_authid", "pg_auth_members", "pg_tablespace", "pg_db_role_setting", "pg_shdepend",
    "pg_shdescription", "pg_subscription", "pg_parameter_acl", "pg_replication_origin",
})  # fmt: skip

WRITES = frozenset({"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"})


def written(node: Node) -> Iterator[Danger]:
    """Pairs (kind, object) of one statement."""
    kind = kind_of(node)
    reads = kind in ("select_stmt", "view_stmt", "create_table_as_stmt", "comment_stmt", "do_stmt", "explain_stmt")
    for name, item in walk(node):
        if name in WRITES and hasattr(item, "relation"):
            yield from _written(item.relation)
        elif name in ("relation", "range_var", "sequence") and not reads and item.schemaname == "bluegreen":
            yield "ledger-touched", range_name(item)
    if kind == "drop_stmt":
        for target in getattr(node, kind).objects:
            if dotted(target).startswith("bluegreen."):
                yield "ledger-touched", dotted(target)


def _written(relation: Any) -> Iterator[Danger]:
    system = relation.schemaname == "pg_catalog" or (not relation.schemaname and relation.relname.startswith("pg_"))
    if system and relation.relname in SHARED_CATALOGUES:
        yield "cluster-statement", range_name(relation)
    elif system:
        yield "catalogue-written", range_name(relation)
    elif relation.schemaname == "bluegreen":
        yield "ledger-touched", range_name(relation)
