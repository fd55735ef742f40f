"""The way back by the cutback card alone: no daemon, no journal, no database. Bounded, and harmless twice.

It works beside a daemon that hangs: what that one still has under way is fenced off by a higher generation.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from bluegreen.app.waiting import delays
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeUnknown,
    ConnectionLost,
    JournalFailed,
    RouteAmbiguous,
    RouteNotFound,
)
from bluegreen.domain.traffic import Card, Mark, Traffic
from bluegreen.ports import Cards, Clock
from bluegreen.ports_traffic import Balancer

TRY_FOR = 20.0
"""Seconds after which no further attempt begins."""

MARK_FIRST = 0.3
"""Seconds that the write waits for its mark."""

SNIPPET_AFTER = 3
"""Failed attempts after which the snippets are brought back, and the balancer is made to read them."""

RESTART = ("systemctl restart caddy", "bluegreen cutback --offline")
"""What a person types where the balancer's admin endpoint does not answer: it comes up from the snippets."""

START = "systemctl reset-failed bluegreen; systemctl restart bluegreen"
"""What a person types to have a daemon again: one that did not stay up is not even tried before its failures are
forgotten."""

Dead = Callable[[Card], Awaitable[str]]
"""Why the colour of a card cannot serve; "" where it can."""


class End(StrEnum):
    """How it ended."""

    BACK = "back"
    """Users are on the old colour, read back."""
    ALREADY = "already-back"
    """They were there, by an earlier cutback of this kind."""
    NOTHING = "nothing-done"
    """The failsafe had no reason to act."""
    REFUSED = "refused"
    """There is no way back by this card."""
    STUCK = "stuck"
    """It could not be done: a person is needed."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants it, and why. `force`: also by a closed card, and to a colour that does not answer."""

    by: str
    reason: str = ""
    force: bool = False
    failsafe: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What was done, for people and programs; `remarks` are what else they should know."""

    end: End
    text: str
    next: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    generation: int = 0


def why_not_watched(card: Card) -> str:
    """Why the failsafe must not act by this card; empty where it may."""
    if not card.open:
        return f"no release is being watched: the card of {card.deployment} is closed"
    if not card.failsafe:
        return f"the card of {card.deployment} leaves the way back to a person"
    return ""


async def go_back(card: Card, balancer: Balancer, cards: Cards, clock: Clock, order: Order, dead: Dead) -> Told:
    """Send users back to the card's colour, prove it by reading back, bring the snippets along, leave the mark."""
    mark = await _mark(cards)
    traffic, error = await _look(balancer)
    if traffic is not None and _done_before(card, mark, traffic):
        remarks = await _persist(balancer, card)
        return Told(End.ALREADY, f"users are on {card.colour} already: {_by(mark)}", ("bluegreen status",), remarks)
    if not card.open and not order.force:
        return _closed(card, traffic)
    why_dead = "" if order.force else await dead(card)
    if why_dead:
        return Told(
            End.STUCK,
            f"nothing was written: {card.colour} does not answer ({why_dead}), so users would be no better off",
            (f"start {card.colour} again, then: bluegreen cutback --offline", "bluegreen cutback --offline --force"),
        )
    # Left twice, with and without the generation; by its time it is known as one.
    mark = Mark(card.deployment, card.colour, 0, order.by, clock.now(), order.failsafe, order.reason)
    async with _marked(cards, mark):
        written = await _write_back(card, balancer, clock, error)
    return await _settle(card, balancer, cards, replace(mark, generation=written.generation), written)


@asynccontextmanager
async def _marked(cards: Cards, mark: Mark) -> AsyncIterator[None]:
    """Leave the mark before the write, for a daemon that still looks: else it takes the write for somebody else's. A
    disk that hangs is not waited for. The failsafe has no such daemon, and no mark where it did nothing."""
    if mark.failsafe:
        yield
        return
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(_leave(cards, mark), name="mark")
        await asyncio.wait({leaving}, timeout=MARK_FIRST)
        yield


@dataclass(frozen=True, slots=True)
class _Written:
    """The generation that was read back, 0 where none was; else why, and what was tried beside it."""

    generation: int
    why: str = ""
    remarks: tuple[str, ...] = ()


