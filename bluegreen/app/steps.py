"""One step per phase, in phase order: what the phase makes true, told plainly. Every step is "ensure", not "do"."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from bluegreen.app import (
    backfilling,
    canary,
    continuity,
    contracts,
    environments,
    given,
    preflight,
    proof,
    rehearsals,
    retiring,
    reverting,
    schema,
    switch,
    what_runs,
)
from bluegreen.app.previews import Preview
from bluegreen.app.run import Run
from bluegreen.app.smoke import ready_to_move, require_smoke, wait_until_ready
from bluegreen.app.standby import way_back_watched
from bluegreen.app.waiting import Left, until
from bluegreen.app.watching import regression_that_counts, watch
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import Kind
from bluegreen.domain.recovery import Resume

Step = Callable[[Run], Coroutine[Any, Any, Answer]]

LAST_WORDS = 50
"""Lines of a colour's own log that are kept with a deployment that is given up."""

REMEMBER = 5.0
"""Seconds between two saves of how long a waiting phase has lasted."""


async def preparing(run: Run) -> Answer:
    """Look at everything that can be known beforehand."""
    await preflight.preflight(run)
    return done("everything that can be known beforehand is in order")


async def backing_up(run: Run) -> Answer:
    """Take a verified backup of every database."""
    if rolls_back(run) or not run.world.databases:
        return done("no backup is due")
    taken = await schema.back_up(run, run.world.databases.values())
    return done(f"verified: {schema.in_words(taken)}")


async def rehearsing(run: Run) -> Answer:
    """Rehearse expand migrations and backfills on a scratch copy, and refuse what would break the running version."""
    if rolls_back(run):
        return done("a rollback changes no schema")
    if not await rehearsals.anything(run, rehearsals.BEFORE_THE_SWITCH):
        return done("nothing is pending")
    rehearsal = await rehearsals.rehearse_deployment(run)
    rehearsals.refuse(rehearsal)
    return done(f"{len(rehearsal.files)} rehearsed: {rehearsal.gate}")


async def expanding(run: Run) -> Answer:
    """Apply the expand migrations while the old version serves."""
    if rolls_back(run):
        return done("a rollback changes no schema")
    if run.deployment.plan.migrations:
        await continuity.mint_before(run)
    cleared = rehearsals.verdicts(await rehearsals.kept(run.world, run.purpose))
    labels: list[str] = []
    for database in run.world.databases.values():
        labels += await schema.apply(run, database, MigrationPhase.EXPAND, cleared)
    labels += await backfilling.before_switch(run)
    return done(f"applied: {', '.join(labels)}" if labels else "nothing was pending")


async def proving(run: Run) -> Answer:
    """Prove the live colour on the expanded schema: its checks, and how its users fare."""
    return await proof.prove(run)


async def starting(run: Run) -> Answer:
    """Bring the idle colour up with the release and wait until it is ready."""
    release, colour = run.deployment.plan.release, run.deployment.new
    variables = await given.now(run.world, colour, release)
    await given.stop_if_others(run, variables)
    run.note(f"starting {colour}")
    async with run.action("start", colour=colour, release=release.version):
        run.world.overhearing.begin(run.deployment)
        await run.keep_output(f"up {colour}", await environments.start(run.world, colour, release))
    await environments.keep_started(run.world, colour, release)
    await given.remember(run.world, colour, variables)
    run.note(f"waiting for {colour} to be ready")
    await wait_until_ready(run.world, run.new_target, run.note)
    run.note(f"looking what runs on {colour}")
    parts = await what_runs.write_down(run.world, colour, release, run.deployment.id, run.warn)
    facts = {"runs": what_runs.as_fact(parts)} if parts else {}
    return replace(done(f"{colour} runs {release.version} and is ready"), facts=facts)


async def testing(run: Run) -> Answer:
    """Smoke-test the idle colour, and what users bring along, without users."""
    results = await require_smoke(run.world, run.new_target)
    crossed = continuity.told(await continuity.require_across(run))
    passed = (
        f"{len(results)} smoke check{'s' * (len(results) > 1)} passed" if results else "no smoke check is configured"
    )
    return done("; ".join(filter(None, [passed, crossed])))


