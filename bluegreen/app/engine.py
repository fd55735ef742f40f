"""One deployment at a time: started, resumed after a restart, carried to its end, and its end settled."""

import asyncio
from dataclasses import replace

from bluegreen.app.endings import inspected_long_enough, outcome_notice, settle, stop_inspected
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.orders import Orders, Stop
from bluegreen.app.pipeline import carry
from bluegreen.app.restart import take_up, take_up_card, take_up_trial, take_up_way_back
from bluegreen.app.run import Run
from bluegreen.app.switch import write_card
from bluegreen.app.waiting import woken
from bluegreen.app.watch import Watch
from bluegreen.app.world import World
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import JournalFailed, JournalUnwritable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Record
from bluegreen.domain.traffic import Colour


class Engine:
    """Runs deployments. `run` is the one in progress; `lock` is held by whoever starts or re-opens one."""

    def __init__(self, world: World, news: News, outbox: Outbox, watch: Watch) -> None:
        self.world, self.news, self.outbox, self.watch = world, news, outbox, watch
        self.run: Run | None = None
        self.lock = asyncio.Lock()
        self.stopping: Colour | None = None
        """The colour that is being stopped after its inspection."""
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._left: Run | None = None

    async def prepare(self) -> None:
        """Read what an earlier daemon left: before the sources run, since a trial takes up their positions."""
        latest = await self.world.journal.deployments(1)
        if not latest:
            return
        deployment = latest[0]
        if deployment.phase.final and await self.world.journal.fact("ended", deployment.id) == deployment.phase:
            return
        if not deployment.phase.final:
            deployment = await take_up_trial(self.world, self.news, self.watch, deployment.resumed())
        orders = Orders.from_json(await self.world.journal.fact("order", deployment.id))
        self.run = self._left = self._make_run(deployment, orders)

    async def work(self) -> None:
        """Carry deployments until cancelled; cancelled in the middle, the next daemon goes on."""
        if self._left is not None:
            await self._take_up(self._left)
            await self._carry(self._left)
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self.run is not None:
                await self._carry(self.run)

    async def start(self, deployment: Deployment, *records: Record) -> Deployment:
        """Save a new deployment, with what belongs to its start, and start it.

        The caller holds `lock` and has checked that nothing runs. Raises JournalFailed, and then nothing was started.
        """
        event = self.news.event(
            "deployment.started",
            deployment=deployment.id,
            phase=deployment.phase,
            kind=deployment.plan.kind,
            release=deployment.plan.release.version,
            live=deployment.plan.live,
            by=deployment.plan.requested_by,
        )
        self.news.heard(*await self.world.journal.save(deployment, event, *records))
        self._launch(self._make_run(deployment, Orders()))
        await self._forget_inspections()
        return deployment

    async def reopen(self, deployment: Deployment, stop: Stop | None = None) -> Deployment:
        """Carry a STRANDED deployment on in REVERTING. The caller holds `lock`."""
        run = self._make_run(deployment, Orders())
        if stop is not None:
            run.orders.halt(stop)
        await take_up_way_back(run)
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
                self.stopping = None if self.run is not None else await self._inspected()
            if self.stopping is not None:
                await self._end_inspection(self.stopping)
                self.stopping = None

    async def promote(self, run: Run) -> None:
        """Pass the gate: written first, so that what is refused has no effect. Raises JournalUnwritable."""
        kept = {**run.orders.to_json(), "promoted": True}
        await self.world.journal.keep("order", run.deployment.id, kept)
        run.orders.promote()

    async def remember_orders(self, run: Run) -> None:
        """Make the orders of a deployment durable. Raises JournalUnwritable."""
        await self.world.journal.keep("order", run.deployment.id, run.orders.to_json())

    async def _take_up(self, run: Run) -> None:
        if run.deployment.phase.final:
            await take_up_card(run)  # it has ended, and only that is still to be written down
        else:
            await take_up(run)

    def _launch(self, run: Run) -> None:
        self.run = run
        self._idle.clear()
        self._ready.set()

    def _make_run(self, deployment: Deployment, orders: Orders) -> Run:
        return Run(self.world, deployment, self.news, self.outbox, self.watch, orders)

    async def _carry(self, run: Run) -> None:
        await carry(run)
        self.watch.close()
        run.deployment = _settled_by_hand(run.deployment, run.orders)
        await self.outbox.post(outcome_notice(self.world, run.deployment))
        await self._settle(run)

    async def _settle(self, run: Run) -> None:
        """Until the end is durable nothing else starts: a lost outcome would be found again as unfinished. Only the
        way back of a STRANDED deployment, opened again, does not wait for the disk."""
        delay = 0.5
        while self.run is run:
            try:
                await self._write_end(run)
            except JournalFailed as exc:
                self.news.failed(exc)
                await woken(self._ready, delay)
                delay = min(delay * 2, 5.0)
            else:
                self.run = None
                self._idle.set()

    async def _write_end(self, run: Run) -> None:
        await self.world.journal.save(run.deployment)
        if run.card is not None and run.card.open:
            await write_card(run, open=False)
        await settle(self.world, run.deployment)

    async def _forget_inspections(self) -> None:
        """A colour that a deployment uses again is not stopped for its age; should this not be durable, the balancer's
        word protects whatever is live then."""
        try:
            for colour in await self.world.journal.facts("inspect"):
                await self.world.journal.forget("inspect", colour)
        except JournalFailed as exc:
            self.news.failed(exc)

    async def _inspected(self) -> Colour | None:
        try:
            return await inspected_long_enough(self.world)
        except JournalFailed as exc:
            self.news.failed(exc)
            return None

    async def _end_inspection(self, colour: Colour) -> None:
        """Outside of the lock, since `down` may take minutes; meanwhile `stopping` refuses new deployments."""
        try:
            await stop_inspected(self.world, self.news, colour)
        except JournalFailed as exc:
            self.news.failed(exc)


def _settled_by_hand(deployment: Deployment, orders: Orders) -> Deployment:
    """A STRANDED deployment that a person settled while it was still trying to go back."""
    return replace(deployment, settled=True) if orders.resolved and deployment.phase is Phase.STRANDED else deployment
