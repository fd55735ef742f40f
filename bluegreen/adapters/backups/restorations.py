"""A backup put into service: restored beside, compared, and swapped in by its name; the former database is kept.

Every step is "ensure": what a killed daemon left is found by the names on the server (swap.py).
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from bluegreen.adapters.backups import likeness, losses
from bluegreen.adapters.backups.backup import Backups
from bluegreen.adapters.backups.by_hand import lines
from bluegreen.adapters.backups.comparison import differences
from bluegreen.adapters.backups.kept import found, lying
from bluegreen.adapters.backups.likeness import own, quoted
from bluegreen.adapters.backups.manifest import compared_in, contents_in
from bluegreen.adapters.backups.snapshot import contents_of
from bluegreen.adapters.backups.swap import Names, swap
from bluegreen.adapters.postgres import facts
from bluegreen.adapters.postgres.clients import Clients, find_clients
from bluegreen.adapters.postgres.connections import Access, Connection, application_name
from bluegreen.adapters.postgres.dump import Dumper
from bluegreen.adapters.postgres.queries import query
from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.migrations import Backup
from bluegreen.domain.restorations import Losses, Session, Standing, Swapped

PRESENT = "before-restore"
"""What stands in the name of a dump of the present state where a deployment's id would stand."""

CREATING = 120.0
"""Seconds to make or drop a database: both force a checkpoint."""


@dataclass(frozen=True, slots=True)
class Restorations:
    """How backups of one database come into service."""

    backups: Backups

    @property
    def _database(self) -> str:
        return self.backups.access.dsn.database

    @property
    def _admin(self) -> Access:
        return self.backups.access.to(self.backups.admin_database)

    async def commands(self, backup: Backup) -> tuple[str, ...]:
        path, manifest = await lying(self.backups, backup)
        try:
            now = await facts.ask(self._admin, BackupFailed)
            major = now.major
        except BackupFailed:  # it is as likely the same version as any, and a person may wait for the server
            major = int(manifest.get("server_version", 0)) // 10_000
        return lines(self.backups, path, manifest, await find_clients(major, self.backups.rules.bin_dir))

    async def losses(self, backup: Backup) -> Losses:
        _, manifest = await found(self.backups, backup)
        access = self.backups.access
        tables, unseen = await losses.tables(access, contents_in(manifest), compared_in(manifest))
        applied = await losses.migrations(access, backup.taken_at)
        warnings = await self.check(backup)
        return Losses(backup, self._database, tables, unseen, applied, await self.sessions(), warnings)

    async def sessions(self) -> tuple[Session, ...]:
        async with self._admin.session(failure=BackupFailed) as connection:
            return tuple(Session(**dict(record)) for record in await connection.fetch(own("others"), self._database))

    async def check(self, backup: Backup) -> tuple[str, ...]:
        if self._database == self.backups.admin_database:
            raise BackupFailed(
                f"{self._database} cannot be renamed by sessions in itself",
                next=("name another database of this server: [[databases]] admin_database",),
            )
        _, manifest = await found(self.backups, backup)
        now = await facts.ask(self._admin, BackupFailed)
        await find_clients(now.major, self.backups.rules.bin_dir)
        if int(manifest.get("server_version", 0)) // 10_000 > now.major:
            raise BackupFailed(f"{backup.id} comes from a newer Postgres than {now.major}, which cannot read it")
        async with self._admin.session(failure=BackupFailed) as connection:
            rights = await connection.fetchrow(own("rights"), self._database)
            subscriptions = str(await connection.fetchval(own("subscriptions"), self._database))
        if rights is None:
            raise BackupFailed(
                f"there is no database {self._database} on the server: nothing to swap it with",
                next=(
                    f"createdb {self._database}",
                    f"pg_restore --exit-on-error --dbname={self._database} {backup.file}",
                ),
            )
        return _warnings(self._database, dict(rights), subscriptions)

    async def standing(self, attempt: str) -> Standing:
        names = self._names(attempt)
        async with self._admin.session(failure=BackupFailed) as connection:
            if await connection.fetchval(own("exists"), names.kept):
                return Standing.SWAPPED
            return Standing.BESIDE if await connection.fetchval(own("exists"), names.beside) else Standing.NOTHING

    async def keep_present(self, release: str, needed: Collection[str]) -> Backup:
        rules = replace(self.backups.rules, verify="decode", compare="count", after=())
        return await replace(self.backups, rules=rules).take(PRESENT, release, needed)

    async def restore_beside(self, backup: Backup, attempt: str) -> None:
        budget = self.backups.rules.timeout
        try:
            async with asyncio.timeout(budget):
                await self._restore_beside(backup, attempt)
        except TimeoutError as exc:
            raise BackupFailed(f"restoring {backup.id} took longer than {budget:g} s ([backup] timeout)") from exc

    async def swap(self, attempt: str, *, end_sessions: bool) -> Swapped:
        names = self._names(attempt)
        if await self.standing(attempt) is Standing.SWAPPED:
            return Swapped(names.service, names.kept, 0.0)
        async with self._admin.session(failure=BackupFailed) as connection:
            wanted = await likeness.look(connection, names.service)
            warnings = await likeness.dress(connection, names.beside, wanted)
        moment = await swap(self._admin, names, wanted, end_sessions=end_sessions)
        return Swapped(names.service, names.kept, moment.seconds, len(moment.ended), warnings)

    async def drop_beside(self, attempt: str) -> None:
        name = self._names(attempt).beside
        try:
            async with self._admin.session(failure=BackupFailed) as connection:
                await _drop(connection, name)
        except BackupFailed as exc:
            raise BackupFailed(f"{name} was not dropped: {exc.detail}", next=(f"dropdb --force {name}",)) from exc

    async def _restore_beside(self, backup: Backup, attempt: str) -> None:
        names, rules = self._names(attempt), self.backups.rules
        path, manifest = await found(self.backups, backup)
        dumper = Dumper(await self._clients(), application_name(f"bluegreen restore {attempt}"), rules.timeout)
        async with self._admin.session(failure=BackupFailed) as connection:
            await _drop(connection, names.beside)
            await _create(connection, names, backup)
        beside = self.backups.access.to(names.beside)
        try:
            await dumper.restore_whole(path, beside.dsn)
        except BackupFailed as exc:
            roles = manifest.get("globals") or {}
            missing = (f"where roles are missing: psql -f {path.parent / roles['file']}",) if "file" in roles else ()
            raise BackupFailed(exc.detail, next=missing, **exc.facts) from exc
        restored = await contents_of(beside, compared_in(manifest), rules.timeout)
        if wrong := differences(contents_in(manifest), restored):
            raise BackupFailed(f"what was restored of {path} is not what was measured when it was taken: {wrong}")
        async with beside.session(failure=BackupFailed) as connection:
            await connection.execute("ANALYZE", timeout=rules.timeout)  # without it the first queries are planned badly

    def _names(self, attempt: str) -> Names:
        return Names.of(self._database, attempt)

    async def _clients(self) -> Clients:
        now = await facts.ask(self._admin, BackupFailed)
        return await find_clients(now.major, self.backups.rules.bin_dir)


