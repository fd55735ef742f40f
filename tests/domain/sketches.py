"""Catalogues and what was seen of a migration, in a few words, for tests of the verdict."""

from collections.abc import Iterable
from typing import Any

from bluegreen.domain.catalogue import Catalogue, Fact, Thing
from bluegreen.domain.findings import FileVerdict
from bluegreen.domain.migrations import Migration, MigrationKind, MigrationPhase
from bluegreen.domain.schema import judge
from bluegreen.domain.seen import FileSeen, StatementSeen

TABLE: dict[str, Any] = {"persistence": "permanent", "row_security": False, "owner": "app"}
COLUMN: dict[str, Any] = {"type": "text", "not_null": False, "default": None, "identity": None, "generated": None}


def thing(kind: str, name: str, of: str = "", key: str = "", **facts: Fact) -> Thing:
    """Its key is made of its first name: a renamed one must be given its `key`."""
    return Thing(kind, key or f"{kind}:{name}", name, of, facts)


def table(name: str = "public.users", *columns: Thing, key: str = "", **facts: Fact) -> list[Thing]:
    """A table with its columns, which may be made by `column` for it."""
    return [thing("table", name, key=key, **{**TABLE, **facts}), *columns]


def column(name: str, type: str = "text", of: str = "public.users", key: str = "", **facts: Fact) -> Thing:
    """A column of a table that was there by the name `of`."""
    return thing("column", f"{of}.{name}", f"table:{of}", key, **{**COLUMN, "type": type, **facts})


def constraint(name: str, type: str, definition: str, of: str = "public.users", **facts: Fact) -> Thing:
    """One of a table."""
    given: dict[str, Any] = {"type": type, "definition": definition, "validated": "NOT VALID" not in definition}
    return thing("constraint", f"{name} on {of}", f"table:{of}", **{**given, **facts})


def index(name: str, form: str, of: str = "public.users", unique: bool = False, **facts: Fact) -> Thing:
    """An index by what follows USING."""
    definition = f"CREATE {'UNIQUE ' if unique else ''}INDEX {name} ON {of} USING {form}"
    given: dict[str, Any] = {"definition": definition, "unique": unique, "primary": False, "valid": True}
    return thing("index", f"public.{name}", f"table:{of}", **{**given, **facts})


def catalogue(*things: Thing | Iterable[Thing]) -> Catalogue:
    """All of them by their keys."""
    flat = [t for item in things for t in ([item] if isinstance(item, Thing) else item)]
    return {t.key: t for t in flat}


def migration(phase: MigrationPhase = MigrationPhase.EXPAND, **changes: Any) -> Migration:
    """One file."""
    given: dict[str, Any] = {"file": "0007_x.expand.sql", "statements": 1} | changes
    return Migration("main", "app", "0007_x", phase, MigrationKind.SQL, "abc", **given)


def seen(
    before: Catalogue,
    after: Catalogue,
    phase: MigrationPhase = MigrationPhase.EXPAND,
    text: str = "ALTER …",
    **changes: Any,
) -> FileSeen:
    """A file of one statement that made `after` of `before`."""
    statements = (StatementSeen(3, text, before=before, after=after),)
    return FileSeen(migration(phase), before, after, **({"statements": statements} | changes))


def verdict(
    before: Catalogue, after: Catalogue, phase: MigrationPhase = MigrationPhase.EXPAND, **changes: Any
) -> FileVerdict:
    """What is made of it."""
    return judge(seen(before, after, phase, **changes))


def told(found: FileVerdict) -> dict[str, str]:
    """The kinds of its findings, each with its gate."""
    return {finding.kind: str(finding.gate) for finding in found.findings}