async def awaiting(run: Run) -> Answer:
    """Wait until an operator promotes, unless promotion is automatic."""
    automatic = run.deployment.plan.terms.auto_promote
    if automatic and not run.pause.active():
        return done("promotion is automatic")
    id, version = run.deployment.id, run.deployment.plan.release.version
    previews = Preview(run)
    preview = await previews.ensure()
    text = "; ".join((f"{version} is ready on {run.deployment.new}: bluegreen promote {id}", *preview))
    await run.outbox.post(run.notice("gate", "info", text))
    await run.tell("gate.reached", release=version, colour=run.deployment.new, next=[f"bluegreen promote {id}"])
    run.note("; ".join(("nobody promoted it", *preview)))
    while (await until(asyncio.sleep(REMEMBER), name="awaiting", stop=run.orders.promoted)).left is not Left.STOPPED:
        await run.tick()
        if automatic and not run.pause.active():
            return done("promotion is automatic, and nothing is paused any more")
        run.note("; ".join(("nobody promoted it", *await previews.ensure())))
    return done(run.orders.why_over(Phase.AWAITING) or "promoted")


async def canarying(run: Run) -> Answer:
    """Serve the planned shares of traffic."""
    return await canary.canary(run)


async def switching(run: Run) -> Answer:
    """Re-check the new colour, then send all traffic to it and prove it; users' signals may end it at once."""
    resumed = run.resumed
    if resumed is not None and resumed.resume is Resume.PROVE:
        work = switch.confirm_resumed(run)
    else:
        await ready_to_move(run)
        work = switch.forward(run)
    async with way_back_watched(run), regression_that_counts(run) as worse:
        ended = await until(work, name="switch", stop=worse)
    if ended.left is Left.ENDED:
        return done(f"{run.deployment.new} serves every service, proved through the front door")
    judgement = run.convicted = run.watch.judge(run.deployment.plan.terms)
    return Answer(Outcome.FAILED, "; ".join(judgement.reasons if judgement else ()), Cause.REGRESSED)


async def watching(run: Run) -> Answer:
    """Watch what users really get, for the window."""
    return await watch(run, run.deployment.plan.terms.window)


async def standing_by(run: Run) -> Answer:
    """Keep the old colour warm for an instant way back, and go on watching."""
    return await watch(run, run.deployment.plan.terms.standby)


async def contracting(run: Run) -> Answer:
    """Run the backfills that are due, and the contract migrations, if they are allowed."""
    if rolls_back(run):
        return done("a rollback changes no schema")
    if run.orders.superseded:
        return done(f"{run.orders.superseded}: contract migrations stay pending")
    return done(await contracts.contract(run))


async def assessing(run: Run) -> Answer:
    """Name what was applied, and prove the live colour on it."""
    answer = await proof.prove(run)
    return replace(answer, facts={"applied": answer.reason})


async def abandoning(run: Run) -> Answer:
    """Keep the idle colour's last words and stop it; traffic never moved."""
    await keep_last_words(run)
    async with run.action("stop", colour=run.deployment.new):
        await run.keep_output(f"down {run.deployment.new}", await environments.stop(run.world, run.deployment.new))
    await run.world.journal.forget("release", run.deployment.new)
    return done(f"{run.deployment.new} is stopped")


STEPS: dict[Phase, Step] = {
    Phase.PREPARING: preparing,
    Phase.BACKING_UP: backing_up,
    Phase.REHEARSING: rehearsing,
    Phase.EXPANDING: expanding,
    Phase.PROVING: proving,
    Phase.STARTING: starting,
    Phase.TESTING: testing,
    Phase.AWAITING: awaiting,
    Phase.CANARYING: canarying,
    Phase.SWITCHING: switching,
    Phase.WATCHING: watching,
    Phase.STANDING_BY: standing_by,
    Phase.RETIRING: retiring.retiring,
    Phase.CONTRACTING: contracting,
    Phase.ASSESSING: assessing,
    Phase.ABANDONING: abandoning,
    Phase.REVERTING: reverting.reverting,
}


async def keep_last_words(run: Run) -> None:
    """Keep the end of the idle colour's own log: it mostly says why. A log that cannot be had is told, no more."""
    try:
        words = await run.world.runners[run.deployment.new].logs(LAST_WORDS)
    except BluegreenError as exc:
        words = exc.detail
    await run.keep_output(f"logs {run.deployment.new}", words)


def done(reason: str) -> Answer:
    """The phase's promise is true."""
    return Answer(Outcome.DONE, reason)


def rolls_back(run: Run) -> bool:
    """True for an operator's return to an earlier release: no backup, no schema change."""
    return run.deployment.plan.kind is Kind.ROLLBACK


def failure(exc: BluegreenError) -> Answer:
    """A step that raised: the phase failed, for this reason."""
    return Answer(Outcome.FAILED, exc.detail, _cause(exc), exc.next)


def _cause(exc: BluegreenError) -> Cause:
    return {"moved-outside": Cause.MOVED_OUTSIDE, "gate-refused": Cause.GATE}.get(exc.code, Cause.STEP_FAILED)
