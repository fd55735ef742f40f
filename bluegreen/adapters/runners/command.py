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
from bluegreen.domain.parts import Part, image_variable
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here, Host, HostUnreachable
from bluegreen.processes import INHERITED, SHOWN, CommandFailed, Ran, fill, printable

VARIABLE = re.compile(r"(?!LD_)[A-Z_][A-Z0-9_]*")
"""A release's variable. What steers the dynamic loader (ld.so(8)) is not a release's business."""

REACHED = 15.0
"""Seconds for a host to answer `prepare`."""

HELD = (
    "\n(something that was started still holds this output, which is closed now; it ends at its next word unless its "
    "output goes elsewhere: append `>/dev/null 2>&1` or a log file)"
)


class CommandRunner:
    """The Runner port on commands: argv with {colour}, and {release} in those that start. On another host they all run
    there; one that changes the colour first ends what an earlier one left running when the link was lost."""

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
        live_only: Sequence[str] = (),
        live_only_up: Sequence[str] = (),
        live_only_down: Sequence[str] = (),
        host: Host | None = None,
    ) -> None:
        """`environment`: variables of their own; `passed`: names of ours that they see; `timeout`
        in seconds per command; `output_limit`: bytes of output that are kept, the last ones; `slices`: commands
        that each stop a part; `started` is told when `up` has succeeded; `live_only`: the names of what
        `live_only_up` and `live_only_down` start and stop; `host`: where all of it runs, if not here."""
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
        self._live_only = tuple(live_only)
        self._live_only_up = tuple(live_only_up)
        self._live_only_down = tuple(live_only_down)
        self._host: Host = host if host is not None else Here()

    @property
    def slices(self) -> int:
        """How many commands stop a part."""
        return len(self._slices)

    async def stop_slice(self, number: int) -> str:
        """Run the command of one slice."""
        return (await self._run(f"slices[{number}]", self._slices[number], changes=True)).output

    @property
    def live_only(self) -> tuple[str, ...]:
        """The parts that have commands of their own."""
        return self._live_only

    async def prepare(self, release: Release) -> str:
        """See whether the host answers; what the commands need cannot be known."""
        if self._host.name:
            await self._run("prepare", ["true"], timeout=REACHED)
        return ""

    async def parts(self) -> tuple[Part, ...]:
        """Nobody can tell."""
        return ()

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        """Run `up` with the release's variables in its environment; RunnerFailed also where it may not set one. With
        `live_only` run `live_only_up`, where there is something of the kind."""
        if live_only and not self._live_only:
            return ""
        verb, argv = ("live_only_up", self._live_only_up) if live_only else ("up", self._up)
        variables = self._variables(release)
        ran = await self._run(verb, argv, variables, changes=True, leave=True, release=release.version)
        if self._started is not None and not live_only:
            self._started()
        return ran.output + HELD if ran.held else ran.output

    async def down(self, *, live_only: bool = False) -> str:
        """Run `live_only_down`, where there is something of the kind; then, without `live_only`, `down`."""
        output = ""
        if self._live_only:
            output = (await self._run("live_only_down", self._live_only_down, changes=True)).output
        if live_only:
            return output
        return output + (await self._run("down", self._down, changes=True)).output

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
        changes: bool = False,
        timeout: float | None = None,
        **fields: str,
    ) -> Ran:
        try:
            ran = await self._host.run(
                fill(argv, colour=self._colour, **fields),
                timeout=self._timeout if timeout is None else timeout,
                variables={**self._environment, **(variables or {})},
                passed=self._passed,
                cwd=self._cwd,
                output_limit=self._output_limit,
                leave_children=leave,
                alone=str(self._colour) if changes else "",
            )
        except (CommandFailed, HostUnreachable) as exc:
            raise self._failed(verb, exc.detail, None, str(exc.facts.get("output", "")), exc.next) from exc
        if ran.code != 0:
            raise self._failed(verb, f"{argv[0]} ended with exit code {ran.code}", ran.code, ran.output)
        return ran

    def _failed(self, verb: str, why: str, code: int | None, output: str, next: tuple[str, ...] = ()) -> RunnerFailed:
        last = " | ".join(line.strip()[:SHOWN] for line in output.splitlines()[-3:] if line.strip())
        said = f"; it said: {printable(last)}" if last and code is not None else ""
        return RunnerFailed(
            f"`{verb}` of {self._colour} failed: {why}{said}",
            next=next or ("bluegreen logs",),
            colour=str(self._colour),
            exit_code=code,
            output=output,
        )

    def _variables(self, release: Release) -> Mapping[str, str]:
        """The release's images and variables: over those of the configuration, but never over the host's own."""
        hosts = {*INHERITED, *self._passed}
        refused = [name for name in release.variables if name in hosts or not VARIABLE.fullmatch(name)]
        if refused:
            names = ", ".join(map(repr, sorted(refused)))
            why = f"release {release.version} may not set {names}: use A-Z 0-9 _, and no name that the host sets"
            raise self._failed("up", why, None, "")
        return {image_variable(part): image for part, image in release.images.items()} | dict(release.variables)
