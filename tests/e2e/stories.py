"""What happens to the daemons that are struck: deployments of every kind, from the outside, and how each of them ends.

The table of boundaries names every phase, at least once in each story in which it means something else.
"""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bluegreen.app.boundaries import Boundary
from bluegreen.app.requests import PlanRequest
from bluegreen.domain.phases import Phase
from bluegreen.interfaces.client import ClientError
from tests.e2e import ground as grounds
from tests.e2e.ground import BROKEN, CONTRACT, EXPAND, Ground, Scene, World, ask, eventually, make_database
from tests.e2e.invariants import History, broken

P, B = Phase, Boundary
UPGRADED = "upgraded"
SLOW = "SELECT pg_sleep(0.5);\n"
PATIENCE = 30.0
"""Seconds in which even a busy machine has brought a deployment to its end."""

Drive = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Story:
    """A deployment from the outside: the world it plays in, what people do, and how it ends when nobody is killed."""

    drive: Drive
    end: Phase
    colours: tuple[str, ...]
    scene: Scene = field(default_factory=Scene)
    audited: tuple[str, ...] = ("deploy",)
    cause: str | None = None
    bad_from: str = ""


async def deploy(world: World, release: str = "1.1.0", *, contract: bool = False) -> None:
    plan = await world.order("plan", PlanRequest(release=release, contract=contract))
    world.acknowledged.append((await world.order("deploy", plan.id)).id)


async def deploy_worse(world: World) -> None:
    await deploy(world, "1.1.0-bad")


async def turns_worse(world: World) -> None:
    await deploy(world)
    await phase_saved(world, P.WATCHING)
    world.puppet("green", "1.1.0-bad")


async def deploy_contract(world: World) -> None:
    await deploy(world, "1.2.0", contract=True)


async def roll_back(world: World) -> None:
    world.acknowledged.append((await world.order("rollback")).id)


async def promote(world: World) -> None:
    await deploy(world)
    await phase_saved(world, P.AWAITING)
    await world.order("promote", "current")


async def deploy_sick(world: World) -> None:
    world.puppet("sick-green")
    await deploy(world)


async def promote_sick(world: World) -> None:
    await deploy(world)
    await phase_saved(world, P.AWAITING)
    world.puppet("sick-green")
    await world.order("promote", "current")


async def hurt_by_expand(world: World) -> None:
    """The live colour fails its checks as soon as the first migration is there; the second one takes its time."""
    await deploy(world)
    while not await ask(world.dsn, "SELECT 1 FROM pg_tables WHERE tablename = 'added'"):
        await asyncio.sleep(0.02)
    world.puppet("sick-blue")


