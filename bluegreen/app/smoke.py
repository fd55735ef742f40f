"""Whether a colour is fit for users: readiness of every service, then the configured smoke checks."""

import asyncio
from collections.abc import Callable

from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.errors import StepFailed
from bluegreen.ports import Readiness


async def wait_until_ready(world: World, target: Target, note: Callable[[str], None]) -> None:
    """Return when every service answered well often enough in a row; the caller sets the deadline.

    `note` hears what is still missing, for the reason of a deadline that passes.
    """
    async with asyncio.TaskGroup() as group:
        for readiness in world.readiness:
            group.create_task(_wait_for(readiness, target, note), name=f"ready:{readiness.service}")


async def require_ready(world: World, target: Target) -> None:
    """Raise StepFailed unless every service answers its readiness check now."""
    results = [await readiness.check(target) for readiness in world.readiness]
    _require(results, target, "is not ready")


async def smoke(world: World, target: Target) -> tuple[CheckResult, ...]:
    """Run every smoke check against a colour, one after the other; all run, also after a failure."""
    return tuple([await checker.check(target) for checker in world.smoke])


async def require_smoke(world: World, target: Target) -> tuple[CheckResult, ...]:
    """Run every smoke check and raise StepFailed naming those that failed."""
    results = await smoke(world, target)
    _require(results, target, "fails its smoke checks")
    return results


async def ready_to_move(run: Run) -> None:
    """Re-check the new colour, right before users are sent there. Where nobody promoted and somebody paused meanwhile,
    users stay until `resume`, or until the deadline: traffic never moves forward by itself during a pause."""
    while True:
        await require_ready(run.world, run.new_target)
        await require_smoke(run.world, run.new_target)
        if run.orders.promoted.is_set() or not run.pause.active():
            return
        while run.pause.active():
            run.note(f"automation is {run.pause.reason}, and nobody promoted it")
            await asyncio.sleep(1.0)


async def _wait_for(readiness: Readiness, target: Target, note: Callable[[str], None]) -> None:
    in_a_row = 0
    while in_a_row < readiness.consecutive:
        result = await readiness.check(target)
        in_a_row = in_a_row + 1 if result.passed else 0
        if not result.passed:
            note(f"{readiness.service} is not ready: {result.detail}")
        if in_a_row < readiness.consecutive:
            await asyncio.sleep(readiness.interval)


def _require(results: list[CheckResult] | tuple[CheckResult, ...], target: Target, verdict: str) -> None:
    failed = [result for result in results if not result.passed]
    if failed:
        named = "; ".join(f"{result.name}: {result.detail}" for result in failed)
        raise StepFailed(f"{target.colour} {verdict}: {named}")
