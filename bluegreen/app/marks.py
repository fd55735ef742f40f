"""A cutback that was made without the daemon (`cutback --offline`): what its mark means to the daemon that finds it.

The mark stays until the end of the deployment it names is durable, so that a daemon that dies meanwhile reads it again.
"""

from dataclasses import replace

from bluegreen.app.news import News
from bluegreen.app.orders import Orders, Stop
from bluegreen.app.world import World
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import JournalFailed, JournalUnreadable
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import AuditRow, Fact
from bluegreen.domain.traffic import Mark

KIND = "mark"
"""The facts by which a mark that was written down is known the second time."""


async def read(world: World, news: News) -> Mark | None:
    """The mark that somebody left; one that cannot be read is told and left where it is."""
    try:
        return await world.cards.marked()
    except JournalUnreadable as exc:
        await news.tell("mark.unreadable", reason=exc.detail, severity="warning")
        return None


def reopens(mark: Mark | None, deployment: Deployment) -> bool:
    """True where a deployment that nobody settled was taken back meanwhile: that is now to be proved."""
    stranded = deployment.phase is Phase.STRANDED and not deployment.settled
    return stranded and mark is not None and mark.deployment == deployment.id


def stop_for(mark: Mark) -> Stop:
    """The order that a mark stands for. It insists: users are on the old colour already."""
    if mark.failsafe:
        reason = f"the failsafe sent users back to {mark.colour} ({mark.by}): no daemon ran to watch the release"
        return Stop(Cause.FAILSAFE, reason, force=True)
    why = f": {mark.reason}" if mark.reason else ""
    return Stop(Cause.OPERATOR, f"cutback --offline by {mark.by}{why}", force=True)


def obey(mark: Mark, deployment: Deployment, orders: Orders) -> bool:
    """Order what the mark stands for, where it names this deployment. An earlier order keeps its cause."""
    if mark.deployment != deployment.id or deployment.phase.final:
        return False
    orders.halt(replace(orders.stop, force=True) if orders.stop else stop_for(mark))
    return True


async def order_for(world: World, deployment: Deployment) -> Stop | None:
    """The order that a mark stands for, where it names this deployment: for a daemon that hung while it was made."""
    try:
        mark = await world.cards.marked()
    except JournalUnreadable:
        return None
    return stop_for(mark) if mark is not None and mark.deployment == deployment.id else None


async def put_away(world: World, news: News, mark: Mark, latest: Deployment | None) -> None:
    """Take note of a mark for which nothing is left to do, and remove it. What it brought about is wanted, where it is
    about the latest deployment. A disk that refuses is told, and the mark is read again at the next start."""
    try:
        if latest is not None and mark.deployment == latest.id:
            await _write_down(world, mark, latest)
            await world.journal.keep("wanted", "colour", mark.colour)
        await world.cards.unmark()
    except JournalFailed as exc:
        news.failed(exc)
        return
    facts = {"by": mark.by, "colour": mark.colour, "made_at": mark.at.isoformat(), "severity": "warning"}
    await news.tell("mark.put_away", deployment=mark.deployment, **facts)


async def settle(world: World, deployment: Deployment) -> None:
    """Write down who made the cutback, and remove its mark: the deployment's end is durable. Harmless twice.

    Raises JournalUnwritable. A mark that cannot be read stays.
    """
    try:
        mark = await world.cards.marked()
    except JournalUnreadable:
        return
    if mark is not None and mark.deployment == deployment.id:
        await _write_down(world, mark, deployment)
        await world.cards.unmark()


async def _write_down(world: World, mark: Mark, deployment: Deployment) -> None:
    """One row in the audit for one mark."""
    key = f"{mark.deployment}:{mark.at.isoformat()}"
    if await world.journal.fact(KIND, key) is not None:
        return
    origin = "failsafe" if mark.failsafe else "offline"
    after = f"users on {mark.colour}, generation {mark.generation}"
    row = AuditRow(mark.at, mark.by, origin, "cutback", mark.deployment, mark.reason, deployment.plan.idle, after)
    await world.journal.save(deployment, row, Fact(KIND, key, True))
