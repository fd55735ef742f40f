"""After a cutback: what is said of the release, to whom, and that nothing is moved by it."""

import asyncio
from typing import Any

import pytest

from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import GateRefused
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Notice
from bluegreen.domain.signals import Counted, Part
from tests.app.daemons import Daemon, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

REVERTED, WATCHING = Phase.REVERTED, Phase.WATCHING


@pytest.fixture
def compared(outside: Outside) -> Outside:
    """What is taken back is compared for two minutes."""
    outside.change(aftermath=120.0)
    return outside


async def taken_back(daemon: Daemon, **failing: float) -> Deployment:
    """A release that failed half of its users, and what the old colour shows from then on."""
    outside = daemon.outside
    await asyncio.sleep(60)
    await daemon.deploy()
    await daemon.reach(WATCHING)
    await asyncio.sleep(3)
    outside.users.failing[GREEN] = 0.5
    outside.users.failing[BLUE] = failing.get("old", 0.0)
    return await daemon.end()


async def taken_back_and_deserted(daemon: Daemon) -> None:
    """A release that was taken back, and nobody who asks the old colour anything since."""
    daemon.outside.at("after balancer blue 2", lambda: setattr(daemon.outside.users, "rate", 0.0))
    await taken_back(daemon)
    await until(lambda: daemon.service.after_cutback.now is not None)


async def found(daemon: Daemon) -> dict[str, Any]:
    """The finding, once there is one."""
    await until(lambda: daemon.service.after_cutback.now is not None)
    await until(lambda: daemon.service.after_cutback.now is None)
    await asyncio.sleep(0.1)
    return dict((await daemon.current()).facts["aftermath"])


def notices(outside: Outside) -> list[Notice]:
    return [notice for notice in outside.notifier.sent if notice.event == "aftermath"]


