"""RETIRING: what is still under way on the old colour is waited for, and it is stopped slice by slice."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from bluegreen.adapters.balancers.memory_in_flight import MemoryInFlight
from bluegreen.app.gauges import measure
from bluegreen.app.requests import PlanRequest
from bluegreen.app.waiting import until as wait
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import WrongPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour
from tests.app.daemons import ANN, Daemon, pages, running, until
from tests.app.outside import Dying, Outside, Runner
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase
MANY = 200
"""More writes than RETIRING has."""

WEB, API = SERVICES["web"].addresses, SERVICES["api"].addresses


@pytest.fixture
def open_requests(outside: Outside) -> MemoryInFlight:
    """What the balancer says of requests under way; the drain is at most 100 s."""
    outside.in_flight = MemoryInFlight()
    outside.change(drain=100.0)
    outside.terms = replace(outside.terms, deadlines={**outside.terms.deadlines, P.RETIRING: 600.0})
    return outside.in_flight


def sliced(outside: Outside, slices: int = 3, pause: float = 10.0) -> Runner:
    """The old colour is stopped in slices from here on."""
    outside.terms = replace(outside.terms, slice_pause=pause)
    outside.runners[BLUE] = Runner(outside, BLUE, "1.0.0", slices)
    return outside.runners[BLUE]


def seconds(ended: Deployment) -> float:
    return float(ended.facts["phase_seconds"]["RETIRING"])


def stops(runner: Runner) -> list[str]:
    return [f"{verb} {what}".strip() for verb, what in runner.calls if verb != "logs"]


# --- the drain


async def test_a_quiet_colour_is_stopped_at_once(outside: Outside, open_requests: MemoryInFlight) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert seconds(ended) < 3


async def test_what_is_open_is_waited_for_and_what_is_open_on_the_new_colour_is_not(
    outside: Outside, open_requests: MemoryInFlight
) -> None:
    open_requests.counts = {WEB[BLUE][0]: 2, "TCP/" + API[BLUE][0]: 1, WEB[GREEN][0]: 40, "10.0.0.1:1": 5}
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        await asyncio.sleep(20)
        status = await daemon.service.status()
        assert status.open_requests == {BLUE: 3}
        assert status.doing == "draining blue: 3 requests still open on blue, at most 80 s more"
        open_requests.counts = {}
        ended = await daemon.end()
        assert (await daemon.service.status()).open_requests == {}
    assert 20 < seconds(ended) < 24
    assert not any("open on blue" in warning for warning in ended.warnings)


async def test_a_moment_without_any_is_not_quiet_yet(outside: Outside, open_requests: MemoryInFlight) -> None:
    async def come_and_go() -> None:
        while True:
            open_requests.counts = {} if open_requests.counts else {WEB[BLUE][0]: 1}
            await asyncio.sleep(1)

    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        task = group.create_task(come_and_go(), name="come-and-go")
        await daemon.deploy()
        ended = await daemon.end()
        task.cancel()
    assert seconds(ended) == pytest.approx(100, abs=2)


async def test_the_wait_is_bounded_and_what_is_cut_off_is_told(outside: Outside, open_requests: MemoryInFlight) -> None:
    open_requests.counts = {WEB[BLUE][0]: 1}
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert seconds(ended) == pytest.approx(100, abs=2)
    assert "1 request still open on blue when it was stopped" in ended.warnings


async def test_where_nobody_can_tell_the_whole_drain_is_waited_for(
    outside: Outside, open_requests: MemoryInFlight
) -> None:
    open_requests.reachable = False
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        await asyncio.sleep(5)
        status = await daemon.service.status()
        ended = await daemon.end()
    assert (status.open_requests, status.doing) == ({}, "draining blue")
    assert seconds(ended) == pytest.approx(100, abs=2)


async def test_a_full_promotion_ends_the_wait(outside: Outside, open_requests: MemoryInFlight) -> None:
    open_requests.counts = {WEB[BLUE][0]: 7}
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        await asyncio.sleep(5)
        await daemon.service.promote("current", ANN, "only dashboards", full=True)
        ended = await daemon.end()
    assert seconds(ended) < 8
    assert "7 requests still open on blue when it was stopped" in ended.warnings


async def test_it_is_counted_while_the_release_is_watched(outside: Outside, open_requests: MemoryInFlight) -> None:
    open_requests.counts = {WEB[BLUE][0]: 2}
    async with running(outside) as daemon:
        await daemon.deploy(auto_promote=False)
        await daemon.reach(P.AWAITING)
        assert (await daemon.service.status()).open_requests == {}
        await daemon.service.promote("current", ANN)
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(1)
        assert (await daemon.service.status()).open_requests == {BLUE: 2}
        open_requests.counts = {WEB[BLUE][0]: 1}
        await asyncio.sleep(3)
        assert (await daemon.service.status()).open_requests == {BLUE: 1}


async def test_a_cutback_in_the_drain_still_goes_back(outside: Outside, open_requests: MemoryInFlight) -> None:
    open_requests.counts = {WEB[BLUE][0]: 1}
    outside.terms = replace(outside.terms, fallback=True)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        await asyncio.sleep(10)
        await daemon.cutback()
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.OPERATOR)
    assert outside.serving() == {BLUE}
    assert stops(outside.runners[BLUE]) == []


async def test_a_restart_in_the_drain_counts_on(outside: Outside, open_requests: MemoryInFlight) -> None:
    open_requests.counts = {WEB[BLUE][0]: 1}
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        await asyncio.sleep(60)
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        await daemon.end()
    assert 35 < outside.clock.monotonic() - began < 50


async def test_a_fallback_that_was_taken_away_does_not_come_back_with_a_restart(
    outside: Outside, open_requests: MemoryInFlight
) -> None:
    open_requests.counts = {WEB[BLUE][0]: 1}
    outside.terms = replace(outside.terms, fallback=True)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        await asyncio.sleep(10)
    before = list(outside.balancer.written)
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert outside.balancer.written == before == [(GREEN, 1), (GREEN, 2)]


# --- slices


async def test_slices_are_stopped_one_after_the_other_and_then_the_rest(outside: Outside) -> None:
    runner, at = sliced(outside), list[float]()
    for number in range(3):
        outside.at(f"before runner blue slice {number}", lambda: at.append(outside.clock.monotonic()))
    outside.at("before runner blue down", lambda: at.append(outside.clock.monotonic()))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert stops(runner) == ["stop_slice 0", "stop_slice 1", "stop_slice 2", "down"]
    assert [later - earlier for earlier, later in pairwise(at)] == pytest.approx([10, 10, 10], abs=0.5)


async def test_once_the_first_slice_goes_there_is_no_way_back(outside: Outside) -> None:
    sliced(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await until(lambda: stops(outside.runners[BLUE]))
        with pytest.raises(WrongPhase, match="stopped"):
            await daemon.cutback()
        assert (await daemon.end()).phase is P.LIVE


async def test_a_slice_that_fails_is_told_and_everything_is_stopped(outside: Outside) -> None:
    runner = sliced(outside)
    runner.failing["stop_slice"] = "exit 3"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert stops(runner) == ["stop_slice 0", "down"]
    assert any("slice 1 of 3 of blue was not stopped by itself" in warning for warning in ended.warnings)


async def test_users_that_are_moved_onto_a_half_stopped_colour_are_put_back_before_it_goes_on(outside: Outside) -> None:
    runner = sliced(outside, pause=0.1)

    def move() -> None:
        for name, service in SERVICES.items():
            outside.balancer.point(name, *service.addresses[BLUE])

    outside.at("after runner blue slice 0", move)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.reason) == (P.LIVE, "")
    assert stops(runner) == ["stop_slice 0", "stop_slice 1", "stop_slice 2", "down"]
    assert outside.serving() == {GREEN}
    assert outside.broken == []
    assert pages(outside) == ["restored"]


async def test_killed_anywhere_among_the_slices_the_next_daemon_stops_them_all() -> None:
    wrong = []
    for point in range(1, MANY):
        outside = Outside()
        outside.change(window=2.0, standby=2.0, drain=1.0, fallback=True)
        runner, dying = sliced(outside, pause=1.0), Dying(point)
        async with running(outside) as daemon:
            await daemon.deploy()
            await daemon.reach(P.RETIRING)
            outside.story = dying
            await wait(daemon.end(), name="end", stop=dying.dead)
        outside.story = _quiet
        if not dying.dead.is_set():
            break
        ended = await _next(outside)
        calls = stops(runner)
        found = f"killed {dying.where} (write {point}): {ended.phase} {ended.reason}, {calls} {outside.broken}"
        if (ended.phase, ended.reason) != (P.LIVE, "") or calls[-1] != "down" or outside.broken:
            wrong.append(found)
        if {"stop_slice 0", "stop_slice 1", "stop_slice 2"} - set(calls):
            wrong.append(found)
    else:
        pytest.fail("the story never ended")
    assert point > 20
    assert not wrong, "\n".join(wrong)


async def _next(outside: Outside) -> Deployment:
    async with running(outside) as daemon:
        return await daemon.end()


async def _quiet(what: str) -> None:
    """Hears nothing."""


async def test_the_gauge_says_what_is_open(outside: Outside, open_requests: MemoryInFlight) -> None:
    open_requests.counts = {WEB[BLUE][0]: 2}

    async def gauge(daemon: Daemon) -> dict[Colour, int]:
        found = await measure(daemon.engine, daemon.reconciler, outside.clock.now())
        return dict(found.open_requests)

    async with running(outside) as daemon:
        await daemon.deploy()
        assert await gauge(daemon) == {}
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(1)
        assert await gauge(daemon) == {BLUE: 2}


@pytest.mark.parametrize(
    ("counted", "slices", "text"),
    [
        (False, 0, "drain blue for 5 s and stop it"),
        (True, 0, "stop blue once nothing is under way there, after 5 s at the latest"),
        (False, 3, "drain blue for 5 s and stop it in 3 slices, 10 s apart"),
    ],
)
async def test_the_plan_says_what_is_waited_for(counted: bool, slices: int, text: str, outside: Outside) -> None:
    outside.in_flight = MemoryInFlight() if counted else None
    sliced(outside, slices)
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
    expected = f"{text}: then the way back is a rollback"
    assert [step.text for step in plan.steps if step.phase is P.RETIRING] == [expected]


async def test_at_the_gate_it_is_said_how_the_new_colour_is_met_before(outside: Outside) -> None:
    outside.preview = True
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0", auto_promote=False), ANN)
        await daemon.deploy(auto_promote=False)
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(1)
        status = await daemon.service.status()
    (gate,) = [notice.text for notice in outside.notifier.sent if notice.event == "gate"]
    words = "preview: header Bluegreen-Preview or cookie bluegreen_preview, with the secret of [canary] preview"
    assert status.doing == f"nobody promoted it; {words}"
    assert gate.endswith(words)
    assert any("[canary] preview meets green before" in step.text for step in plan.steps)
