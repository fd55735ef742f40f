"""What is done once users have arrived: for the colour that serves, at least once, and in nobody's way."""

import asyncio

import pytest

from bluegreen.adapters.checks.memory import MemoryCheck
from bluegreen.app.after_switch import BUDGET
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from tests.app.daemons import Daemon, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN


class Flush(MemoryCheck):
    """A cache that hangs where a test says so."""

    def __init__(self, outside: Outside, name: str = "flush-cache") -> None:
        super().__init__(name)
        self.outside, self.hangs = outside, False

    async def check(self, target: Target) -> CheckResult:
        self.outside.told.append(f"{self.name} {target.colour}")
        if self.hangs:
            await asyncio.Event().wait()
        return await super().check(target)


@pytest.fixture
def flush(outside: Outside) -> Flush:
    outside.change(window=10.0, standby=10.0, drain=1.0)
    made = Flush(outside)
    outside.after_switch = (made,)
    return made


def done(outside: Outside) -> list[str]:
    return [what for what in outside.told if what.startswith(("balancer", "flush"))]


async def deployed(daemon: Daemon) -> Deployment:
    await asyncio.sleep(30)
    await daemon.deploy()
    return await daemon.end()


async def told(daemon: Daemon, name: str) -> list[Event]:
    return [event for event in await daemon.events() if event.name == name]


async def test_it_is_done_for_the_new_colour_after_the_proof(outside: Outside, flush: Flush) -> None:
    async with running(outside) as daemon:
        ended = await deployed(daemon)
        (event,) = await told(daemon, "after_switch.done")
    assert ended.phase is Phase.LIVE
    assert done(outside) == ["balancer green 1", "flush-cache green"]
    assert (event.facts["what"], event.facts["colour"]) == ("flush-cache", "green")
    assert flush.asked[0].release == "1.1.0"


async def test_after_a_cutback_it_is_done_for_the_old_colour_again(outside: Outside, flush: Flush) -> None:
    outside.users.failing[GREEN] = 1.0
    async with running(outside) as daemon:
        ended = await deployed(daemon)
    assert ended.phase is Phase.REVERTED
    assert done(outside) == ["balancer green 1", "flush-cache green", "balancer blue 2", "flush-cache blue"]
    assert flush.asked[-1].release == "1.0.0"


async def test_a_switch_that_never_happened_is_followed_by_nothing(outside: Outside, flush: Flush) -> None:
    outside.smoke.failures[GREEN] = "HTTP 500"
    async with running(outside) as daemon:
        assert (await deployed(daemon)).phase is Phase.ABANDONED
    assert flush.asked == []


async def test_what_fails_is_told_and_no_more(outside: Outside, flush: Flush) -> None:
    flush.failures[GREEN] = "connection refused"
    other = Flush(outside, "flush-templates")
    outside.after_switch = (flush, other)
    async with running(outside) as daemon:
        ended = await deployed(daemon)
        (event,) = await told(daemon, "after_switch.failed")
    assert ended.phase is Phase.LIVE
    assert event.facts["detail"] == "connection refused"
    assert any("flush-cache failed: connection refused" in warning for warning in ended.warnings)
    assert len(other.asked) == 1, "the others are done all the same"


async def test_one_that_hangs_delays_neither_the_watch_nor_the_way_back(outside: Outside, flush: Flush) -> None:
    flush.hangs = True
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        await daemon.deploy()
        await daemon.reach(Phase.STANDING_BY)
        outside.users.failing[GREEN] = 1.0
        began = outside.clock.monotonic()
        await until(lambda: outside.balancer.written[-1][0] is BLUE)
        assert outside.clock.monotonic() - began < 3
        await until(lambda: daemon.engine.run and daemon.engine.run.deployment.phase is Phase.REVERTED)
        assert outside.clock.monotonic() - began < 10
        ended = await daemon.end()
        assert outside.clock.monotonic() - began < BUDGET + 30
    assert (ended.phase, ended.cause) == (Phase.REVERTED, Cause.REGRESSED)
    assert done(outside)[-1] == "flush-cache blue", "what hung for the other colour was broken off"
    assert any("did not end within" in warning for warning in ended.warnings)


async def test_one_that_hangs_does_not_keep_back_the_news_that_users_are_back(outside: Outside, flush: Flush) -> None:
    outside.users.failing[GREEN] = 1.0
    flush.hangs = True
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        await daemon.deploy()
        await until(lambda: done(outside)[-1:] == ["flush-cache blue"])
        await asyncio.sleep(5)
        assert [notice.event for notice in outside.notifier.sent][-1] == "deployment.reverted"
        assert daemon.engine.run is not None, "it is still being done"
        await daemon.end()
    events = [notice.event for notice in outside.notifier.sent]
    assert events.count("deployment.reverted") == 1


async def test_one_that_hangs_holds_no_stamp_up(outside: Outside, flush: Flush) -> None:
    flush.hangs = True
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.balancer.forget()
        await asyncio.sleep(5)
        assert (await outside.balancer.observe()).generation == 2


@pytest.mark.parametrize("phase", [Phase.WATCHING, Phase.STANDING_BY])
async def test_what_was_not_answered_when_the_daemon_was_killed_is_done_again(
    phase: Phase, outside: Outside, flush: Flush
) -> None:
    flush.hangs = True
    answered = Flush(outside, "flush-first")
    outside.after_switch = (answered, flush)
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        await daemon.deploy()
        await daemon.reach(phase)
        await until(lambda: done(outside)[-1] == "flush-cache green")
    flush.hangs = False
    async with running(outside) as daemon:
        assert (await daemon.end()).phase is Phase.LIVE
    assert done(outside).count("flush-cache green") == 2
    assert done(outside).count("flush-first green") == 1


async def test_the_plan_lists_it_and_says_what_cannot_be_flushed(outside: Outside, flush: Flush) -> None:
    async with running(outside) as daemon:
        deployment = await deployed(daemon)
    (watching,) = [step.text for step in deployment.plan.steps if step.phase is Phase.WATCHING]
    assert "flush-cache, and again after a cutback" in watching
    assert "bounded TTL" in watching
