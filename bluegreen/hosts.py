"""Where a colour's commands run: on this machine, or on another by the system's ssh.

A host turns a command into one that can be run here, so that whoever runs commands (processes.py) need not know.
"""

import asyncio
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

from bluegreen.domain.errors import OutsideError
from bluegreen.processes import Ran, environment, run_command


class HostUnreachable(OutsideError):
    """A host could not be reached, or the link to it was lost: whether the command ran is not known."""

    code = "host-unreachable"


class FileUnreadable(OutsideError):
    """A file of a host could not be read or written."""

    code = "file-unreadable"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is run on this machine: `env` is all of its environment, `stdin` is given to it. With `leash` its
    input must stay open after that for as long as it is wanted: when the input ends, what runs elsewhere is ended."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: bytes = b""
    leash: bool = False


class Host(Protocol):
    """A machine on which a colour runs."""

    @property
    def name(self) -> str:
        """How people call it: `deploy@green-host`; "" for this machine."""

    def command(
        self,
        argv: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        cwd: Path | None = None,
        stdin: bytes = b"",
        timeout: float | None = None,
        alone: str = "",
    ) -> Command:
        """What to run here so that `argv` runs there, with the host's own environment (`passed`: more names of it), the
        `variables` over it, never in any argv, and in `cwd` of that host. With `timeout` (seconds) it does not outlive
        that on the host, also when the link is gone. With `alone`, one word, what an earlier command of this word still
        runs on that host, since the link was lost, is ended before it begins."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        variables: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        cwd: Path | None = None,
        stdin: bytes = b"",
        output_limit: int = 64 * 1024,
        leave_children: bool = False,
        alone: str = "",
    ) -> Ran:
        """Run it to its end, as processes.run_command does, and `alone` as in `command`. Raises CommandFailed;
        HostUnreachable where the host was not reached or lost: never taken for an exit code of the command."""

    async def read(self, path: Path, *, limit: int = 1024 * 1024) -> bytes:
        """A file of the host. Raises FileNotFoundError, FileUnreadable (also where it is longer than `limit` bytes), or
        HostUnreachable."""

    async def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file of the host: temp + fsync + rename, its directory made if missing. Raises FileUnreadable,
        HostUnreachable."""


class Here:
    """This machine."""

    name = ""

    def command(
        self,
        argv: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        cwd: Path | None = None,
        stdin: bytes = b"",
        timeout: float | None = None,
        alone: str = "",
    ) -> Command:
        """The command as it is. Here whoever runs it ends it too, and `alone` has nothing to end."""
        return Command(tuple(argv), environment(variables, passed), cwd, stdin)

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        variables: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        cwd: Path | None = None,
        stdin: bytes = b"",
        output_limit: int = 64 * 1024,
        leave_children: bool = False,
        alone: str = "",
    ) -> Ran:
        """As processes.run_command."""
        env = environment(variables, passed)
        return await run_command(
            argv,
            timeout=timeout,
            env=env,
            cwd=cwd,
            stdin=stdin,
            output_limit=output_limit,
            leave_children=leave_children,
        )

    async def read(self, path: Path, *, limit: int = 1024 * 1024) -> bytes:
        """A file of this machine."""
        return await asyncio.to_thread(_read, path, limit)

    async def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file of this machine."""
        await asyncio.to_thread(_write, path, data, mode)


def too_long(path: Path, limit: int) -> FileUnreadable:
    """The error of a file that is longer than anybody asked for."""
    return FileUnreadable(f"{path} is longer than {limit} bytes", path=str(path))


def _at_once(path: str, flags: int) -> int:
    """Opens a pipe too without waiting for somebody to write: its thread would never end, nor would the daemon."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read(path: Path, limit: int) -> bytes:
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileUnreadable(f"{path} is not a regular file", path=str(path))
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise FileUnreadable(f"{path} cannot be read: {exc.strerror}", path=str(path)) from exc
    if len(data) > limit:
        raise too_long(path, limit)
    return data


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:  # born 0600
            try:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:  # whatever it was: nothing half-written stays
                Path(file.name).unlink(missing_ok=True)
                raise
        _sync_directory(path.parent)
    except OSError as exc:
        raise FileUnreadable(f"{path} cannot be written: {exc.strerror}", path=str(path)) from exc


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
