"""A state directory that cannot be written: nothing is begun, and users are taken back all the same."""

import asyncio

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import JournalUnwritable
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, alert, outcomes, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase


def fill(outside: Outside) -> None:
    outside.journal.full = outside.cards.full = True


def free(outside: Outside) -> None:
    outside.journal.full = outside.cards.full = False


async def settled_when_free(daemon: Daemon) -> None:
    """The deployment has ended, its end is not written down; then it is."""
    run = daemon.engine.run
    assert run is not None
    await until(lambda: run.deployment.phase.final)
    await asyncio.sleep(30)
    assert daemon.engine.run is run, "nothing else may start before"
    assert any("state-unwritable" in trouble for trouble in await daemon.service.troubles())
    free(daemon.outside)
    await daemon.end()


async def test_a_deployment_that_cannot_be_written_down_is_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        fill(outside)
        with pytest.raises(JournalUnwritable):
            await daemon.deploy()
        assert daemon.engine.run is None
        free(outside)
        await daemon.deploy()
        assert (await daemon.end()).phase is P.LIVE


async def test_a_disk_that_is_nearly_full_is_found_in_preparing(outside: Outside) -> None:
    outside.journal.free = 3 << 20
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (P.ABANDONED, False)
    assert "3.0 MiB free, and 8 MiB are needed" in ended.reason
    assert outside.runners[GREEN].running == ""


