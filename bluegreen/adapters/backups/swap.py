"""Two databases change their names at one moment: the one in service, and the one that was restored beside it.

Both renames are one transaction (ALTER DATABASE … RENAME may be in one), so whenever we are killed one of them has the
name. ALTER DATABASE … RENAME first takes a lock on the database that keeps new sessions waiting, then waits up to 5 s
for those that are in it (CountOtherDBBackends): a second session ends them meanwhile, and no flag needs to be set that
a kill -9 would leave behind.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

import asyncpg

from bluegreen.adapters.backups.likeness import Likeness, grants, own, quoted
from bluegreen.adapters.postgres.connections import FAILURES, Access, Connection, application_name, describe
from bluegreen.domain.errors import BackupFailed
from bluegreen.finishing import to_the_end

LONGEST = 63
"""Bytes of a name in Postgres."""

POLL = 0.02
"""Seconds between two looks for sessions to end: each is one that users cannot connect."""

BUDGET = 30.0
"""Seconds for the renames, with what they wait for."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one restoration on the server."""

    service: str
    beside: str
    kept: str

    @classmethod
    def of(cls, database: str, attempt: str) -> "Names":
        """Those of this attempt."""
        return cls(database, _fitting(database, f"_restore_{attempt}"), _fitting(database, f"_broken_{attempt}"))


@dataclass
class Moment:
    """How the swap went: seconds in which nobody could connect, and whose sessions were ended."""

    seconds: float = 0.0
    ended: set[int] = field(default_factory=set)


async def swap(admin: Access, names: Names, likeness: Likeness, *, end_sessions: bool) -> Moment:
    """Swap. Raises BackupFailed, and then nothing was renamed; where the answer was lost, the names tell."""
    moment = Moment()
    application = application_name(f"bluegreen swap {names.service}")
    async with (
        admin.session(application=application, failure=BackupFailed) as renaming,
        admin.session(application=application, failure=BackupFailed) as ending,
    ):
        await to_the_end(_swap(renaming, ending, names, likeness, moment, end_sessions), f"swap {names.service}")
    return moment


async def _swap(
    renaming: Connection, ending: Connection, names: Names, likeness: Likeness, moment: Moment, end_sessions: bool
) -> None:
    failed: BackupFailed | None = None
    async with asyncio.TaskGroup() as group:
        clearing = group.create_task(_end(ending, names, moment, end_sessions), name=f"clearing {names.service}")
        try:
            async with asyncio.timeout(BUDGET):
                await _rename(renaming, names, likeness, moment)
        except (*FAILURES, BackupFailed) as exc:
            failed = _explained(exc, names)  # raised here, the group would wrap it
        finally:
            clearing.cancel()
    if failed is not None:
        raise failed


async def _rename(connection: Connection, names: Names, likeness: Likeness, moment: Moment) -> None:
    began = monotonic()
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'; SET LOCAL synchronous_commit = on")
        await connection.execute(f"ALTER DATABASE {quoted(names.service)} RENAME TO {quoted(names.kept)}")
        await connection.execute(f"ALTER DATABASE {quoted(names.beside)} RENAME TO {quoted(names.service)}")
        for statement in grants(names.service, likeness):
            await connection.execute(statement)
    moment.seconds = monotonic() - began


async def _end(connection: Connection, names: Names, moment: Moment, end_sessions: bool) -> None:
    """End who is in one of both, again and again: ours always, others where that was ordered."""
    while True:
        with suppress(*FAILURES):  # who may not be ended keeps the name, and is named then
            for record in await connection.fetch(own("backends"), [names.service, names.beside]):
                if record["other"] and not end_sessions:
                    continue
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await connection.execute("SELECT pg_terminate_backend($1)", record["pid"])
                    moment.ended |= {record["pid"]} if record["other"] else set()
        await asyncio.sleep(POLL)


def _explained(exc: BaseException, names: Names) -> BackupFailed:
    if isinstance(exc, BackupFailed):
        return exc
    if isinstance(exc, asyncpg.ObjectInUseError):
        asking = f"SELECT * FROM pg_stat_activity WHERE datname = '{names.service}'"  # noqa: S608 - to be typed
        return BackupFailed(f"{names.service} stays in service: somebody is in it ({exc})", next=(asking,))
    return BackupFailed(f"{names.service} and {names.beside} were not swapped: {describe(exc)}")


def _fitting(database: str, ending: str) -> str:
    return database.encode()[: LONGEST - len(ending)].decode(errors="ignore") + ending
