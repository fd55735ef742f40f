"""Follows a deployment: its events as they come, its state each second, through restarts of the daemon.

Attached or not makes no difference to the deployment: it runs in the daemon.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from bluegreen.app.requests import WatchStatus
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.interfaces import reports
from bluegreen.interfaces.cli import exits
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell
from bluegreen.interfaces.cli.views import Picture, view
from bluegreen.interfaces.client import PATIENCE, Client, ClientError, Reply, Unreachable

TICK = 1.0
"""Seconds between two looks while nothing is told."""

SERVING = (Phase.STANDING_BY, Phase.RETIRING, Phase.CONTRACTING)
"""Phases in which the new release serves and only the old colour's end is left."""

TRIED = (Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY)
"""Phases in which there may be a verdict to show."""

Goal = Callable[[Deployment], bool]


def ended(deployment: Deployment) -> bool:
    """The goal of those who wait for the end."""
    return deployment.phase.final


def serving(deployment: Deployment) -> bool:
    """The goal of `deploy` and `watch`: the new release serves and was watched for its window, or it ended."""
    return deployment.phase.final or deployment.phase in SERVING


async def follow(shell: Shell, client: Client, start: Deployment, goal: Goal, timeout: float | None = None) -> Exit:
    """Show a deployment until `goal`, then say how it stands. ClientError "timeout" after `timeout` seconds,
    by default the sum of its deadlines."""
    reply, seconds_left = await _within(shell, client, start, goal, timeout)
    shell.show(reply, lambda found: _standing(found, seconds_left))
    return exits.of_deployment(reply.value)


async def see_back(shell: Shell, client: Client, ordered: Deployment, since: datetime) -> Deployment:
    """Show what happens from `since` on, until a deployment that was told to go back has ended."""
    reply, _ = await _within(shell, client, ordered, ended, None, since)
    shell.show(reply, lambda found: reports.outcome_lines(found, asked=True))
    return reply.value


async def _within(
    shell: Shell,
    client: Client,
    start: Deployment,
    goal: Goal,
    timeout: float | None,
    since: datetime | None = None,
) -> tuple[Reply[Deployment], float | None]:
    shell.following = start.id
    budget = timeout if timeout is not None else sum(start.plan.terms.deadlines.values())
    try:
        async with asyncio.timeout(budget):
            return await _watch(shell, client, News(client, start.id, since), goal)
    except TimeoutError as exc:
        detail = f"The time to wait is over. Deployment {start.id} goes on."
        raise ClientError(detail, code="timeout", next=(f"bluegreen watch {start.id}",)) from exc


def _standing(deployment: Deployment, seconds_left: float | None) -> list[str]:
    if deployment.phase.final:
        return reports.outcome_lines(deployment)
    return reports.serving_lines(deployment, seconds_left, datetime.now(UTC))


@dataclass
class News:
    """What has been told of a deployment so far; `fresh` since it was last taken, and from `since` on."""

    client: Client
    id: str
    since: datetime | None = None
    events: list[Event] = field(default_factory=list)
    fresh: list[Event] = field(default_factory=list)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Take events as they come. Where that fails for good, the looking fails too, and says why."""
        try:
            async with aclosing(self.client.follow(self.id)) as replies:
                async for reply in replies:
                    self._take(reply.value)
        except ClientError:
            return

    async def catch_up(self) -> None:
        """Take what was stored and has not come yet."""
        while True:
            page = (await self.client.logs(self.id, self._last)).value
            for event in page.items:
                self._take(event)
            if not page.items:
                return

    def take(self) -> list[Event]:
        """The fresh events."""
        fresh, self.fresh = self.fresh, []
        self.woken.clear()
        return fresh

    @property
    def _last(self) -> int:
        return self.events[-1].seq if self.events else 0

    def _take(self, event: Event) -> None:
        if event.seq > self._last:
            self.events.append(event)
            if self.since is None or event.at >= self.since:
                self.fresh.append(event)
            self.woken.set()


async def _watch(shell: Shell, client: Client, news: News, goal: Goal) -> tuple[Reply[Deployment], float | None]:
    """Look and show until the goal is reached; the deployment then, and what is left of its phase."""
    try:
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(news.listen(), name="follow:events")
            try:
                return await _look_until(shell, client, news, goal)
            finally:
                listener.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _look_until(shell: Shell, client: Client, news: News, goal: Goal) -> tuple[Reply[Deployment], float | None]:
    heard_at = monotonic()
    with view(shell) as show:
        while True:
            try:
                reply = await client.deployment(news.id)
                watch, seconds_left = await _verdict(client, reply.value)
                if goal(reply.value):
                    await news.catch_up()
            except Unreachable as exc:
                if monotonic() - heard_at > PATIENCE:
                    raise
                show.away(exc.detail)
                await asyncio.sleep(TICK)
                continue
            heard_at = monotonic()
            now, last = datetime.now(UTC), goal(reply.value)
            show.paint(Picture(reply.value, news.events, news.take(), watch, seconds_left, now, last))
            if last:
                return reply, seconds_left
            await _woken(news.woken)


async def _verdict(client: Client, deployment: Deployment) -> tuple[WatchStatus | None, float | None]:
    """The watch and the seconds left, where the deployment is the one that runs."""
    if deployment.phase.final:
        return None, None
    status = (await client.status()).value
    if status.deployment is None or status.deployment.id != deployment.id:
        return None, None
    return (status.watch if deployment.phase in TRIED else None), status.phase_seconds_left


async def _woken(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(TICK):
            await event.wait()
    except TimeoutError:
        return  # time for another look
