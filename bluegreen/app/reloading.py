"""Reload: to begin again with what the configuration says now, while nothing runs.

A running deployment keeps the settings of its plan, and adapters are made once. So a reload never changes a running
daemon: it ends it in order, and the same program begins again in the same process.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bluegreen.app.desk import SETTLE, Desk
from bluegreen.app.requests import Caller
from bluegreen.domain.errors import ConfigurationError, DeploymentInProgress, WrongPhase
from bluegreen.domain.records import AuditRow

log = structlog.get_logger("bluegreen")


@dataclass(frozen=True, slots=True)
class Renewal:
    """How this daemon begins again: `check` reads the configuration and returns its warnings, or raises
    ConfigurationError with all that is wrong; `begin` only sets it going."""

    check: Callable[[], tuple[str, ...]]
    begin: Callable[[], None]


class Reloading(Desk):
    """The use case behind `bluegreen reload` and SIGHUP."""

    _renewal: Renewal | None = None

    async def reload(self, caller: Caller) -> tuple[str, ...]:
        """Begin again with the configuration as it stands now; returns its warnings, and the daemon ends right after.

        Raises ConfigurationError with every reason, DeploymentInProgress, JournalUnwritable: then nothing changes.
        """
        renewal = self._renewal
        if renewal is None:
            raise WrongPhase("this daemon cannot begin again by itself", next=("systemctl restart bluegreen",))
        try:
            warnings = await asyncio.to_thread(renewal.check)
        except ConfigurationError as exc:
            log.warning("configuration.refused", by=caller.who, reason=exc.detail, note="the old one stays in force")
            raise
        await self._engine.lock.acquire()  # kept: nothing starts any more, and who waits for it asks the next daemon
        try:
            await self._refuse_reload()
            await self._world.journal.audit(self._reload_row(caller))
        except BaseException:  # refused, or cancelled: others may go on
            self._engine.lock.release()
            raise
        log.info("operator.reloaded", by=caller.who, origin=caller.origin)
        renewal.begin()
        return warnings

    async def _refuse_reload(self) -> None:
        await self._engine.let_settle(SETTLE)
        if self._engine.run is not None:
            id = self._engine.run.deployment.id
            raise DeploymentInProgress(
                f"a running deployment keeps the settings of its plan: {id} is in {self._engine.run.deployment.phase}",
                next=(f"bluegreen watch {id}", "bluegreen reload"),
                deployment=id,
            )
        if self._engine.by_hand:
            raise DeploymentInProgress(self._engine.by_hand, next=("bluegreen reload",))

    def _reload_row(self, caller: Caller) -> AuditRow:
        return AuditRow(self._world.clock.now(), caller.who, caller.origin, "reload", "", "", "", "")