async def _create(connection: Connection, names: Names, backup: Backup) -> None:
    """An empty database like the one in service, which nobody else may enter."""
    wanted = await likeness.look(connection, names.service)
    statement = await connection.fetchval(query("create_scratch"), names.beside, names.service)
    beside = quoted(names.beside)
    try:
        where = "" if wanted.tablespace == "pg_default" else f" TABLESPACE {quoted(wanted.tablespace)}"
        await connection.execute(statement + where, timeout=CREATING)
        await connection.execute(f"REVOKE CONNECT ON DATABASE {beside} FROM PUBLIC")
        await connection.execute(f"ALTER DATABASE {beside} OWNER TO {quoted(wanted.owner)}")
        await connection.execute(f"COMMENT ON DATABASE {beside} IS 'bluegreen is restoring {backup.id} here'")
        await connection.execute(f"ALTER DATABASE {beside} ALLOW_CONNECTIONS true")
    except asyncpg.InsufficientPrivilegeError as exc:
        raise BackupFailed(f"the role may not make a database beside {names.service}: {exc}") from exc


async def _drop(connection: Connection, name: str) -> None:
    await connection.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)", timeout=CREATING)


def _warnings(database: str, rights: dict[str, Any], subscriptions: str) -> tuple[str, ...]:
    """What people should know beforehand. Raises BackupFailed with what is in the way."""
    if not rights["superuser"] and not (rights["may_create"] and rights["owns"]):
        raise BackupFailed(
            f"the role of the dsn may not swap {database}: that needs CREATEDB, and to be its owner {rights['owner']}",
            next=("ALTER ROLE the_role_of_the_dsn CREATEDB", f"GRANT {rights['owner']} TO the_role_of_the_dsn"),
        )
    if rights["prepared"]:
        raise BackupFailed(
            f"{rights['prepared']} prepared transactions keep {database} from being renamed",
            next=("SELECT gid, prepared, owner, database FROM pg_prepared_xacts",),
        )
    gibibytes = rights["size"] / 1024**3
    warnings = [f"the database server needs room for a second {database}: up to {gibibytes:.1f} GiB, the old one stays"]
    if rights["slots"]:
        warnings.append(f"replication slots stay with the old database: {rights['slots']}")
    if subscriptions:
        warnings.append(f"subscriptions stay with the old database, and are disabled in the new one: {subscriptions}")
    return tuple(warnings)
