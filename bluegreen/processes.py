"""Runs one command to its end: argv, never a shell; an allow-listed environment; its whole group ended on
timeout or cancellation; its output capped and kept.

The output runs through a pipe of our own: asyncio's `Process.wait()` would wait for every holder of its
pipes, and what an `up` command starts may keep them open for ever. The input is a memory file
(memfd_create(2)): nobody has to wait until it is read.
"""

import asyncio
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from bluegreen.domain.errors import OutsideError

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "XDG_RUNTIME_DIR")
"""What a child sees of our environment; everything else is named in the configuration."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL of a group."""

LINGER = 0.2
"""Seconds in which output that was written before the exit is still read."""

ORDER_LIMIT = 60_000
"""Bytes that an empty pipe takes at once (64 KiB by default, pipe(7)), and some room."""

SHOWN = 300
"""Characters of a line that an error quotes."""

FIELD = re.compile(r"\{(release|colour)\}")
"""What is substituted in an argv. Any other brace stays as it is written."""

VALUE = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,64}")
"""What may be substituted: nothing that a program could take for an option, a path or more than one word."""


class CommandFailed(OutsideError):
    """A command could not be started, or did not end in time."""

    code = "command-failed"


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended: its exit code (negative: the signal) and the last bytes it printed, as text.

    `held`: something it left running still holds its output, which is closed now: it dies of SIGPIPE at its
    next word unless its output goes elsewhere.
    """

    code: int
    output: str
    seconds: float
    held: bool = False

    @property
    def last_line(self) -> str:
        """What it said last, mostly the reason: shortened, and nothing that a terminal would obey."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return printable(lines[-1].strip()[:SHOWN]) if lines else "(no output)"


class _Tail(asyncio.Protocol):
    """Keeps the last `limit` bytes and counts the rest."""

    def __init__(self, limit: int) -> None:
        self.limit, self.dropped, self.size = limit, 0, 0
        self.chunks: deque[bytes] = deque()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.chunks.append(data)
        self.size += len(data)
        while self.size - len(self.chunks[0]) >= self.limit:
            gone = self.chunks.popleft()
            self.size -= len(gone)
            self.dropped += len(gone)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def text(self) -> str:
        kept = b"".join(self.chunks)
        dropped = self.dropped + max(0, len(kept) - self.limit)
        text = kept[-self.limit :].decode(errors="replace")
        return f"... {dropped} bytes before this were not kept\n{text}" if dropped else text


def printable(text: str) -> str:
    """A text with its control characters written out."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def environment(extra: Mapping[str, str] | None = None, passed: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a child: the inherited names, those named in `passed`, and `extra` over them."""
    names = (*INHERITED, *passed)
    return {name: os.environ[name] for name in names if name in os.environ} | dict(extra or {})