async def test_an_old_colour_that_is_well_shows_that_the_release_was_to_blame(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back(daemon)
        fact = await found(daemon)
        events = [event.name for event in await daemon.events()]
    (notice,) = notices(compared)
    assert fact["finding"] == "release"
    assert fact["text"].startswith("the release is to blame: 5xx ")
    assert "on green before the cutback, 0 of " in fact["text"]
    assert fact["signals"][0]["after"]["bad"] == 0
    assert fact["seconds"] < 5
    assert (notice.severity, "bluegreen show d-" in notice.text) == ("info", True)
    assert [name for name in events if name.startswith("aftermath.")] == ["aftermath.begun", "aftermath.ended"]


async def test_an_old_colour_that_is_as_bad_excuses_the_release_and_wakes_somebody(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back(daemon, old=0.5)
        fact = await found(daemon)
    (notice,) = notices(compared)
    assert fact["finding"] == "shared-cause"
    assert fact["text"].startswith("shared cause, the release is not to blame: 5xx ")
    assert notice.severity == "critical"
    assert "bluegreen deploy 1.1.0 --force --reason" in notice.text


@pytest.mark.parametrize("old", [0.0, 0.5])
async def test_nothing_is_moved_and_the_release_stays_quarantined(old: float, compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back(daemon, old=old)
        written = list(compared.balancer.written)
        fact = await found(daemon)
        await asyncio.sleep(300)
        with pytest.raises(GateRefused) as refused:
            await daemon.deploy()
        compared.users.failing.clear()
        await daemon.deploy(force=True, reason="it was not the release")
        await daemon.reach(WATCHING)
    assert compared.balancer.written[: len(written)] == written
    assert len(compared.balancer.written) == len(written) + 1
    assert f"Compared afterwards: {fact['text']}" in refused.value.detail
    assert refused.value.next[-1] == "bluegreen deploy 1.1.0 --force --reason '...'"


async def test_few_users_are_waited_for_and_the_status_says_so(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        await asyncio.sleep(30)
        status = await daemon.service.status()
        assert status.aftermath.startswith("comparing, 9")
        assert "more good ones of blue would show the release to be the cause" in status.aftermath
        await until(lambda: daemon.service.after_cutback.now is None)
        await asyncio.sleep(0.1)
        fact = (await daemon.current()).facts["aftermath"]
        assert (await daemon.service.status()).aftermath == ""
    (notice,) = notices(compared)
    assert (fact["finding"], notice.severity) == ("undecided", "info")
    assert fact["text"].startswith("cannot tell (the time is over): 5xx ")


async def test_another_deployment_ends_it(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        first = (await daemon.current()).id
        await daemon.deploy("1.2.0")
        await until(lambda: daemon.service.after_cutback.now is None)
        earlier = await daemon.service.deployment(first)
    assert earlier.facts["aftermath"]["text"].startswith("cannot tell (d-")
    assert daemon.watch.after is None


async def test_it_goes_on_after_a_restart(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        await asyncio.sleep(20)
    async with running(compared) as daemon:
        await until(lambda: daemon.service.after_cutback.now is not None)
        comparing = daemon.service.after_cutback.now
        assert comparing is not None
        assert 95 < comparing.left < 105
        compared.users.rate = 100.0
        fact = await found(daemon)
    assert fact["finding"] == "release"
    assert len(notices(compared)) == 1
    assert await compared.journal.facts("aftermath") == {}


async def test_where_nothing_spoke_against_the_release_nothing_is_compared(compared: Outside) -> None:
    async with running(compared) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(WATCHING)
        await asyncio.sleep(3)
        await daemon.cutback()
        ended = await daemon.end()
        await asyncio.sleep(300)
        assert (ended.cause, (await daemon.current()).facts.get("aftermath")) == (Cause.OPERATOR, None)
    assert notices(compared) == []


async def test_it_can_be_switched_off(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back(daemon)
        await asyncio.sleep(10)
        assert daemon.service.after_cutback.now is None
    assert notices(outside) == []


async def test_it_ends_where_users_are_moved_by_others(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        daemon.watch.moved(GREEN)
        await until(lambda: daemon.service.after_cutback.now is None)
        await asyncio.sleep(0.1)
        fact = (await daemon.current()).facts["aftermath"]
    assert fact["finding"] == "undecided"
    assert "cannot tell (users were moved)" in fact["text"]


async def test_it_names_the_route_and_the_first_bad_line(compared: Outside) -> None:
    line = "12:03:04.120 UTC POST /login 502 in 12 ms by 127.0.0.1:9001"
    async with running(compared) as daemon:
        await asyncio.sleep(60)
        await daemon.deploy()
        await daemon.reach(WATCHING)
        part = Part("web", "POST /login", 40, 31, line)
        daemon.watch.report(Counted("access_log", "5xx", GREEN, 40, 31, parts=(part,)))
        await daemon.end()
        fact = await found(daemon)
    assert "POST /login of web" in fact["text"]
    assert line in fact["text"]
    assert BLUE in fact["text"]


async def test_the_old_colour_answers_as_another_version_and_that_is_right(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        assert daemon.watch.after is not None
        daemon.watch.report(Counted("access_log", "5xx", BLUE, 200, 0, version="1.0.0"))
        await until(lambda: daemon.service.after_cutback.now is None)
        await asyncio.sleep(0.1)
        assert (await daemon.current()).facts["aftermath"]["finding"] == "release"


async def test_the_daemon_goes_on_where_the_journal_refuses(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back(daemon)
        await until(lambda: daemon.service.after_cutback.now is not None)
        compared.journal.full = True
        await asyncio.sleep(30)
        assert daemon.service.after_cutback.now is not None, "it is told once the disk takes it"
        compared.journal.full = False
        fact = await found(daemon)
        assert (await daemon.service.status()).troubles == ()
    assert fact["finding"] == "release"
    assert len(notices(compared)) == 1


async def test_what_another_program_kept_of_it_is_forgotten(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        await asyncio.sleep(20)
        id = (await daemon.current()).id
        kept = await compared.journal.fact("aftermath", id)
        await compared.journal.keep("aftermath", id, {**kept, "trial": {**kept["trial"], "lately": [1]}})
    async with running(compared) as daemon:
        await asyncio.sleep(20)
        assert daemon.service.after_cutback.now is None
    assert await compared.journal.facts("aftermath") == {}


async def test_a_flaw_in_the_comparison_ends_no_daemon(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        comparing = daemon.service.after_cutback.now
        assert comparing is not None
        comparing.counted["5xx"] = (10**6, 0)  # more than ever were
        await asyncio.sleep(20)
        assert (daemon.service.after_cutback.now, daemon.watch.after) == (None, None)
        assert (await daemon.service.status()).troubles == ()


async def test_killed_before_it_is_forgotten_it_is_told_only_once(compared: Outside) -> None:
    async with running(compared) as daemon:
        await taken_back_and_deserted(daemon)
        await asyncio.sleep(20)
        id = (await daemon.current()).id
        kept = await compared.journal.fact("aftermath", id)
        compared.users.rate = 100.0
        await found(daemon)
        await compared.journal.keep("aftermath", id, kept)  # the daemon was killed before it forgot that
    async with running(compared) as daemon:
        await asyncio.sleep(200)
        told = [event for event in await daemon.events() if event.name == "aftermath.ended"]
    assert len(told) == 1
    assert await compared.journal.facts("aftermath") == {}
