"""How every migration stands: its file, and the ledger's row. Writes nothing."""

import asyncio
from collections.abc import Mapping, Sequence

from bluegreen.adapters.migrations.files import SqlFile, read_directory
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.ledger import Key, Row
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.migrations import MigrationKind, MigrationState


async def ask(access: Access, database: str, sources: Sequence[Source]) -> tuple[MigrationState, ...]:
    """Source after source: first what was applied and has no file (any more), then its files in order.

    Rows of sources that the settings do not name come last. Raises DatabaseUnreachable, MigrationFailed.
    """
    async with access.session() as connection:
        rows = await ledger.rows(connection, database)
    found: list[MigrationState] = []
    for source in sources:
        files = await asyncio.to_thread(read_directory, source.directory) if source.directory else ()
        found += _of_source(database, source.name, files, rows)
    named = {source.name for source in sources}
    others = [row for (source, _, _), row in rows.items() if source not in named]
    return (*found, *(_state(row) for row in others))


def _of_source(database: str, source: str, files: Sequence[SqlFile], rows: Mapping[Key, Row]) -> list[MigrationState]:
    with_file = {(source, file.version, file.phase) for file in files}
    gone = [row for key, row in rows.items() if key[0] == source and key not in with_file]
    states = [_of_file(database, source, file, rows.get((source, file.version, file.phase))) for file in files]
    return [*(_state(row) for row in gone), *states]


def _of_file(database: str, source: str, file: SqlFile, row: Row | None) -> MigrationState:
    if row is not None:
        return _state(row, file)
    return MigrationState(
        database=database,
        source=source,
        version=file.version,
        phase=file.phase,
        kind=MigrationKind.SQL,
        file=str(file.path),
        statements_total=len(file.script.statements),
    )


def _state(row: Row, file: SqlFile | None = None) -> MigrationState:
    applied = row.applied
    return MigrationState(
        database=applied.database,
        source=applied.source,
        version=applied.version,
        phase=applied.phase,
        kind=MigrationKind.COMMAND if row.mode == "command" else MigrationKind.SQL,
        state=applied.state,
        file=str(file.path) if file else "",
        at=applied.finished_at,
        deployment=applied.deployment,
        statements_total=applied.statements_total,
        statements_done=applied.statements_done,
        error=applied.error,
        changed=row.done and file is not None and file.checksum != applied.checksum,
    )
