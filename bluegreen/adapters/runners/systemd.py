"""A colour that is a set of systemd units, by `systemctl`.

The units live in cgroups of their own: nothing that happens to the daemon ends them. Each start and stop is a job that
systemd carries out by itself; it is waited for, and then looked at, since a unit may die right after it was started.
`up` again starts nothing anew that runs this release already, as the file of its variables remembers.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bluegreen.adapters.runners.systemd_control import READABLE, Allowance, Systemctl, is_refused
from bluegreen.adapters.runners.systemd_environment import remembered, remembering, text_of
from bluegreen.adapters.runners.systemd_units import Unit
from bluegreen.domain.errors import OutsideError, RunnerFailed
from bluegreen.domain.parts import Part
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here, Host
from bluegreen.processes import SHOWN, CommandFailed, fill, printable

SETTLES = 1.0
"""Seconds after which it is looked at what was started: systemd starts a unit again after 0.1 s unless told otherwise."""

LAST_WORDS = 10
"""Lines of a failed unit's journal that are kept."""

GUIDE = "docs/guides/systemd-units.md"


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
        timeout: float = 300.0,
        logs: Sequence[str] = (),
        slices: Sequence[Sequence[str]] = (),
        settles: float = SETTLES,
        started: Callable[[], None] | None = None,
    ) -> None:
        """`units` in the order in which they start; `environment`: the colour's own variables; `timeout` in seconds for
        a whole call; `logs`, `slices`: commands instead of the journal, and that each stop a part; `started` is
        told when `up` has succeeded."""
        self.live_only = tuple(live_only)
        self._colour, self._units, self._user = colour, tuple(units), user
        self._host = host or Here()
        self._systemctl = Systemctl(self._host, user=user)
        self._file, self._environment = environment_file, dict(environment or {})
        self._timeout, self._settles, self._started = timeout, settles, started
        self._logs, self._slices = tuple(logs), tuple(tuple(argv) for argv in slices)

    @property
    def slices(self) -> int:
        """How many commands stop a part."""
        return len(self._slices)

    async def prepare(self, release: Release) -> str:
        """Ensure all units can be loaded and read the file, that it can be written, and that we may stop them: a rest that is
        asked of a unit at rest changes nothing, and is refused like any other."""
        with self._told("prepare"):
            text_of(self._colour, release, self._environment)
            units = await self._systemctl.look((*self._units, *self.live_only))
            for unit in units:
                if problem := unit.unusable():
                    raise self._failed("prepare", problem, unit=unit.name, next=_reload(unit))
            await self._check_file(units)
            await self._stop("prepare", [unit.name for unit in units if unit.rests], Allowance(self._timeout))
            return "".join(f"{unit.name} is there ({unit.get('FragmentPath')})\n" for unit in units)

    async def _check_file(self, units: Sequence[Unit]) -> None:
        for live_only in (False, True):
            file, names = self._file_of(live_only=live_only), self.live_only if live_only else self._units
            if file is None or not names:
                continue
            services = [unit for unit in units if unit.name in names and unit.name.endswith(".service")]
            if not any(str(file) in unit.get("EnvironmentFiles") for unit in services):
                why = f"no unit of {', '.join(names)} reads {file}: the release would not reach them"
                raise self._failed("prepare", why, next=(f"EnvironmentFile=-{file}   (in their [Service])",))
            if not await self._systemctl.can_write_beside(str(file)):
                raise self._failed("prepare", f"{file} cannot be written here", next=(f"ls -ld {file.parent}",))

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        """Write the file, start the units one after the other, and look whether they last."""
        names, file = (self.live_only if live_only else self._units), self._file_of(live_only=live_only)
        with self._told("up"):
            left = Allowance(self._timeout)
            text = text_of(self._colour, release, self._environment)
            kept, runs = remembered(await self._read(file))
            units = await self._systemctl.look(names)
            same = {unit.name for unit in units if unit.is_active and kept == text and runs.get(unit.name, "") == unit.invocation}
            if kept != text:
                await self._write(file, text)
            await self._stop("up", [unit.name for unit in reversed(units) if unit.name not in same and not _is_fresh(unit)], left)
            for unit in units:
                if unit.name not in same:
                    await self._start(unit, left)
            units = await self._lasting(names, same)
            await self._write(file, remembering(text, {unit.name: unit.invocation for unit in units}))
        if self._started is not None:
            self._started()
        said = [f"{name} runs {release.version} already\n" for name in names if name in same]
        return "".join([*said, f"started {release.version}\n"] if len(same) < len(names) or not names else said)

    async def _start(self, unit: Unit, left: Allowance) -> None:
        """Start one unit that does not run. One that takes too long is stopped, which ends its job."""
        try:
            ran = await self._systemctl.ask("start", [unit.name], left.left)
        except CommandFailed as exc:
            with suppress(OutsideError):
                await self._systemctl.ask("stop", [unit.name], self._timeout, "--no-block")
            raise await self._ended("up", f"{unit.name} did not start: {exc.detail}", unit.name) from exc
        if is_refused(ran):
            raise self._refused("up", "start", unit.name, ran.output)
        if ran.code != 0:
            (now,) = await self._systemctl.look([unit.name])
            why = now.unusable() or now.trouble() or f"{unit.name} was not started: {ran.last_line}"
            raise await self._ended("up", why, unit.name, ran.output)

    async def _lasting(self, names: Sequence[str], same: set[str]) -> tuple[Unit, ...]:
        if same != {*names}:
            await asyncio.sleep(self._settles)
        units = await self._systemctl.look(names)
        for unit in units:
            if unit.name not in same and (trouble := unit.trouble()):
                raise await self._ended("up", trouble, unit.name)
        return units

    async def down(self, *, live_only: bool = False) -> str:
        """Stop the units in the reverse order, live-only ones first; every one is tried, whatever becomes of the others."""
        names = [*reversed(self.live_only)] if live_only else [*reversed(self.live_only), *reversed(self._units)]
        with self._told("down"):
            await self._stop("down", names, Allowance(self._timeout))
            for of_them in (True,) if live_only else (True, False):
                if await self._read(file := self._file_of(live_only=of_them)):
                    await self._write(file, "")
        return "stopped\n"

    async def _stop(self, verb: str, names: Sequence[str], left: Allowance) -> None:
        problems: list[RunnerFailed] = []
        for name in names:
            try:
                ran = await self._systemctl.ask("stop", [name], left.left)
            except CommandFailed as exc:
                problems.append(self._failed(verb, f"{name} was not stopped: {exc.detail}", unit=name))
                continue
            if is_refused(ran):
                problems.append(self._refused(verb, "stop", name, ran.output))
            elif ran.code != 0:
                problems.append(self._failed(verb, f"{name}: {ran.last_line}", ran.output, unit=name))
        units = await self._systemctl.look(names)
        gone = {unit.name for unit in units if unit.rests}
        if left_over := [problem for problem in problems if problem.facts.get("unit") not in gone or verb == "prepare"]:
            raise left_over[0]
        if lives := [unit.name for unit in units if not unit.rests]:
            raise self._failed(verb, f"{', '.join(lives)} cannot be stopped", unit=lives[0])
        if failed := [unit.name for unit in units if unit.get("ActiveState") == "failed" and verb != "prepare"]:
            await self._systemctl.ask("reset-failed", failed, left.left)  # refused or not: it is at rest
