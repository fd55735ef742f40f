"""The programs of Postgres at work: pg_dump writes a dump, pg_restore reads it. No password in argv (dsn.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.adapters.postgres.clients import Clients
from bluegreen.adapters.postgres.dsn import SHARED_WITH_LIBPQ, Dsn
from bluegreen.domain.errors import BackupFailed
from bluegreen.processes import CommandFailed, environment, run_command

LOCK_WAIT = "30s"
"""How long pg_dump waits for tables that somebody has locked; its own locks stop no reader and no writer."""


@dataclass(frozen=True, slots=True)
class Dumper:
    """The programs, how their sessions are named at the server, and the seconds that each of them has."""

    clients: Clients
    application: str
    timeout: float

    async def dump(self, dsn: Dsn, snapshot: str, file: Path) -> None:
        """Write what the snapshot sees into `file`, which exists (so its mode stays)."""
        await self._run(
            dsn,
            [
                str(self.clients.pg_dump), "--format=custom", f"--file={file}", f"--snapshot={snapshot}",
                f"--lock-wait-timeout={LOCK_WAIT}", "--no-password", f"--dbname={dsn.safe}",
            ],
        )  # fmt: skip

    async def globals(self, dsn: Dsn, file: Path, *, passwords: bool) -> None:
        """Write the roles and tablespaces of the server into `file`, which exists."""
        if self.clients.pg_dumpall is None:
            raise BackupFailed(f"there is no pg_dumpall beside {self.clients.pg_dump}")
        await self._run(
            dsn,
            [
                str(self.clients.pg_dumpall), "--globals-only", f"--file={file}", "--no-password",
                *([] if passwords else ["--no-role-passwords"]), f"--database={dsn.database}", f"--dbname={dsn.safe}",
            ],
        )  # fmt: skip

    async def restore(self, file: Path, dsn: Dsn) -> None:
        """Restore the dump into an empty database. Rights and replication are left out: they need roles and rights
        that the copy's owner may lack, and a subscription would keep the copy from being dropped."""
        await self._run(
            dsn,
            [
                str(self.clients.pg_restore), "--exit-on-error", "--no-owner", "--no-privileges", "--no-publications",
                "--no-subscriptions", "--no-password", f"--dbname={dsn.safe}", str(file),
            ],
            PGOPTIONS="-c synchronous_commit=off",  # a copy that is thrown away need not wait for disks and replicas
        )  # fmt: skip

    async def restore_whole(self, file: Path, dsn: Dsn) -> None:
        """Restore the dump into an empty database with owners and rights, for service."""
        await self._run(
            dsn, [str(self.clients.pg_restore), "--exit-on-error", "--no-password", f"--dbname={dsn.safe}", str(file)]
        )

    async def decode(self, file: Path, dsn: Dsn) -> None:
        """Read every row of the dump."""
        await self._run(dsn, [str(self.clients.pg_restore), "--file=/dev/null", str(file)])

    async def _run(self, dsn: Dsn, argv: Sequence[str], **extra: str) -> None:
        with dsn.passfile(BackupFailed) as passfile:
            env = environment({**passfile, "PGAPPNAME": self.application, **extra}, SHARED_WITH_LIBPQ)
            await run_program(argv, env, self.timeout, dsn)


async def run_program(argv: Sequence[str], env: Mapping[str, str], timeout: float, dsn: Dsn) -> None:
    """Run a program to its end; BackupFailed, without the DSN's password, where it does not end well."""
    try:
        ran = await run_command(argv, timeout=timeout, env=env)
    except CommandFailed as exc:
        raise BackupFailed(dsn.redact(exc.detail)) from exc
    if ran.code != 0:
        output = dsn.redact(ran.output)
        raise BackupFailed(f"{argv[0]} ended with {ran.code}: {dsn.redact(ran.last_line)}", output=output)
