"""What a backfill file holds, read by Postgres's own grammar: one UPDATE or DELETE whose own WHERE says which rows are
still to be done. Anything that would mean something else when it is done in ranges of keys is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import postgast
from postgast import pg_query_pb2 as pg

from bluegreen.adapters.postgres.scripts import Relation, Script, SqlRefused, Statement
from bluegreen.adapters.postgres.sql_directives import BACKFILL, BEFORE_SWITCH, NO_TRANSACTION, WORDS, Directive

FORM = "a backfill file holds one UPDATE or DELETE, with a WHERE that finds the rows still to be done"

PLACES = frozenset({"location", "name_location", "rexpr_list_start", "rexpr_list_end", "list_start", "list_end"})
"""Fields of a parse tree that say where something stood in the text, not what it is."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """One backfill. `key` are the columns that the file names ("" none: the primary key); `names` are what columns
    of the table are qualified with, `sets` those that the statement writes. `tree` is an UpdateStmt or DeleteStmt."""

    line: int
    table: Relation
    key: tuple[str, ...]
    before_switch: bool
    names: tuple[str, ...]
    sets: frozenset[str]
    tree: "pg.UpdateStmt | pg.DeleteStmt" = field(repr=False)

    @property
    def deletes(self) -> bool:
        """Whether its rows are gone afterwards."""
        return isinstance(self.tree, pg.DeleteStmt)


def backfill_of(script: Script) -> Backfill:
    """What a file of phase backfill holds. SqlRefused, with the line, for what cannot be done in batches."""
    header = _header(script)
    if len(script.statements) != 1:
        line = script.statements[1].line if script.statements else 1
        raise SqlRefused(line, f"{FORM}; here are {len(script.statements)} statements")
    (statement,) = script.statements
    tree = _tree(statement)
    _refuse_uncuttable(statement.line, tree)
    target = tree.relation
    table = Relation(target.relname, target.schemaname)
    return Backfill(
        statement.line,
        table,
        _key(header, table),
        any(said.word == BEFORE_SWITCH for said in script.directives),
        (target.alias.aliasname,) if target.HasField("alias") else tuple(filter(None, (table.schema, table.name))),
        frozenset(item.res_target.name for item in tree.target_list)
        if isinstance(tree, pg.UpdateStmt)
        else frozenset(),
        tree,
    )


def refuse_directives(script: Script) -> None:
    """SqlRefused for what only a backfill file may say, in one that is none."""
    for said in script.directives:
        if said.word in (BACKFILL, BEFORE_SWITCH):
            raise SqlRefused(said.line, f"{WORDS[said.word]!r} belongs into a file named NNNN_name.backfill.sql")


def _header(script: Script) -> Directive | None:
    headers = []
    for said in script.directives:
        if said.word == NO_TRANSACTION:
            raise SqlRefused(said.line, "a backfill runs in batches, each a transaction: it takes no such header")
        if said.word == BEFORE_SWITCH and (said.plain or said.values):
            raise SqlRefused(said.line, f"{WORDS[BEFORE_SWITCH]!r} takes no arguments")
        if said.word == BACKFILL:
            headers.append(said)
    if len(headers) > 1:
        raise SqlRefused(headers[1].line, f"{WORDS[BACKFILL]!r} is said twice")
    for said in headers:
        if said.plain or not said.values or not said.values.keys() <= {"table", "key"}:
            raise SqlRefused(said.line, f"it is written {WORDS[BACKFILL]!r}; both may be left out")
    return headers[0] if headers else None


def _key(header: Directive | None, table: Relation) -> tuple[str, ...]:
    """The columns that the header names. SqlRefused where it is about another table than the statement."""
    if header is None:
        return ()
    schema, _, name = header.values.get("table", table.name).rpartition(".")
    if name != table.name or (schema and table.schema and schema != table.schema):
        raise SqlRefused(header.line, f"the header says table {header.values['table']}, the statement changes {table}")
    columns = tuple(part.strip() for part in header.values["key"].split(",")) if "key" in header.values else ()
    if not all(columns) or len(set(columns)) < len(columns):
        raise SqlRefused(header.line, "key is written key=COLUMN or key=COLUMN,COLUMN, each column once")
    return columns


def _tree(statement: Statement) -> "pg.UpdateStmt | pg.DeleteStmt":
    parsed = postgast.parse(statement.text)
    again = postgast.parse(postgast.deparse(parsed))
    if _placeless(parsed) != _placeless(again):
        raise SqlRefused(statement.line, "it cannot be written anew without changing what it means: write it plainer")
    node = parsed.stmts[0].stmt
    kind = node.WhichOneof("node")
    if kind == "update_stmt":
        return node.update_stmt
    if kind == "delete_stmt":
        return node.delete_stmt
    raise SqlRefused(statement.line, f"{FORM}; this is another statement")


def _refuse_uncuttable(line: int, tree: "pg.UpdateStmt | pg.DeleteStmt") -> None:
    if not tree.HasField("where_clause"):
        raise SqlRefused(
            line,
            "a WHERE is missing: it says which rows are still to be done (… WHERE new_column IS NULL), and contract"
            " waits until it finds none",
        )
    if tree.where_clause.HasField("current_of_expr"):
        raise SqlRefused(line, "WHERE CURRENT OF needs a cursor: say which rows are still to be done")
    if tree.HasField("returning_clause"):
        raise SqlRefused(line, "RETURNING has nobody to return to: leave it out")
    if any(True for _ in postgast.find_nodes(tree, pg.ParamRef)):
        raise SqlRefused(line, "$1 and the like are filled in by nobody: write the value")
    for cte in tree.with_clause.ctes:
        if cte.common_table_expr.ctequery.WhichOneof("node") != "select_stmt":
            raise SqlRefused(line, "a WITH that changes rows would be run again with every batch")
    if any(_same(tree.relation, other) for other in _others(tree)):
        raise SqlRefused(
            line,
            f"it also reads {tree.relation.relname}, the table that it changes: done in batches, each would see what"
            " the ones before it did; compute what it needs in a table of its own first",
        )


def _others(tree: "pg.UpdateStmt | pg.DeleteStmt") -> Iterator[pg.RangeVar]:
    return (each for each in postgast.find_nodes(tree, pg.RangeVar) if each != tree.relation)


def _same(target: pg.RangeVar, other: pg.RangeVar) -> bool:
    one_of_both = not target.schemaname or not other.schemaname
    return target.relname == other.relname and (one_of_both or target.schemaname == other.schemaname)


def _placeless(tree: pg.ParseResult) -> pg.ParseResult:
    """A copy without what only says where things stood."""
    copy = pg.ParseResult()
    copy.CopyFrom(tree)
    for _, message in postgast.walk(copy):
        for place in PLACES & set(message.DESCRIPTOR.fields_by_name):
            message.ClearField(place)
    for statement in copy.stmts:
        statement.ClearField("stmt_location")
        statement.ClearField("stmt_len")
    return copy
