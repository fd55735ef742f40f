"""Speaks to systemd by `systemctl` and `journalctl`, on the colour's host: the system's, or that of the user.

Outside facts: `systemctl` waits for the job that it asked for, and its exit code is the job's; a job goes on when the
one who waited for it is gone. With --no-ask-password a refusal of polkit is told at once, as "Interactive
authentication required". The user's systemd is found by XDG_RUNTIME_DIR, which a service and ssh's command often have
not.
"""

import asyncio
from collections.abc import Sequence

from bluegreen.adapters.runners.systemd_units import ASKED, Unit, units_of
from bluegreen.domain.errors import OutsideError
from bluegreen.hosts import Host
from bluegreen.processes import Ran

QUIET = {"LC_ALL": "C", "TZ": "UTC", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "SYSTEMD_URLIFY": "0"}

USERS_BUS = 'export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; exec "$@"'

NEAREST_WRITABLE = 'd=$1; until [ -e "$d" ]; do d=$(dirname "$d"); done; [ -d "$d" ] && [ -w "$d" ]'

REFUSED = ("nteractive authentication required", "Access denied", "Operation not permitted")

LOOK = 20.0
"""Seconds for a question, which systemd answers in milliseconds."""


class UnitsUnknown(OutsideError):
    """Systemd could not be asked for its units."""

    code = "units-unknown"


class Systemctl:
    """The systemd of a host. `user`: that of the user."""

    def __init__(self, host: Host, *, user: bool) -> None:
        self._host, self._user = host, user

    async def look(self, names: Sequence[str], timeout: float = LOOK) -> tuple[Unit, ...]:
        """The units as they are now. Raises UnitsUnknown, CommandFailed, HostUnreachable."""
        if not names:
            return ()
        ran = await self._run("systemctl", "show", f"--property={','.join(ASKED)}", "--", *names, timeout=timeout)
        try:
            if ran.code == 0:
                return units_of(names, ran.output)
        except ValueError as exc:
            raise UnitsUnknown(f"systemctl show told nonsense: {exc}") from exc
        steps = ("loginctl enable-linger", "loginctl user-status") if self._user else ("systemctl is-system-running",)
        raise UnitsUnknown(f"systemctl show ended with exit code {ran.code}: {ran.last_line}", next=steps)

    async def ask(self, verb: str, names: Sequence[str], timeout: float, *options: str) -> Ran:
        """Ask for a job and wait for its end. Raises CommandFailed where it does not end in `timeout` seconds."""
        return await self._run("systemctl", "--no-ask-password", *options, verb, "--", *names, timeout=timeout)

    async def journal(self, names: Sequence[str], lines: int, output: str = "cat", timeout: float = LOOK) -> Ran:
        """The last lines of the units' journal, in one of journalctl's formats."""
        return await self._run(*journal_argv(names, lines, output, user=self._user), timeout=timeout)

    async def can_write_beside(self, file: str) -> bool:
        """Whether a file can be written there, its directory made where it is missing."""
        ran = await self._host.run(["sh", "-c", NEAREST_WRITABLE, "sh", file.rpartition("/")[0] or "/"], timeout=LOOK)
        return ran.code == 0

    async def last_words(self, unit: Unit, lines: int) -> tuple[str, str]:
        """What a unit said last in the start that `unit` tells of, a few lines (what systemd says of it, where it said
        nothing), and more of its journal; why it cannot be read where that is so."""
        try:
            ran = await self.journal([unit.name], lines)
            own = await self._run(*own_words_argv(unit.invocation), timeout=LOOK) if unit.invocation else ran
        except OutsideError as exc:
            return f"(its journal cannot be read: {exc.detail})", ""
        if ran.code != 0 or not ran.output.strip():
            return f"(its journal is empty, or not readable for us: {READABLE})", ""
        said = own if own.code == 0 and own.output.strip() else ran
        return " | ".join(line.strip() for line in said.output.splitlines()[-FEW:] if line.strip()), ran.output

    async def _run(self, program: str, *words: str, timeout: float) -> Ran:
        argv: tuple[str, ...] = (program, *words)
        if self._user:
            scope = ("--user",) if program == "systemctl" else ()
            argv = ("sh", "-c", USERS_BUS, "sh", program, *scope, *words)
        return await self._host.run(argv, timeout=max(timeout, 0.1), variables=QUIET)


READABLE = "put its user into the group systemd-journal"

FEW = 3
"""Lines that are quoted in a failure."""


def own_words_argv(invocation: str) -> tuple[str, ...]:
    """The command that prints what the processes of one start said."""
    flags = ("--no-pager", "--quiet", "--output=cat", f"--lines={FEW}")
    return ("journalctl", *flags, f"_SYSTEMD_INVOCATION_ID={invocation}")


def journal_argv(names: Sequence[str], lines: int, output: str, *options: str, user: bool) -> tuple[str, ...]:
    """The command that prints the journal of units."""
    key = "--user-unit" if user else "--unit"
    flags = ("--no-pager", "--quiet", "--no-hostname", f"--output={output}", f"--lines={lines}")
    return ("journalctl", *flags, *options, *(f"{key}={name}" for name in names))


def is_refused(ran: Ran) -> bool:
    """Whether polkit said no."""
    return ran.code != 0 and any(words in ran.output for words in REFUSED)


class Allowance:
    """Seconds that are left for a call of several steps."""

    def __init__(self, seconds: float) -> None:
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def left(self) -> float:
        """Seconds, above zero: what hangs is told by its own step."""
        return max(0.1, self._end - asyncio.get_running_loop().time())

    @property
    def grace(self) -> float:
        """Seconds for putting right what took too long."""
        return LOOK
