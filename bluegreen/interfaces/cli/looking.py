"""Verbs that only look: status, history, show, logs."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bluegreen.domain.phases import Phase
from bluegreen.interfaces import render, reports, story
from bluegreen.interfaces.cli.screens import Screen
from bluegreen.interfaces.cli.shell import Shell, pages, verb

if TYPE_CHECKING:
    from bluegreen.app.requests import Status
    from bluegreen.domain.deployments import Deployment
    from bluegreen.domain.records import Event
    from bluegreen.interfaces.client import Client, Reply

REFRESH = 1.0
"""Seconds between two looks of `status -w`."""

Documents = list[Any]


@verb("status")
@click.option("-w", "--watch", is_flag=True, help="Keep looking, until Ctrl-C.")
def status(shell: Shell, watch: bool) -> None:
    """Where the traffic is, and whether anything moves."""
    if watch:
        shell.ask(lambda client: _keep_looking(shell, client))
    else:
        shell.show(shell.ask(lambda client: client.status()), lambda found: _status_lines(shell, found))


def _status_lines(shell: Shell, found: "Status") -> list[str]:
    return [render.headline(found)] if shell.quiet else render.status_lines(found, verbose=shell.verbose)


async def _keep_looking(shell: Shell, client: "Client") -> None:
    """Repaint on a terminal; elsewhere a line whenever something changed. A daemon that is away is waited for."""
    with _painter(shell) as paint:
        while True:
            paint(await _look(client))
            await asyncio.sleep(REFRESH)


async def _look(client: "Client") -> "Reply[Status] | str":
    from bluegreen.interfaces.client import Unreachable

    try:
        return await client.status()
    except Unreachable as exc:
        return exc.detail


@contextmanager
def _painter(shell: Shell) -> Iterator[Any]:
    if shell.repaints:
        with Screen() as screen:
            yield lambda found: screen.paint([found] if isinstance(found, str) else _status_lines(shell, found.value))
        return
    said = ""

    def append(found: "Reply[Status] | str") -> None:
        nonlocal said
        news = found if isinstance(found, str) else render.moving(found.value)
        if news == said:
            return
        said = news
        if isinstance(found, str):
            shell.remark([found])
        else:
            shell.show(found, lambda value: [render.stamped(value)], stream=True)

    yield append


@verb("history")
@click.option("-n", "--number", type=click.IntRange(1, 10_000), default=20, help="How many; the latest first.")
def history(shell: Shell, number: int) -> None:
    """Deployments, the latest first."""
    found, documents = shell.ask(lambda client: pages(client.deployments, "", number))
    if shell.json:
        shell.say_json(documents)
    else:
        shell.say(reports.history_lines(found, datetime.now(UTC)))


@verb("show")
@click.argument("deployment", metavar="[ID]", default="current")
def show(shell: Shell, deployment: str) -> None:
    """All there is to know of one deployment; without ID of the running one, else of the last."""
    reply, events = shell.ask(lambda client: _with_story(client, deployment))
    shell.show(
        reply,
        lambda found: reports.deployment_lines(found, story.phase_lines(found, events, datetime.now(UTC), ahead=False)),
    )


async def _with_story(client: "Client", deployment: str) -> "tuple[Reply[Deployment], list[Event]]":
    reply = await client.deployment(deployment)
    events, _ = await _all_logs(client, reply.value.id, "")
    return reply, events


@verb("logs")
@click.argument("deployment", metavar="[ID]", default="current")
@click.option("-f", "--follow", is_flag=True, help="Go on until the deployment has ended.")
@click.option("--phase", type=click.Choice([str(p) for p in Phase], case_sensitive=False), help="Only this phase.")
def logs(shell: Shell, deployment: str, follow: bool, phase: str | None) -> None:
    """What happened in a deployment, with what its commands printed."""
    wanted = (phase or "").upper()
    if follow:
        shell.ask(lambda client: _follow_logs(shell, client, deployment, wanted))
        return
    events, documents = shell.ask(lambda client: _all_logs(client, deployment, wanted))
    if shell.json:
        shell.say_json(documents)
    else:
        shell.say(story.all_log_lines(events))


async def _all_logs(client: "Client", deployment: str, phase: str) -> "tuple[list[Event], Documents]":
    events: list[Event] = []
    documents: Documents = []
    after = -1
    while True:
        page = await client.logs(deployment, max(after, 0), phase)
        if page.value.after == max(after, 0):
            return events, documents
        events += page.value.items
        documents += page.document["items"]
        after = page.value.after


async def _follow_logs(shell: Shell, client: "Client", deployment: str, phase: str) -> None:
    shell.following = (await client.deployment(deployment)).value.id
    async with aclosing(client.follow(shell.following)) as replies:
        async for reply in replies:
            event = reply.value
            if phase in ("", event.phase):
                shell.show(reply, story.log_lines, stream=True)
            if event.name == "deployment.ended":
                return
