"""Pausing and resuming what the daemon does by itself; what operators order works all the while."""

from datetime import timedelta

from bluegreen.app.desk import Desk
from bluegreen.app.requests import Caller, Paused
from bluegreen.domain.records import AuditRow

RUNNING = "running"
"""Automation as the audit names it where it is not paused."""


class Pausing(Desk):
    """Use cases that pause the automation. Each may be asked twice."""

    async def pause(self, caller: Caller, reason: str, seconds: float | None = None) -> Paused:
        """Let nothing move by itself, until `seconds` are over or somebody resumes; a later pause replaces it.

        Raises JournalUnwritable, and then nothing is paused.
        """
        engine, now = self._engine, self._world.clock.now()
        until = now + timedelta(seconds=seconds) if seconds is not None else None
        before = engine.pause.reason or RUNNING
        paused = Paused(caller.who, reason, now, until)
        await engine.pause.begin(paused, self._pause_row(caller, "pause", reason, before, paused.describe()))
        await engine.tell_pause(paused)
        return paused

    async def resume(self, caller: Caller, reason: str) -> Paused | None:
        """Let things move by themselves again; returns the pause that ended, None where nothing was paused.

        Raises JournalUnwritable, and then it stays paused.
        """
        engine = self._engine
        paused = engine.pause.now
        if paused is None:
            return None
        await engine.pause.end(self._pause_row(caller, "resume", reason, paused.describe(), RUNNING))
        await engine.tell_resumed(paused, by=caller.who, reason=reason)
        return paused

    def _pause_row(self, caller: Caller, verb: str, reason: str, before: str, after: str) -> AuditRow:
        run = self._engine.run
        id = run.deployment.id if run else ""
        return AuditRow(self._world.clock.now(), caller.who, caller.origin, verb, id, reason, before, after)
