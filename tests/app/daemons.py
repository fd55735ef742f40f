"""A daemon on everything outside (outside.py): what wiring and daemon.py put together, without sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bluegreen.app.engine import Engine
from bluegreen.app.history import Keeping, id_of
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Alert, Caller, DeployRequest, PlanRequest
from bluegreen.app.service import Service
from bluegreen.app.watch import Watch
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event, Notice
from tests.app.outside import Outside, side_by_side

ANN = Caller("uid 1000 (ann)", "socket")

FOREVER = 2 * 3600.0
"""Virtual seconds after which something will not happen any more."""


class Daemon:
    """One life of the daemon."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        world = outside.world()
        self.news = News(world.journal, world.clock, world.redact)
        self.outbox = Outbox(world.journal, world.notifiers, world.redact)
        self.watch = Watch(world.clock, world.sources, lambda: world.terms.signals)
        self.engine = Engine(world, self.news, self.outbox, self.watch)
        self.history = Keeping(world.journal, world.clock, self.news, self.watch, lambda: id_of(self.engine.run))
        self.reconciler = Reconciler(self.engine)
        self.service = Service(self.engine, self.reconciler)

    async def deploy(self, release: str = "1.1.0", **wishes: Any) -> Deployment:
        """Ask for a deployment."""
        return await self.service.deploy(DeployRequest(release=PlanRequest(release, **wishes)), ANN)

    async def cutback(self) -> Deployment:
        """Order to go back."""
        return await self.service.cutback(ANN, "looks odd")

    async def reach(self, *phases: Phase) -> Deployment:
        """Return when the deployment is in one of these phases."""
        await until(lambda: self.engine.run is not None and self.engine.run.deployment.phase in phases)
        return await self.current()

    async def end(self) -> Deployment:
        """Return the deployment when it has ended and everything about it is settled."""
        await until(lambda: self.engine.run is None)
        await asyncio.sleep(0.1)  # what was queued for people is delivered
        return await self.current()

    async def current(self) -> Deployment:
        """The deployment that runs, or the last one."""
        return await self.service.deployment("current")

    async def events(self) -> list[Event]:
        """All events so far."""
        return list(await self.service.events(0, limit=100_000))


@asynccontextmanager
async def running(outside: Outside) -> AsyncIterator[Daemon]:
    """A daemon at work. Leaving it is like killing it: nothing is said good-bye to."""
    daemon = Daemon(outside)
    await daemon.history.read()
    await daemon.engine.prepare()
    await daemon.history.take_up()
    jobs = (
        ("signals", daemon.watch.run()),
        ("reconciler", daemon.reconciler.run()),
        ("engine", daemon.engine.work()),
        ("inspections", daemon.engine.end_inspections()),
        ("outbox", daemon.outbox.run()),
        ("schema", daemon.service.schema_watch.run()),
        ("connections", daemon.service.budget_watch.run()),
        ("history", daemon.history.run()),
        ("aftermath", daemon.service.after_cutback.run()),
        ("running", daemon.service.running_watch.run()),
        ("live-only", daemon.service.parts_keeper.run()),
        ("observing", daemon.service.observing.run()),
    )
    async with side_by_side(*jobs):
        yield daemon


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds, or soon after where it took long; TimeoutError when it does not."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(FOREVER):
        while not condition():
            waited = asyncio.get_running_loop().time() - began
            await asyncio.sleep(0.02 if waited < 30.0 else 0.2)


def alert(daemon: Daemon, **rest: Any) -> Alert:
    """An alert that fires now and matches its hook."""
    usual: dict[str, Any] = {
        "hook": "prom",
        "fingerprint": "f1",
        "starts_at": daemon.outside.clock.now(),
        "firing": True,
        "labels": {"alertname": "Errors"},
        "matches": True,
    }
    return Alert(**usual | rest)


def outcomes(outside: Outside) -> list[Notice]:
    """The messages about the ends of deployments that people got."""
    return [notice for notice in outside.notifier.sent if notice.event.startswith("deployment.")]


def pages(outside: Outside) -> list[str]:
    """What called people out of bed, by key, but the ends of deployments."""
    sent = outside.notifier.sent
    return [n.event for n in sent if n.severity == "critical" and not n.event.startswith("deployment.")]
