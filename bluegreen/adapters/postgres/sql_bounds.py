"""Which rows a partition takes, as a condition, from what Postgres prints of the key and of the bound."""

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.sql_definitions import expression, quoted


def taken(key: str, bound: str) -> str:
    """Of `RANGE (at)` and `FOR VALUES FROM (…) TO (…)`: true for rows that lie there; "" if it cannot be said."""
    try:
        tree = postgast.parse(f"CREATE TABLE x (y int) PARTITION BY {key}; CREATE TABLE z PARTITION OF x {bound}")
    except postgast.PgQueryError:
        return ""
    spec = tree.stmts[0].stmt.create_stmt.partspec
    limits = tree.stmts[1].stmt.create_stmt.partbound
    keys = [_key(item.partition_elem) for item in spec.part_params]
    if limits.strategy == "l" and len(keys) == 1:
        return _listed(keys[0], [expression(value) for value in limits.listdatums])
    if limits.strategy == "r":
        low, high = ([_limit(value) for value in values] for values in (limits.lowerdatums, limits.upperdatums))
        return _between(keys, low, high)
    return ""


def _key(element: pg.PartitionElem) -> str:
    return quoted(element.name) if element.name else f"({expression(element.expr)})"


def _listed(key: str, values: list[str]) -> str:
    given = [value for value in values if value.upper() != "NULL"]
    parts = [f"{key} IN ({', '.join(given)})"] if given else []
    return " OR ".join([*parts, *([f"{key} IS NULL"] if len(given) < len(values) else [])])


def _limit(node: pg.Node) -> str:
    """A value, or None where there is no limit."""
    text = expression(node)
    return "" if text.strip('"').lower() in ("minvalue", "maxvalue") else text


def _between(keys: list[str], low: list[str], high: list[str]) -> str:
    if len(keys) > 1 and not all([*low, *high]):
        return ""
    compared, *rest = keys
    row = f"({', '.join([compared, *rest])})" if rest else compared
    said = []
    for operator, values in ((">=", low), ("<", high)):
        if all(values):
            said.append(f"{row} {operator} {'(' + ', '.join(values) + ')' if rest else values[0]}")
    return " AND ".join([*said, *(f"{key} IS NOT NULL" for key in keys)])
