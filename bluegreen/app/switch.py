"""Where traffic is switched: forward once, carefully; back at once, and again until it is so.

A write whose answer is missing may land late (docs/caddy.md). So a forward write that timed out is a failed
switch whatever is read back, and the way back is always a write with a higher generation: the fence.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from bluegreen.app import generations
from bluegreen.app.arrival import PROOF_SECONDS, prove
from bluegreen.app.attempts import FOREIGN_WRITERS
from bluegreen.app.boundaries import Boundary
from bluegreen.app.numbers import cost_of_switch
from bluegreen.app.run import Run
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    BluegreenError,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    JournalFailed,
    JournalUnwritable,
    MovedOutside,
    RouteAmbiguous,
    RouteNotFound,
    StepFailed,
)
from bluegreen.domain.phases import Outcome
from bluegreen.domain.records import Intent, Json
from bluegreen.domain.recovery import SWITCH
from bluegreen.domain.traffic import Card, Colour, Split, Traffic

REACH_BALANCER = 10.0
"""Seconds in which an unreachable balancer is asked again before the first forward write."""

MISSED_SECONDS = 0.5
"""Seconds that the journal has for taking note of a failed attempt at the way back."""

NOTHING_WRITTEN = (BalancerUnreachable, ChangeRefused, ForeignChange, MovedOutside, RouteAmbiguous, RouteNotFound)
"""Errors of a write that certainly had no effect."""


async def forward(run: Run) -> None:
    """Send all traffic to the new colour: card, intent, write, read back, proof, outcome. Raises what failed."""
    generation = await begin_forward(run, side_by_side=False)
    write: dict[str, Json] = {"to": run.deployment.new, "generation": generation}
    run.switch_began = run.world.clock.monotonic()
    here = run.split or run.deployment.old
    run.fallback = run.deployment.plan.terms.fallback
    switch = run.world.balancer.switch
    rest: dict[str, Any] = {"expected": here, "fallback": run.fallback}
    await announced(run, SWITCH, write, switch, run.deployment.new, generation, **rest)
    run.split = None
    _all_moved(run)
    await run.reached(Boundary.AFTER_ACTION)
    await confirm_forward(run, generation)


async def begin_forward(run: Run, *, side_by_side: bool) -> int:
    """What stands before any forward write: the next generation, the card, and a trial of the new colour. Where users
    are shared out already, card and trial go on: one account for canary, window and standby. Returns the generation.
    Raises MovedOutside, JournalUnwritable."""
    generation = await _next_generation(run)
    if run.split is None or run.card is None:
        run.card = await run.world.balancer.card(run.deployment.old, generation)
    await write_card(run, open=True, failsafe=run.split is None or not run.watch.standby.lost)
    if run.split is None or run.watch.trial is None:
        run.watch.open(run.deployment.new, run.deployment.plan, **({"side_by_side": True} if side_by_side else {}))
    await run.world.journal.keep("watch", run.deployment.id, run.watch.to_json())
    return generation


Write = Callable[..., Awaitable[None]]
"""A forward write of the balancer: where to, under which generation, and what is `expected` there."""


async def announced(
    run: Run, action: str, detail: dict[str, Json], write: Write, to: Colour | Split, generation: int, **rest: Any
) -> Intent:
    """Make a forward write between its intent and the look that settles it (rule 2); returns the intent, still open.

    A write that certainly had no effect is concluded as failed, and where it was the first one nothing was moved.
    """
    before = run.split
    intent = run.intent(action, detail)
    first = run.deployment.moved_at or run.world.clock.now()
    await run.update(intent, run.event(f"traffic.{action}_intended", **detail), moved=True, moved_at=first)
    await run.reached(Boundary.AFTER_INTENT)
    try:
        await _write_forward(write, to, generation, **rest)
    except NOTHING_WRITTEN as exc:
        if not await _without_effect(run, exc, generation):
            raise
        await run.world.journal.conclude(intent.id, Outcome.FAILED, exc.detail)
        if before is None:
            run.watch.close()
            await run.update(moved=False)
        raise
    return intent


def _all_moved(run: Run) -> None:
    run.watch.moved(run.deployment.new)
    if run.deployment.plan.terms.canary:
        run.watch.all_moved()


async def confirm_resumed(run: Run) -> None:
    """Go on with the proof of a switch that took effect before a restart."""
    if run.watch.trial is None:
        run.watch.open(run.deployment.new, run.deployment.plan)
    _all_moved(run)
    await confirm_forward(run)


async def confirm_forward(run: Run, generation: int | None = None) -> None:
    """Read back and prove a forward switch, then note its outcome and bring the snippets along. Raises StepFailed."""
    traffic = await run.world.balancer.observe()
    if traffic.colour is not run.deployment.new or generation not in (None, traffic.generation):
        raise StepFailed(f"the switch was answered but did not take effect: {traffic.describe()}")
    await prove(run.world, run.deployment.new, PROOF_SECONDS)
    await run.conclude_open(Outcome.DONE)
    await run.world.journal.keep("wanted", "colour", run.deployment.new)
    await generations.proved(run.world, traffic.generation)
    run.watch.fell_back.settle(run.world.clock.now().timestamp())
    if run.fallback:
        await run.world.journal.keep("watch", run.deployment.id, run.watch.to_json())
    cost = cost_of_switch(run.watch.tally, run.switch_began, run.world.clock)
    await run.tell("traffic.switched", to=run.deployment.new, generation=traffic.generation, **cost)
    await persist(run, run.deployment.new)


async def act_first(run: Run) -> None:
    """One attempt at the way back, before anything is written down. What fails here is tried again in REVERTING."""
    try:
        await back(run)
    except BalancerError as exc:
        run.attempts.missed(exc)
        await tell_missed(run, exc)


async def tell_missed(run: Run, error: BalancerError) -> None:
    """Tell an attempt at the way back that failed, and remember its generation: what may land late is not used again.

    Both as far as the journal takes it at once: the next attempt does not wait for a disk that hangs.
    """
    try:
        async with asyncio.timeout(MISSED_SECONDS):
            if run.attempts.worth_telling(error.detail):
                number = run.attempts.failed
                await run.tell("cutback.attempt_failed", attempt=number, reason=error.detail, severity="warning")
            await generations.remember(run.world, run.generation)
    except JournalFailed as exc:
        run.news.failed(exc)
    except TimeoutError:
        run.news.failed(JournalUnwritable(f"it does not answer, and the way back failed: {error.detail}"))


async def back(run: Run) -> None:
    """Write the old colour with a higher generation and read it back: cutback and fence in one.

    Needs the balancer alone: no journal, no database. Raises a BalancerError where it is not proved.
    """
    run.attempts.begun = True
    run.generation = max(run.generation, run.card.generation if run.card else 0) + 1
    old = run.deployment.old
    with suppress(ConnectionLost):  # settled by the read below
        await run.world.balancer.switch(old, run.generation)
    traffic = await run.world.balancer.observe()
    if traffic.colour is not old or traffic.generation != run.generation:
        run.generation = max(run.generation, traffic.highest_generation)
        name = run.world.balancer_name
        raise ChangeUnknown(f"the way back was written but is not what {name} says: {traffic.describe()}")
    run.returned = True
    run.way_back.write(run.world.clock)
    run.watch.moved(old)


async def persist(run: Run, colour: Colour) -> None:
    """Bring the snippet files to a colour; a failure is a warning here, and RETIRING does not begin meanwhile."""
    try:
        await run.world.balancer.persist(colour)
    except BluegreenError as exc:
        await run.warn(f"the snippet files still name the other colour: {exc.detail}")


async def write_card(run: Run, *, open: bool, failsafe: bool = True) -> None:
    """Write the cutback card of this deployment as it is true now; nothing where it has none, since nothing was
    written forward. Raises JournalUnwritable."""
    if run.card is None:
        return
    async with run.writing_card:
        await _write_card(run, run.card, open=open, failsafe=failsafe)


async def refresh_card(run: Run) -> None:
    """Say on an open card above which generation, and whether the failsafe may act now (never once it is STRANDED); a
    closed one stays as it is. Raises JournalUnwritable."""
    async with run.writing_card:
        if run.card is not None and run.card.open:
            failsafe = not (run.watch.standby.lost or run.deployment.phase.final)
            await _write_card(run, run.card, open=True, failsafe=failsafe)


async def _write_card(run: Run, card: Card, *, open: bool, failsafe: bool) -> None:
    card = replace(
        card,
        deployment=run.deployment.id,
        generation=max(card.generation, run.generation),
        open=open,
        failsafe=failsafe and run.deployment.plan.trusts_live and not run.pause.active(),
        written_at=run.world.clock.now(),
    )
    await run.world.cards.write(card)
    run.card = card


async def close_card(run: Run) -> None:
    """Say on the card that the way back is over; where that cannot be written, it is only told."""
    if run.card is None or not run.card.open:
        return
    try:
        await write_card(run, open=False)
    except JournalFailed as exc:
        await run.tell("card.not_closed", reason=exc.detail, severity="warning")


async def _next_generation(run: Run) -> int:
    """The generation after the highest that the journal or the balancer knows. Waits a while for the balancer."""
    clock = run.world.clock
    until = clock.monotonic() + REACH_BALANCER
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(BalancerUnreachable),
        stop=lambda _: clock.monotonic() >= until,
        wait=wait_fixed(0.5),
        reraise=True,
    )
    traffic: Traffic = await retrying(run.world.balancer.observe)
    here = run.split or run.deployment.old
    if (traffic.split if run.split else traffic.colour) != here:
        raise MovedOutside(f"before the switch, traffic is not on {here}: {traffic.describe()}")
    return await generations.claim(run, traffic.highest_generation)


async def _without_effect(run: Run, exc: BluegreenError, generation: int) -> bool:
    """Whether a write that was refused had none: an answer is believed where a read does not show our stamp."""
    if not isinstance(exc, ChangeRefused):
        return True
    try:
        traffic = await run.world.balancer.observe()
    except BalancerError:
        return False
    return traffic.highest_generation < generation


async def _write_forward(write: Write, to: Colour | Split, generation: int, **rest: Any) -> None:
    """One write; after a foreign change the adapter reads again, and so may we, FOREIGN_WRITERS times in all."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(ForeignChange), stop=stop_after_attempt(FOREIGN_WRITERS), reraise=True
    )
    with suppress(ConnectionLost):  # the read-back settles it
        await retrying(write, to, generation, **rest)
