"""One colour's log, followed: keeps the program that reads it (log_reader.py) alive, and tells what it says.

A `follow` command may end at any time, and mostly does so when its colour is restarted; then it is begun again, at
once at first and after longer and longer pauses where it does not last.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from bluegreen.adapters.signals.log_book import quoted
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here, Host
from bluegreen.processes import ORDER_LIMIT, CommandFailed, beside, fill

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a `follow` that has ended is begun again: doubled each time."""

LASTED = 30.0
"""Seconds after which a `follow` has lasted: when it ends then, the pauses begin with the first again."""

MUTE = 10.0
"""Seconds without a word of the reading program, which speaks every second, after which it is begun again."""

LONGEST_MESSAGE = 1024 * 1024
"""Bytes of one message of the reading program; it never needs a tenth of it."""

ROOT = Path(__file__).parents[3]
PROGRAM = "import sys; sys.path.append(sys.argv[1]); from bluegreen.adapters.signals.log_reader import main; main()"
READER = (sys.executable, "-I", "-S", "-c", PROGRAM, str(ROOT))
"""Without site and environment it starts in 30 ms, and nothing that an operator sets changes it."""

Message = Mapping[str, Any]
log = structlog.get_logger("bluegreen")


@dataclass(frozen=True, slots=True)
class Follow:
    """How the log of one colour is followed: the command, its variables, which of ours it sees, where it runs. A
    machine that is lost ends it, as anything else that it follows may end."""

    argv: Sequence[str]
    variables: Mapping[str, str]
    passed: Sequence[str] = ()
    directory: Path | None = None
    host: Host = field(default_factory=Here)


class LogEnded(Exception):
    """What is followed came to its end."""


class Following:
    """One colour's log. `patterns`: {name: (pattern, what excuses a line or None)}; `shown` makes last words fit for
    people's eyes."""

    def __init__(
        self,
        colour: Colour,
        follow: Follow,
        patterns: Mapping[str, tuple[str, str | None]],
        shown: Callable[[str], str] = quoted,
    ) -> None:
        self.colour = colour
        self._shown = shown
        self._follow = follow
        self._patterns = patterns
        self._again = asyncio.Event()
        self.heard_at: float | None = None
        """When the reading program last spoke of a second (monotonic)."""
        self.began_at: float | None = None
        """Since when the log is followed without an end (monotonic); None while it is not."""
        self.lost_at: float | None = None
        """Since when it is not followed (monotonic)."""
        self.words = ""
        """Why it ended the last time."""

    def again(self) -> None:
        """Begin again now where it waits to do so: the colour was started."""
        self._again.set()

    async def run(self, take: Callable[[Message], None]) -> None:
        """Follow until cancelled; `take` gets what is said of each second."""
        clock = asyncio.get_running_loop().time
        pause, self.lost_at = FIRST_PAUSE, clock()
        while True:
            began = clock()
            self._again.clear()
            try:
                await self.once(self._patterns, lambda message: self._take(message, take))
            except (CommandFailed, LogEnded) as exc:
                self._lost(self._shown(str(exc)), clock())
            if clock() - began > LASTED or await self._told_to(pause):
                pause = FIRST_PAUSE
            else:
                pause = min(pause * 2, LONGEST_PAUSE)

    async def once(self, patterns: Mapping[str, tuple[str, str | None]], take: Callable[[Message], None]) -> None:
        """Follow once. Raises LogEnded with its last words, or CommandFailed where nothing could be begun."""
        argv, follow = fill(self._follow.argv, colour=self.colour), self._follow
        run = follow.host.command(argv, variables=follow.variables, passed=follow.passed, cwd=follow.directory)
        leash = run.stdin.decode("latin-1") if run.leash else None
        order = json.dumps({"argv": run.argv, "patterns": patterns, "leash": leash}).encode() + b"\n"
        if len(order) > ORDER_LIMIT:
            raise CommandFailed(f"{argv[0]}: an order of {len(order)} bytes is too long", argv=argv)
        heard = _Messages()
        async with beside(READER, heard, env=run.env, cwd=run.cwd, order=order):
            while True:
                message = await heard.next()
                if message is None:
                    raise LogEnded(f"what reads `{argv[0]}` ended: {heard.words or 'it said nothing'}")
                if "ended" in message:
                    raise LogEnded(_ended(argv[0], message))
                take(message)

    async def _told_to(self, pause: float) -> bool:
        """Wait for `again`, `pause` seconds at most; True where it came."""
        try:
            async with asyncio.timeout(pause):
                return await self._again.wait()
        except TimeoutError:
            return False

    def _take(self, message: Message, take: Callable[[Message], None]) -> None:
        now = asyncio.get_running_loop().time()
        if "at" in message:
            self.heard_at = now
            if self.began_at is None:
                self.began_at, self.lost_at = now, None
                log.info("log.followed", colour=self.colour)
        take(message)

    def _lost(self, words: str, now: float) -> None:
        if self.began_at is not None or words != self.words:
            log.info("log.lost", colour=self.colour, reason=words)
        self.words = words
        self.began_at = None
        self.lost_at = now if self.lost_at is None else self.lost_at


class _Messages(asyncio.Protocol):
    """What the reading program says; None at its end. What is no message is kept as words."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message | None] = asyncio.Queue()
        self.words = ""
        self._rest = b""

    async def next(self) -> Message | None:
        """The next message. Raises LogEnded where none comes within MUTE seconds."""
        try:
            async with asyncio.timeout(MUTE):
                return await self.queue.get()
        except TimeoutError as exc:
            if self.queue.empty():  # else we were stopped ourselves, and what it said is there
                raise LogEnded(f"what reads the log has said nothing for {MUTE:g} s") from exc
            return self.queue.get_nowait()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LONGEST_MESSAGE:]
        for line in lines:
            try:
                self.queue.put_nowait(json.loads(line))
            except ValueError:
                self.words = line.decode(errors="replace").strip() or self.words

    def connection_lost(self, exc: Exception | None) -> None:
        self.queue.put_nowait(None)


def _ended(program: str, message: Message) -> str:
    code, said = message["ended"], message["said"] or "(nothing)"
    if code is None:
        return f"`{program}` ended; it said: {said}"
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = ", and has to stay in the foreground (-f)" if code == 0 else ""
    return f"`{program}` {how}{hint}; it said: {said}"
