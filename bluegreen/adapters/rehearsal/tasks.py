"""What is to be rehearsed: the pending migrations with what stands in them."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.migrations import migrate
from bluegreen.adapters.migrations.files import NAME, read_file, understand
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.scripts import Script, SqlRefused
from bluegreen.adapters.postgres.sql_dangers import dangers
from bluegreen.adapters.postgres.sql_directives import ACCEPT
from bluegreen.adapters.postgres.sql_text import read
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.kinds import NEVER_RUN
from bluegreen.domain.migrations import Migration, MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.domain.seen import StatementSeen


@dataclass(frozen=True, slots=True)
class Task:
    """One migration, its source's rules, and its statements (None: a tool's, which nobody can read)."""

    migration: Migration
    source: Source
    script: Script | None = None

    @property
    def accepted(self) -> Mapping[str, str]:
        """Kinds of findings that the file takes, with its reasons."""
        if self.script is None:
            return {}
        said = (directive for directive in self.script.directives if directive.word == ACCEPT)
        return {kind: directive.values.get("reason", "") for directive in said for kind in directive.plain}

    def read_only(self) -> tuple[StatementSeen, ...]:
        """The statements as their text alone shows them."""
        if self.script is None:
            return ()
        transactional = self.script.transactional
        return tuple(
            StatementSeen(statement.line, statement.text, dangers=dangers(statement.text), transactional=transactional)
            for statement in self.script.statements
        )

    @property
    def must_not_run(self) -> bool:
        """Whether a statement reaches beyond its database, so that not even a copy may be asked to run it."""
        return any(kind in NEVER_RUN for statement in self.read_only() for kind, _ in statement.dangers)


async def find(
    access: Access, database: str, sources: Sequence[Source], phases: Sequence[MigrationPhase], release: Release
) -> tuple[Task, ...]:
    """What is pending of these phases, in the order in which it would run. Raises DatabaseUnreachable or
    MigrationFailed."""
    found = [
        migration for phase in phases for migration in await migrate.pending(access, database, sources, phase, release)
    ]
    by_name = {source.name: source for source in sources}
    return tuple([Task(m, by_name[m.source], await asyncio.to_thread(_script, m)) for m in found])


async def given(
    access: Access, database: str, sources: Sequence[Source], phases: Sequence[MigrationPhase], files: Mapping[str, str]
) -> tuple[Task, ...]:
    """The same for files that are given, as if they lay in the first directory of the settings."""
    source = next((source for source in sources if source.kind is MigrationKind.SQL), None)
    if source is None:
        raise MigrationFailed(f"{database} has no [[migrations]] of kind sql, so there are no files to rehearse")
    async with access.session() as connection:
        rows = await ledger.rows(connection, database)
    done = {key for key, row in rows.items() if row.done}
    tasks = [_given(database, source, name, text) for name, text in sorted(files.items())]
    return tuple(
        task for phase in phases for task in tasks
        if task.migration.phase is phase and ledger.key(task.migration) not in done
    )  # fmt: skip


def _script(migration: Migration) -> Script | None:
    return read_file(Path(migration.file)).script if migration.file else None


def _given(database: str, source: Source, name: str, text: str) -> Task:
    match = NAME.fullmatch(name)
    if match is None:
        raise MigrationFailed(f"{name}: a migration is called NNNN_name.expand.sql, .backfill.sql or .contract.sql")
    try:
        script = read(text)
        understand(script, MigrationPhase(match["phase"]))
    except SqlRefused as exc:
        raise MigrationFailed(f"{name}:{exc.line}: {exc.why}", file=name, line=exc.line) from exc
    digest = hashlib.sha256(text.encode()).hexdigest()
    migration = Migration(
        database=database,
        source=source.name,
        version=match["version"],
        phase=MigrationPhase(match["phase"]),
        kind=MigrationKind.SQL,
        checksum=digest,
        file=name,
        transactional=script.transactional,
        statements=len(script.statements),
    )
    return Task(migration, source, script)
