"""Starts the containers of a project in their order, and waits until each is what it should be.

Compose is not left to wait: podman runs health checks by systemd's timers alone, and podman-compose skips its
conditions or waits for ever without them. Here docker is asked for the health that it found, and podman's checks are
run by us: once a second, since a check may be asked more often than its interval; a container has failed when its
`start_period` and `retries` times its `interval` are over without one success.
"""

import asyncio
from collections.abc import Mapping, Sequence

from bluegreen.adapters.runners.compose_config import COMPLETED, HEALTHY, ServiceConfig
from bluegreen.adapters.runners.compose_containers import Container, HealthCheck
from bluegreen.adapters.runners.compose_engine import Engine
from bluegreen.domain.errors import RunnerFailed

LOOK = 0.5
"""Seconds between two looks at what was started."""

HEALTH_EVERY = 1.0
"""Seconds between two runs of a health check, at most; a shorter interval is kept."""


class NotStarted(Exception):
    """Containers failed: `why` is the first one's reason."""

    def __init__(self, why: str, failed: Sequence[Container]) -> None:
        super().__init__(why)
        self.why, self.failed = why, tuple(failed)


class Starting:
    """One start of services. `settles`: seconds that a container without a health check has to last."""

    def __init__(self, engine: Engine, services: Mapping[str, ServiceConfig], settles: float) -> None:
        self._engine, self._services, self._settles = engine, services, settles
        self._clock = asyncio.get_running_loop().time
        self._since: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._healthy: set[str] = set()
        self._words: dict[str, str] = {}
        self._restarts: dict[str, int] = {}
        self._jobs = {
            other for service in services.values() for other, how in service.depends_on.items() if how == COMPLETED
        }

    def is_job(self, container: Container) -> bool:
        """Whether it is of a service whose good end others wait for."""
        return container.service in self._jobs

    async def run(self, names: Sequence[str]) -> None:
        """Start services, each once those it waits for are as they should be; return when all are. What runs is left
        alone. Raises NotStarted, RunnerFailed."""
        for name in names:
            for other, how in self._services[name].depends_on.items():
                await self._until([other], how, f"{name} waits for it")
            found = [container for container in await self._look([]) if container.service == name]
            due = [one for one in found if not one.runs and not (self.is_job(one) and one.is_done)]
            self._since.update({one.id: self._clock() for one in due})
            self._restarts.update({one.id: one.restarts for one in due})
            try:
                await self._engine.start(due)
            except RunnerFailed as exc:
                raise NotStarted(exc.detail.partition(" failed: ")[2], due) from exc
        await self._until(names, HEALTHY, "it was started")

    async def _until(self, names: Sequence[str], condition: str, why: str) -> None:
        while True:
            there = [one for one in await self._look(names) if one.service in names and not one.one_off]
            if missing := [name for name in names if name in self._services and not self._all_there(name, there)]:
                raise self._engine.call.failed(f"{', '.join(missing)} has no container, and {why}")
            waiting = [one for one in there if not await self._fulfils(one, condition)]
            if not waiting:
                return
            if self._engine.call.is_over:
                parts = ", ".join(one.part for one in waiting)
                raise NotStarted(f"{parts} took longer than {self._engine.call.seconds:g} s", waiting)
            await asyncio.sleep(LOOK)

    def _all_there(self, name: str, there: Sequence[Container]) -> bool:
        return sum(one.service == name for one in there) >= self._services[name].scale

    async def _look(self, names: Sequence[str]) -> tuple[Container, ...]:
        """All containers. Raises NotStarted where one that we started, or that is among `names`, is in trouble."""
        found = await self._engine.containers()
        checked = [one for one in found if not one.one_off and (one.id in self._since or one.service in names)]
        failed = [(one, words) for one in checked if (words := self._trouble(one))]
        if failed:
            raise NotStarted("; ".join(f"{one.part} {words}" for one, words in failed), [one for one, _ in failed])
        return found

    def _trouble(self, one: Container) -> str:
        before = self._restarts.setdefault(one.id, one.restarts)
        if one.restarts > before:
            return f"was started again by itself, exit code {one.exit_code}"
        ended = one.is_done and not one.is_new and (one.id in self._since) and not self.is_job(one)
        if ended:
            return "ended at once, exit code 0 (a job? then let a service wait for it: service_completed_successfully)"
        if not self._engine.tool.checks_health and one.health == "unhealthy":
            return ""  # an old word, maybe: we ask by ourselves
        return one.trouble()

    async def _fulfils(self, one: Container, condition: str) -> bool:
        if self.is_job(one):
            return one.is_done if condition in {COMPLETED, HEALTHY} else not one.is_new
        if one.status != "running":
            return False
        if condition == HEALTHY and one.check is not None:
            return await self._is_healthy(one, one.check)
        return condition != HEALTHY or self._clock() - self._since.get(one.id, -self._settles) >= self._settles

    async def _is_healthy(self, one: Container, check: HealthCheck) -> bool:
        if self._engine.tool.checks_health:
            return one.health == "healthy"
        if one.id in self._healthy:
            return True
        now, began = self._clock(), self._since.setdefault(one.id, self._clock())
        if now - self._asked.get(one.id, -check.interval) < min(HEALTH_EVERY, check.interval):
            return False
        self._asked[one.id] = now
        passed, words = await self._engine.healthy(one)
        if passed:
            self._healthy.add(one.id)
        elif now - began > check.patience:
            said = f": {words}" if words else ""
            raise NotStarted(f"{one.part} is not healthy after {check.patience:g} s{said}", [one])
        return passed