def fill(argv: Sequence[str], **fields: str) -> list[str]:
    """An argv with {release} and {colour} replaced; an empty value stands for "not known".

    Raises CommandFailed for a value that does not match VALUE and for one of these fields that is not in
    `fields`.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in fields:
            raise CommandFailed(f"{argv[0]}: {{{name}}} is not known here; take it out of the command", argv=list(argv))
        if fields[name] and not VALUE.fullmatch(fields[name]):
            raise CommandFailed(
                f"{argv[0]}: {name} {fields[name]!r} must be 1 to 64 of A-Z a-z 0-9 . _ - (no . or - first)",
                argv=list(argv),
            )
        return fields[name]

    return [FIELD.sub(value, word) for word in argv]


async def run_command(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    output_limit: int = 64 * 1024,
    leave_children: bool = False,
) -> Ran:
    """Run a command to its end and return what it printed (stdout and stderr as one text).

    `timeout` in seconds; then, and when we are cancelled, its process group gets SIGTERM, and SIGKILL after
    GRACE (at once when we are cancelled again). With `leave_children` what it leaves running in its group
    after a success stays. What has left its group by setsid(2) is out of reach. Raises CommandFailed when it
    cannot be started or takes too long.
    """
    began = monotonic()
    tail = _Tail(output_limit)
    transport, writer = await _pipe_into(tail)
    try:
        process = await _start(argv, env, cwd, _readable(stdin), writer)
        try:
            code = await _end_of(process, timeout, leave_children)
        except TimeoutError as exc:
            await _drain(tail)
            ran = Ran(0, tail.text(), monotonic() - began)
            raise CommandFailed(
                f"{argv[0]} did not end within {timeout:g} s and was stopped; it said: {ran.last_line}",
                argv=list(argv),
                output=ran.output,
            ) from exc
        await _drain(tail)
    finally:
        transport.close()
    return Ran(code, tail.text(), monotonic() - began, held=not tail.ended.is_set())


@asynccontextmanager
async def beside(
    argv: Sequence[str], hears: asyncio.Protocol, *, env: Mapping[str, str], cwd: Path | None = None, order: bytes
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command of ours that runs while this lasts; then its process group is ended as in `run_command`.

    Its input holds `order` and ends when we do, in whatever way. `hears` gets its output, also what comes on stderr.
    Raises CommandFailed when it cannot be started.
    """
    transport, writer = await _pipe_into(hears)
    source, ours = os.pipe()
    leash = os.fdopen(ours, "wb", buffering=0)
    feeding: asyncio.WriteTransport | None = None
    try:
        leash.write(order[:ORDER_LIMIT])  # into the empty pipe: nobody has to wait until it is read
        process = await _start(argv, env, cwd, source, writer)
        try:
            if len(order) > ORDER_LIMIT:
                loop = asyncio.get_running_loop()
                feeding, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, leash)
                feeding.write(order[ORDER_LIMIT:])
            yield process
        finally:
            await _end_group(process)
    finally:
        if feeding is None:
            leash.close()
        elif not feeding.is_closing():  # it closes by itself once nobody reads any more
            feeding.abort()
        transport.close()


async def _pipe_into(hears: asyncio.Protocol) -> tuple[asyncio.ReadTransport, int]:
    reader, writer = os.pipe()
    pipe = os.fdopen(reader, "rb", buffering=0)
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: hears, pipe)
    except BaseException:  # also when cancelled: until it is connected, the pipe is ours to close
        pipe.close()
        os.close(writer)
        raise
    return transport, writer


async def _start(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path | None, source: int, output: int
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=source, stdout=output, stderr=output, env=dict(env), cwd=cwd, start_new_session=True
        )
    except (OSError, ValueError) as exc:
        raise CommandFailed(f"{argv[0]} cannot be started: {exc}", argv=list(argv)) from exc
    finally:
        os.close(output)
        if source != subprocess.DEVNULL:
            os.close(source)


def _readable(data: bytes) -> int:
    if not data:
        return subprocess.DEVNULL
    file = os.memfd_create("stdin")
    with os.fdopen(os.dup(file), "wb") as writer:
        writer.write(data)
    os.lseek(file, 0, os.SEEK_SET)
    return file


async def _end_of(process: asyncio.subprocess.Process, timeout: float, leave_children: bool) -> int:
    leave = False
    try:
        async with asyncio.timeout(timeout):
            code = await process.wait()
        leave = leave_children and code == 0
        return code
    finally:
        if not leave:
            await _end_group(process)


async def _drain(tail: _Tail) -> None:
    # Somebody it started may still hold the pipe: that is allowed, and nothing more is ours to read.
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            await tail.ended.wait()


async def _end_group(process: asyncio.subprocess.Process) -> None:
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await _ask_to_end(process.pid)
    finally:
        _signal_group(process.pid, signal.SIGKILL)
    # What hangs inside the kernel, or belongs to another user, cannot be waited for.
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()


async def _ask_to_end(group: int) -> None:
    here = _signal_group(group, signal.SIGTERM)
    while here:
        await asyncio.sleep(0.02)
        here = _signal_group(group, 0)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False  # nobody left in it (or only what is not ours to end)
    return True
