"""The old colour stays proved: what makes it lost, what brings it back, and what follows for users."""

import asyncio

import pytest

from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.standby import Asked, Standby
from tests.app.daemons import Daemon, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

LIVE, REVERTED, WATCHING, STANDING_BY = Phase.LIVE, Phase.REVERTED, Phase.WATCHING, Phase.STANDING_BY


@pytest.fixture
def smoked(outside: Outside) -> Outside:
    """The old colour is smoke-tested every 30 s, in a watch of ten minutes."""
    outside.change(window=600.0, standby=600.0, standby_smoke=30.0)
    return outside


async def to(daemon: Daemon, phase: Phase = WATCHING) -> None:
    await asyncio.sleep(60)
    await daemon.deploy()
    await daemon.reach(phase)


def asked_of_blue(outside: Outside) -> int:
    return sum(target.colour is BLUE for target in outside.smoke.asked)


async def changes(daemon: Daemon) -> list[tuple[str, str]]:
    return [(e.facts["was"], e.facts["now"]) for e in await daemon.events() if e.name == "standby.changed"]


def failsafe_may(outside: Outside) -> bool:
    """Whether the card lets the failsafe act."""
    return outside.cards.written[-1].failsafe


# --- what a row of checks means


@pytest.mark.parametrize("asked", list(Asked))
def test_three_failures_in_a_row_lose_it_and_two_passes_in_a_row_bring_it_back(asked: Asked) -> None:
    standby, seen = Standby(), []
    for failure in ("no", "no", "", "no", "no", "no", "", "no", "", ""):
        standby.checked(failure, asked)
        seen.append(str(standby)[0])
    assert "".join(seen) == "ddrddllllr"


def test_readiness_that_passes_does_not_hide_smoke_checks_that_fail() -> None:
    standby = Standby()
    for _ in range(3):
        standby.checked("login: HTTP 500", Asked.SMOKE)
        standby.checked("", Asked.READINESS)
    assert standby.lost
    assert standby.detail == "login: HTTP 500"


# --- asked while there is a way back


@pytest.mark.parametrize("phase", [WATCHING, STANDING_BY])
async def test_its_smoke_checks_run_every_thirty_seconds(phase: Phase, smoked: Outside) -> None:
    async with running(smoked) as daemon:
        await to(daemon, phase)
        before = asked_of_blue(smoked)
        await asyncio.sleep(301)
        assert asked_of_blue(smoked) - before == 10
        assert str(daemon.watch.standby) == "ready"


async def test_they_can_be_switched_off(outside: Outside) -> None:
    outside.change(window=600.0, standby_smoke=0.0)
    async with running(outside) as daemon:
        await to(daemon)
        before = asked_of_blue(outside)
        await asyncio.sleep(300)
        assert asked_of_blue(outside) == before


class Hanging:
    """A check that never answers for blue, once it `hangs`; `most`: so many rounds were under way at once."""

    name = "hangs"

    def __init__(self) -> None:
        self.hangs = False
        self.most = self._at_once = 0

    async def check(self, target: Target) -> CheckResult:
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        try:
            if self.hangs and target.colour is BLUE:
                await asyncio.sleep(10_000)
        finally:
            self._at_once -= 1
        return CheckResult(self.name, True, "", 0.0)


async def test_a_round_that_hangs_is_cut_off_and_is_never_joined_by_another(smoked: Outside) -> None:
    hanging = Hanging()
    smoked.smoke = hanging  # type: ignore[assignment] # a checker like any other
    async with running(smoked) as daemon:
        await to(daemon)
        hanging.hangs = True
        await asyncio.sleep(400)
        assert daemon.watch.standby.lost
        assert "took longer than 60 s" in daemon.watch.standby.detail
        assert hanging.most == 1
        assert daemon.watch.keeps_up(), "the watch goes on beside it"


async def test_an_old_colour_that_is_ready_and_fails_at_what_users_do_is_lost(smoked: Outside) -> None:
    async with running(smoked) as daemon:
        await to(daemon)
        smoked.smoke.failures[BLUE] = "login: HTTP 500"
        await until(lambda: daemon.watch.standby.lost)
        status = await daemon.service.status()
        assert status.watch is not None
        assert (status.watch.way_back, "login: HTTP 500" in status.watch.way_back_why) == ("lost", True)
        assert failsafe_may(smoked) is False
        smoked.smoke.failures.clear()
        await asyncio.sleep(11)
        assert str(daemon.watch.standby) == "ready"
        assert failsafe_may(smoked) is True
        assert await changes(daemon) == [("ready", "degraded"), ("degraded", "lost"), ("lost", "ready")]
    assert pages(smoked) == ["no-way-back"]


