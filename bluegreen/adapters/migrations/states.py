"""How a schema stands: each migration by file and ledger, and what was changed past us. Writes nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bluegreen.adapters.migrations.files import Listed, list_directory, number_of
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.ledger import Key, Row
from bluegreen.adapters.postgres.locks import KEY
from bluegreen.adapters.postgres.queries import query, questions
from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.stamps import drifted
from bluegreen.domain.migrations import PENDING, MigrationKind, MigrationPhase, MigrationState, SchemaState

NEXT_RELEASE = "(next release)"
"""The version of a command's migration that no release has brought yet."""

own = questions(__package__)


async def ask(access: Access, database: str, sources: Sequence[Source]) -> SchemaState:
    """Source after source: first what was applied and has no file (any more), then its files in order.

    Rows of sources that the settings do not name come last. Raises DatabaseUnreachable, MigrationFailed.
    """
    async with access.session() as connection:
        rows = await ledger.rows(connection, database)
        if not await connection.fetch(query("lock_holder"), KEY):
            rows = {key: _left_behind(row) for key, row in rows.items()}
        drift = await drifted(connection)
        invalid = await invalid_indexes(connection)
    found: list[MigrationState] = []
    for source in sources:
        found += await asyncio.to_thread(_of_source, database, source, rows)
    named = {source.name for source in sources}
    others = [row for (source, _, _), row in rows.items() if source not in named]
    return SchemaState((*found, *(_state(row) for row in others)), drift, invalid)


async def invalid_indexes(connection: Connection) -> tuple[str, ...]:
    """Indexes that serve no reader and burden every writer, which nobody builds now."""
    return tuple(record["name"] for record in await connection.fetch(own("invalid_indexes")))


def _left_behind(row: Row) -> Row:
    """Nobody holds the migration lock, so that nothing can be running."""
    if row.applied.state != "running":
        return row
    return replace(row, applied=replace(row.applied, state="interrupted"))


def _of_source(database: str, source: Source, rows: Mapping[Key, Row]) -> list[MigrationState]:
    files = list_directory(source.directory) if source.directory else ()
    ours = {key: row for key, row in rows.items() if key[0] == source.name}
    if source.kind is MigrationKind.COMMAND and not ours:
        return [_of_command(database, source)]
    with_file = {_key(source, file) for file in files}
    gone = [replace(_state(row), missing=_had_file(row)) for key, row in ours.items() if key not in with_file]
    highest = max((number_of(row.applied.version) for row in ours.values() if _had_file(row)), default=0)
    states = [_of_file(database, source, file, ours, highest) for file in files]
    return [*gone, *(replace(state, held=_why_held(state, states)) for state in states)]


def _of_file(database: str, source: Source, file: Listed, rows: Mapping[Key, Row], highest: int) -> MigrationState:
    row = rows.get(_key(source, file))
    if row is not None:
        return _state(row, file)
    return MigrationState(
        database=database,
        source=source.name,
        version=file.version,
        phase=file.phase,
        kind=MigrationKind.SQL,
        file=str(file.path),
        statements_total=len(file.read().script.statements),
        out_of_order=file.phase is MigrationPhase.EXPAND and number_of(file.version) < highest,
    )


def _of_command(database: str, source: Source) -> MigrationState:
    return MigrationState(database, source.name, NEXT_RELEASE, MigrationPhase.EXPAND, MigrationKind.COMMAND)


def _why_held(state: MigrationState, others: Sequence[MigrationState]) -> str:
    """Why a contract file cannot run yet; empty where nothing here speaks against it."""
    if state.phase is not MigrationPhase.CONTRACT or state.state != PENDING:
        return ""
    before = [
        other.phase
        for other in others
        if other.version == state.version and other is not state and other.state not in ledger.FINISHED
    ]
    return f"its {' and its '.join(before)} must be done first" if before else ""


def _state(row: Row, file: Listed | None = None) -> MigrationState:
    applied = row.applied
    changed = row.done and file is not None and file.checksum != applied.checksum
    return MigrationState(
        database=applied.database,
        source=applied.source,
        version=applied.version,
        phase=applied.phase,
        kind=applied.kind,
        state=applied.state,
        file=str(file.path) if file else "",
        at=applied.finished_at,
        deployment=applied.deployment,
        statements_total=applied.statements_total,
        statements_done=applied.statements_done,
        error=applied.error,
        changed=changed,
        reformatted=changed and file is not None and file.read().script.meaning == row.meaning != "",
    )


def _had_file(row: Row) -> bool:
    return row.applied.kind is MigrationKind.SQL


def _key(source: Source, file: Listed) -> Key:
    return source.name, file.version, file.phase