def files(**texts: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{name[1:]}.sql".replace("__", "."), text) for name, text in texts.items())


ADDED = {"_0001_added__expand": EXPAND}
GO, BACK, STAY = ("blue", "green"), ("blue", "green", "blue"), ("blue",)

STORIES = {
    "good": Story(deploy, P.LIVE, GO),
    "promoted": Story(promote, P.LIVE, GO, Scene(auto=False), ("deploy", "promote")),
    "worse at once": Story(deploy_worse, P.REVERTED, BACK, Scene(window="30s"), cause="regressed", bad_from="green"),
    "worse later": Story(turns_worse, P.REVERTED, BACK, Scene(window="30s"), cause="regressed", bad_from="green"),
    "not fit for users": Story(deploy_sick, P.ABANDONED, STAY, cause="step-failed"),
    "not fit when promoted": Story(
        promote_sick, P.REVERTED, STAY, Scene(auto=False), ("deploy", "promote"), cause="step-failed"
    ),
    "expand fails": Story(
        deploy, P.ABANDONED, STAY, Scene(files(**ADDED, _0002_b__expand=BROKEN)), cause="step-failed"
    ),
    "expand hurts": Story(
        hurt_by_expand, P.STRANDED, STAY, Scene(files(**ADDED, _0002_b__expand=SLOW)), cause="step-failed"
    ),
    "expand fails and hurts": Story(
        hurt_by_expand,
        P.STRANDED,
        STAY,
        Scene(files(**ADDED, _0002_b__expand=SLOW, _0003_c__expand=BROKEN)),
        cause="step-failed",
    ),
    "contract": Story(
        deploy_contract, P.LIVE, GO[::-1], Scene(files(**ADDED, _0001_added__contract=CONTRACT), before=UPGRADED)
    ),
    "rollback": Story(roll_back, P.LIVE, GO[::-1], Scene(before=UPGRADED), ("rollback",)),
}

ALL = tuple(B)
EDGES = (B.BEFORE_INTENT, B.AFTER_OUTCOME)
INSIDE = (B.AFTER_INTENT, B.AFTER_ACTION)

BOUNDARIES: tuple[tuple[str, Phase, tuple[Boundary, ...], int], ...] = (
    ("good", P.PREPARING, EDGES, 1),
    ("good", P.BACKING_UP, ALL, 1),
    ("good", P.REHEARSING, EDGES, 1),
    ("good", P.EXPANDING, ALL, 1),
    ("good", P.PROVING, EDGES, 1),
    ("good", P.STARTING, ALL, 1),
    ("good", P.TESTING, EDGES, 1),
    ("good", P.AWAITING, (B.BEFORE_INTENT,), 1),
    ("promoted", P.AWAITING, (B.AFTER_OUTCOME,), 1),
    ("good", P.CANARYING, EDGES, 1),
    ("good", P.SWITCHING, ALL, 1),
    ("good", P.WATCHING, EDGES, 1),
    ("good", P.STANDING_BY, EDGES, 1),
    ("good", P.RETIRING, ALL, 1),
    ("good", P.CONTRACTING, EDGES, 1),
    ("contract", P.CONTRACTING, ALL, 1),  # the action is the backup before it
    ("contract", P.CONTRACTING, INSIDE, 2),  # the action is the migration
    ("expand fails", P.ASSESSING, EDGES, 1),
    ("expand fails and hurts", P.ASSESSING, EDGES, 1),
    ("expand hurts", P.PROVING, EDGES, 1),
    ("not fit for users", P.ABANDONING, ALL, 1),
    ("worse at once", P.SWITCHING, (B.AFTER_OUTCOME,), 1),
    ("worse later", P.WATCHING, (B.AFTER_OUTCOME,), 1),
    ("worse later", P.REVERTING, ALL, 1),
    ("not fit when promoted", P.SWITCHING, (B.AFTER_OUTCOME,), 1),
    ("not fit when promoted", P.REVERTING, EDGES, 1),
    ("rollback", P.PREPARING, EDGES, 1),
    ("rollback", P.STARTING, INSIDE, 1),
    ("rollback", P.SWITCHING, ALL, 1),
    ("rollback", P.WATCHING, EDGES, 1),
    ("rollback", P.RETIRING, INSIDE, 1),
)

Case = tuple[str, Phase, Boundary, int]
CASES: list[Case] = [(story, phase, boundary, nth) for story, phase, some, nth in BOUNDARIES for boundary in some]


def ids(cases: list[Case]) -> list[str]:
    """How pytest names them."""
    return [f"{name}-{phase}-{boundary}-{nth}".replace(" ", "_") for name, phase, boundary, nth in cases]


def prescribed(story: Story, phase: Phase, boundary: Boundary) -> tuple[Phase, str | None, tuple[str, ...]]:
    """End, cause and the colours that users met: as if nobody was killed, but for a switch that was only intended."""
    if (phase, boundary) == (P.SWITCHING, B.AFTER_INTENT):
        return P.REVERTED, "restarted-during-switch", story.colours[:1]
    return story.end, story.cause, story.colours


async def upgrade(ground: Ground) -> None:
    """Deploy 1.1.0 once and keep what is left of it: the world that a later deployment begins with."""
    async with grounds.world(ground, Scene()) as world:
        daemon = world.start()
        await deploy(world)
        await settled(world)
        await daemon.stop()
        shutil.copytree(world.case / "state", ground.directory / UPGRADED / "state")
        await make_database(ground, UPGRADED, world.database)


async def driving(world: World, story: Story) -> None:
    with suppress(ClientError):  # the daemon died over it
        await story.drive(world)


async def ends_as(world: World, story: Story, phase: Phase, boundary: Boundary) -> None:
    end, cause, colours = prescribed(story, phase, boundary)
    last = History.read(world.journal).last
    wrong = [] if (last["phase"], last["cause"]) == (end, cause) else [f"{last['phase']}, {last['cause']}"]
    wrong += [] if last["attempt"] == len(world.lives) else [f"attempt {last['attempt']}"]
    await world.daemon.stop(signal.SIGTERM)
    wrong += await broken(world, colours, bad_from=story.bad_from, audited=story.audited)
    assert not wrong, "\n".join([*wrong, last["reason"], world.said()])


async def settled(world: World) -> None:
    """Return when the deployment has ended, durably, and people were told."""
    await eventually(
        lambda: History.read(world.journal).settled or not world.daemon.alive, PATIENCE, "the deployment ends"
    )
    last = History.read(world.journal).last
    assert world.daemon.alive, f"the daemon ended in {last['phase']}"
    end = f"deployment.{last['phase'].lower()}"
    await eventually(lambda: end in [n["event"] for n in world.notices], PATIENCE, f"people are told of {end}")


async def phase_saved(world: World, phase: Phase) -> None:
    """Return when the journal says so; a daemon that died before is not waited for."""
    await eventually(
        lambda: not world.daemon.alive or History.read(world.journal).last["phase"] == phase, PATIENCE, phase
    )
