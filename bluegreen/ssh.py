"""Another machine, reached by the system's OpenSSH, without a question and without an agent.

One connection per machine is kept open for a minute (ControlMaster), so that a command costs 0.1 s; a machine that
freezes is noticed within 3 s (ServerAliveInterval), also in the middle of a command. The user's ssh_config(5) is
honoured: jump hosts, identities, known hosts. The other side runs OpenSSH's sshd; see ssh_script.py for what runs
there.

What cannot be done from here: end a command on a machine that is not reached. Its sshd notices by ClientAliveInterval
and closes the command's input, which ends it; without that, the time limit does, or the next command that wants to be
`alone`. What has left its session by setsid(2), a container or a unit, is not ours to end.
"""

import asyncio
import atexit
import hashlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from math import ceil
from pathlib import Path
from secrets import token_hex
from time import monotonic

from bluegreen.hosts import Command, FileUnreadable, HostUnreachable, too_long
from bluegreen.processes import LINGER, CommandFailed, Ran, beside, environment
from bluegreen.ssh_script import Errand
from bluegreen.ssh_words import WORD, Answer, diagnosis

CONNECT = 5
"""Seconds to connect, and to agree on keys."""

REACHED = 10.0
"""Seconds until the other side has taken a command, logging in included."""

PERSIST = 60
"""Seconds for which an idle connection is kept."""

FILE_TIMEOUT = 30.0
"""Seconds for reading or writing a file."""

LONGEST_DIRECTORY = 60
"""Characters of the directory of the control sockets: with name and suffix they must fit into 107 (unix(7))."""

OPTIONS = {
    "BatchMode": "yes",
    "ControlMaster": "auto",
    "ControlPersist": str(PERSIST),
    "ConnectTimeout": str(CONNECT),
    "ConnectionAttempts": "1",
    "ServerAliveInterval": "1",
    "ServerAliveCountMax": "2",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "EscapeChar": "none",
    "LogLevel": "ERROR",
}

MISSING = 44
"""Exit code of READ where there is no such file."""

READ = f'[ -e "$1" ] || exit {MISSING}; exec head -c "$2" "$1"'

WRITE = """\
d=${1%/*}; d=${d:-/}
mkdir -p "$d" && t=$(mktemp "$d/.${1##*/}.XXXXXX") || exit 1
if cat >"$t" && [ "$(wc -c <"$t")" -eq "$3" ] && chmod "$2" "$t" && { sync "$t" 2>/dev/null || sync; } &&
  mv -f "$t" "$1"
then sync "$d" 2>/dev/null || sync
else rm -f "$t"; exit 1
fi
"""


