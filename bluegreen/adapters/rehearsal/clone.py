"""A copy of production's schema, or of all of it, in a scratch database.

The schema is what pg_dump writes as plain SQL, run in one go: one round trip for any number of tables. Where that fails
(an extension that only a superuser may create), it is run again statement by statement, and what fails is named.
"""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bluegreen.adapters.postgres.clients import Clients
from bluegreen.adapters.postgres.connections import Access, Connection, describe
from bluegreen.adapters.postgres.dsn import SHARED_WITH_LIBPQ
from bluegreen.adapters.postgres.dump import LOCK_WAIT, run_program
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.sql_split import split
from bluegreen.domain.errors import BackupFailed, RehearsalFailed
from bluegreen.processes import environment

PREFIX = "bluegreen-schema-"
PSQL = re.compile(r"^\\.*$", re.MULTILINE)
"""Commands of psql: newer pg_dumps write \\restrict around what they dump (CVE-2025-8714)."""

LEFT_OUT = (
    "--no-subscriptions", "--no-tablespaces", "--no-security-labels", "--no-comments",
    "--exclude-schema=bluegreen",
)  # fmt: skip
"""What a copy does not need, or must not have: a subscription would reach out, and keep it from being dropped."""

UNNEEDED = "EXTENSION IF NOT EXISTS pg_stat_statements"
"""What only a superuser may create, and no migration works with."""

own = questions(__package__, "copies.sql")


@dataclass(frozen=True, slots=True)
class Cloner:
    """Fills a copy. `role` is who shall own what is in it ("": whoever owns it on production, where we are a superuser,
    else we); `keeps_owners` whether owners are kept."""

    clients: Clients
    production: Access
    application: str
    role: str
    keeps_owners: bool
    timeout: float

    async def schema(self, copy: Access) -> tuple[str, ...]:
        """The schema alone; returns in words what could not be copied."""
        text = await self._dumped()
        async with self._session(copy) as connection:
            try:
                await connection.execute(text, timeout=self.timeout)
            except asyncpg.PostgresError:
                await connection.execute("RESET ALL")
                return await _one_by_one(connection, text, self.timeout)
        return ()

    async def rows(self, copy: Access, backup: Path) -> None:
        """A verified backup with its rows."""
        owners = [] if self.keeps_owners else ["--no-owner"]
        argv = [
            str(self.clients.pg_restore), "--exit-on-error", *owners, *LEFT_OUT, "--no-publications", "--no-password",
            f"--dbname={copy.dsn.safe}", str(backup),
        ]  # fmt: skip
        await self._run(copy, argv, f" -c role={self.role}" if self.role else "")

    async def settings(self, copy: Access) -> None:
        """Let sessions on the copy begin as on production: what ALTER DATABASE says there (search_path, above all)."""
        async with self.production.session(failure=RehearsalFailed) as connection:
            said = await connection.fetch(own("database_settings"))
        if not said:
            return
        async with self._session(copy) as connection:
            for record in said:
                with suppress(asyncpg.PostgresError):  # a setting that only a superuser may make
                    await connection.execute("SELECT set_config($1, $2, false)", record["name"], record["setting"])
                    await connection.execute(f'ALTER DATABASE "{copy.dsn.database}" SET {record["name"]} FROM CURRENT')

    @asynccontextmanager
    async def _session(self, copy: Access) -> AsyncIterator[Connection]:
        settings = {"synchronous_commit": "off", **({"role": self.role} if self.role else {})}
        async with copy.session(application=self.application, settings=settings, failure=RehearsalFailed) as connection:
            yield connection

    async def _dumped(self) -> str:
        owners = [] if self.keeps_owners else ["--no-owner"]
        await asyncio.to_thread(_remove_stale)
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as directory:  # 0700
            file = Path(directory) / "schema.sql"
            argv = [
                str(self.clients.pg_dump), "--schema-only", "--encoding=UTF8", f"--file={file}", *owners, *LEFT_OUT,
                f"--lock-wait-timeout={LOCK_WAIT}", "--no-password", f"--dbname={self.production.dsn.safe}",
            ]  # fmt: skip
            await self._run(self.production, argv)
            return PSQL.sub("", await asyncio.to_thread(file.read_text, "utf-8", "replace"))

    async def _run(self, access: Access, argv: list[str], options: str = "") -> None:
        try:
            with access.dsn.passfile(RehearsalFailed) as passfile:
                ours = {"PGAPPNAME": self.application, "PGOPTIONS": f"-c synchronous_commit=off{options}"}
                env = environment({**passfile, **ours}, SHARED_WITH_LIBPQ)
                await run_program(argv, env, self.timeout, access.dsn)
        except BackupFailed as exc:
            raise RehearsalFailed(exc.detail, next=exc.next, **exc.facts) from exc


def _remove_stale() -> None:
    """Remove what a killed daemon of the same user left."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):  # another one was quicker
            if path.lstat().st_uid == os.geteuid() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(path)


async def cut_off(copy: Connection) -> None:
    """Let no foreign table of the copy reach the server that it stands for: that may be somebody's production."""
    for record in await copy.fetch(own("foreign_wrappers")):
        await copy.execute(f"ALTER FOREIGN DATA WRAPPER {record['name']} NO HANDLER")


async def populate(copy: Connection) -> tuple[str, ...]:
    """Fill the materialised views: many statements want them populated."""
    failed = []
    for record in await copy.fetch(own("unpopulated")):
        try:
            await copy.execute(f"REFRESH MATERIALIZED VIEW {record['name']}")
        except asyncpg.PostgresError as exc:
            failed.append(f"materialised view {record['name']} is empty on the copy: {describe(exc)}")
    return tuple(failed)


async def _one_by_one(connection: Connection, text: str, timeout: float) -> tuple[str, ...]:
    failed = []
    for statement in await asyncio.to_thread(split, text):
        try:
            await connection.execute(statement, timeout=timeout)
        except asyncpg.PostgresError as exc:
            if UNNEEDED not in statement:
                failed.append(f"not in the copy: {' '.join(statement.split())[:80]}: {describe(exc)}")
    return tuple(failed)
