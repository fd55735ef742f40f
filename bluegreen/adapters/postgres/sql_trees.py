"""Ways through a parse tree: its nodes by name, names as Postgres writes them."""

import re
from collections.abc import Iterator
from typing import Any

PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")

Node = Any
"""A message of postgast's pg_query_pb2, whose classes mypy cannot read."""


def kind_of(node: Node) -> str:
    """Which statement or expression a node is, "" for none."""
    return node.WhichOneof("node") or ""


def walk(node: Node) -> Iterator[tuple[str, Node]]:
    """Every node in it with the name of its field, outer ones first."""
    stack = [node]
    while stack:
        current = stack.pop()
        inside: list[Node] = []
        for field, value in current.ListFields():
            if field.type != field.TYPE_MESSAGE:
                continue
            values = list(value) if field.is_repeated else [value]
            for item in values:
                yield field.name, item
            inside.extend(values)
        stack.extend(reversed(inside))


def ident(name: str) -> str:
    """A name as it stands in a catalogue's texts."""
    return name if PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def range_name(relation: Node) -> str:
    """The name of a table as it stands in the text."""
    parts = (relation.schemaname, relation.relname)
    return ".".join(ident(part) for part in parts if part)


def parts_of(node: Node) -> list[str]:
    """The parts of a name that is a list of strings, or one string."""
    if kind_of(node) == "list":
        return [item.string.sval for item in node.list.items if item.string.sval]
    if kind_of(node) == "type_name":
        return [item.string.sval for item in node.type_name.names]
    if kind_of(node) == "object_with_args":
        return [item.string.sval for item in node.object_with_args.objname]
    return [node.string.sval] if node.string.sval else []


def dotted(node: Node) -> str:
    """The name of an object in DROP, COMMENT and the like."""
    return ".".join(ident(part) for part in parts_of(node))


def called(call: Node) -> str:
    """The name of the function in a call, without its schema."""
    return str(call.funcname[-1].string.sval) if call.funcname else ""


def text_of(node: Node) -> str | None:
    """A constant text, also one with a cast ('s'::regclass); None for anything else."""
    while kind_of(node) == "type_cast":
        node = node.type_cast.arg
    if kind_of(node) == "a_const" and node.a_const.WhichOneof("val") == "sval":
        return str(node.a_const.sval.sval)
    return None
