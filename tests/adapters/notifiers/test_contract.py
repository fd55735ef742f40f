"""What every notifier does, whomever it tells."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bluegreen.adapters.notifiers.command import CommandNotifier
from bluegreen.adapters.notifiers.memory import MemoryNotifier
from bluegreen.adapters.notifiers.webhook import Webhook
from bluegreen.adapters.notifiers.wishes import Wishes
from bluegreen.domain.errors import NotifierFailed
from bluegreen.domain.records import Notice
from bluegreen.ports import Notifier
from tests.adapters.checks.colours import serving
from tests.adapters.waiting import LONG

NOTICE = Notice(
    key="d1:cutback",
    event="deployment.reverted",
    severity="critical",
    text='cut back to blue: "5xx" 3.2 % — sure',
    at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    deployment="d1",
    facts={"bad": 38, "colours": ["green", "blue"]},
)
DOCUMENT = {
    "event": "deployment.reverted",
    "severity": "critical",
    "text": 'cut back to blue: "5xx" 3.2 % — sure',
    "deployment": "d1",
    "facts": {"bad": 38, "colours": ["green", "blue"]},
    "at": "2026-01-02T03:04:05+00:00",
    "key": "d1:cutback",
}


class Receiver:
    """Somebody who is told: what he got, and whether he refuses or hangs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.posted: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if (self.directory / "hang").exists():
            await asyncio.Event().wait()
        if (self.directory / "refuse").exists():
            return web.Response(status=503, text="refused")
        self.posted.append(json.loads(await request.read()))
        return web.Response(status=204)


@dataclass
class Subject:
    """A notifier with a short timeout where it is to hang, what it delivered, and ways to break it."""

    make: Callable[[Wishes, float], Notifier]
    delivered: Callable[[Notifier], list[Any]]
    break_: Callable[[Notifier, str], None]


def _memory() -> Subject:
    def break_(notifier: Notifier, how: str) -> None:
        assert isinstance(notifier, MemoryNotifier)
        notifier.failing = "refused" if how == "refuse" else ""
        notifier.hanging = how == "hang"

    def delivered(notifier: Notifier) -> list[Any]:
        assert isinstance(notifier, MemoryNotifier)
        return [DOCUMENT if notice == NOTICE else notice for notice in notifier.sent]

    return Subject(lambda wishes, timeout: MemoryNotifier("chat", wishes=wishes, timeout=timeout), delivered, break_)


def _command(directory: Path) -> Subject:
    script = (
        f"[ ! -e {directory}/hang ] || sleep 300; [ ! -e {directory}/refuse ] || {{ echo refused; exit 1; }}; "
        f"cat >> {directory}/told; echo >> {directory}/told"
    )
    told = directory / "told"
    return Subject(
        lambda wishes, timeout: CommandNotifier("chat", ["sh", "-c", script], wishes=wishes, timeout=timeout),
        lambda _: [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else [],
        lambda _, how: (directory / how).touch(),
    )


@pytest.fixture(params=["webhook", "command", "memory"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    receiver = Receiver(tmp_path)
    async with serving(receiver.answer) as address:
        webhook = Subject(
            lambda wishes, timeout: Webhook("chat", f"http://{address}/hook", wishes=wishes, timeout=timeout),
            lambda _: receiver.posted,
            lambda _, how: (tmp_path / how).touch(),
        )
        yield {"webhook": webhook, "command": _command(tmp_path), "memory": _memory()}[request.param]


async def test_a_notice_is_delivered_once_and_whole(subject: Subject) -> None:
    notifier = subject.make(Wishes(), LONG)
    await notifier.send(NOTICE)
    assert notifier.name == "chat"
    assert subject.delivered(notifier) == [DOCUMENT]


async def test_a_receiver_that_refuses_is_a_failure_with_its_name(subject: Subject) -> None:
    notifier = subject.make(Wishes(), LONG)
    subject.break_(notifier, "refuse")
    with pytest.raises(NotifierFailed, match="notifier chat: ") as caught:
        await notifier.send(NOTICE)
    assert caught.value.code == "notifier-failed"
    assert subject.delivered(notifier) == []


async def test_a_receiver_that_hangs_is_given_up(subject: Subject) -> None:
    notifier = subject.make(Wishes(), 0.3)
    subject.break_(notifier, "hang")
    with pytest.raises(NotifierFailed, match=r"notifier chat: .*within 0\.3 s"):
        await notifier.send(NOTICE)


async def test_a_delivery_can_be_cancelled(subject: Subject) -> None:
    notifier = subject.make(Wishes(), LONG)
    subject.break_(notifier, "hang")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(notifier.send(NOTICE), name="delivery under test")
        await asyncio.sleep(0.1)
        task.cancel()
    assert task.cancelled()


@pytest.mark.parametrize(
    ("wishes", "event", "severity", "wanted"),
    [
        (Wishes(), "anything.at_all", "info", True),
        (Wishes(events=("deployment.*",)), "deployment.live", "info", True),
        (Wishes(events=("deployment.*",)), "traffic.switched", "critical", False),
        (Wishes(events=("traffic.switched", "deployment.live")), "deployment.live", "info", True),
        (Wishes(events=("*",)), "deployment.live", "info", True),
        (Wishes(severity="warning"), "deployment.live", "info", False),
        (Wishes(severity="warning"), "deployment.live", "warning", True),
        (Wishes(severity="warning"), "deployment.live", "critical", True),
        (Wishes(severity="critical"), "deployment.live", "warning", False),
        (Wishes(severity="critical"), "deployment.live", "emergency", True),
        (Wishes(events=("deployment.*",), severity="critical"), "deployment.live", "warning", False),
    ],
)
async def test_a_receiver_gets_what_it_asked_for(
    subject: Subject, wishes: Wishes, event: str, severity: str, wanted: bool
) -> None:
    notice = replace(NOTICE, event=event, severity=severity)
    assert subject.make(wishes, LONG).wants(notice) is wanted
