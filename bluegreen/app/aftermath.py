"""After a cutback: compares the old colour now with the new one before, and says whether the release was to blame.

Nothing is moved by it, and the quarantine stays in either case: it only says what an operator would else find out by
hand. It ends as soon as that can be told, after `[watch] aftermath`, or when another deployment begins; a restart of
the daemon goes on with it. How it is told stands in domain/aftermath.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import structlog

from bluegreen.app.engine import Engine
from bluegreen.app.run import Run
from bluegreen.app.trial import Trial
from bluegreen.domain.aftermath import FACT, Aftermath, Before, Comparison, Finding, in_words
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json, Notice
from bluegreen.domain.traffic import Colour

TURN = 0.5
"""Seconds between two looks at what was counted."""

REFUSED = 5.0
"""Seconds after which a journal that refused is asked again."""

KEEP = 3.0
"""Seconds between two saves of a comparison in progress."""

Work = Callable[..., Awaitable[None]]

log = structlog.get_logger("bluegreen")

SEVERITIES = {Finding.SHARED: "critical", Finding.RELEASE: "info", Finding.UNDECIDED: "info"}
"""A shared cause means that users fare badly now, on the only colour they could be sent back to."""


@dataclass(slots=True)
class Comparing:
    """A comparison in progress: `counted` is what of the old colour was taken in, by signal; `left` the seconds that
    remain."""

    deployment: str
    release: str
    old: Colour
    new: Colour
    aftermath: Aftermath
    left: float
    lasted: float = 0.0
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take_in(self, trial: Trial, seconds: float) -> None:
        """Compare what was counted since the last time."""
        self.left, self.lasted = self.left - seconds, self.lasted + seconds
        for signal, (n, bad) in trial.counts().items():
            n_then, bad_then = self.counted.get(signal, (0, 0))
            self.aftermath.observe(signal, n=n - n_then, bad=bad - bad_then)
            self.counted[signal] = n, bad

    def describe(self) -> str:
        """`comparing, 34 s left: ...`."""
        return f"comparing, {max(0.0, self.left):.0f} s left: {in_words(self.aftermath, self.old, self.new)}"

    def to_json(self) -> Json:
        """For the journal, beside the trial."""
        return {**asdict(self), "counted": {signal: list(counts) for signal, counts in self.counted.items()}}

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept. Raises KeyError, TypeError or ValueError where another program kept it."""
        comparisons = [
            Comparison(Before(**each["before"]), each["parts"], each["n"], each["bad"], Finding(each["finding"]))
            for each in kept["aftermath"]["comparisons"]
        ]
        counted = {signal: (int(n), int(bad)) for signal, (n, bad) in kept["counted"].items()}
        colours = {"old": Colour(kept["old"]), "new": Colour(kept["new"])}
        return cls(**{**kept, **colours, "aftermath": Aftermath(comparisons), "counted": counted})


