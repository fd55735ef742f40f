"""A colour from which nothing comes back is found and left within seconds; one that streams is left alone.

The seconds are those of the users' own record, from the first request that was served badly to the last. The promise is
three; the bound here is wider, for a machine that does much else.
"""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from tests.e2e.frozen_scene import Scene

BOUND = 8.0
RATE = 30.0
RELEASE = "1.1.0"
STUCK_HISTORY = 66
"""Samples, two a second, after which that requests wait may be held against a release."""

Do = Callable[[Scene], Awaitable[None]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    async with AsyncExitStack() as opened:
        yield opened


async def hangs(scene: Scene) -> None:
    scene.mode("hang")


async def resets(scene: Scene) -> None:
    scene.mode("reset")


async def is_stopped(scene: Scene) -> None:
    scene.apps["green"].pause()


async def is_killed(scene: Scene) -> None:
    await scene.apps["green"].kill()


async def is_an_old_process(scene: Scene) -> None:
    """The process of the release makes room, and at its place stands one of the release before."""
    scene.apps["stale"] = await scene.application("green", "1.0.0")
    scene.apps["green"].send(signal.SIGTERM)


async def _cut(scene: Scene, befall: Do, record: Callable[[str, object], None], **history: int) -> str:
    """Deploy with so much history, let it befall green once users are there, and return why it was left."""
    async with scene.users(RATE):
        await scene.heard(**history)
        id = await scene.deploy(RELEASE)
        await scene.reached(id, "WATCHING")
        since = monotonic()
        await befall(scene)
        back = await scene.reached(id, "REVERTED", "STRANDED")
        await scene.asked(30)
    assert back.phase == "REVERTED", f"{back.reason}\n{scene.said()}"
    assert back.cause == "regressed", back.reason
    seconds = scene.hurt(RELEASE, since)
    record("seconds_until_users_were_served_again", round(seconds, 2))
    print(f"\n{befall.__name__}: {seconds:.2f} s; {back.reason}")
    assert seconds < BOUND
    return back.reason


@pytest.mark.parametrize(
    "befall", [hangs, resets, is_stopped, is_killed, is_an_old_process], ids=lambda do: do.__name__
)
async def test_a_colour_from_which_nothing_comes_back_is_left(
    short_directory: Path, stack: AsyncExitStack, befall: Do, record_property: Any
) -> None:
    scene = await stack.enter_async_context(Scene(short_directory).running())
    reason = await _cut(scene, befall, record_property, answers=200, probes=12)
    if befall is is_an_old_process:
        assert "1.0.0" in reason


async def hangs_for_users(scene: Scene) -> None:
    scene.mode("hang-users")


async def test_a_colour_that_answers_probes_and_no_user_is_left(
    short_directory: Path, stack: AsyncExitStack, record_property: Any
) -> None:
    scene = await stack.enter_async_context(Scene(short_directory).running())
    reason = await _cut(scene, hangs_for_users, record_property, stuck=STUCK_HISTORY)
    assert "without an answer of web" in reason or "stuck" in reason


FLOW = """
[[watch.flows]]
name = "pages"
service = "web"
every = "1s"
timeout = "1s"

[[watch.flows.steps]]
path = "/version"
capture = { release = "json:/version" }

[[watch.flows.steps]]
path = "/page?{release}"
expect = { status = 200, header = { x-version = "1." } }
"""


async def test_streams_and_long_polls_on_a_good_release_are_left_alone(
    short_directory: Path, stack: AsyncExitStack
) -> None:
    scene = await stack.enter_async_context(Scene(short_directory, window="20s", more=FLOW).running())
    await stack.enter_async_context(scene.staying("/events", 8))
    await stack.enter_async_context(scene.staying("/poll", 8))
    await stack.enter_async_context(scene.users(2.0))
    await scene.heard(stuck=STUCK_HISTORY, flows=20)
    id = await scene.deploy(RELEASE)
    ended = await scene.reached(id, "LIVE", "REVERTED", "STRANDED", seconds=80.0)
    assert ended.phase == "LIVE", f"{ended.reason}\n{scene.said()}"
