"""A deployment in progress: its saved state, its orders, and what is known of the way back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from bluegreen.app.attempts import Attempts
from bluegreen.app.boundaries import Boundary
from bluegreen.app.following import Following
from bluegreen.app.news import News, redacted
from bluegreen.app.notices import Outbox
from bluegreen.app.numbers import WayBack, summary, with_phase
from bluegreen.app.orders import Orders
from bluegreen.app.pause import Pause
from bluegreen.app.watch import Watch
from bluegreen.app.world import World
from bluegreen.domain.checks import Minted, Target
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import BluegreenError, JournalFailed
from bluegreen.domain.evidence import Judgement
from bluegreen.domain.phases import AFTER_SWITCH, Outcome
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Event, Intent, Json, Notice
from bluegreen.domain.recovery import Decision
from bluegreen.domain.traffic import Card, Colour, Split
from bluegreen.finishing import to_the_end

OUTPUT_KEPT = 64 * 1024
"""Characters of a command's output that are kept with the deployment."""


class Run:
    """What the steps of one deployment share. Nothing here acts on the world but `enter`, `update`, `tell`."""

    def __init__(
        self,
        world: World,
        deployment: Deployment,
        news: News,
        outbox: Outbox,
        watch: Watch,
        orders: Orders,
        pause: Pause,
        resumed: Decision | None = None,
    ) -> None:
        self.world = world
        self.deployment = world.overhearing.noted(deployment)
        self.news = news
        self.outbox = outbox
        self.watch = watch
        self.orders = orders
        self.pause = pause
        self.resumed = resumed
        """What recovery decided for the first attempt after a restart; None later and on a fresh start."""
        self.card: Card | None = None
        self.writing_card = asyncio.Lock()
        self.generation = 0
        self.split: Split | None = None
        """How users are shared out between the colours, as it was last proved; None where they are on one."""
        self.splitting = False
        """True while that is being changed: whoever looks meanwhile sees neither."""
        self.fallback = False
        """Whether the balancer itself should let the old colour answer what the new one does not, as it was last
        written or is just being written."""
        self.still_open: int | None = None
        """Requests that are still under way on the old colour after the switch; None where nobody can tell."""
        self.returned = False
        """True once the way back was written and read back in this life of the daemon."""
        self.attempts = Attempts()
        self.doing = ""
        """What the step waits for, in words: the reason of a deadline that passes."""
        self.convicted: Judgement | None = None
        """What sent users back: the verdict of that moment, whatever the last answers on their way say."""
        self.held = ""
        """Why the watch does not end by itself, in words; empty where it does."""
        self.way_back = WayBack()
        self.switch_began: float | None = None
        """When the forward write began (monotonic); None before it, and after a restart."""
        self.aside: asyncio.TaskGroup | None = None
        """For work that no step, and no way back, waits for; it has ended before the deployment's end is written."""
        self.handover = Following()
        self.afterwards: asyncio.Task[None] | None = None
        """What is done once users have arrived, beside everything else; None before that."""
        self.arrived_at: Colour | None = None
        """For which colour that is, or was, in this life of the daemon."""
        self.minted: dict[str, tuple[Minted, float]] = {}
        """What the live colour gave us before its schema changed, by the check's name, and when (monotonic)."""
        self.never = asyncio.Event()
        """Is never set: for waits that nothing may cut short."""
        self._entered = self._now

    @property
    def purpose(self) -> str:
        """What changes of the schema are made for: this deployment."""
        return self.deployment.id

    @property
    def release(self) -> Release:
        """What they are made for: this release."""
        return self.deployment.plan.release

    @property
    def way_back_closed(self) -> bool:
        """True where an order to go back meets an old colour that is known dead, and does not insist.

        A failed switch is taken back all the same: its upstream may be half-written.
        """
        stop = self.orders.stop
        return self.watch.standby.lost and stop is not None and not stop.force and not self.returned

    @property
    def old_target(self) -> Target:
        """The live colour of the plan, as checks see it."""
        release = "" if self.deployment.plan.live_release == "unknown" else self.deployment.plan.live_release
        return self.world.target(self.deployment.old, release)

    @property
    def new_target(self) -> Target:
        """The colour that is brought up, as checks see it."""
        return self.world.target(self.deployment.new, self.deployment.plan.release.version)

    @property
    def open_requests(self) -> dict[Colour, int]:
        """The same by its colour; empty where nobody can tell."""
        counts = self.still_open is not None and self.deployment.phase in AFTER_SWITCH
        return {self.deployment.old: self.still_open or 0} if counts else {}

    @property
    def elapsed(self) -> float:
        """Seconds in this phase. Restarts of the daemon do not count, nor time in which it should have watched and was
        stopped."""
        return self.deployment.elapsed + self._now - self._entered

    def seconds_left(self) -> float | None:
        """Seconds to this phase's deadline; None where the phase ends by itself."""
        deadline = self.deployment.plan.terms.deadlines.get(self.deployment.phase)
        return None if deadline is None else deadline - self.elapsed

    def count_on(self) -> None:
        """Count the phase's time on from what was saved: until now nobody was at work."""
        self._entered = self._now

    def begin_anew(self) -> None:
        """Count the phase's time from now on, as if it was entered now."""
        self._count_from(0.0)

    def note(self, text: str) -> None:
        """Say what the step waits for."""
        self.doing = self.world.redact(text)

    async def enter(self, deployment: Deployment, **facts: Json) -> bool:
        """Take on the next phase and save it with its event; False where the journal refused."""
        spent = self.elapsed
        previous = self.deployment
        self._entered = self._now
        self.doing, self.held, self.resumed = "", "", None
        deployment = self.world.overhearing.noted(deployment)
        deployment = self._masked(with_phase(deployment, previous.phase, spent, self.watch.users()))
        event = self.news.event(
            "deployment.ended" if deployment.phase.final else "phase.entered",
            deployment=deployment.id,
            phase=deployment.phase,
            previous=previous.phase,
            seconds=round(spent, 3),
            release=deployment.plan.release.version,
            reason=deployment.reason,
            attempt=previous.attempt,
            **facts,
            **(summary(deployment) if deployment.phase.final else {}),
        )
        return await self._save(deployment, event)

    async def update(self, *records: Event | Intent, **changes: Any) -> None:
        """Save changes within the phase, with intents and events, all or nothing. Raises JournalUnwritable."""
        self._count_from(self.elapsed)
        self.deployment = self.world.overhearing.noted(self.deployment)
        told = await self.world.journal.save(replace(self.deployment, **changes), *records)
        self.deployment = replace(self.deployment, **changes)  # not what was saved: a warning may have come meanwhile
        self.news.heard(*told)

    async def tick(self) -> None:
        """Save how long this phase has lasted, so that a restart counts on; a refusal is only remembered."""
        try:
            await self.update()
        except JournalFailed as exc:
            self.news.failed(exc)

    def event(self, name: str, **facts: Json) -> Event:
        """An event of this deployment, not yet told."""
        return self.news.event(name, deployment=self.deployment.id, phase=self.deployment.phase, **facts)

    async def tell(self, name: str, **facts: Json) -> bool:
        """Tell an event of this deployment."""
        return await self.news.tell(name, deployment=self.deployment.id, phase=self.deployment.phase, **facts)

    async def warn(self, text: str) -> None:
        """Keep a warning with the deployment and tell it."""
        text = self.world.redact(text)
        if text not in self.deployment.warnings:
            self.deployment = replace(self.deployment, warnings=(*self.deployment.warnings, text))
            await self.tell("deployment.warned", warning=text, severity="warning")

    async def keep_output(self, name: str, output: str) -> None:
        """Keep what a command printed, for `bluegreen logs`."""
        if output.strip():
            whole = self.world.redact(output)  # before it is cut, or the cut might leave half a secret
            await self.tell("command.finished", command=name, output=whole[-OUTPUT_KEPT:])

    async def page(self, key: str, text: str, **facts: Json) -> bool:
        """Call a human, once for each key in this deployment; False where that was done before."""
        notice = self.notice(key, "critical", text, **facts)
        called = await self.outbox.post(notice)
        if called:
            await self.tell("human.paged", text=text, severity="critical", **facts)
        return called

    def notice(self, key: str, severity: str, text: str, **facts: Json) -> Notice:
        """A notice of this deployment; the same key calls again once the deployment has moved on."""
        id = self.deployment.id
        unique = f"{id}:{len(self.deployment.path)}:{key}"
        return Notice(unique, key, severity, text, self.world.clock.now(), id, facts)

    def intent(self, action: str, detail: Mapping[str, Json]) -> Intent:
        """An intent of this phase, not yet saved."""
        deployment = self.deployment
        return Intent(uuid4().hex, deployment.id, deployment.phase, action, detail, self.world.clock.now())

    @asynccontextmanager
    async def action(self, name: str, **detail: Json) -> AsyncIterator[None]:
        """Announce an action on the world before it is tried, and note its outcome after (rule 2).

        Cancelled, the intent stays open: its effect is unknown, and the next look at the world settles it.
        """
        intent = self.intent(name, detail)
        await self.update(intent)
        await self.reached(Boundary.AFTER_INTENT)
        try:
            yield
            await self.reached(Boundary.AFTER_ACTION)
        except BluegreenError as exc:
            await self.world.journal.conclude(intent.id, Outcome.FAILED, self.world.redact(exc.detail))
            raise
        await self.world.journal.conclude(intent.id, Outcome.DONE)

    async def reached(self, boundary: Boundary) -> None:
        """Say that this phase came to one of its boundaries."""
        await self.world.at_boundary(self.deployment.phase, boundary)

    async def conclude_open(self, outcome: Outcome, note: str = "") -> None:
        """Give every open intent of this deployment its outcome, now that the world was looked at."""
        for intent in await self.world.journal.intents(self.deployment.id):
            if intent.outcome is None:
                await self.world.journal.conclude(intent.id, outcome, note)

    @property
    def _now(self) -> float:
        """Monotonic seconds without those in which nobody watched."""
        return self.world.clock.monotonic() - self.watch.attention.lost

    def _count_from(self, elapsed: float) -> None:
        self.deployment = replace(self.deployment, elapsed=elapsed)
        self._entered = self._now

    def _masked(self, deployment: Deployment) -> Deployment:
        """Without secrets in what was found out: events and notices are masked where they are made and posted."""
        redact = self.world.redact
        return replace(
            deployment,
            reason=redact(deployment.reason),
            next=tuple(map(redact, deployment.next)),
            facts=redacted(deployment.facts, redact),
        )

    async def _save(self, deployment: Deployment, event: Event) -> bool:
        self.deployment = deployment
        try:
            saving = self.world.journal.save(deployment, event)
            self.news.heard(*await to_the_end(saving, f"save:{deployment.phase}"))
        except JournalFailed as exc:
            self.news.failed(exc)
            self.news.heard(event)
            return False
        return True