# --- what follows


async def test_a_regression_without_a_way_back_is_held_and_goes_back_by_itself_when_there_is_one(
    smoked: Outside,
) -> None:
    async with running(smoked) as daemon:
        await to(daemon)
        smoked.smoke.failures[BLUE] = "login: HTTP 500"
        await until(lambda: daemon.watch.standby.lost)
        smoked.users.failing[GREEN] = 1.0
        await asyncio.sleep(60)
        assert (await daemon.current()).phase is WATCHING
        assert smoked.balancer.written == [(GREEN, 1)]
        smoked.smoke.failures.clear()
        ended = await daemon.end()
        await asyncio.sleep(600)
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert smoked.balancer.written == [(GREEN, 1), (BLUE, 2)], "once, and never to and fro"
    assert pages(smoked) == ["no-way-back", "regressed-held"]


async def test_an_old_colour_that_answers_now_and_then_takes_nobody(smoked: Outside) -> None:
    async with running(smoked) as daemon:
        await to(daemon)
        smoked.readiness[0].failures[BLUE] = "connection refused"
        await until(lambda: daemon.watch.standby.lost)
        smoked.users.failing[GREEN] = 1.0
        smoked.readiness[0].say(*["", "connection refused"] * 40)
        await asyncio.sleep(60)
        assert (await daemon.current()).phase is WATCHING
        assert smoked.balancer.written == [(GREEN, 1)]


async def test_a_release_that_has_recovered_meanwhile_is_not_sent_back(smoked: Outside) -> None:
    async with running(smoked) as daemon:
        await to(daemon)
        smoked.readiness[0].failures[BLUE] = "connection refused"
        await until(lambda: daemon.watch.standby.lost)
        smoked.front_door.statuses[GREEN] = 502
        await until(lambda: "regressed-held" in pages(smoked))
        smoked.front_door.statuses[GREEN] = 200
        await asyncio.sleep(60)
        smoked.readiness[0].failures.clear()
        ended = await daemon.end()
    assert ended.phase is LIVE, "three failed probes in a row are long over"


async def test_a_regression_during_the_switch_does_not_go_back_to_a_colour_that_is_lost(smoked: Outside) -> None:
    async def while_it_is_proved() -> None:
        smoked.users.failing[GREEN] = 1.0
        await asyncio.sleep(20)

    smoked.at("after balancer green 1", while_it_is_proved)
    smoked.at("after card open", lambda: smoked.readiness[0].failures.update({BLUE: "connection refused"}))
    smoked.at("before balancer green 1", lambda: asyncio.sleep(5))
    async with running(smoked) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(WATCHING)
        await asyncio.sleep(5)
        assert (await daemon.current()).phase is WATCHING
        assert smoked.balancer.written == [(GREEN, 1)]
        assert "regressed-held" in pages(smoked)


class Stubborn:
    """A check, as a command that heeds no SIGTERM: broken off, it takes its time to end. `asked` of blue now."""

    name = "stubborn"
    asked = False

    async def check(self, target: Target) -> CheckResult:
        if target.colour is BLUE:
            self.asked = True
            try:
                await asyncio.sleep(20)
            finally:
                await asyncio.sleep(5)
        return CheckResult(self.name, True, "", 0.0)


async def test_no_way_back_waits_for_a_smoke_check_that_is_slow_to_end(smoked: Outside) -> None:
    back: list[float] = []
    stubborn = Stubborn()
    smoked.smoke = stubborn  # type: ignore[assignment] # a checker like any other
    smoked.at("after balancer blue 2", lambda: back.append(smoked.clock.monotonic()))
    async with running(smoked) as daemon:
        await to(daemon)
        stubborn.asked = False
        await until(lambda: stubborn.asked)
        smoked.users.failing[GREEN] = 1.0
        began = smoked.clock.monotonic()
        ended = await daemon.end()
    assert ended.phase is REVERTED
    assert back[0] - began < 1.0
