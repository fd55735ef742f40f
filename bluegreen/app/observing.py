"""`automation = "observe"`: the daemon looks, judges and says what it would have done; nothing outside is changed.

Whoever moves users by hand is watched as a deployment's WATCHING would watch, on the terms of the configuration: the
colour they were moved to is put on trial against what the other one showed. What follows from the verdict is said, to
people and in the journal, and never done. What refuses to act stands where it would act: desk.py for all that is
asked for, reconcile.py and its neighbours for what the daemon does by itself.
"""

import asyncio
from dataclasses import replace

import structlog

from bluegreen.app import observed
from bluegreen.app.baseline import Baseline
from bluegreen.app.engine import Engine
from bluegreen.app.observed import KIND, MOVE, SERVED
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Observation
from bluegreen.app.smoke import require_ready
from bluegreen.app.waiting import woken
from bluegreen.domain.errors import TO_ACT, BluegreenError, JournalFailed
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json, Notice
from bluegreen.domain.traffic import Colour

log = structlog.get_logger("bluegreen")

AFTER_CRASH = 5.0
"""Seconds after a fault of our own until the next look."""

TICK = 0.1
"""Seconds between two looks at the clock; a bad line is judged at once and waits for none."""


class Observing:
    """Watches what people do by hand. `reconciler.observed` is what there is of it."""

    def __init__(self, engine: Engine, reconciler: Reconciler) -> None:
        self._engine, self._world, self._watch = engine, engine.world, engine.watch
        self._reconciler = reconciler
        self._served: Colour | None = None
        self._carried = False
        self._told: set[str] = set()

    async def run(self) -> None:
        """Watch until cancelled. A daemon that acts has nothing to do here."""
        if not self._world.observes:
            return
        self._reconciler.observed = Observation()
        await self._engine.news.tell("observe.begun", note="nothing is changed; it is said what would be done")
        while True:
            try:
                await self.step()
            except JournalFailed as exc:
                self._engine.news.failed(exc)
            except Exception:  # the supervisor: the daemon does not end for what it only looks at
                log.exception("observe.crashed")
                await asyncio.sleep(AFTER_CRASH)
            if self._engine.run is not None:
                await asyncio.sleep(TICK)
            elif await woken(self._watch.regressed, TICK):
                self._watch.regressed.clear()

    async def step(self) -> None:
        """Take in where users are, and what the verdict on it is. Raises JournalFailed."""
        if self._engine.run is not None:  # begun before: it is carried to its end, and the watch is its own
            self._reconciler.observed, self._carried = Observation(), True
            return
        traffic = self._reconciler.traffic
        colour = traffic.colour if traffic is not None else None
        if colour is None or colour is self._served:  # else only together with the trial of who serves now
            self._watch.moved(colour)
        if colour is not None and self._carried:
            await self._begin_after(colour)
        elif colour is not None and self._served is None:
            await self._take_up(colour)
        elif colour is not None and colour is not self._served:
            await self._moved(colour)
        await self._judge()

    async def _begin_after(self, colour: Colour) -> None:
        """A deployment was carried to its end: where it left users nobody moved them by hand."""
        await self._world.journal.forget(KIND, MOVE)
        await self._world.journal.keep(KIND, SERVED, colour)
        self._served, self._carried = colour, False

    async def _take_up(self, colour: Colour) -> None:
        """The first look: users may have been moved while no daemon ran, or a trial may have been cut off."""
        before, kept = await observed.served(self._world), await observed.move(self._world)
        self._served = colour
        if before not in (None, colour):
            await self._moved(colour, before, "users were moved while nobody looked")
        elif kept is not None and kept["colour"] == colour:
            self._watch.moved(colour)
            note = "the daemon was started again: the window begins anew"
            await self._open(colour, Colour(kept["old"]), note, str(kept["said"]))
        else:
            await self._world.journal.keep(KIND, SERVED, colour)

    async def _moved(self, colour: Colour, old: Colour | None = None, note: str = "") -> None:
        old, was, self._served = old or self._served or colour.other, self._now, colour
        self._watch.moved(colour)
        self._told.clear()
        if was.colour is old and was.old is colour and self._watch.trial is not None:
            await self._taken_back(was)
        else:
            await self._open(colour, old, note)
        await self._world.journal.keep(KIND, SERVED, colour)

    async def _open(self, colour: Colour, old: Colour, note: str, said: str = "") -> None:
        """Put the colour on trial, as a switch to it would. `said`: what was said of it before a restart."""
        terms = self._world.terms
        self._watch.prove(colour, replace(terms, canary=()), Baseline())
        self._watch.attention.begin()
        now, next = self._world.clock.now(), await self._by_hand(old) if said else ()
        self._reconciler.observed = Observation(now, colour, old, said=said, seconds_left=terms.window, next=next)
        facts: dict[str, Json] = {"note": note} if note else {}
        await self._engine.news.tell("observe.opened", colour=colour, old=old, window=terms.window, **facts)
        await self._keep(said)

    def _close(self) -> None:
        self._watch.attention.end()
        self._watch.close()

    async def _taken_back(self, was: Observation) -> None:
        """People went back by themselves: a way back is not watched."""
        self._close()
        said = f"users were taken back to {was.old} by hand ({was.said or was.verdict or 'before any verdict'})"
        self._reconciler.observed = Observation(said=said)
        await self._world.journal.forget(KIND, MOVE)
        await self._engine.news.tell("observe.taken_back", colour=was.old, verdict=was.verdict, said=was.said)

    async def _judge(self) -> None:
        """Say what follows from the verdict of now, once."""
        now, trial = self._now, self._watch.trial
        if trial is None or now.colour is None or now.old is None:
            return
        self._watch.tick()
        judgement = self._watch.judge(self._world.terms)
        if judgement is None:
            return
        left = max(0.0, self._world.terms.window - trial.t_s)
        told = replace(now, verdict=str(judgement.verdict), reason="; ".join(judgement.reasons), seconds_left=left)
        self._reconciler.observed = told
        if now.said:
            return
        if judgement.verdict is Verdict.REGRESSED:
            await self._would_cut_back(told, told.reason)
        elif left <= 0 and self._watch.caught_up():
            await self._window_passed(told, judgement, trial.t_s)

    async def _window_passed(self, now: Observation, judgement: Judgement, watched: float) -> None:
        terms = self._world.terms
        if judgement.verdict is Verdict.BLIND or judgement.unseen:
            reason = "; ".join(judgement.reasons) if judgement.silent else "no sample came at all"
            if watched < terms.deadlines[Phase.WATCHING]:
                await self._held(now, f"blind ({reason}), it would wait for data")
            elif terms.on_blind == "cutback":
                await self._would_cut_back(now, f"blind: {reason}")
            else:
                await self._held(now, f"would have held the watch and called you: blind ({reason})")
        elif judgement.no_traffic and terms.on_no_traffic == "hold":
            await self._held(now, f"would have held the watch and called you: no user came to {now.colour}")
        else:
            await self._would_be_healthy(now, judgement)

    async def _held(self, now: Observation, text: str) -> None:
        """The watch does not end; said once for each reason."""
        self._reconciler.observed = replace(now, reason=text)
        if text not in self._told:
            self._told.add(text)
            await self._engine.news.tell("observe.held", colour=now.colour, reason=text, severity="warning")

    async def _would_cut_back(self, now: Observation, reason: str) -> None:
        """The trial goes on: what a bad colour shows is not to become usual."""
        old, colour = now.old, now.colour
        if old is None or colour is None:
            return
        said = f"would have cut back to {old}: {reason}"
        if (why := await self._no_way_back(old)) is not None:
            said = f"would have called you: {reason}; and there is no way back, {why}"
        await self._said(now, said, await self._by_hand(old), "observe.regressed", "critical")
        await self._keep(said)

    async def _would_be_healthy(self, now: Observation, judgement: Judgement) -> None:
        """What was shown is usual from now on, and where users are is what is wanted."""
        if now.colour is None:
            return
        self._watch.adopt()
        self._close()
        await observed.accept(self._world, now.colour)
        doubt = " (undecided)" if judgement.verdict is Verdict.UNDECIDED else ""
        said = f"would have called it healthy{doubt}: {'; '.join(judgement.reasons)}"
        await self._said(now, said, (), "observe.passed", "info")
        await self._world.journal.forget(KIND, MOVE)

    async def _said(self, now: Observation, said: str, next: tuple[str, ...], event: str, severity: str) -> None:
        """In memory first: the status says it also where the journal takes nothing."""
        self._reconciler.observed = replace(now, said=said, next=next)
        await self._engine.news.tell(
            event, colour=now.colour, old=now.old, verdict=now.verdict, said=said, next=list(next), severity=severity
        )
        lead = f'{self._world.project}: users were moved to {now.colour} by hand; automation is "observe"'
        steps = f"\nNext: {next[0]}" if next else ""
        at = self._world.clock.now()
        words = self._world.redact(f"{lead}: {said}{steps}")
        facts: dict[str, Json] = {"colour": str(now.colour), "verdict": now.verdict, "said": said, "next": list(next)}
        await self._engine.outbox.post(Notice(f"{event}:{at.isoformat()}", event, severity, words, at, facts=facts))

    async def _no_way_back(self, old: Colour) -> str | None:
        """Why users could not be sent back; None where they could."""
        try:
            await require_ready(self._world, self._world.target(old, ""))
        except BluegreenError as exc:
            return exc.detail
        return None

    async def _by_hand(self, colour: Colour) -> tuple[str, ...]:
        return (*await self._reconciler.drift.by_hand(colour), *TO_ACT)

    async def _keep(self, said: str) -> None:
        now = self._now
        kept = {"colour": str(now.colour), "old": str(now.old), "said": said}
        await self._world.journal.keep(KIND, MOVE, kept)

    @property
    def _now(self) -> Observation:
        return self._reconciler.observed or Observation()
