"""Killed (-9) at random moments, several times in one deployment: it ends well all the same, and nothing is left.

The same seed kills after the same seconds; what is going on then differs from run to run. More of them:
`BLUEGREEN_CHAOS=50 pytest tests/e2e/test_chaos.py`.
"""

import asyncio
import os
import random

import pytest

from tests.e2e import ground as grounds
from tests.e2e.ground import Ground, Scene, World
from tests.e2e.invariants import History, broken
from tests.e2e.stories import BACK, GO, STAY, deploy, settled

SEEDS = int(os.environ.get("BLUEGREEN_CHAOS", "3"))
KILLS = 4
LONGEST = 2.5
"""Seconds that a daemon lives at most before it is killed: a whole deployment takes about that."""


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_killed_several_times_at_random_it_ends_well_all_the_same(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)
    async with grounds.world(ground, Scene()) as world:
        world.start()
        await deploy(world)
        for _ in range(chance.randint(1, KILLS)):
            await asyncio.sleep(chance.uniform(0.0, LONGEST))
            await world.daemon.kill()
            world.start()
        await settled(world)
        await ends_somewhere(world)


async def ends_somewhere(world: World) -> None:
    """Live, or taken back since it was killed in the middle of the switch."""
    last = History.read(world.journal).last
    cause = (last["phase"], last["cause"])
    wrong = [] if cause in (("LIVE", None), ("REVERTED", "restarted-during-switch")) else [f"{cause}: {last['reason']}"]
    await world.daemon.stop()
    moved = {change.colour for change in world.proxy.sent} - {"blue"}
    colours = GO if last["phase"] == "LIVE" else BACK if moved else STAY
    wrong += await broken(world, colours, audited=("deploy",))
    assert not wrong, "\n".join([*wrong, world.said()])
