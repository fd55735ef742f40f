"""A daemon that finds the mark of `cutback --offline`: it makes it its own, whatever it was doing."""

import asyncio
from dataclasses import replace

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Mark
from tests.app.daemons import ANN, outcomes, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN
from tests.virtual_time import EPOCH

P = Phase


async def watched(outside: Outside, phase: Phase = P.WATCHING) -> str:
    """A release is on trial, and its daemon is gone."""
    async with running(outside) as daemon:
        await daemon.deploy()
        return (await daemon.reach(phase)).id


async def taken_back(outside: Outside, id: str, **rest: bool) -> Mark:
    """What `cutback --offline` does to the world."""
    await outside.balancer.switch(BLUE, 9)
    mark = Mark(id, BLUE, 9, "uid 0 (root)", EPOCH, reason="looks odd", **rest)
    await outside.cards.mark(mark)
    return mark


@pytest.mark.parametrize("phase", [P.WATCHING, P.STANDING_BY])
async def test_the_deployment_is_taken_back_as_the_operators_cutback_that_it_was(
    phase: Phase, outside: Outside
) -> None:
    id = await watched(outside, phase)
    await taken_back(outside, id)
    async with running(outside) as daemon:
        ended = await daemon.end()
        rows = await outside.journal.audited(9)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.OPERATOR)
    assert "cutback --offline by uid 0 (root): looks odd" in ended.reason
    assert outside.balancer.written[-1] == (BLUE, 10), "fenced and proved"
    assert await outside.journal.fact("quarantine", "1.1.0") is not None
    assert await outside.journal.fact("wanted", "colour") == "blue"
    assert await outside.cards.marked() is None
    assert [(row.verb, row.who, row.origin) for row in rows if row.verb == "cutback"] == [
        ("cutback", "uid 0 (root)", "offline")
    ]
    assert len(outcomes(outside)) == 1


async def test_what_the_failsafe_took_back_is_told_as_such_and_is_not_quarantined(outside: Outside) -> None:
    id = await watched(outside)
    await taken_back(outside, id, failsafe=True)
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.FAILSAFE)
    assert await outside.journal.fact("quarantine", "1.1.0") is None


async def test_an_order_that_nobody_could_carry_out_is_carried_out_by_the_next_daemon(outside: Outside) -> None:
    """`cutback --offline` could not reach Caddy: traffic is on the new colour still."""
    id = await watched(outside)
    await outside.cards.mark(Mark(id, BLUE, 0, "uid 0 (root)", EPOCH))
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.OPERATOR)
    assert outside.serving() == {BLUE}


async def test_a_daemon_that_hung_meanwhile_knows_whose_doing_it_was(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        await daemon.reach(P.WATCHING)
        await taken_back(outside, id)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.OPERATOR)
    assert await outside.cards.marked() is None


async def test_with_a_full_disk_the_mark_stays_until_the_end_is_durable(outside: Outside) -> None:
    id = await watched(outside)
    await taken_back(outside, id)
    outside.journal.full = outside.cards.full = True
    async with running(outside) as daemon:
        await daemon.reach(P.REVERTED)
        await asyncio.sleep(30)
        assert await outside.cards.marked() is not None
        outside.journal.full = outside.cards.full = False
        await daemon.end()
        assert await outside.cards.marked() is None


async def test_a_stranded_deployment_that_was_taken_back_meanwhile_is_proved_and_reverted(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        await daemon.reach(P.WATCHING)
        outside.front_door.statuses[BLUE] = None
        await daemon.cutback()
        assert (await daemon.end()).phase is P.STRANDED
    outside.front_door.statuses[BLUE] = 200
    await taken_back(outside, id)
    async with running(outside) as daemon:
        await until(lambda: daemon.engine.run is None)
        ended = await daemon.current()
    assert ended.phase is P.REVERTED
    assert ended.path[-3:] == (P.STRANDED, P.REVERTING, P.REVERTED)
    assert await outside.cards.marked() is None


async def test_a_mark_of_another_deployment_is_told_and_removed(outside: Outside) -> None:
    await watched(outside)
    await outside.cards.mark(Mark("d-other", BLUE, 3, "uid 0 (root)", EPOCH))
    async with running(outside) as daemon:
        ended = await daemon.end()
        told = [event for event in await daemon.events() if event.name == "mark.put_away"]
    assert ended.phase is P.LIVE
    assert [event.deployment for event in told] == ["d-other"]
    assert await outside.cards.marked() is None


async def test_after_the_end_a_forced_way_back_is_wanted_and_no_drift(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        await daemon.end()
    outside.runners[BLUE].running = "1.0.0"
    await taken_back(outside, id)
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        events = [event.name for event in await daemon.events()]
    assert await outside.journal.fact("wanted", "colour") == "blue"
    assert "traffic.drifted" not in events
    assert await outside.cards.marked() is None


async def test_a_daemon_that_dies_right_after_its_way_back_resumes_it_as_what_it_was(outside: Outside) -> None:
    """Guards: the write was taken for somebody else's, and a release that was found worse was not quarantined."""
    id = ""
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        await daemon.reach(P.WATCHING)
        dead = asyncio.Event()
        outside.at("after balancer blue 2", dead.set)
        outside.users.failing[GREEN] = 1.0
        await dead.wait()
    outside.users.failing.clear()
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.id, ended.phase, ended.cause) == (id, P.REVERTED, Cause.REGRESSED)
    assert "5xx" in ended.reason
    assert await outside.journal.fact("quarantine", "1.1.0") is not None


async def test_where_the_disk_was_full_at_that_moment_the_stamp_tells_that_it_was_us(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.journal.full = True
        dead = asyncio.Event()
        outside.at("after balancer blue 2", dead.set)
        outside.users.failing[GREEN] = 1.0
        await dead.wait()
    outside.users.failing.clear()
    outside.journal.full = False
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.SENT_BACK)
    assert await outside.journal.fact("quarantine", "1.1.0") is not None


async def test_a_settled_deployment_has_no_way_back_by_its_card(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        await daemon.reach(P.WATCHING)
        outside.front_door.statuses[BLUE] = None
        await daemon.cutback()
        assert (await daemon.end()).phase is P.STRANDED
        assert outside.cards.written[-1].open
        await daemon.service.resolve(id, ANN, "put right")
    assert not outside.cards.written[-1].open


async def test_a_mark_that_is_left_once_more_after_the_end_is_one_row_in_the_audit(outside: Outside) -> None:
    """The command leaves it before its write and after it; a daemon that still runs may be done in between."""
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        await daemon.reach(P.WATCHING)
        mark = await taken_back(outside, id)
        await daemon.end()
    await outside.cards.mark(replace(mark, generation=10))
    async with running(outside):
        await asyncio.sleep(1)
    assert [row.verb for row in await outside.journal.audited(9)].count("cutback") == 1
    assert await outside.cards.marked() is None
