"""A colour that is a set of systemd units, by `systemctl`.

The units live in cgroups of their own: nothing that happens to the daemon ends them. Each start and stop is a job that
systemd carries out by itself; it is waited for, and then looked at, since a unit may die right after it was started.
`up` again starts nothing anew that runs this release already, as the file of its variables remembers.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bluegreen.adapters.runners.systemd_control import Allowance, Systemctl
from bluegreen.adapters.runners.systemd_environment import remembered, remembering, text_of
from bluegreen.adapters.runners.systemd_jobs import Jobs
from bluegreen.adapters.runners.systemd_units import Unit
from bluegreen.domain.parts import Part
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here, Host
from bluegreen.processes import Ran, fill

SETTLES = 1.0
"""Seconds after which it is looked at what was started: systemd starts a unit again after 0.1 s unless told
otherwise."""


class SystemdRunner:
    """The Runner port on units of the system, or of the user."""

    def __init__(
        self,
        colour: Colour,
        units: Sequence[str],
        live_only: Sequence[str] = (),
        *,
        host: Host | None = None,
        user: bool = False,
        environment_file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
        timeout: float = 300.0,
        logs: Sequence[str] = (),
        slices: Sequence[Sequence[str]] = (),
        cwd: Path | None = None,
        settles: float = SETTLES,
        started: Callable[[], None] | None = None,
    ) -> None:
        """`units` in the order in which they start; `environment`: the colour's own variables, in the file and for the
        commands; `timeout` in seconds for a whole call; `logs`, `slices`: commands instead of the journal, and that
        each stop a part, run in `cwd` and seeing the host's variables `passed`; `started` is told when `up` has
        succeeded."""
        self.live_only = tuple(live_only)
        self._colour, self._units = colour, tuple(units)
        self._host = host or Here()
        self._systemctl = Systemctl(self._host, user=user)
        self._jobs = Jobs(colour, self._systemctl, self._host.name)
        self._file, self._environment = environment_file, dict(environment or {})
        self._passed, self._cwd = tuple(passed), cwd
        self._timeout, self._settles, self._started = timeout, settles, started
        self._logs, self._slices = tuple(logs), tuple(tuple(argv) for argv in slices)

    @property
    def slices(self) -> int:
        """How many commands stop a part."""
        return len(self._slices)

    async def stop_slice(self, number: int) -> str:
        """Run the command of one slice."""
        verb = f"slices[{number}]"
        with self._jobs.told_as(verb):
            return (await self._command(verb, self._slices[number])).output

    async def prepare(self, release: Release) -> str:
        """Ensure all units can be loaded and read the file, that it can be written, and that we may stop them: where
        one is at rest already, that changes nothing, and is refused like any other."""
        with self._jobs.told_as("prepare"):
            text_of(self._colour, release, self._environment)
            units = await self._systemctl.look((*self._units, *self.live_only))
            for unit in units:
                if unit.unusable():
                    raise self._jobs.unusable(unit)
            for live_only in (False, True):
                await self._check_file(units, live_only=live_only)
            at_rest = [unit.name for unit in units if unit.rests]
            await self._jobs.stop("prepare", at_rest, Allowance(self._timeout))
        return "".join(f"{unit.name} is there ({unit.get('FragmentPath')})\n" for unit in units)

    async def _check_file(self, units: Sequence[Unit], *, live_only: bool) -> None:
        file, names = self._file_of(live_only=live_only), self._names(live_only=live_only)
        if file is None or not names:
            return
        if not any(str(file) in unit.get("EnvironmentFiles") for unit in units if unit.name in names):
            why = f"none of {', '.join(names)} reads {file}: the release would not reach them"
            raise self._jobs.failed(
                "prepare", why, next=(f"systemctl edit --full {names[0]}   (EnvironmentFile=-{file})",)
            )
        if not await self._systemctl.can_write_beside(str(file)):
            raise self._jobs.failed("prepare", f"{file} cannot be written", next=(f"ls -ld {file.parent}",))

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        """Write the file, start the units one after the other, and look whether they last."""
        names, file, jobs = self._names(live_only=live_only), self._file_of(live_only=live_only), self._jobs
        with jobs.told_as("up"):
            left = Allowance(self._timeout)
            text = text_of(self._colour, release, self._environment)
            kept, runs = remembered(await self._read(file))
            units = await self._systemctl.look(names)
            same = {unit.name for unit in units if kept == text and unit.runs_as(runs.get(unit.name, ""))}
            if kept != text:
                await self._write(file, text)
            others = [unit for unit in units if unit.name not in same]
            await jobs.stop("up", [unit.name for unit in reversed(others) if not unit.is_new], left)
            for unit in others:
                await jobs.start(unit.name, left)
            await self._lasting(others)
            units = await self._systemctl.look(names)
            await self._write(file, remembering(text, {unit.name: unit.invocation for unit in units}))
        if self._started is not None:
            self._started()
        return f"started {release.version}\n" if others else f"{release.version} runs already\n"

    async def _lasting(self, started: Sequence[Unit]) -> None:
        if started:
            await asyncio.sleep(self._settles)
        for unit in await self._systemctl.look([unit.name for unit in started]):
            if trouble := unit.trouble():
                raise await self._jobs.ended(trouble, unit)

    async def down(self, *, live_only: bool = False) -> str:
        """Stop the units in the reverse order, live-only ones first, and empty their file: after a boot it tells them
        that they are not to start (ConditionFileNotEmpty=)."""
        with self._jobs.told_as("down"):
            left = Allowance(self._timeout)
            which = (True,) if live_only else (True, False)
            await self._jobs.stop(
                "down", [name for of_them in which for name in reversed(self._names(live_only=of_them))], left
            )
            for of_them in which:
                if await self._read(file := self._file_of(live_only=of_them)):
                    await self._write(file, "")
        return "stopped\n"

    async def logs(self, lines: int) -> str:
        """The last lines of the units' journal, or of the command that is configured for it."""
        with self._jobs.told_as("logs"):
            if self._logs:
                ran = await self._command("logs", self._logs)
            else:
                names = (*self._units, *self.live_only)
                ran = await self._systemctl.journal(names, lines, "short-iso", timeout=self._timeout)
                if ran.code != 0:
                    raise self._jobs.unreadable(ran)
        return "\n".join(ran.output.splitlines()[-lines:])

    async def parts(self) -> tuple[Part, ...]:
        """All units, as systemd tells of them."""
        with self._jobs.told_as("parts"):
            return tuple(unit.part() for unit in await self._systemctl.look((*self._units, *self.live_only)))

    async def _command(self, verb: str, argv: Sequence[str]) -> Ran:
        ran = await self._host.run(
            fill(argv, colour=self._colour),
            timeout=self._timeout,
            variables=self._environment,
            passed=self._passed,
            cwd=self._cwd,
        )
        if ran.code != 0:
            why = f"{argv[0]} ended with exit code {ran.code}; it said: {ran.last_line}"
            raise self._jobs.failed(verb, why, ran.output)
        return ran

    def _names(self, *, live_only: bool) -> tuple[str, ...]:
        return self.live_only if live_only else self._units

    def _file_of(self, *, live_only: bool) -> Path | None:
        if self._file is None or not live_only:
            return self._file
        return self._file.with_name(f"{self._file.name}.live-only")

    async def _read(self, file: Path | None) -> str:
        try:
            return (await self._host.read(file)).decode(errors="replace") if file else ""
        except FileNotFoundError:
            return ""

    async def _write(self, file: Path | None, text: str) -> None:
        if file is not None:
            await self._host.write(file, text.encode())