async def _write_back(card: Card, balancer: Balancer, clock: Clock, why: str) -> _Written:
    until = clock.monotonic() + TRY_FOR
    generation, remarks = card.generation, tuple[str, ...]()
    for attempt, delay in enumerate(delays(), start=1):
        try:
            # above what was tried before, too, since that may land late
            generation = max(generation, await _highest(card, balancer)) + 1
            await _attempt(card, balancer, generation)
        except BalancerError as exc:
            why = exc.detail
        else:
            return _Written(generation, remarks=remarks)
        if attempt == SNIPPET_AFTER:
            remarks = (*await _persist(balancer, card), await _reload(balancer))
        if clock.monotonic() >= until:
            break
        await asyncio.sleep(delay)
    return _Written(0, why, remarks)


async def _highest(card: Card, balancer: Balancer) -> int:
    """The highest of our stamps that stands there; 0 where the route is gone or torn, or a file cannot even be read:
    the write may put that right, or go past it."""
    try:
        return (await balancer.observe()).highest_generation
    except (RouteNotFound, RouteAmbiguous):
        return 0
    except BalancerUnreachable:
        if not card.pointer:
            raise
        return 0


async def _attempt(card: Card, balancer: Balancer, generation: int) -> None:
    """One write, read back. Raises BalancerError."""
    with suppress(ConnectionLost):  # settled by the read below
        await balancer.switch(card.colour, generation)
    traffic = await balancer.observe()
    if traffic.colour is not card.colour or traffic.generation != generation:
        raise ChangeUnknown(f"the way back was written but is not what the balancer says: {traffic.describe()}")


async def _settle(card: Card, balancer: Balancer, cards: Cards, mark: Mark, written: _Written) -> Told:
    """Say on the disk what was done, and to the caller too. The failsafe's vain attempt leaves no mark: a daemon that
    can run again watches on."""
    remarks = written.remarks
    if written.generation:
        remarks = (*remarks, *await _persist(balancer, card))
    if written.generation or not mark.failsafe:
        remarks = (*remarks, *await _leave(cards, mark))
    if not written.generation:
        text = f"users could not be sent back to {card.colour}: {written.why}"
        return Told(End.STUCK, text, RESTART, remarks)
    text = f"users are back on {card.colour} (generation {written.generation}), taken from {card.deployment}"
    return Told(End.BACK, text, (START, "bluegreen status"), remarks, written.generation)


def _closed(card: Card, traffic: Traffic | None) -> Told:
    if traffic is not None and traffic.colour is card.colour:
        text = f"users are on {card.colour}, and {card.deployment} is over: there is nothing to take back"
        return Told(End.ALREADY, text, ("bluegreen status",))
    return Told(
        End.REFUSED,
        f"{card.deployment} is past its way back: {card.colour} may be stopped or of another release",
        ("bluegreen rollback", f"bluegreen cutback --offline --force   (sure that {card.colour} can serve)"),
    )


def _done_before(card: Card, mark: Mark | None, traffic: Traffic) -> bool:
    if mark is None or mark.deployment != card.deployment or not mark.generation:
        return False
    return traffic.colour is card.colour and (traffic.generation or 0) >= mark.generation


def _by(mark: Mark | None) -> str:
    return f"taken back by {mark.by} at {mark.at:%Y-%m-%d %H:%M:%S} UTC" if mark else ""


async def _mark(cards: Cards) -> Mark | None:
    with suppress(JournalFailed):
        return await cards.marked()
    return None


async def _look(balancer: Balancer) -> tuple[Traffic | None, str]:
    try:
        return await balancer.observe(), ""
    except BalancerError as exc:
        return None, exc.detail


async def _persist(balancer: Balancer, card: Card) -> tuple[str, ...]:
    """Bring the snippets to the old colour; what went wrong, in words."""
    try:
        await balancer.persist(card.colour)
    except BalancerError as exc:
        return (f"a restarted balancer would send users elsewhere: {exc.detail}",)
    return ()


async def _reload(balancer: Balancer) -> str:
    try:
        said = await balancer.reload()
    except BalancerError as exc:
        return f"the balancer was not made to read its files again: {exc.detail}"
    return f"the balancer was made to read its files again{f': {said}' if said else ''}"


async def _leave(cards: Cards, mark: Mark) -> tuple[str, ...]:
    """Leave the mark; without one the next daemon knows from the generation that it was one of us, and not whom."""
    try:
        await cards.mark(mark)
    except JournalFailed as exc:
        return (f"the next daemon will not know who did this: {exc.detail}",)
    return ()
