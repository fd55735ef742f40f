"""One deployment at a time: started, resumed after a restart, carried to its end, and its end settled."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from structlog.contextvars import bound_contextvars

from bluegreen.app import damage, leftovers, marks
from bluegreen.app.endings import inspected_long_enough, settle, stop_inspected
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.orders import Orders, Passed, Stop
from bluegreen.app.pause import Pause
from bluegreen.app.pipeline import carry
from bluegreen.app.requests import Paused
from bluegreen.app.restart import take_up, take_up_card, take_up_fallback, take_up_trial, take_up_way_back
from bluegreen.app.run import Run
from bluegreen.app.switch import refresh_card, write_card
from bluegreen.app.waiting import woken
from bluegreen.app.watch import Watch
from bluegreen.app.world import World
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import JournalFailed, JournalUnwritable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import AuditRow, Fact, Record
from bluegreen.domain.traffic import Colour, Mark


class Engine:
    """Runs deployments. `run` is the one in progress; `lock` is held by whoever starts or re-opens one."""

    def __init__(self, world: World, news: News, outbox: Outbox, watch: Watch) -> None:
        self.world, self.news, self.outbox, self.watch = world, news, outbox, watch
        self.pause = Pause(world.journal, world.clock)
        self.watch.quiet = self.pause.active
        self.run: Run | None = None
        self.lock = asyncio.Lock()
        self.by_hand = ""
        """What is being done outside of any deployment, in words; nothing else begins meanwhile."""
        self.damaged = ""
        """Why the journal does not know the past, in words; empty where it does."""
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._left: Run | None = None

    async def prepare(self) -> None:
        """Read what an earlier daemon left: before the sources run, since a trial takes up their positions."""
        await self.pause.read()
        await self._look_at_journal()
        latest = await self.world.journal.deployments(1)
        mark = await marks.read(self.world, self.news)
        if latest and marks.reopens(mark, latest[0]):
            latest = (latest[0].reopen(self.world.clock.now()),)
            await self._forget_end(latest[0])
        elif mark is not None and (not latest or latest[0].phase.final or latest[0].id != mark.deployment):
            await marks.put_away(self.world, self.news, mark, latest[0] if latest else None)
        if latest:
            await self._prepare(latest[0], mark)

    async def _look_at_journal(self) -> None:
        """Whether it is whole, and takes writes."""
        try:
            self.damaged = await damage.look(self.world, self.outbox)
            await self._try_disk()
        except JournalFailed as exc:
            self.news.failed(exc)

    async def _try_disk(self) -> None:
        """Write, so that a disk that takes writes again is known while nothing else is written."""
        await self.world.journal.keep("daemon", "wrote", self.world.clock.now().isoformat())
        self.news.unwritten = ""

    async def _prepare(self, deployment: Deployment, mark: Mark | None) -> None:
        if deployment.phase.final and await self.world.journal.fact("ended", deployment.id) == deployment.phase:
            return
        if not deployment.phase.final:
            deployment = await take_up_trial(self.world, self.news, self.watch, deployment.resumed())
        orders = Orders.from_json(await self.world.journal.fact("order", deployment.id))
        if mark is not None:
            marks.obey(mark, deployment, orders)
        self.run = self._left = await take_up_fallback(self._make_run(deployment, orders))

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
        self.damaged = await damage.lift(self.world, self.news) if deployment.plan.force else self.damaged
        return deployment

    async def reopen(self, deployment: Deployment, stop: Stop | None = None) -> Deployment:
        """Carry a STRANDED deployment on in REVERTING. The caller holds `lock`."""
        run = self._make_run(deployment, Orders())
        if stop is not None:
            run.orders.halt(stop)
        await take_up_way_back(run)
        await run.enter(deployment.reopen(self.world.clock.now()))
        self._launch(run)
        await self._forget_end(deployment)
        return run.deployment

    async def _forget_end(self, deployment: Deployment) -> None:
        """It has not ended any more: should it end the same way again, that too is to be told and written down."""
        try:
            await self.world.journal.forget("ended", deployment.id)
        except JournalFailed as exc:
            self.news.failed(exc)

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

    async def gone(self, run: Run, seconds: float) -> bool:
        """Wait until a deployment has ended and its end is written down; False where that takes longer."""
        if self.run is run:
            await woken(self._idle, seconds)
        return self.run is not run

    async def end_inspections(self) -> None:
        """Stop what was left running for inspection, when its time is over; until cancelled. First, what a backup by
        hand left when the daemon was killed in it is removed."""
        untidy = not self.world.observes and await leftovers.there(self.world, self.news)
        while True:
            await asyncio.sleep(1.0)
            await self._end_pause()
            if self.run is None and self.news.unwritten:
                with suppress(JournalFailed):
                    await self._try_disk()
            async with self.lock:
                colour = None if self.run is not None or self.by_hand else await self._inspected()
                tidying = untidy and colour is None and self.run is None and not self.by_hand
                if tidying:
                    self.by_hand = leftovers.REMOVING
                if colour is not None:
                    self.by_hand = f"{colour} is just being stopped after its inspection"
            if tidying:
                await leftovers.remove(self.world, self.news)
                self.by_hand, untidy = "", False
            if colour is not None:
                await self._end_inspection(colour)
                self.by_hand = ""

    async def promote(self, run: Run, row: AuditRow, passed: Passed | None = None) -> None:
        """Pass the gate, or what the phase of `passed` waits for: written first, with its line in the audit, so that
        what is refused has no effect. Raises JournalUnwritable."""
        promoted = Orders.from_json(run.orders.to_json())
        promoted.promote(passed)
        await self.world.journal.audit(row, Fact("order", run.deployment.id, promoted.to_json()))
        run.orders.promote(passed)

    async def tell_pause(self, paused: Paused) -> None:
        """Say that nothing moves by itself, also on the card."""
        about = {**self._about(), "until": paused.until.isoformat() if paused.until else "", "severity": "warning"}
        await self._tell_card()
        await self.news.tell("automation.paused", by=paused.by, reason=paused.reason, **about)

    async def tell_resumed(self, paused: Paused, *, by: str, reason: str) -> None:
        """Say that things move by themselves again, also on the card."""
        seconds = (self.world.clock.now() - paused.since).total_seconds()
        await self._tell_card()
        await self.news.tell("automation.resumed", by=by, reason=reason, seconds=round(seconds), **self._about())

    async def remember_orders(self, run: Run, row: AuditRow | None = None) -> None:
        """Make the orders of a deployment durable, with the line in the audit of whoever gave them. Raises
        JournalUnwritable."""
        kept = run.orders.to_json()
        if row is None:
            await self.world.journal.keep("order", run.deployment.id, kept)
        else:
            await self.world.journal.audit(row, Fact("order", run.deployment.id, kept))

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
        return Run(self.world, deployment, self.news, self.outbox, self.watch, orders, self.pause)

    async def _carry(self, run: Run) -> None:
        with bound_contextvars(deployment=run.deployment.id):  # also on the lines of those who know of none
            await carry(run)
            self.watch.close()
            run.deployment = _settled_by_hand(run.deployment, run.orders)
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
            unsettled = run.deployment.phase is Phase.STRANDED and not run.deployment.settled
            await write_card(run, open=unsettled, failsafe=False)  # then a person may still go back by the card alone
        await settle(self.world, run.deployment)

    async def _forget_inspections(self) -> None:
        """A colour that a deployment uses again is not stopped for its age; should this not be durable, the balancer's
        word protects whatever is live then."""
        try:
            for colour in await self.world.journal.facts("inspect"):
                await self.world.journal.forget("inspect", colour)
        except JournalFailed as exc:
            self.news.failed(exc)

    async def _end_pause(self) -> None:
        """Tell that a pause came to its end by itself. Its effect ended with its time, whatever the journal says."""
        paused = self.pause.let_go() if self.pause.over else None
        if paused is None:
            return
        try:
            await self.pause.end()
        except JournalFailed as exc:
            self.news.failed(exc)
        await self.tell_resumed(paused, by="the clock", reason="the time of the pause is over")

    async def _tell_card(self) -> None:
        try:
            if self.run is not None:
                await refresh_card(self.run)
        except JournalFailed as exc:
            await self.news.tell("card.not_written", reason=exc.detail, severity="warning")

    def _about(self) -> dict[str, str]:
        """The deployment that an event is about, where one runs."""
        return {"deployment": self.run.deployment.id, "phase": self.run.deployment.phase} if self.run else {}

    async def _inspected(self) -> Colour | None:
        if self.pause.active() or self.world.observes:
            return None
        try:
            return await inspected_long_enough(self.world)
        except JournalFailed as exc:
            self.news.failed(exc)
            return None

    async def _end_inspection(self, colour: Colour) -> None:
        """Outside of the lock, since `down` may take minutes; meanwhile `by_hand` refuses new deployments."""
        try:
            await stop_inspected(self.world, self.news, colour)
        except JournalFailed as exc:
            self.news.failed(exc)


def _settled_by_hand(deployment: Deployment, orders: Orders) -> Deployment:
    """A STRANDED deployment that a person settled while it was still trying to go back."""
    return replace(deployment, settled=True) if orders.resolved and deployment.phase is Phase.STRANDED else deployment
