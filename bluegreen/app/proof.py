"""PROVING: the version that serves is looked at again on the changed schema: its checks, and how its users fare.

What is held against it is what it showed itself before (baseline.py), with the arithmetic of the watch: so a release
that was as bad before is not blamed on the migration.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.app import continuity, schema
from bluegreen.app.run import Run
from bluegreen.app.smoke import require_smoke
from bluegreen.app.watch import Watch
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import StepFailed
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import Terms
from bluegreen.domain.traffic import Colour

TICK = 0.1
"""Seconds between two looks."""

SPARE = 5.0
"""Seconds before the phase's deadline at which data are waited for no longer: to be blind is no proof of harm."""


@dataclass(frozen=True, slots=True)
class Fare:
    """How users fare: `hurt` says why it is worse than before, `blind` why nobody can tell; else `text`."""

    text: str = ""
    hurt: str = ""
    blind: str = ""


async def prove(run: Run) -> Answer:
    """Prove the live colour on what was applied (old-on-new). FAILED where its users are hurt by it, ABORTED where
    nobody can tell how they fare; a warning only where the live colour was known to be down."""
    labels = await schema.applied_labels(run)
    if labels == ():
        return Answer(Outcome.DONE, "nothing was applied: the schema is as it was")
    named = f"applied and kept: {', '.join(labels)}" if labels else "the ledger cannot be read"
    try:
        await require_smoke(run.world, run.old_target)
    except StepFailed as exc:
        if not run.deployment.plan.trusts_live:
            await run.warn(exc.detail)
            return Answer(Outcome.DONE, named)
        return _hurt(run, named, exc.detail)
    if lost := await continuity.still_holds(run):
        return _hurt(run, named, lost)
    passes = f"{named}; {run.deployment.old} passes its checks on it"
    if not run.deployment.plan.trusts_live:
        return Answer(Outcome.DONE, passes)
    fare = await users_fare(run.watch, run.deployment.old, run.deployment.plan.terms, lambda: _patience(run), run.note)
    if fare.hurt:
        return _hurt(run, named, fare.hurt)
    if not fare.blind:
        return Answer(Outcome.DONE, "; ".join(filter(None, [passes, fare.text])))
    return await _blind(run, passes, fare.blind)


async def users_fare(
    watch: Watch, colour: Colour, terms: Terms, patience: Callable[[], float], note: Callable[[str], None]
) -> Fare:
    """How users of the live colour fare for the next `terms.proving` seconds, against what was usual until now.

    Where nothing is heard it waits on, while `patience` has seconds left.
    """
    if terms.proving <= 0:
        return Fare()
    note(f"watching users of {colour} on the changed schema for {terms.proving:g} s")
    watch.prove(colour, terms)
    watch.attention.begin()
    watched = 0.0
    try:
        while True:
            judgement = watch.judge(terms)
            if judgement is None:
                return Fare(blind="the evidence was lost")
            if judgement.verdict is Verdict.REGRESSED:
                return Fare(hurt="; ".join(judgement.reasons))
            unseen = _unseen(judgement, terms)
            if watched >= terms.proving and watch.caught_up() and not unseen:
                return Fare(text=f"watched for {watched:.2g} s: {_harmless(judgement)}")
            if watched >= terms.proving and patience() <= 0:
                return Fare(blind=unseen or "what users got is not read to its end")
            await asyncio.sleep(TICK)
            watched += 0.0 if watch.tick() else TICK
    finally:
        watch.attention.end()
        watch.close()


def for_so_long(seconds: float) -> Callable[[], float]:
    """Patience that runs out after so many seconds of waiting: asked once a tick."""
    left = [seconds]

    def patience() -> float:
        left[0] -= TICK
        return left[0]

    return patience


def _harmless(judgement: Judgement) -> str:
    """What was seen, where it was not found to be worse: `no sign of harm (5xx 0 of 57, probe 0 of 8)`."""
    seen = [f"{e.signal} {e.bad:,} of {e.n:,}" for e in judgement.signals if e.critical and e.n]
    return f"no sign of harm ({', '.join(seen)})"


def _unseen(judgement: Judgement, terms: Terms) -> str:
    """Why nobody can tell how users fare; "" where somebody can."""
    if judgement.verdict is Verdict.BLIND:
        return "; ".join(judgement.reasons) or "a signal is silent"
    if judgement.unseen:
        return "no sample came at all"
    if judgement.no_traffic and terms.on_no_traffic == "hold":
        return "no user came, only our own probes"
    return ""


def _hurt(run: Run, named: str, why: str) -> Answer:
    text = f"users on {run.deployment.old} are hurt by the changed schema ({named}): {why}"
    commands = ("undo the migration by hand, then: bluegreen retry", f"bluegreen logs {run.deployment.id}")
    return Answer(Outcome.FAILED, text, Cause.STEP_FAILED, commands)


async def _blind(run: Run, passes: str, why: str) -> Answer:
    """Nothing was moved, so to give up is the safe side; where that is no choice any more, it is only told."""
    text = f"nobody can tell how users of {run.deployment.old} fare on the changed schema ({why})"
    if run.deployment.phase is not Phase.PROVING:
        await run.warn(text)
        return Answer(Outcome.DONE, passes)
    return Answer(Outcome.ABORTED, f"{text}; {passes}", Cause.BLIND, ("journalctl -u bluegreen -p warning",))


def _patience(run: Run) -> float:
    left = run.seconds_left()
    return 0.0 if left is None else left - SPARE
