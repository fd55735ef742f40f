"""Taking things as they are: files that were only reformatted, a schema that was changed past us, runs that were cut
off, indexes that are INVALID. What may be wrong with the data is never taken as right."""

import asyncio
import re
from collections.abc import Sequence

import asyncpg

from bluegreen.adapters.migrations import states
from bluegreen.adapters.migrations.files import read_directory
from bluegreen.adapters.postgres import catalogue, ledger
from bluegreen.adapters.postgres.connections import Access, Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.stamps import drifted, stamp
from bluegreen.domain.errors import MigrationFailed

own = questions(__package__)

BUILDING = 6 * 3600.0
"""Seconds that building one index again may take: it stops nobody."""

LEFT_BEHIND = re.compile(r'_cc(new|old)\d*"?$')
"""What a REINDEX CONCURRENTLY that did not end leaves behind (Postgres manual, REINDEX): built again it would stay."""


async def repair(access: Access, database: str, sources: Sequence[Source], *, indexes: bool) -> tuple[str, ...]:
    """Repair what can be repaired without touching rows; the migration lock is held. Raises MigrationFailed."""
    async with access.session(failure=MigrationFailed) as connection:
        if not await ledger.version(connection):
            return ()
        await ledger.ensure(connection)
        done = [
            *await _restamp_files(connection, database, sources),
            *await _write_interrupted(connection),
            *await _restamp_schema(connection),
        ]
        if indexes:
            done += await _build_again(connection)
        return tuple(done)


async def _restamp_files(connection: Connection, database: str, sources: Sequence[Source]) -> list[str]:
    rows, done = await ledger.rows(connection, database), []
    for source in sources:
        files = await asyncio.to_thread(read_directory, source.directory) if source.directory else ()
        for file in files:
            row = rows.get((source.name, file.version, file.phase))
            if row is None or not row.done or row.applied.checksum == file.checksum:
                continue
            if row.meaning == "" or row.meaning != file.script.meaning:
                raise MigrationFailed(
                    f"{file.path} does not say what was applied (by deployment {row.applied.deployment}): that is more"
                    " than another layout",
                    next=("put the file back as it was", "write what is new into a new file"),
                    file=str(file.path),
                )
            key = (source.name, file.version, file.phase.value)
            await connection.execute(own("restamp_file"), *key, file.checksum)
            done.append(f"{row.applied.label}: the file was only reformatted, its checksum is written down anew")
    return done


async def _write_interrupted(connection: Connection) -> list[str]:
    """Nobody else runs anything: we hold the lock."""
    labels = [record["label"] for record in await connection.fetch(own("write_interrupted"))]
    return [f"{label}: it was cut off; the next deployment goes on with it" for label in labels]


async def _restamp_schema(connection: Connection) -> list[str]:
    drift = await drifted(connection)
    if drift is None:
        return []
    await stamp(connection, await catalogue.look(connection), drift.since)
    return [f"taken as it is: {thing}" for thing in drift.things]


async def _build_again(connection: Connection) -> list[str]:
    done = []
    for name in await states.invalid_indexes(connection):
        if LEFT_BEHIND.search(name):  # the index that it was to replace is there, and is looked at by itself
            await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", timeout=BUILDING)
            done.append(f"{name}, which a REINDEX left that was cut off, was dropped")
            continue
        try:
            await connection.execute(f"REINDEX INDEX CONCURRENTLY {name}", timeout=BUILDING)
        except asyncpg.PostgresError as exc:
            raise MigrationFailed(
                f"{name} is INVALID and cannot be built again: {describe(exc)}",
                next=("correct the rows that stand against it", f"or: DROP INDEX CONCURRENTLY {name}"),
            ) from exc
        done.append(f"{name} was INVALID and was built again")
    return done
