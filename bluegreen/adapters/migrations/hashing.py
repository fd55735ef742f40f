"""The catalogue before and after a migration: its hash in the ledger, and thing by thing what drift is measured by.

It is looked at after the commit and not inside the transaction: there it would prolong the time in which users wait.
"""

import structlog

from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres import catalogue as catalogues
from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.postgres.queries import query
from bluegreen.adapters.postgres.stamps import stamp
from bluegreen.domain.catalogue import fingerprint
from bluegreen.domain.errors import MigrationFailed

log = structlog.get_logger("bluegreen")


async def hash_before(connection: Connection) -> str:
    """The hash of the catalogue as it is now."""
    return await catalogues.fingerprint(connection)


async def write_after(job: Job) -> None:
    """Write down how the schema is now, after what this migration did, whole or half. It never fails: what it writes
    helps to find what others change, and the migration is done."""
    try:
        async with job.desk() as desk:
            found = await catalogues.look(desk)
            migration = job.migration
            key = (migration.source, migration.version, migration.phase.value)
            await desk.execute(query("ledger_hash_after"), *key, fingerprint(found))
            await stamp(desk, found, migration.label)
    except MigrationFailed as exc:
        log.warning("catalogue.not_stamped", migration=job.migration.label, error=exc.detail)
