"""CANARYING: users are shared out between the colours step by step, as long as those who meet the new one fare well.

Both colours serve, so that a shared cause can be told from a worse release (domain/control.py). The trial that begins
with the first step goes on in SWITCHING, WATCHING and STANDING_BY: one account, one alpha. The port that shares users
out is `Shares`; without steps in the plan nothing is done here.
"""

import asyncio
from collections.abc import Callable, Mapping

from bluegreen.app import generations, switch
from bluegreen.app.arrival import PROOF_SECONDS, prove_shared
from bluegreen.app.boundaries import Boundary
from bluegreen.app.numbers import ANSWERS
from bluegreen.app.run import Run
from bluegreen.app.smoke import ready_to_move
from bluegreen.app.waiting import Left, until, woken
from bluegreen.app.watching import TICK, attended, blind, hold, regressed, why_not_back
from bluegreen.domain.canary import (
    Served,
    describe_step,
    in_words,
    served_well,
    shared_cause,
    speaks_for_shared_cause,
    split_for,
)
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import StepFailed
from bluegreen.domain.evidence import Evidence, Judgement, Verdict
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.recovery import SPLIT, Resume
from bluegreen.domain.traffic import Colour, Split

QUIET = 60.0
"""Seconds without a further failure on the new colour after which a shared cause is taken to be over."""

FACT = "canary"
"""The kind of fact under which the step that serves is kept, by deployment."""


