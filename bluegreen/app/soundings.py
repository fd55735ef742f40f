"""Before a deployment: can every source of signals be heard, can anybody tell which colour answers, and is what the
live colour showed enough to judge by?"""

import asyncio

import structlog

from bluegreen.app import planning
from bluegreen.app.baseline import Baseline
from bluegreen.app.run import Run
from bluegreen.domain.errors import SignalFailed, StepFailed
from bluegreen.domain.plans import Terms
from bluegreen.domain.rules import USERS
from bluegreen.domain.tolerance import history_needed
from bluegreen.ports import SignalSource

CHECK_BUDGET = 10.0
"""Seconds for one source to show that it can be heard; they are all tried at once."""

log = structlog.get_logger("bluegreen")


async def require_heard(run: Run) -> None:
    """Try every source once. Raises StepFailed where one of a critical signal cannot be heard; others are warnings."""
    async with asyncio.TaskGroup() as group:
        tried = {
            source.name: group.create_task(_deaf(source), name=f"check:{source.name}") for source in run.world.sources
        }
    failed = {name: failure for name, task in tried.items() if (failure := task.result()) is not None}
    needed = {rule.source for rule in run.deployment.plan.terms.signals if rule.critical and not rule.dry_run}
    for name in failed.keys() - needed:
        await run.warn(f"a source of signals cannot be heard: {failed[name].detail}")
    critical = {name: failure for name, failure in failed.items() if name in needed}
    if critical:
        raise StepFailed(
            "; ".join(
                f"users could not be watched, {name} cannot be heard: {f.detail}" for name, f in critical.items()
            ),
            next=tuple(step for failure in critical.values() for step in failure.next) or ("bluegreen doctor",),
        )


async def require_witness(run: Run) -> None:
    """Raise StepFailed where nobody could tell which colour answers: no access log, and no version that tells it."""
    world, plan = run.world, run.deployment.plan
    if world.witnessed:
        return
    mute = [service for service in world.services if service not in world.versioned]
    if mute:
        raise StepFailed(
            f"no access log is read, and the answers of {', '.join(mute)} do not say which version they are: no switch"
            " could be proved",
            next=("bluegreen config docs services.version", f"or configure the access log of {world.balancer_name}"),
        )
    if plan.live_release == planning.UNKNOWN:
        raise StepFailed(
            f"no access log is read, and which release {plan.live} runs is not known: its answers cannot be told from"
            f" those of {plan.idle}",
            next=(f"set [environments.{plan.live}] release",),
        )
    if plan.live_release == plan.release.version:
        raise StepFailed(
            f"no access log is read, and {plan.live} runs {plan.live_release} already: nobody could tell by its version"
            " which colour answers",
            next=("give the release a version of its own", f"or configure the access log of {world.balancer_name}"),
        )
    if plan.terms.on_no_traffic == "hold" and not any(rule.source == USERS for rule in plan.terms.signals):
        raise StepFailed(
            'no access log is read, so nobody knows whether users come: [watch] on_no_traffic = "hold" holds for ever',
            next=("bluegreen config docs watch.on_no_traffic",),
        )
    await run.warn(
        "no access log is read: which colour answers is told by its version, and users are not watched, only probes and"
        " the signals of [watch] that ask each colour"
    )


def short_history(baseline: Baseline, terms: Terms) -> str:
    """Where the live colour's history is too short to see the configured effect, signal by signal; empty where it is
    long enough. Fixed limits and grosser failures then decide."""
    short = []
    for rule in terms.signals:
        if not rule.critical or rule.dry_run or rule.gauge is not None:
            continue
        n, bad = baseline.seen(rule.name)
        if n and n == bad:
            return f"all {n:,} events of {rule.name} on the live colour were bad: no release could be worse by it"
        rate = bad / n if n else 0.0
        needed = history_needed(rate, min(rate + terms.min_effect, 1.0), terms.alpha)
        if n < needed:
            short.append(f"{rule.label or rule.name} {n:,} of {needed:,}")
    if not short:
        return ""
    return (
        f"the live colour's history is short for an effect of {terms.min_effect:.1%} ({', '.join(short)} events): until"
        " it grows, only grosser failures are seen"
    )


async def _deaf(source: SignalSource) -> SignalFailed | None:
    """Why a source cannot be heard; None where it can."""
    try:
        async with asyncio.timeout(CHECK_BUDGET):
            await source.check()
    except TimeoutError:
        return SignalFailed(f"{source.name} gave no answer within {CHECK_BUDGET:g} s", source=source.name)
    except SignalFailed as exc:
        return exc
    except Exception as exc:  # the supervisor of a check: whether it matters depends on the signals of this source
        log.exception("source.crashed", source=source.name)
        return SignalFailed(f"{source.name} crashed: {exc!r}", source=source.name)
    return None
