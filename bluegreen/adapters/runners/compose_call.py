"""One call of the compose runner: its commands share a budget, one way to fail, and one output that is kept.

What a command tells about containers may hold secrets (the variables of a container): that is never kept.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bluegreen.domain.errors import OutsideError, RunnerFailed
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Host
from bluegreen.processes import SHOWN, CommandFailed, Ran, printable

FACTS = 16 * 1024 * 1024
"""Bytes of an answer that is read as data: the description of a hundred containers is about one megabyte."""

STDOUT_ALONE = 'exec "$@" 2>/dev/null'
"""Engines write warnings between the lines of what they are asked for."""

STDERR_ALONE = 'exec "$@" 2>&1 >/dev/null'
"""Why it failed: an answer may be half there all the same, and is not to be kept."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\r")

NOISE = re.compile(
    r"level=(warning|info|debug) |unable to get systemd connection|failed to start containers: [0-9a-f]+$",
    re.IGNORECASE,
)
"""What podman says without a systemd at every start and stop, and docker after its reasons: never the reason itself."""

FEWEST = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a colour's compose project is: the host, the directory there, and what its commands see."""

    colour: Colour
    host: Host
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()


class Call:
    """One call of a verb: `seconds` for all of it."""

    def __init__(self, place: Place, verb: str, seconds: float) -> None:
        self.place, self.verb, self.seconds = place, verb, seconds
        self.variables: Mapping[str, str] = {}
        """The release's variables, which come over those of the configuration."""
        self.said: list[str] = []
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, above zero: what hangs is told by its own command."""
        return max(FEWEST, self._end - asyncio.get_running_loop().time())

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return self.left <= FEWEST

    @property
    def output(self) -> str:
        """All that was said."""
        return "\n".join(line for line in self.said if line)

    def say(self, text: str) -> None:
        """Keep a text."""
        self.said.extend(line for line in cleaned(text).splitlines() if line.strip() and not NOISE.search(line))

    async def run(self, argv: Sequence[str], *, leave: bool = False, changes: bool = False) -> Ran:
        """Run a command to its end, whatever its exit code; its output is kept. `leave`: what it starts goes on;
        `changes`: nothing that an earlier call of ours still runs may run beside it. Raises RunnerFailed where
        there was no end."""
        ran = await self._run(argv, leave=leave, changes=changes)
        self.say(ran.output)
        return ran

    async def must(self, argv: Sequence[str], what: str, *, leave: bool = False, changes: bool = False) -> Ran:
        """The same for a command that has to succeed; `what` begins the complaint: "kratos was not started"."""
        ran = await self.run(argv, leave=leave, changes=changes)
        if ran.code != 0:
            raise self.failed(f"{what}: {last_words(ran)}", ran.code)
        return ran

    async def told(self, argv: Sequence[str], what: str) -> str:
        """What a command prints on its standard output, which is data and is not kept. Raises RunnerFailed, with
        its complaint."""
        ran = await self._run(["sh", "-c", STDOUT_ALONE, "sh", *argv], limit=FACTS)
        if ran.code != 0:
            again = await self._run(["sh", "-c", STDERR_ALONE, "sh", *argv])
            self.say(again.output)
            raise self.failed(f"{what}: {last_words(replace(again, code=ran.code))}", ran.code)
        return ran.output

    async def asked(self, argv: Sequence[str]) -> Ran | None:
        """The same for a question that may have no answer; None where the command cannot be run at all."""
        try:
            return await self._run(argv, limit=FACTS)
        except RunnerFailed as exc:
            if isinstance(exc.__cause__, CommandFailed):
                return None
            raise

    async def _run(
        self, argv: Sequence[str], *, limit: int = 64 * 1024, leave: bool = False, changes: bool = False
    ) -> Ran:
        place = self.place
        try:
            return await place.host.run(
                argv,
                timeout=self.left,
                variables={**place.environment, **self.variables},
                passed=place.passed,
                cwd=place.directory,
                output_limit=limit,
                leave_children=leave,
                alone=f"compose-{place.colour}" if changes else "",
            )
        except OutsideError as exc:
            self.say(str(exc.facts.get("output", "")))
            raise self.failed(exc.detail) from exc

    def failed(self, why: str, code: int | None = None, *, next: tuple[str, ...] = ()) -> RunnerFailed:
        """The failure of this call, with all that was said so far."""
        return RunnerFailed(
            f"`{self.verb}` of {self.place.colour} failed: {why}",
            next=(*next, "bluegreen logs"),
            colour=str(self.place.colour),
            exit_code=code,
            output=self.output,
        )


def cleaned(text: str) -> str:
    """A text without what paints a terminal."""
    return ANSI.sub("", text)


def last_words(ran: Ran) -> str:
    """Why a command failed, by its last words; what an engine says at every failure is left out."""
    lines = [line.strip() for line in cleaned(ran.output).splitlines() if line.strip()]
    words = [line for line in lines if not NOISE.search(line)] or lines
    return printable(words[-1][:SHOWN]) if words else f"it ended with exit code {ran.code} and said nothing"
