"""The daemon is killed (-9) at every boundary of every phase, on a real Caddy and a real Postgres, and started again.

Whatever the moment, the deployment comes to the end that docs/architecture.md prescribes, and the invariants hold, as
witnesses that are no part of bluegreen recorded them (invariants.py).
"""

import asyncio

import pytest

from bluegreen.app.boundaries import Boundary
from bluegreen.domain.phases import Phase
from tests import thorough
from tests.e2e import ground as grounds
from tests.e2e.ground import Ground, World
from tests.e2e.invariants import History
from tests.e2e.stories import CASES, PATIENCE, STORIES, Story, driving, ends_as, ids, settled

KILLED_AT = CASES if thorough.ALL else [case for number, case in enumerate(CASES) if number % 13 == number // 4 % 13]
"""Every thirteenth one each time, other moments in each phase."""


@pytest.mark.parametrize(("name", "phase", "boundary", "nth"), KILLED_AT, ids=ids(KILLED_AT))
async def test_killed_at_a_boundary_the_next_daemon_brings_it_to_the_prescribed_end(
    ground: Ground, name: str, phase: Phase, boundary: Boundary, nth: int
) -> None:
    story = STORIES[name]
    async with grounds.world(ground, story.scene) as world:
        await die(world, story, phase, boundary, nth)
        world.start()
        await settled(world)
        await ends_as(world, story, phase, boundary)


async def die(world: World, story: Story, phase: Phase, boundary: Boundary, nth: int) -> None:
    """Play the story until the daemon is dead."""
    dying = world.start_struck(f"{phase}:{boundary}", nth)
    async with asyncio.TaskGroup() as group:
        group.create_task(driving(world, story), name="people")
        assert await dying.ended(PATIENCE), f"it never came to {phase}:{boundary}\n{world.said()}"
    before = History.read(world.journal).last
    assert not Phase(before["phase"]).final
