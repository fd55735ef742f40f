"""Starts and stops a colour by the operator's own commands.

`up` and `down` must be "ensure": after a crash of ours they run again, against a colour in any state (`docker
compose up --detach` and `systemctl restart` are of that kind). `up` returns once the colour is started; what
it starts has to run under another supervisor or in a session of its own, with its output elsewhere: our pipe
is closed when `up` returns, and a restart of the daemon must not end it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.parts import Part
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.processes import INHERITED, SHOWN, CommandFailed, Ran, fill, printable, run_command
from bluegreen.processes import environment as child_environment

VARIABLE = re.compile(r"(?!LD_)[A-Z_][A-Z0-9_]*")
"""A release's variable. What steers the dynamic loader (ld.so(8)) is not a release's business."""

HELD = (
    "\n(something that was started still holds this output, which is closed now; it ends at its next word unless its "
    "output goes elsewhere: append `>/dev/null 2>&1` or a log file)"
)


class CommandRunner:
    """The Runner port on three commands: argv with {colour}, and {release} in `up`."""

    def __init__(
        self,
        colour: Colour,
        up: Sequence[str],
        down: Sequence[str],
        logs: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        timeout: float = 300.0,
        cwd: Path | None = None,
        output_limit: int = 64 * 1024,
        slices: Sequence[Sequence[str]] = (),
        started: Callable[[], None] | None = None,
    ) -> None:
        """`environment`: variables of their own; `passed`: names of ours that they see; `timeout`
        in seconds per command; `output_limit`: bytes of output that are kept, the last ones; `slices`: commands
        that each stop a part; `started` is told when `up` has succeeded."""
        self._colour = colour
        self._up = tuple(up)
        self._down = tuple(down)
        self._logs = tuple(logs)
        self._environment = dict(environment or {})
        self._passed = tuple(passed)
        self._timeout = timeout
        self._cwd = cwd
        self._output_limit = output_limit
        self._slices = tuple(tuple(argv) for argv in slices)
        self._started = started

    @property
    def slices(self) -> int:
        """How many commands stop a part."""
        return len(self._slices)

    async def stop_slice(self, number: int) -> str:
        """Run the command of one slice."""
        return (await self._run(f"slices[{number}]", self._slices[number])).output

    @property
    def live_only(self) -> tuple[str, ...]:
        """The parts that have commands of their own."""
        return ()

    async def prepare(self, release: Release) -> str:
        """Nothing can be known of what the commands need."""
        return ""

    async def parts(self) -> tuple[Part, ...]:
        """Nobody can tell."""
        return ()

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        """Run `up` with the release's variables in its environment; RunnerFailed also where it may not set one."""
        ran = await self._run("up", self._up, self._variables(release), leave=True, release=release.version)
        if self._started is not None:
            self._started()
        return ran.output + HELD if ran.held else ran.output

    async def down(self, *, live_only: bool = False) -> str:
        """Run `down`."""
        return (await self._run("down", self._down)).output

    async def logs(self, lines: int) -> str:
        """Run `logs` and return its last lines."""
        if not self._logs:
            return f"no `logs` command is configured for {self._colour}; set it in [environments.{self._colour}]"
        ran = await self._run("logs", self._logs)
        return "\n".join(ran.output.splitlines()[-lines:])

    async def _run(
        self,
        verb: str,
        argv: Sequence[str],
        variables: Mapping[str, str] | None = None,
        *,
        leave: bool = False,
        **fields: str,
    ) -> Ran:
        try:
            ran = await run_command(
                fill(argv, colour=self._colour, **fields),
                timeout=self._timeout,
                env=child_environment({**self._environment, **(variables or {})}, self._passed),
                cwd=self._cwd,
                output_limit=self._output_limit,
                leave_children=leave,
            )
        except CommandFailed as exc:
            raise self._failed(verb, exc.detail, None, str(exc.facts.get("output", ""))) from exc
        if ran.code != 0:
            raise self._failed(verb, f"{argv[0]} ended with exit code {ran.code}", ran.code, ran.output)
        return ran

    def _failed(self, verb: str, why: str, code: int | None, output: str) -> RunnerFailed:
        last = " | ".join(line.strip()[:SHOWN] for line in output.splitlines()[-3:] if line.strip())
        said = f"; it said: {printable(last)}" if last and code is not None else ""
        return RunnerFailed(
            f"`{verb}` of {self._colour} failed: {why}{said}",
            next=("bluegreen logs",),
            colour=str(self._colour),
            exit_code=code,
            output=output,
        )

    def _variables(self, release: Release) -> Mapping[str, str]:
        """The release's variables, which come over those of the configuration, but never over the host's own."""
        hosts = {*INHERITED, *self._passed}
        refused = [name for name in release.variables if name in hosts or not VARIABLE.fullmatch(name)]
        if refused:
            names = ", ".join(map(repr, sorted(refused)))
            why = f"release {release.version} may not set {names}: use A-Z 0-9 _, and no name that the host sets"
            raise self._failed("up", why, None, "")
        return release.variables