class Ssh:
    """The Host on another machine. `identity` and `known_hosts` come over ssh_config's own; `program` is ssh. `scope`:
    one word, within which `alone` holds; what another project runs on the same machine is not ours to end."""

    def __init__(
        self,
        host: str,
        *,
        user: str = "",
        port: int | None = None,
        identity: Path | None = None,
        known_hosts: Path | None = None,
        program: Sequence[str] = ("ssh",),
        scope: str = "",
    ) -> None:
        self._host, self._port = host, port
        self._at = f"{user}@{host}" if user else host
        self._identity, self._known_hosts = identity, known_hosts
        self._program, self._scope = tuple(program), scope

    @property
    def name(self) -> str:
        """`deploy@green-host`."""
        return self._at

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
        """The ssh that runs it there. It ends with the command's exit code, 128 + N after a signal; or 255, where the
        host was not reached. `passed`: names of ours that ssh itself sees, such as SSH_AUTH_SOCK."""
        limit = None if timeout is None else ceil(timeout) + 1
        line, data = Errand(argv, variables or {}, cwd, stdin, limit, self._alone(alone)).call()
        return Command(self._ssh(line), environment(None, passed), None, data, leash=True)

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
        """Run it there to its end; 126 is also the exit code where it could not be begun, 127 where it is missing."""
        word, only = token_hex(WORD // 2), self._alone(alone)
        errand = Errand(argv, variables or {}, cwd, stdin, ceil(timeout) + 1, only, word=word, keep=leave_children)
        began = monotonic()
        answer, held = await self._talk(errand, timeout, passed, output_limit)
        assert answer.code is not None  # noqa: S101 - _talk raises without one
        return Ran(answer.code, answer.text, monotonic() - began, held)

    async def read(self, path: Path, *, limit: int = 1024 * 1024) -> bytes:
        """A file of that machine."""
        answer = await self._script(READ, str(path), str(limit + 1), keep=limit + 1)
        if answer.code == MISSING:
            raise FileNotFoundError(f"{path} is not on {self._at}")
        if answer.code != 0:
            raise FileUnreadable(f"{path} on {self._at} cannot be read: {answer.words}", path=str(path))
        if len(answer.data) > limit:
            raise too_long(path, limit)
        return bytes(answer.data)

    async def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file of that machine."""
        answer = await self._script(WRITE, str(path), f"{mode:o}", str(len(data)), stdin=data)
        if answer.code != 0:
            raise FileUnreadable(f"{path} on {self._at} cannot be written: {answer.words}", path=str(path))

    async def _script(self, text: str, *words: str, stdin: bytes = b"", keep: int = 64 * 1024) -> Answer:
        argv = ["sh", "-c", text, "bluegreen", *words]
        errand = Errand(argv, {}, stdin=stdin, limit=ceil(FILE_TIMEOUT) + 1, word=token_hex(WORD // 2))
        try:
            return (await self._talk(errand, FILE_TIMEOUT, (), keep))[0]
        except CommandFailed as exc:
            raise FileUnreadable(f"{words[0]} on {self._at}: {exc.detail}", path=words[0]) from exc

    async def _talk(self, errand: Errand, timeout: float, passed: Sequence[str], keep: int) -> tuple[Answer, bool]:
        """Its whole answer, and whether something that it left running holds its output."""
        answer = Answer(errand.word, keep)
        line, order = errand.call()
        try:
            async with (
                asyncio.timeout(timeout),
                beside(self._ssh(line), answer, env=environment(None, passed), order=order),
            ):
                async with asyncio.timeout(REACHED):
                    await answer.begun.wait()
                await answer.over.wait()
                held = not await _closed(answer)
        except TimeoutError as exc:
            raise self._late(answer, errand.argv[0], timeout) from exc
        if answer.code is None:
            raise self._lost(answer, errand.argv[0])
        return answer, held

    def _ssh(self, line: str) -> tuple[str, ...]:
        options = OPTIONS | {"ControlPath": str(self._socket())} | self._own_options()
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        port = ["-p", str(self._port)] if self._port is not None else []
        return (*self._program, "-T", *words, *port, "--", self._at, line)

    def _alone(self, word: str) -> str:
        return f"{self._scope}-{word}" if self._scope and word else word

    def _own_options(self) -> dict[str, str]:
        own: dict[str, str] = {}
        if self._identity is not None:
            own |= {"IdentityFile": _quoted(self._identity), "IdentitiesOnly": "yes"}
        if self._known_hosts is not None:
            own |= {"UserKnownHostsFile": _quoted(self._known_hosts), "GlobalKnownHostsFile": "/dev/null"}
        return own

    def _socket(self) -> Path:
        whom = "\0".join(map(str, (self._at, self._port, self._identity, self._known_hosts)))
        if not _sockets().is_dir():  # whoever tidies /tmp took it away, and ssh would fail for that
            _sockets.cache_clear()
        return _sockets() / hashlib.sha256(whom.encode()).hexdigest()[:12]

    def _late(self, answer: Answer, program: str, timeout: float) -> HostUnreachable | CommandFailed:
        if answer.begun.is_set():
            said = answer.words or "(no output)"
            return CommandFailed(
                f"{program} did not end within {timeout:g} s on {self._at} and was stopped; it said: {said}",
                output=answer.text,
            )
        self._socket().unlink(missing_ok=True)  # the kept connection may be what hangs: the next one is fresh
        return self._unreachable(f"it did not answer within {min(timeout, REACHED):g} s", (self._by_hand,))

    def _lost(self, answer: Answer, program: str) -> HostUnreachable:
        if answer.data or not answer.before:
            why = f"the link was lost while {program} ran there, and whether it went through is not known"
            words = answer.words
            return self._unreachable(f"{why} ({words})" if words else why, (self._by_hand,), output=answer.text)
        found = diagnosis(
            answer.before.decode(errors="replace"),
            answer.words,
            host=self._host,
            port=self._port or 22,
            known_hosts=str(self._known_hosts or "~/.ssh/known_hosts"),
            by_hand=self._by_hand,
        )
        return self._unreachable(found.why, found.next)

    def _unreachable(self, why: str, next: tuple[str, ...], **facts: object) -> HostUnreachable:
        return HostUnreachable(f"{self._at} is not reached: {why}", next=next, host=self._at, **facts)

    @property
    def _by_hand(self) -> str:
        port = ["-p", str(self._port)] if self._port is not None else []
        key = ["-i", str(self._identity)] if self._identity is not None else []
        known = ["-o", f"UserKnownHostsFile={self._known_hosts}"] if self._known_hosts is not None else []
        return shlex.join(["ssh", *port, *key, *known, self._at, "true"])


async def _closed(answer: Answer) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            await answer.closed.wait()
    return answer.closed.is_set()


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)


@cache
def _sockets() -> Path:
    """A directory of this process alone: what another one left behind is in nobody's way."""
    made = tempfile.mkdtemp(prefix="bluegreen-ssh-")
    if len(made) > LONGEST_DIRECTORY:
        Path(made).rmdir()
        made = tempfile.mkdtemp(prefix="bluegreen-ssh-", dir="/tmp")
    atexit.register(_leave, Path(made))
    return Path(made)


def _leave(directory: Path) -> None:
    for socket in directory.glob("*"):
        with suppress(OSError, subprocess.SubprocessError):
            argv = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "bluegreen"]
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=2.0, check=False)
    shutil.rmtree(directory, ignore_errors=True)