class Incident:
    """What fails the users of both colours alike, as long as it lasts."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._bad = 0
        self._last = float("-inf")
        self.told = False

    def lasts(self, failing: Evidence | None) -> bool:
        """Whether it still goes on, after this look: the evidence alone stays convinced for hours."""
        if failing is not None and failing.bad != self._bad:
            self._bad, self._last = failing.bad, self._now()
        return failing is not None and self._now() - self._last < QUIET


async def canary(run: Run) -> Answer:
    """Let the shares of users that the plan names meet the new colour, one after the other."""
    steps = run.deployment.plan.terms.canary
    if not steps:
        return Answer(Outcome.DONE, "no canary steps are configured")
    skipped = run.orders.why_over(Phase.AWAITING)
    if skipped and run.split is None:
        return Answer(Outcome.DONE, f"no canary: {skipped}")
    if run.split is None:
        await ready_to_move(run)
    served = await _take_up(run)
    async with attended(run):
        return await _through(run, served)


async def _through(run: Run, served: Served | None) -> Answer:
    steps = run.deployment.plan.terms.canary
    number = 0 if served is None else served.number
    while True:
        if served is None or number > served.number:
            run.watch.looked_at = None  # nobody looks at the verdict meanwhile: a regression wakes us
            begun = await until(_begin(run, number), name="canary:share", stop=_stop(run))
            if begun.result is None:
                return _worse_at_once(run)
            served = begun.result
        answer = await _serve(run, served)
        if answer is not None:
            return answer
        number = served.number + 1
        if number == len(steps):
            return Answer(Outcome.DONE, f"all {len(steps)} steps were served")


def _stop(run: Run) -> asyncio.Event:
    """What ends a step that just begins: its users fare badly, and there is a way back."""
    return run.never if why_not_back(run) or run.pause.active() else run.watch.regressed


def _worse_at_once(run: Run) -> Answer:
    judgement = run.convicted = run.watch.judge(run.deployment.plan.terms)
    return Answer(Outcome.FAILED, "; ".join(judgement.reasons if judgement else ()), Cause.REGRESSED)


async def _take_up(run: Run) -> Served | None:
    """The step that an earlier daemon left; None where nobody met the new colour yet."""
    if run.split is None:
        return None
    kept = await run.world.journal.fact(FACT, run.deployment.id)
    run.watch.moved(run.deployment.old)
    run.watch.shared(run.split.share)
    if run.resumed is not None and run.resumed.resume is Resume.PROVE:
        intents = [each for each in await run.world.journal.intents(run.deployment.id) if each.action == SPLIT]
        await _prove(run, run.split)
        return await _served(run, int(intents[-1].detail["step"]))
    if kept is None:  # the daemon ended between the proof and this
        return await _served(run, _number_of(run, run.split))
    served = Served.from_json(kept)
    return Served(served.number, min(served.began, run.elapsed), served.seen)


def _number_of(run: Run, split: Split) -> int:
    steps = run.deployment.plan.terms.canary
    return next((number for number, step in enumerate(steps) if split_for(split.colour, step) == split), 0)


async def _begin(run: Run, number: int) -> Served:
    """Share users out as a step says: card, intent, one write, read back, proof, outcome. Raises what failed."""
    steps = run.deployment.plan.terms.canary
    shares = run.world.shares
    if shares is None:
        raise StepFailed("canary steps are planned, and nothing here can share users out between two colours")
    split = split_for(run.deployment.new, steps[number])
    here = run.split or run.deployment.old
    run.note(f"{describe_step(number, steps)}: sharing users out")
    run.splitting = True
    generation = await switch.begin_forward(run, side_by_side=True)
    detail = {"to": split.colour, "share": split.share, "generation": generation, "step": number}
    await switch.announced(run, SPLIT, detail, shares.split, split, generation, expected=here)
    run.watch.shared(split.share)
    await run.reached(Boundary.AFTER_ACTION)
    await _prove(run, split, generation)
    return await _served(run, number)


async def _prove(run: Run, split: Split, generation: int | None = None) -> None:
    """Read back and prove a split, then note its outcome. Raises StepFailed."""
    traffic = await run.world.balancer.observe()
    if traffic.split != split or generation not in (None, traffic.generation):
        raise StepFailed(f"the share was answered but did not take effect: {traffic.describe()}")
    await prove_shared(run.world, PROOF_SECONDS)
    await run.conclude_open(Outcome.DONE)
    await generations.proved(run.world, traffic.generation)
    run.split, run.splitting = split, False
    await run.tell("traffic.split", to=split.colour, share=split.share, generation=traffic.generation)


async def _served(run: Run, number: int) -> Served:
    """The step that begins now, kept so that a restart counts on."""
    judgement = run.watch.judge(run.deployment.plan.terms)
    seen = {evidence.signal: evidence.n for evidence in judgement.signals} if judgement else {}
    served = Served(number, run.elapsed, seen)
    await run.world.journal.keep(FACT, run.deployment.id, served.to_json())
    steps = run.deployment.plan.terms.canary
    run.note(f"{describe_step(number, steps)} meets {run.deployment.new}, for at most {steps[number].seconds:g} s")
    return served


async def _serve(run: Run, served: Served) -> Answer | None:
    """Wait until the step may end (None), or the canary has to (an answer)."""
    before, incident = _answers(run), Incident(run.world.clock.monotonic)
    while True:
        run.watch.looked_at = run.world.clock.monotonic()
        judgement = run.watch.judge(run.deployment.plan.terms)
        if judgement is None:
            return Answer(Outcome.FAILED, "nothing is on trial: the evidence was lost", Cause.INTERNAL)
        answer = await _ended_by(run, served, judgement)
        if answer is not None:
            return answer
        _hold_for(run, incident, judgement)
        if run.held == "" and await _step_is_over(run, served, judgement):
            told = await until(_tell_end(run, served, judgement, before), name="canary:told", stop=_stop(run))
            if told.left is Left.ENDED:
                return None
        await woken(run.watch.regressed, TICK)


async def _ended_by(run: Run, served: Served, judgement: Judgement) -> Answer | None:
    """What ends the whole canary: a regression, a person, or that nobody can tell how users fare."""
    run.held = "" if judgement.verdict is not Verdict.REGRESSED else run.held
    if judgement.verdict is Verdict.REGRESSED:
        answer = await regressed(run, judgement)
        if answer is not None:
            return answer
    else:
        run.watch.regressed.clear()
    over = run.orders.why_over(Phase.CANARYING)
    if over:
        said = judgement.describe()
        return Answer(Outcome.DONE, f"{over} ({said})", facts={"verdict": said})
    if (judgement.verdict is Verdict.BLIND or judgement.unseen) and _left(run, served) <= 0:
        patience = run.deployment.plan.terms.deadlines.get(Phase.CANARYING, 0.0) + _left(run, served)
        reason = "; ".join(judgement.reasons) if judgement.silent else "no sample came at all"
        return await blind(run, reason, patience)
    return None


def _hold_for(run: Run, incident: Incident, judgement: Judgement) -> None:
    """No further users meet a new colour while something fails those of both: nobody could tell how it does."""
    failing = shared_cause(judgement)
    if not incident.lasts(failing) or failing is None:
        return
    if not speaks_for_shared_cause(failing):
        run.held = f"a shared cause cannot be ruled out yet: {failing.describe()}"
        return
    run.held = f"users of both colours fare badly: {failing.describe()}"
    if run.aside is not None and not incident.told:
        incident.told = True
        text = f"{run.held}. {run.deployment.new} is not to blame, and the canary goes no further meanwhile"
        page = run.page("shared-cause", text, next="bluegreen explain")
        run.aside.create_task(page, name="canary:page")  # a journal that hangs must not keep us from looking on


async def _step_is_over(run: Run, served: Served, judgement: Judgement) -> bool:
    """Whether the next share may come: the step was served well, or its time is over and nothing speaks against it."""
    terms, steps = run.deployment.plan.terms, run.deployment.plan.terms.canary
    late = _left(run, served) <= 0
    well = served_well(judgement, served, terms)
    if judgement.unseen or not (late or well) or not run.watch.caught_up():
        return False  # whatever else was measured: where neither a user nor a probe was heard of, nothing was served
    if run.pause.active():
        run.held = f"{run.pause.reason}; {describe_step(served.number, steps)} is over"
        return False
    if late and judgement.no_traffic and terms.on_no_traffic == "hold":
        await hold(run, "no-traffic", "no user came to the new colour, only our own probes")
        return False
    return True


def _answers(run: Run) -> dict[Colour, int]:
    """Answers of each colour that users got since the start of the daemon."""
    return {colour: run.watch.counted.get((ANSWERS, colour), (0, 0))[0] for colour in Colour}


async def _tell_end(run: Run, served: Served, judgement: Judgement, before: Mapping[Colour, int]) -> None:
    """Say how the step ended, and which share of the users was really seen on the new colour."""
    terms, steps = run.deployment.plan.terms, run.deployment.plan.terms.canary
    got = {colour: n - before[colour] for colour, n in _answers(run).items()}
    seen = f"{got[run.deployment.new]:,} of {sum(got.values()):,} answers came from {run.deployment.new}"
    lacking = "" if served_well(judgement, served, terms) else in_words(judgement, served, terms)
    if lacking:
        await run.warn(f"{describe_step(served.number, steps)} ended undecided: {lacking}; {seen}")
    await run.tell(
        "canary.step_ended",
        step=served.number + 1,
        share=steps[served.number].share,
        seconds=round(run.elapsed - served.began, 3),
        verdict=judgement.describe(),
        seen=seen,
        undecided=lacking,
    )


def _left(run: Run, served: Served) -> float:
    """Seconds to the end of the step's time; below 0 once it is over."""
    return served.began + run.deployment.plan.terms.canary[served.number].seconds - run.elapsed
