"""Starting and stopping the units of one colour: job after job, each awaited, and then looked at.

A job that takes too long is not left alone: a start is replaced by a stop, so that nothing comes up later by itself. A
stop goes on in systemd, which kills what does not end (TimeoutStopSec=).
"""

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from bluegreen.adapters.runners.systemd_control import READABLE, Allowance, Systemctl, is_refused
from bluegreen.adapters.runners.systemd_units import Unit
from bluegreen.domain.errors import OutsideError, RunnerFailed
from bluegreen.domain.traffic import Colour
from bluegreen.processes import SHOWN, CommandFailed, Ran, printable

LAST_WORDS = 10
"""Lines of a failed unit's journal that are kept."""


class Jobs:
    """What is asked of systemd for one colour on a host (`host` its name, "" for this one), and how it fails."""

    def __init__(self, colour: Colour, systemctl: Systemctl, host: str) -> None:
        self._colour, self._systemctl, self._host = colour, systemctl, host

    @contextmanager
    def told_as(self, verb: str) -> Iterator[None]:
        """Every failure of the outside is the runner's: RunnerFailed, with what it was."""
        try:
            yield
        except RunnerFailed:
            raise
        except OutsideError as exc:
            raise self.failed(verb, exc.detail, next=exc.next) from exc

    async def start(self, name: str, left: Allowance) -> None:
        """Start one unit that rests, and wait until it says so. Raises RunnerFailed with its last words."""
        try:
            ran = await self._systemctl.ask("start", [name], left.left)
        except CommandFailed as exc:
            (now,) = await self._systemctl.look([name])
            with suppress(OutsideError):
                await self._systemctl.ask("stop", [name], left.grace, "--no-block")
            raise await self.ended(f"{name} did not start: {exc.detail}", now) from exc
        if is_refused(ran):
            raise self._refused("up", "start", name, ran)
        if ran.code != 0:
            (now,) = await self._systemctl.look([name])
            why = now.unusable() or now.trouble() or f"{name} was not started: {ran.last_line}"
            raise await self.ended(why, now)

    async def stop(self, verb: str, names: Sequence[str], left: Allowance) -> None:
        """Stop units one after the other, each whatever became of the one before, and forget their failures. What could
        not be asked is no failure where nothing runs; but it is in `prepare`, which asks for that alone."""
        problems = {name: problem for name in names if (problem := await self._stopped(verb, name, left))}
        units = await self._systemctl.look(names)
        for unit in units:
            problem = problems.get(unit.name)
            if problem and (verb == "prepare" or not unit.rests):
                raise problem
            if not unit.rests:
                raise self.failed(verb, f"{unit.name} is still {unit.get('ActiveState')} after it was stopped")
        if failed := [unit.name for unit in units if unit.get("ActiveState") == "failed" and verb != "prepare"]:
            await self._systemctl.ask("reset-failed", failed, left.left)  # refused or not: they are at rest

    async def _stopped(self, verb: str, name: str, left: Allowance) -> RunnerFailed | None:
        try:
            ran = await self._systemctl.ask("stop", [name], left.left)
        except CommandFailed as exc:
            return self.failed(verb, f"{name} was not stopped: {exc.detail}")
        if is_refused(ran):
            return self._refused(verb, "stop", name, ran)
        return self.failed(verb, f"{name} was not stopped: {ran.last_line}", ran.output) if ran.code else None

    async def ended(self, why: str, unit: Unit) -> RunnerFailed:
        """The failure of a unit that does not run, with what it said last."""
        words, said = await self._systemctl.last_words(unit, LAST_WORDS)
        steps = (self._here(f"systemctl status {unit.name}"),)
        return self.failed("up", f"{why}; it said: {printable(words[:SHOWN])}", said, next=steps)

    def unreadable(self, ran: Ran) -> RunnerFailed:
        """The failure of a journal that nobody lets us read."""
        said = f": {ran.last_line}" if ran.output.strip() else ""
        return self.failed("logs", f"the journal of its units cannot be read{said}; {READABLE}", ran.output)

    def unusable(self, unit: Unit) -> RunnerFailed:
        """The failure of a unit that systemd would not start."""
        stale = unit.is_there
        command = "systemctl daemon-reload" if stale else f"systemctl cat {unit.name}"
        return self.failed("prepare", unit.unusable(), next=(self._here(command),))

    def failed(self, verb: str, why: str, output: str = "", *, next: tuple[str, ...] = ()) -> RunnerFailed:
        """A failure, as all runners tell it."""
        text = f"`{verb}` of {self._colour} failed: {why}"
        steps = next or ("bluegreen logs",)
        return RunnerFailed(text, next=steps, colour=str(self._colour), exit_code=None, output=output or why)

    def _refused(self, verb: str, asked: str, name: str, ran: Ran) -> RunnerFailed:
        who = self._host.partition("@")[0] if "@" in self._host else getpass.getuser()
        why = (
            f"systemd does not let {who} {asked} {name} (polkit: interactive authentication required); a rule must "
            "allow exactly that, as systemd/bluegreen.rules does for its units"
        )
        rule = self._here("cat /etc/polkit-1/rules.d/50-bluegreen.rules")
        return self.failed(verb, why, ran.output, next=(rule, "bluegreen doctor"))

    def _here(self, command: str) -> str:
        """A command as it is typed on this host."""
        return f"ssh {self._host} {command}" if self._host else command
