"""The way back is itself watched: whether the old colour could take users back now.

It is asked for readiness every second, and its smoke checks run every `standby_smoke` seconds: a colour that answers
/healthz may still fail at what users do. Both go on as long as there is a way back: from CANARYING to the end of
STANDING_BY. A colour that is known dead takes nobody: what would go back is held, and a person is called.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bluegreen.app.run import Run
from bluegreen.app.smoke import require_ready, require_smoke
from bluegreen.app.switch import refresh_card
from bluegreen.app.waiting import woken
from bluegreen.domain.errors import BluegreenError, JournalFailed
from bluegreen.domain.standby import Asked, Standby

READY_EVERY = 1.0
"""Seconds between two rounds of readiness."""

READY_BUDGET = 30.0
"""Seconds for one round of readiness: each check has a timeout of its own, this is for all of them together."""

SMOKE_AGAIN = 5.0
"""Seconds after which smoke checks that failed are run again, where that is sooner than usual: that there is no way
back is to be known soon, and that there is one again."""

SMOKE_BUDGET = 60.0
"""Seconds for one round of smoke checks; one that takes longer has failed."""

log = structlog.get_logger("bluegreen")


@asynccontextmanager
async def way_back_watched(run: Run) -> AsyncIterator[None]:
    """While this lasts the old colour is asked whether it could take users back."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_keep_ready(run), name="standby:ready")]
        if run.deployment.plan.terms.standby_smoke and run.world.smoke:
            tasks.append(group.create_task(_keep_smoking(run), name="standby:smoke"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _keep_ready(run: Run) -> None:
    while True:
        await _take_in(run, Asked.READINESS, await _readiness(run))
        await asyncio.sleep(READY_EVERY)


async def _keep_smoking(run: Run) -> None:
    """Round after round, never two at once. The first comes after the usual time: before the switch they just passed,
    or are known to fail."""
    every = run.deployment.plan.terms.standby_smoke
    pause = every
    while True:
        await woken(run.never, pause)
        await _take_in(run, Asked.SMOKE, await _smoke(run))
        pause = min(every, SMOKE_AGAIN) if run.watch.standby.doubtful(Asked.SMOKE) else every


async def _readiness(run: Run) -> str:
    try:
        async with asyncio.timeout(READY_BUDGET):
            await require_ready(run.world, run.old_target)
    except TimeoutError:
        return f"readiness was not answered within {READY_BUDGET:g} s"
    except BluegreenError as exc:
        return exc.detail
    return ""


async def _smoke(run: Run) -> str:
    """One round. Left in the middle it is broken off, and not waited for: a command may take seconds to end, and the
    way back, for which it is left, must not."""
    if run.aside is None:
        return await _round(run)
    asked = run.aside.create_task(_round(run), name="standby:round")
    try:
        return await asyncio.shield(asked)
    finally:
        asked.cancel()


async def _round(run: Run) -> str:
    try:
        async with asyncio.timeout(SMOKE_BUDGET):
            await require_smoke(run.world, run.old_target)
    except TimeoutError:
        return f"the smoke checks took longer than {SMOKE_BUDGET:g} s"
    except BluegreenError as exc:
        return exc.detail
    except Exception as exc:  # the supervisor of a round: a bug in a check must not end the deployment
        log.exception("smoke.crashed", deployment=run.deployment.id)
        return f"internal error in the smoke checks: {exc!r}"
    return ""


async def _take_in(run: Run, asked: Asked, failure: str) -> None:
    standby = run.watch.standby  # a trial that begins brings a new one
    was = str(standby)
    standby.checked(failure, asked)
    if str(standby) != was:
        await _changed(run, standby, was)


async def _changed(run: Run, standby: Standby, was: str) -> None:
    facts = {"was": was, "now": str(standby), "reason": standby.detail}
    if standby.lost:
        await run.tell("standby.changed", **facts, severity="warning")
        text = f"no way back: {run.deployment.old} does not answer: {standby.detail}"
        await run.page("no-way-back", text, next="bluegreen status")
    else:
        await run.tell("standby.changed", **facts)
    try:
        await refresh_card(run)
    except JournalFailed as exc:
        await run.tell("card.not_written", reason=exc.detail, severity="warning")