@pytest.mark.parametrize(
    ("full_before", "end"),
    [
        (P.BACKING_UP, P.ABANDONED),
        (P.REHEARSING, P.ABANDONED),
        (P.EXPANDING, P.ABANDONED),
        (P.PROVING, P.ABANDONED),
        (P.STARTING, P.ABANDONED),
        (P.TESTING, P.ABANDONED),
        (P.AWAITING, P.ABANDONED),
        (P.CANARYING, P.REVERTED),
        (P.SWITCHING, P.REVERTED),
    ],
)
async def test_a_disk_that_is_full_before_the_switch_means_that_there_is_none(
    full_before: Phase, end: Phase, outside: Outside
) -> None:
    outside.database.add("0001_a")
    outside.at(f"before journal {full_before}", lambda: fill(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        await settled_when_free(daemon)
        ended = await daemon.current()
    assert (ended.phase, ended.moved) == (end, False)
    assert "refuse writes" in ended.reason
    assert outside.balancer.written == []
    assert await outside.journal.deployment(ended.id) == ended
    assert len(outcomes(outside)) == 1


@pytest.mark.parametrize("full_before", ["card open", "journal keep watch", "journal keep generation"])
async def test_a_disk_that_fills_while_the_switch_is_prepared_means_that_there_is_none(
    full_before: str, outside: Outside
) -> None:
    outside.at(f"before {full_before}", lambda: fill(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        await settled_when_free(daemon)
        ended = await daemon.current()
    assert (ended.phase, ended.moved) == (P.REVERTED, False)
    assert outside.balancer.written == []
    assert not any(card.open for card in outside.cards.written[-1:])


async def test_a_disk_that_fills_right_after_the_write_leads_back(outside: Outside) -> None:
    outside.at("after balancer green 1", lambda: fill(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        await settled_when_free(daemon)
        ended = await daemon.current()
    assert (ended.phase, ended.moved) == (P.REVERTED, True)
    assert outside.balancer.written == [(GREEN, 1), (BLUE, 2)]


async def test_with_a_full_disk_users_are_taken_back_at_once_and_the_outcome_is_durable_once_it_is_free(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(5)
        fill(outside)
        outside.users.failing[GREEN] = 1.0
        began = outside.clock.monotonic()
        await until(lambda: outside.balancer.written[-1] == (BLUE, 2))
        assert outside.clock.monotonic() - began < 0.5
        await asyncio.sleep(5)
        assert len(outcomes(outside)) == 1, "people are told although it cannot be written down"
        kept = (await outside.journal.deployments(1))[0]
        assert kept.phase is P.WATCHING
        await settled_when_free(daemon)
        ended = await daemon.current()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert await outside.journal.deployment(ended.id) == ended
    assert await outside.journal.fact("wanted", "colour") == "blue"
    assert await outside.journal.fact("quarantine", "1.1.0") is not None
    assert not outside.cards.written[-1].open
    assert len(outcomes(outside)) == 1


async def test_after_that_users_on_the_old_colour_are_no_drift(outside: Outside) -> None:
    """Guards: what is wanted was only written in REVERTING, where the disk was full."""
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        fill(outside)
        await daemon.service.cutback(ANN)
        await settled_when_free(daemon)
        await asyncio.sleep(30)
        events = [event.name for event in await daemon.events()]
    assert "traffic.drifted" not in events


@pytest.mark.parametrize("verb", ["cutback", "abort"])
async def test_an_operator_is_obeyed_with_a_full_disk(verb: str, outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        fill(outside)
        await (daemon.service.cutback(ANN) if verb == "cutback" else daemon.service.abort("current", ANN))
        await until(lambda: outside.balancer.written[-1][0] is BLUE)
        await settled_when_free(daemon)
    assert (await daemon.current()).cause is Cause.OPERATOR


async def test_an_alert_acts_with_a_full_disk_says_that_it_is_not_durable_and_is_known_the_second_time(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        fill(outside)
        fired = alert(daemon)
        answer = await daemon.service.alert(fired)
        assert (answer.effect, answer.durable) == ("cutback", False)
        assert (await daemon.service.alert(fired)).effect == "duplicate"
        await settled_when_free(daemon)
    assert (await daemon.current()).cause is Cause.ALERT


async def test_a_stranded_deployment_is_taken_back_with_a_full_disk(outside: Outside) -> None:
    """Guards: the cutback waited for the disk, to write down an end that was over."""
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        fill(outside)
        outside.front_door.statuses[BLUE] = None
        await daemon.service.cutback(ANN)
        await daemon.reach(P.STRANDED)
        outside.front_door.statuses[BLUE] = 200
        await daemon.service.cutback(ANN)
        await daemon.reach(P.REVERTED)
        await settled_when_free(daemon)
    assert [notice.event for notice in outcomes(outside)] == ["deployment.stranded", "deployment.reverted"]


async def test_a_promotion_that_cannot_be_written_down_is_refused_and_has_no_effect(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.reach(P.AWAITING)
        fill(outside)
        with pytest.raises(JournalUnwritable):
            await daemon.service.promote(deployed.id, ANN)
        await asyncio.sleep(60)
        assert (await daemon.current()).phase is P.AWAITING
        free(outside)
        await daemon.service.promote(deployed.id, ANN)
        assert (await daemon.end()).phase is P.LIVE


async def test_with_a_full_disk_the_old_colour_is_not_stopped(outside: Outside) -> None:
    outside.at("before journal RETIRING", lambda: fill(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        await settled_when_free(daemon)
        ended = await daemon.current()
    assert (ended.phase, ended.stopped) == (P.LIVE, False)
    assert outside.runners[BLUE].running == "1.0.0"
    assert "refuse writes" in ended.reason


async def test_the_watch_goes_on_with_a_full_disk(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        fill(outside)
        await asyncio.sleep(10)
        assert any("state-unwritable" in trouble for trouble in await daemon.service.troubles())
        free(outside)
        ended = await daemon.end()
    assert ended.phase is P.LIVE


async def test_when_the_disk_is_free_again_no_trouble_is_told_any_more_while_nothing_runs(outside: Outside) -> None:
    """Guards: an event that was written did not end the trouble, only a saved deployment did."""
    async with running(outside) as daemon:
        fill(outside)
        await daemon.news.tell("something.happened")
        assert any("state-unwritable" in trouble for trouble in await daemon.service.troubles())
        free(outside)
        await daemon.news.tell("something.else_happened")
        await asyncio.sleep(1)
        assert not any("state-unwritable" in trouble for trouble in await daemon.service.troubles())


async def test_a_daemon_that_starts_on_a_full_disk_writes_down_the_last_end_when_it_is_free(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        outside.at("after journal LIVE", lambda: fill(outside))
        await daemon.reach(P.LIVE)
    async with running(outside) as daemon:
        await settled_when_free(daemon)
    assert await outside.journal.fact("wanted", "colour") == "green"
    assert len({notice.key for notice in outcomes(outside)}) == 1, "told again, but as the same message"
