"""What is done once users have arrived (caches are flushed, a page is warmed up), for the colour that serves: after the
switch, and again after a cutback.

Nobody waits for it: neither the watch nor the way back, and what fails is told and no more. After a crash what was
begun and not answered is done again: at least once. The deployment's end is written once it is over; each has a budget.
"""

import asyncio

import structlog

from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.phases import Outcome
from bluegreen.domain.records import Intent
from bluegreen.ports import Checker

ACTION = "after_switch"
"""As its intents are called."""

BUDGET = 300.0
"""Seconds for one of them with all its tries; each try has a timeout of its own."""

log = structlog.get_logger("bluegreen")


def planned(world: World) -> str:
    """What a deployment will do, as a part of its plan; empty where nothing is configured."""
    names = ", ".join(check.name for check in world.after_switch)
    return (
        f"; beside it {names}, and again after a cutback (what they cannot flush needs a bounded TTL)" if names else ""
    )


def begin(run: Run, target: Target) -> None:
    """Have it done beside everything else for the colour that users have arrived at. What is still done for the other
    one is broken off. Harmless twice."""
    if not run.world.after_switch or run.aside is None or run.arrived_at is target.colour:
        return
    before, run.arrived_at = run.afterwards, target.colour
    if before is not None:
        before.cancel()
    run.afterwards = run.aside.create_task(_supervised(run, target, before), name="after-switch")


async def _supervised(run: Run, target: Target, before: asyncio.Task[None] | None) -> None:
    if before is not None:
        await asyncio.wait({before})
    try:
        done = await _done_before(run, target)
        for check in run.world.after_switch:
            if check.name not in done:
                await _do(run, target, check)
    except Exception:  # the supervisor: nothing of this may end a deployment
        log.exception("after_switch.crashed", deployment=run.deployment.id)


async def _done_before(run: Run, target: Target) -> set[str]:
    """The names of those that were answered for this colour, well or badly, before a restart."""
    try:
        intents = await run.world.journal.intents(run.deployment.id)
    except JournalFailed as exc:
        run.news.failed(exc)
        return set()
    here = [each for each in intents if each.action == ACTION and each.detail.get("colour") == target.colour]
    return {str(each.detail["name"]) for each in here if each.outcome in (Outcome.DONE, Outcome.FAILED)}


async def _do(run: Run, target: Target, check: Checker) -> None:
    intent = run.intent(ACTION, {"name": check.name, "colour": target.colour})
    try:
        await run.update(intent)
    except JournalFailed as exc:  # it is done all the same: it would otherwise be missing where the disk is full
        run.news.failed(exc)
    result = await _asked(target, check)
    facts = {"what": check.name, "colour": target.colour, "detail": result.detail, "seconds": round(result.seconds, 3)}
    if result.passed:
        await run.tell("after_switch.done", **facts)
    else:
        await run.tell("after_switch.failed", **facts, severity="warning")
        await run.warn(f"after the switch to {target.colour}, {check.name} failed: {result.detail}")
    await _conclude(run, intent, result)


async def _asked(target: Target, check: Checker) -> CheckResult:
    try:
        async with asyncio.timeout(BUDGET):
            return await check.check(target)
    except TimeoutError:
        return CheckResult(check.name, False, f"it did not end within {BUDGET:g} s", BUDGET)


async def _conclude(run: Run, intent: Intent, result: CheckResult) -> None:
    outcome = Outcome.DONE if result.passed else Outcome.FAILED
    try:
        await run.world.journal.conclude(intent.id, outcome, run.world.redact(result.detail))
    except JournalFailed as exc:
        run.news.failed(exc)
