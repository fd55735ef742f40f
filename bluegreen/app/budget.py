"""The connections of both colours against what Postgres has: in the plan, and once more in PREPARING."""

import asyncio

from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.budget import Connections, Outlook, outlook
from bluegreen.domain.errors import OutsideError, StepFailed
from bluegreen.domain.traffic import Colour

PATIENCE = 5.0
"""Seconds for one database to answer."""

WAYS_OUT = ("raise max_connections, or lower [[databases]] connections and the pools",)


async def require_room(run: Run, name: str) -> None:
    """PREPARING: the new colour finds room in this database. Raises StepFailed, DatabaseUnreachable; warns where both
    colours together may come to find none."""
    budget = run.world.connection_budgets.get(name)
    if budget is None:
        return
    found = outlook(await run.world.databases[name].connections(), run.deployment.new, budget)
    if found.problem:
        raise StepFailed(f"{name}: {found.problem}", next=WAYS_OUT)
    if found.warning:
        await run.warn(f"{name}: {found.warning}")


async def for_plan(world: World, new: Colour) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a plan says of the connections of each database, a line each; and its warnings. A database that is away is
    PREPARING's to refuse."""
    lines, warnings = [], []
    for name, connections in (await count(world)).items():
        budget = world.connection_budgets.get(name)
        if connections is None or (budget is None and not connections.open):
            continue
        may = f"; one colour may open {budget}" if budget is not None else ""
        lines.append(f"{name}: {connections.describe()}{may}")
        found = outlook(connections, new, budget) if budget is not None else Outlook()
        warnings += [f"{name}: {text}" for text in (found.problem, found.warning) if text]
    return tuple(lines), tuple(warnings)


async def count(world: World) -> dict[str, Connections | None]:
    """All databases at once, each within its patience."""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_count(world, name), name=f"connections:{name}") for name in world.databases}
    return {name: task.result() for name, task in tasks.items()}


async def _count(world: World, name: str) -> Connections | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await world.databases[name].connections()
    except (OutsideError, TimeoutError):
        return None  # who is away is told by others