class AfterCutback:
    """Compares after each cutback that evidence spoke for. `now` is the comparison in progress, kept under FACT."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._world, self._watch = engine, engine.world, engine.watch
        self.now: Comparing | None = None
        self._kept_at = float("-inf")
        self._looked_at = 0.0

    async def run(self) -> None:
        """Compare until cancelled; first what an earlier daemon left."""
        await self._guarded(self._take_up)
        while True:
            run = self._engine.run
            if run is not None:
                await self._guarded(self._interrupt, f"{run.deployment.id} began")
                while not await self._engine.gone(run, 3600.0):
                    pass
                await self._guarded(self._begin, run)
            elif self.now is not None:
                await self._guarded(self._look, self.now)
            await asyncio.sleep(TURN)

    def describe(self) -> str:
        """For the status; empty where nothing is compared."""
        return self.now.describe() if self.now is not None else ""

    async def _begin(self, run: Run) -> None:
        deployment, trial = run.deployment, self._watch.last
        seconds = deployment.plan.terms.aftermath
        if deployment.phase is not Phase.REVERTED or not deployment.moved or trial is None or seconds <= 0:
            return
        if self._engine.run is not None:
            return  # the next one has begun
        found = trial.before()
        if not found:
            return  # nothing was worse: a person, an alert or a failed switch took it back
        version = deployment.plan.release.version
        aftermath = Aftermath.of(found)
        self.now = Comparing(deployment.id, version, deployment.old, deployment.new, aftermath, seconds)
        self._watch.after, self._looked_at = trial.afresh(), self._watch.now
        await self._keep(self.now)
        signals = [before.signal for before in found]
        await self._tell("aftermath.begun", self.now, signals=signals, seconds=seconds)

    async def _take_up(self) -> None:
        for id, kept in (await self._world.journal.facts(FACT)).items():
            deployment = await self._world.journal.deployment(id)
            latest = await self._world.journal.deployments(1)
            try:
                if self._engine.run is None and deployment is not None and latest[0].id == id and not _told(deployment):
                    self.now = Comparing.from_json(kept["comparing"])
                    self._watch.after, self._looked_at = Trial.from_json(kept["trial"]), self._watch.now
                    continue
            except (KeyError, TypeError, ValueError, AttributeError):
                self.now = self._watch.after = None  # another program kept it: there is nothing to go on from
            await self._world.journal.forget(FACT, id)

    async def _look(self, comparing: Comparing) -> None:
        trial, now = self._watch.after, self._watch.now
        if trial is None:
            await self._interrupt("nothing is counted any more")
            return
        comparing.take_in(trial, now - self._looked_at)
        self._looked_at = now
        if self._watch.serving not in (None, comparing.old):
            await self._interrupt("users were moved")
        elif comparing.aftermath.finding is not Finding.COMPARING or comparing.left <= 0:
            await self._end(comparing)
        elif now - self._kept_at >= KEEP:
            await self._keep(comparing)

    async def _interrupt(self, why: str) -> None:
        """End without more ado; what was found by now stands."""
        if self.now is not None:
            await self._end(self.now, why)

    async def _end(self, comparing: Comparing, interrupted: str = "") -> None:
        """Say what was found: in the deployment's facts, in the refusal of the release, as an event and to people."""
        finding, _ = comparing.aftermath.final
        words = self._world.redact(in_words(comparing.aftermath, comparing.old, comparing.new))
        if finding is Finding.UNDECIDED:
            words = words.replace("cannot tell yet", f"cannot tell ({interrupted or 'the time is over'})", 1)
        await self._engine.outbox.post(self._notice(comparing, finding, words))  # once, however often it is tried
        await self._write_down(comparing, finding, words)
        self.now = self._watch.after = None

    async def _write_down(self, comparing: Comparing, finding: Finding, words: str) -> None:
        journal = self._world.journal
        fact = {
            "finding": finding,
            "text": words,
            "seconds": round(comparing.lasted, 1),
            "signals": [_numbers(each) for each in comparing.aftermath.comparisons],
        }
        kept = await journal.fact("quarantine", comparing.release)
        if kept is not None and kept["deployment"] == comparing.deployment:
            await journal.keep("quarantine", comparing.release, {**kept, FACT: words})
        deployment = await journal.deployment(comparing.deployment)
        event = self._engine.news.event(
            "aftermath.ended",
            deployment=comparing.deployment,
            phase=Phase.REVERTED,
            release=comparing.release,
            severity="warning" if finding is Finding.SHARED else "info",
            **fact,
        )
        if deployment is not None:
            told = await journal.save(_with(deployment, fact), event)
            self._engine.news.heard(*told)
        await journal.forget(FACT, comparing.deployment)

    def _notice(self, comparing: Comparing, finding: Finding, words: str) -> Notice:
        show, again = f"bluegreen show {comparing.deployment}", f"bluegreen deploy {comparing.release} --force --reason"
        todo = f"{again} 'it was not the release', once that is over" if finding is Finding.SHARED else show
        return Notice(
            key=f"{comparing.deployment}:{FACT}",
            event=FACT,
            severity=SEVERITIES[finding],
            text=f"{self._world.project}: {comparing.release}, which was taken back: {words}. Next: {todo}",
            at=self._world.clock.now(),
            deployment=comparing.deployment,
            facts={"release": comparing.release, "finding": finding},
        )

    async def _keep(self, comparing: Comparing) -> None:
        trial = self._watch.after
        if trial is not None:
            self._kept_at = self._watch.now
            kept = {"comparing": comparing.to_json(), "trial": trial.to_json()}
            await self._world.journal.keep(FACT, comparing.deployment, kept)

    async def _tell(self, name: str, comparing: Comparing, **facts: Json) -> None:
        about = {"deployment": comparing.deployment, "phase": Phase.REVERTED, "release": comparing.release}
        await self._engine.news.tell(name, **about, **facts)

    async def _guarded(self, work: Work, *arguments: Any) -> None:
        """A journal that refuses ends no daemon: what is compared goes on, and is told once it takes writes again. Nor
        does a flaw in the comparison, which is given up then: it moves nothing."""
        try:
            await work(*arguments)
        except JournalFailed as exc:
            self._engine.news.failed(exc)
            await asyncio.sleep(REFUSED)
        except Exception:  # the supervisor of a comparison
            log.exception("aftermath.crashed")
            self.now = self._watch.after = None


def _told(deployment: Deployment) -> bool:
    """Whether the finding is written down: the daemon that did it was killed before it forgot the comparison."""
    return FACT in deployment.facts


def _with(deployment: Deployment, fact: Json) -> Deployment:
    return replace(deployment, facts={**deployment.facts, FACT: fact})


def _numbers(comparison: Comparison) -> Json:
    before = comparison.before
    return {
        "signal": before.signal,
        "before": {"n": before.n, "bad": before.bad},
        "after": {"n": comparison.n, "bad": comparison.bad},
        "tolerated": before.tolerated,
        "finding": comparison.finding,
        "where": before.where,
    }
