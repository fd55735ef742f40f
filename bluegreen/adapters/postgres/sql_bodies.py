"""The SQL inside a DO block or a function's body, as far as it can be read."""

import json
import re
from collections.abc import Iterator
from typing import Any

import postgast

from bluegreen.adapters.postgres.sql_trees import Node, kind_of

WRAPPER = "CREATE FUNCTION f() RETURNS {returns} LANGUAGE plpgsql AS $bluegreen${body}$bluegreen$"

QUERY = re.compile(r'"query":\s*("(?:[^"\\]|\\.)*")')
ASSIGNED = re.compile(r"^[\w.\"\[\]]+\s*:=")
BEGINNING = re.compile(r"^(?:.*\b(?:begin|then|else|loop|perform)\b)", re.IGNORECASE | re.DOTALL)


def bodies(node: Node) -> tuple[bool, str, tuple[str, ...]]:
    """Whether the body runs now (DO), its whole text, and the queries in it; ("", ()) for other statements."""
    kind = kind_of(node)
    if kind == "do_stmt":
        options = node.do_stmt.args
    elif kind == "create_function_stmt":
        options = node.create_function_stmt.options
    else:
        return False, "", ()
    language, body = "plpgsql" if kind == "do_stmt" else "sql", ""
    for item in options:
        option = item.def_elem
        if option.defname == "language":
            language = option.arg.string.sval.lower()
        elif option.defname == "as":
            body = option.arg.string.sval or " ".join(part.string.sval for part in option.arg.list.items)
    if language == "plpgsql":
        return kind == "do_stmt", body, tuple(_plpgsql(body))
    return kind == "do_stmt", body, (body,) if language == "sql" and body else ()


def _plpgsql(body: str) -> Iterator[str]:
    for returns in ("void", "trigger", "SETOF record"):
        try:
            tree = postgast.parse_plpgsql(WRAPPER.format(returns=returns, body=body))
        except postgast.PgQueryError:
            continue
        except json.JSONDecodeError as exc:  # of a trigger's body the parser writes JSON with a comma missing
            yield from (ASSIGNED.sub("", json.loads(found[1])) for found in QUERY.finditer(exc.doc))
            return
        yield from _queries(tree)
        return
    # It names its arguments, which are not known here: what looks like statements is tried one by one.
    for piece in body.split(";"):
        yield ASSIGNED.sub("", BEGINNING.sub("", piece.strip()).strip())


def _queries(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        expression = tree.get("PLpgSQL_expr")
        if isinstance(expression, dict) and isinstance(expression.get("query"), str):
            yield ASSIGNED.sub("", expression["query"])
        for value in tree.values():
            yield from _queries(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _queries(value)
