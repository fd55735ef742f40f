"""The daemon is killed before and after every single write it makes; the next one brings everything to a defined end.

Whatever the instant, the invariants of RESILIENCE.md hold afterwards.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from bluegreen.app.boundaries import Boundary
from bluegreen.app.waiting import until
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import NEXT, Phase
from bluegreen.domain.plans import CanaryStep
from tests import thorough
from tests.app.daemons import ANN, Daemon, outcomes, running
from tests.app.outside import Dying, Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
WINDOW, STANDBY = 4.0, 4.0
EACH = 1 if thorough.ALL else 8
"""Every eighth write each time, from another one in each story."""
MANY = 400
"""More writes than any of these stories has."""


def good(outside: Outside) -> None:
    outside.database.add("0001_a")


def worse(outside: Outside) -> None:
    good(outside)
    outside.users.failing[GREEN] = 1.0


def smoke_fails(outside: Outside) -> None:
    good(outside)
    outside.smoke.failures[GREEN] = "HTTP 500"


def expand_fails(outside: Outside) -> None:
    good(outside)
    outside.database.add("0002_b")
    outside.database.failing["0002_b"] = "syntax error"


def canary(outside: Outside) -> None:
    good(outside)
    outside.terms = replace(outside.terms, canary=(CanaryStep(0.05, 1.0), CanaryStep(0.5, 1.0)))


def worse_canary(outside: Outside) -> None:
    canary(outside)
    outside.users.failing[GREEN] = 1.0


def fallback(outside: Outside) -> None:
    good(outside)
    outside.terms = replace(outside.terms, fallback=True)


def falls_back(outside: Outside) -> None:
    """Green dies when the watch begins, as long as `failing` names it."""
    fallback(outside)
    outside.users.failing[GREEN] = 0.0

    async def kill(phase: Phase, boundary: Boundary) -> None:
        if phase is P.WATCHING and GREEN in outside.users.failing:
            outside.kill(GREEN)

    outside.at_boundary = kill


ENDS: dict[str, tuple[Callable[[Outside], None], set[Phase]]] = {
    "good": (good, {P.LIVE, P.REVERTED}),  # killed in the middle of the switch: taken back
    "worse": (worse, {P.REVERTED}),
    "canary": (canary, {P.LIVE, P.REVERTED}),
    "worse canary": (worse_canary, {P.REVERTED}),
    "fallback": (fallback, {P.LIVE, P.REVERTED}),
    "falls back": (falls_back, {P.REVERTED}),
    "smoke fails": (smoke_fails, {P.ABANDONED}),
    "expand fails": (expand_fails, {P.ABANDONED}),
}


BETWEEN = {
    "canary": ("before card open", "before card closed"),
    "worse canary": ("before card open", ""),
    "fallback": ("before card open", "before runner blue down"),
    "falls back": ("before journal WATCHING", ""),
}
"""From where to where a story is another one than those before it."""


@pytest.mark.parametrize("story", ENDS)
async def test_killed_at_any_write_the_next_daemon_brings_it_to_a_defined_end(story: str) -> None:
    prepare, ends = ENDS[story]
    wrong, where = [], "the beginning"
    first, last = await _between(prepare, *BETWEEN.get(story, ("", "")))
    for point in range(first + list(ENDS).index(story) % EACH, MANY, EACH):
        outside = _short(prepare)
        dying = Dying(point)
        if point > last or not await _dies(outside, dying):
            break
        where = dying.where
        wrong += [f"killed {where} (write {point}): {what}" for what in await _what_is_wrong(outside, ends)]
    else:
        pytest.fail(f"the story never ended, last at {where}")
    assert point > 40
    assert not wrong, "\n".join(wrong)


def _short(prepare: Callable[[Outside], None]) -> Outside:
    outside = Outside()
    outside.change(window=WINDOW, standby=STANDBY, drain=1.0)
    prepare(outside)
    return outside


async def _between(prepare: Callable[[Outside], None], since: str, until: str) -> tuple[int, int]:
    """The numbers of the writes at which these are first told; the very first and the last of all where "" is."""
    outside, told = _short(prepare), [""]

    async def listen(what: str) -> None:
        told.append(what)

    async with running(outside) as daemon:
        outside.story = listen
        await _whole_story(daemon)
    return max(1, told.index(since)), told.index(until) or MANY


async def _dies(outside: Outside, dying: Dying) -> bool:
    """True where the daemon died; False where the story was over before."""
    async with running(outside) as daemon:
        outside.story = dying
        await until(_whole_story(daemon), name="story", stop=dying.dead)
    outside.story = _quiet
    return dying.dead.is_set()


async def _whole_story(daemon: Daemon) -> None:
    await daemon.deploy()
    await daemon.end()


async def _quiet(what: str) -> None:
    """Hears nothing."""


async def _what_is_wrong(outside: Outside, ends: set[Phase]) -> list[str]:
    async with running(outside) as daemon:
        ended = await daemon.end() if await daemon.service.deployments(1) else None
        if ended is None:
            return [] if outside.balancer.written == [] else ["something was done for a deployment nobody knows"]
        found = [*outside.broken, *_broken(outside, ended, ends)]
        if (await outside.journal.deployments(1))[0] != ended:
            found.append("its end is not durable")
        if len({notice.key for notice in outcomes(outside)}) != 1:
            found.append(f"people were told {[notice.text for notice in outcomes(outside)]}")
        outside.users.failing.clear()
        outside.revive(GREEN)
        outside.smoke.failures.clear()
        outside.database.failing.clear()
        await daemon.deploy("1.1.0", force=True, reason="again")
        if (again := await daemon.end()).phase is not P.LIVE:
            found.append(f"the next deployment ended {again.phase}: {again.reason}")
    return found


def _broken(outside: Outside, ended: Deployment, ends: set[Phase]) -> list[str]:
    live = ended.phase is P.LIVE
    stamps = [generation for _, generation in outside.balancer.written]
    checks = {
        f"it ended {ended.phase}: {ended.reason}": ended.phase in ends,
        f"users are on {outside.serving()}": outside.serving() == {GREEN if live else BLUE},
        f"its path {ended.path} is none of the table": all(b in NEXT[a].values() for a, b in pairwise(ended.path)),
        f"generations were written as {stamps}": all(a < b for a, b in pairwise(stamps)),
        "its card is still open": not any(card.open for card in outside.cards.written[-1:]),
        "the migration lock is held": not outside.database.holder,
        "a migration ran twice": len(set(outside.database.ledger)) == len(outside.database.ledger),
        "the live colour does not run": bool(outside.runners[GREEN if live else BLUE].running),
        "it went live without a whole window": not live or _watched(ended) >= WINDOW + STANDBY,
    }
    return [what for what, holds in checks.items() if not holds]


def _watched(ended: Deployment) -> float:
    """Seconds from the switch to the end."""
    assert ended.ended_at is not None
    assert ended.moved_at is not None
    return (ended.ended_at - ended.moved_at).total_seconds()


async def test_an_operators_cutback_that_was_acknowledged_is_never_lost() -> None:
    wrong = []
    for point in range(1, MANY):
        outside = Outside()
        dying = Dying(point)
        acknowledged = await _cut_back_and_die(outside, dying)
        if not dying.dead.is_set():
            break
        async with running(outside) as daemon:
            ended = await daemon.end()
        if acknowledged and (ended.phase, ended.cause) != (P.REVERTED, "operator"):
            wrong.append(f"killed {dying.where} (write {point}): {ended.phase}, {ended.cause}: {ended.reason}")
    else:
        pytest.fail("the story never ended")
    assert point > 8
    assert not wrong, "\n".join(wrong)


async def _cut_back_and_die(outside: Outside, dying: Dying) -> bool:
    """True where the operator was told that the order was taken."""
    acknowledged = False

    async def story() -> None:
        nonlocal acknowledged
        await daemon.service.cutback(ANN)
        acknowledged = True
        await daemon.end()

    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.story = dying
        await until(story(), name="story", stop=dying.dead)
    outside.story = _quiet
    return acknowledged


@pytest.mark.parametrize("verb", ["promote", "abort"])
async def test_an_order_that_takes_effect_stands_in_the_audit(verb: str) -> None:
    """Written apart, the one was there and the other was not, where the daemon died in between."""
    for point in range(1, MANY):
        outside = Outside()
        outside.change(window=WINDOW, standby=STANDBY, drain=1.0, auto_promote=False)
        dying = Dying(point)
        async with running(outside) as daemon:
            await daemon.deploy()
            await daemon.reach(P.AWAITING)
            outside.story = dying
            await until(getattr(daemon.service, verb)("current", ANN), name="order", stop=dying.dead)
        outside.story = _quiet
        if not dying.dead.is_set():
            break
        order = await outside.journal.fact("order", (await outside.journal.deployments(1))[0].id) or {}
        taken = order.get("promoted" if verb == "promote" else "stop")
        audited = [row.verb for row in await outside.journal.audited(9)]
        assert bool(taken) == (verb in audited), f"killed {dying.where}: {order}, {audited}"
    else:
        pytest.fail("the order was never taken")
    assert point > 2
