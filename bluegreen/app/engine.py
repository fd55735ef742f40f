"""One deployment at a time: started, resumed after a restart, carried to its end, and its end settled."""

import asyncio
from dataclasses import replace

from bluegreen.app.endings import settle, stop_inspected
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.orders import Orders, Stop
from bluegreen.app.pipeline import carry
from bluegreen.app.run import Run
from bluegreen.app.watch import Watch
from bluegreen.app.world import World
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import BalancerError, JournalUnreadable, JournalUnwritable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Intent
from bluegreen.domain.recovery import READS_TRAFFIC, Decision, resume
from bluegreen.domain.traffic import Card, Traffic

TRIAL_PHASES = frozenset({Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY})


class Engine:
    """Runs deployments. `run` is the one in progress; `lock` is held by whoever starts or re-opens one."""

    def __init__(self, world: World, news: News, outbox: Outbox, watch: Watch) -> None:
        self.world, self.news, self.outbox, self.watch = world, news, outbox, watch
        self.run: Run | None = None
        self.lock = asyncio.Lock()
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._unfinished: Deployment | None = None

    async def prepare(self) -> None:
        """Read what an earlier daemon left: before the sources run, since a trial takes up their positions."""
        latest = await self.world.journal.deployments(1)
        if not latest:
            return
        deployment = latest[0]
        if deployment.phase.final:
            if await self.world.journal.fact("ended", deployment.id) != deployment.phase:
                await settle(self.world, self.outbox, deployment)
            return
        self._unfinished = await self._take_up_trial(deployment.resumed())
        self.run = self._make_run(self._unfinished, await self._kept_orders(deployment.id))

    async def work(self) -> None:
        """Carry deployments until cancelled; cancelled in the middle, the next daemon goes on."""
        if self.run is not None:
            await self._resume(self.run)
            await self._carry(self.run)
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self.run is not None:
                await self._carry(self.run)

    async def start(self, deployment: Deployment) -> Deployment:
        """Save a new deployment and start it. The caller holds `lock` and has checked that nothing runs."""
        event = self.news.event(
            "deployment.started",
            deployment=deployment.id,
            phase=deployment.phase,
            kind=deployment.plan.kind,
            release=deployment.plan.release.version,
            live=deployment.plan.live,
            by=deployment.plan.requested_by,
        )
        self.news.heard(*await self.world.journal.save(deployment, event))
        for colour in await self.world.journal.facts("inspect"):
            await self.world.journal.forget("inspect", colour)
        self._launch(self._make_run(deployment, Orders()))
        return deployment

    async def reopen(self, deployment: Deployment, stop: Stop | None = None) -> Deployment:
        """Carry a STRANDED deployment on in REVERTING. The caller holds `lock`."""
        run = self._make_run(deployment, Orders())
        if stop is not None:
            run.orders.halt(stop)
        await self._know_generation(run, None)
        run.card = await self._card()
        await run.enter(deployment.reopen(self.world.clock.now()))
        self._launch(run)
        return run.deployment

    async def let_settle(self, seconds: float) -> None:
        """Return when nothing runs any more, where the deployment has ended and only its end is being written down.

        Raises JournalUnwritable where that takes longer; returns at once where a deployment really runs.
        """
        run = self.run
        if run is None or not run.deployment.phase.final:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError as exc:
            raise JournalUnwritable(f"the end of {run.deployment.id} cannot be written down yet") from exc

    async def end_inspections(self) -> None:
        """Stop what was left running for inspection, when its time is over; until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            async with self.lock:
                if self.run is None:
                    await self._end_inspections()

    async def remember_orders(self, run: Run) -> None:
        """Make the orders of a deployment durable. Raises JournalUnwritable."""
        await self.world.journal.keep("order", run.deployment.id, run.orders.to_json())

    def _launch(self, run: Run) -> None:
        self.run = run
        self._idle.clear()
        self._ready.set()

    def _make_run(self, deployment: Deployment, orders: Orders) -> Run:
        return Run(self.world, deployment, self.news, self.outbox, self.watch, orders)

    async def _carry(self, run: Run) -> None:
        await carry(run)
        self.watch.close()
        if run.orders.resolved and run.deployment.phase is Phase.STRANDED:
            run.deployment = replace(run.deployment, settled=True)
        await self._settle(run)
        self.run = None
        self._idle.set()

    async def _settle(self, run: Run) -> None:
        """Until the end is durable nothing else starts: a lost outcome would be found again as unfinished."""
        delay = 0.5
        while True:
            try:
                await self.world.journal.save(run.deployment)
                return await settle(self.world, self.outbox, run.deployment)
            except JournalUnwritable as exc:
                self.news.failed(exc)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)

    async def _end_inspections(self) -> None:
        try:
            await stop_inspected(self.world, self.news)
        except JournalUnwritable as exc:
            self.news.failed(exc)

    # --- after a restart

    async def _take_up_trial(self, deployment: Deployment) -> Deployment:
        """Go on with the trial as it was kept; where data of meanwhile is missing, the window starts anew."""
        if deployment.phase not in TRIAL_PHASES:
            return deployment
        kept = await self.world.journal.fact("watch", deployment.id)
        self.watch.moved(deployment.new)
        try:
            whole = kept is not None and self.watch.reopen(deployment.new, kept)
        except (KeyError, TypeError, ValueError) as exc:
            await self.news.tell("evidence.unusable", deployment=deployment.id, reason=str(exc), severity="warning")
            whole = False
        if self.watch.trial is None:
            self.watch.open(deployment.new, deployment.plan.terms)
        return deployment if whole else replace(deployment, elapsed=0.0)

    async def _kept_orders(self, id: str) -> Orders:
        return Orders.from_json(await self.world.journal.fact("order", id))

    async def _resume(self, run: Run) -> None:
        traffic = await self._read_traffic() if run.deployment.phase in READS_TRAFFIC else None
        await self._know_generation(run, traffic)
        run.card = await self._card()
        run.resumed = resume(run.deployment, await self._switch_intent(run.deployment.id), traffic)
        await self._tell_resumed(run, run.resumed)

    async def _tell_resumed(self, run: Run, decision: Decision) -> None:
        try:
            await run.update()
        except JournalUnwritable as exc:
            self.news.failed(exc)
        await run.tell(
            "deployment.resumed", attempt=run.deployment.attempt, decision=decision.resume, reason=decision.reason
        )

    async def _read_traffic(self) -> Traffic:
        """What Caddy serves; asked again until it answers, since nothing may be assumed. Traffic stays meanwhile."""
        delay = 0.1
        while True:
            try:
                return await self.world.balancer.observe()
            except BalancerError as exc:
                await self.news.tell("traffic.unreadable", reason=exc.detail, severity="warning")
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)

    async def _know_generation(self, run: Run, traffic: Traffic | None) -> None:
        known = await self.world.journal.fact("generation", "last") or 0
        run.generation = max(known, traffic.highest_generation if traffic else 0)

    async def _card(self) -> Card | None:
        try:
            return await self.world.cards.read()
        except JournalUnreadable as exc:
            await self.news.tell("card.unreadable", reason=exc.detail, severity="warning")
            return None

    async def _switch_intent(self, id: str) -> Intent | None:
        intents = [intent for intent in await self.world.journal.intents(id) if intent.action == "switch"]
        return intents[-1] if intents else None
