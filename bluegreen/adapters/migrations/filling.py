"""The backfills of one database, as its port has them (ports_database.Backfills)."""

import asyncio
from collections.abc import Callable, Sequence

from bluegreen.adapters.migrations import backfill, backfill_ledger, backfill_left
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.migrations.migrate import migration_of, unchanged_file
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.backfills import Progress
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import Migration
from bluegreen.ports_database import Brake, Halt


async def fill(job: Job, brake: Brake, report: Callable[[Progress], None], halt: Halt) -> Progress:
    """Run one to its end, or to where a person stops it."""
    file = await asyncio.to_thread(unchanged_file, job.migration)
    return await backfill.run(job, file, brake, report, halt)


async def stand(access: Access, database: str) -> tuple[Progress, ...]:
    """How every backfill stands."""
    async with access.session() as connection:
        return await backfill_ledger.standing(connection, database)


async def unfilled(access: Access, database: str, sources: Sequence[Source]) -> tuple[Migration, ...]:
    """Those that have rows to do."""
    found = await backfill_left.unfilled(access, database, sources)
    return tuple(migration_of(database, source, file) for source, file in found)


async def cancel(access: Access, source: str, version: str) -> None:
    """Write down that one which nobody runs is cancelled."""
    async with access.session(failure=MigrationFailed) as connection:
        await backfill_ledger.cancel(connection, source, version)
