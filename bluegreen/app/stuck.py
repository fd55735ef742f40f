"""The way back does not succeed: past our own way to Caddy, and to people, while it is tried on.

Snippets first, then a reload: so a Caddy that only we cannot reach, or that a person restarts, serves the old colour.
Attempts go on all the same, since only a write of ours shuts out a forward write that may still land.
"""

import asyncio
from contextlib import suppress

from bluegreen.app.arrival import BAD_GATEWAY, describe
from bluegreen.app.attempts import STUCK_AFTER
from bluegreen.app.run import Run
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import BalancerError
from bluegreen.domain.traffic import Colour

AGAIN_EVERY = 12
"""Failed attempts (about a minute) between two tries of a reload that failed."""

LOOK_SECONDS = 2.0
"""Seconds for one look through the front door."""


async def wait(run: Run, error: BalancerError, delay: float) -> None:
    """Let `delay` seconds pass until the next attempt. Where it is stuck or late use them: other means, a look, a page.

    These may take longer: a reload has 5 s.
    """
    began = run.world.clock.monotonic()
    attempts = run.attempts
    if attempts.stuck or _late(run):
        if not attempts.reloaded and (not attempts.past_us or (attempts.failed - STUCK_AFTER) % AGAIN_EVERY == 0):
            await _help(run)
        seen = await _through_front_door(run)
        run.note(
            f"attempt {attempts.failed} at the way back failed: {error.detail}; {attempts.past_us}; {seen}; "
            f"where that lasts: {run.world.by_hand}"
        )
        await run.page(
            "cutback-stuck",
            f"traffic should go back to {run.deployment.old} and cannot: {error.detail}. bluegreen keeps trying; "
            f"{attempts.past_us}; {seen}",
            next=run.world.by_hand,
        )
    await asyncio.sleep(max(0.0, began + delay - run.world.clock.monotonic()))


def _late(run: Run) -> bool:
    left = run.seconds_left()
    return left is not None and left <= 0


async def _help(run: Run) -> None:
    """Try other means, and tell what became of them where that is news."""
    before = run.attempts.past_us
    run.attempts.past_us = said = await _past_us(run)
    if said != before:
        name = "caddy.reloaded" if run.attempts.reloaded else "caddy.not_reloaded"
        await run.tell(name, to=run.deployment.old, reason=said, severity="warning")


async def _past_us(run: Run) -> str:
    """The snippets first, then the reload; returns in words what became of it."""
    old, balancer, name = run.deployment.old, run.world.balancer, run.world.balancer_name
    try:
        await balancer.persist(old)
        kept = balancer.persisted()
    except BalancerError as exc:
        return f"a restarted {name} may not come up on {old}, put that right first ({exc.detail})"
    if kept is None:
        if name != "Caddy":
            return f"nothing that {name} reads is kept here; see in its own place that it says {old}"
        return f"no snippet is kept, so a restarted Caddy serves what its Caddyfile says; see that it says {old}"
    try:
        await balancer.reload()
    except BalancerError as exc:
        return f"a restarted {name} comes up on {old}, but it was not reloaded ({exc.detail})"
    run.attempts.reloaded = True
    return f"{name} was reloaded with the snippets of {old}"


async def _through_front_door(run: Run) -> str:
    """Where users are, as they see it; in words."""
    old, new, found = run.deployment.old, run.deployment.new, dict[str, FrontDoorAnswer]()
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS), asyncio.TaskGroup() as group:
            for service in run.world.services:
                group.create_task(_ask(run, service, found), name=f"ask:{service}")
    colours = {_served_by(found.get(service)) for service in run.world.services}
    if colours == {old}:
        return f"the front door shows that users are on {old} already"
    if colours == {new}:
        return f"the front door shows that users are still on {new}"
    answers = [describe(found[s]) if s in found else f"{s}: no answer" for s in run.world.services]
    return f"the front door shows: {'; '.join(answers)}"


def _served_by(answer: FrontDoorAnswer | None) -> Colour | None:
    """The colour that really answered: a proxy's own 502 names the one that did not."""
    return None if answer is None or answer.status in (None, *BAD_GATEWAY) else answer.colour


async def _ask(run: Run, service: str, found: dict[str, FrontDoorAnswer]) -> None:
    found[service] = await run.world.front_door.ask(service)
