"""The boundaries of the phases: each comes in its place, and none is missing where daemons are really killed."""

from collections.abc import Callable

import pytest

from bluegreen.app.boundaries import Boundary
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.phases import Phase
from tests.app.daemons import running
from tests.app.outside import Outside
from tests.domain.examples import GREEN
from tests.e2e.stories import CASES

P, B = Phase, Boundary
ALL = tuple(B)
EDGES = (B.BEFORE_INTENT, B.AFTER_OUTCOME)
Reached = list[tuple[Phase, Boundary]]


def good(outside: Outside) -> None:
    outside.database.add("0001_a")


def contract(outside: Outside) -> None:
    outside.database.add("0001_a", phase=MigrationPhase.CONTRACT)


def worse(outside: Outside) -> None:
    outside.users.failing[GREEN] = 1.0


def smoke_fails(outside: Outside) -> None:
    outside.smoke.failures[GREEN] = "HTTP 500"


def expand_fails(outside: Outside) -> None:
    good(outside)
    outside.database.failing["0001_a"] = "syntax error"


STORIES = {
    "good": (good, False),
    "contract": (contract, True),
    "worse": (worse, False),
    "smoke fails": (smoke_fails, False),
    "expand fails": (expand_fails, False),
}


async def reached_in(prepare: Callable[[Outside], None], *, contract: bool) -> Reached:
    """The boundaries of a whole deployment, in order."""
    outside, reached = Outside(), []

    async def remember(phase: Phase, boundary: Boundary) -> None:
        reached.append((phase, boundary))

    outside.change(window=2.0, standby=2.0, drain=0.0)
    outside.at_boundary = remember
    prepare(outside)
    async with running(outside) as daemon:
        await daemon.deploy(contract=contract)
        await daemon.end()
    return reached


async def test_the_boundaries_of_a_good_deployment_come_in_their_order() -> None:
    with_action = {P.BACKING_UP, P.EXPANDING, P.STARTING, P.SWITCHING, P.RETIRING}
    story = [phase for phase in P if phase not in (P.ASSESSING, P.ABANDONING, P.REVERTING) and not phase.final]
    expected = [(phase, boundary) for phase in story for boundary in (ALL if phase in with_action else EDGES)]
    assert await reached_in(good, contract=False) == expected


async def test_on_the_way_back_the_write_comes_before_the_phase() -> None:
    reached = [boundary for phase, boundary in await reached_in(worse, contract=False) if phase is P.REVERTING]
    assert reached == [B.AFTER_INTENT, B.AFTER_ACTION, B.BEFORE_INTENT, B.AFTER_OUTCOME]


@pytest.mark.parametrize("story", STORIES)
async def test_a_real_daemon_is_killed_at_every_boundary_that_there_is(story: str) -> None:
    prepare, contract = STORIES[story]
    tried = {(phase, boundary) for _, phase, boundary, _ in CASES}
    assert set(await reached_in(prepare, contract=contract)) <= tried
