"""PROVING: the version that serves is looked at on the changed schema, its checks and its users."""

import asyncio

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE

P = Phase


@pytest.fixture
def outside() -> Outside:
    """A world in which a migration is pending, and users of the live colour are watched for 10 s after it."""
    outside = Outside()
    outside.change(proving=10.0)
    outside.database.add("0001_a")
    return outside


async def began(daemon: Daemon) -> None:
    """A deployment is begun, when the daemon has seen for a while how the live colour serves."""
    await asyncio.sleep(60)
    await daemon.deploy()


async def told(daemon: Daemon, phase: Phase) -> str:
    """Why a phase ended."""
    events = [event for event in await daemon.events() if event.facts.get("previous") == phase]
    return str(events[-1].facts["answer"])


async def test_users_of_the_live_colour_are_watched_on_the_changed_schema(outside: Outside) -> None:
    async with running(outside) as daemon:
        await began(daemon)
        ended = await daemon.end()
        why = await told(daemon, P.PROVING)
    assert ended.phase is P.LIVE
    assert 10.0 <= ended.facts["phase_seconds"]["PROVING"] < 15.0
    assert "blue passes its checks on it; watched for 10 s" in why


async def test_users_who_are_hurt_by_the_migration_end_it_stranded_and_it_is_named(outside: Outside) -> None:
    outside.at("after journal PROVING", lambda: outside.users.failing.update({BLUE: 0.2}))
    async with running(outside) as daemon:
        await began(daemon)
        ended = await daemon.end()
        kept = daemon.watch.baseline.seen("5xx")
    assert (ended.phase, ended.moved) == (P.STRANDED, False)
    assert "users on blue are hurt by the changed schema (applied and kept: app/0001_a.expand)" in ended.reason
    assert "5xx" in ended.reason
    assert ended.facts["phase_seconds"]["PROVING"] < 10.0
    assert kept[1] < 20, "what the migration broke is not what is usual"
    assert ended.facts.get("users") is None, "it is no number of the new release"


async def test_errors_that_were_there_before_are_not_blamed_on_the_migration(outside: Outside) -> None:
    outside.users.failing[BLUE] = 0.2
    outside.change(proving=10.0, window=1.0, standby=0.0, min_bad=1_000_000)  # what follows is not in question here
    async with running(outside) as daemon:
        await began(daemon)
        ended = await daemon.end()
    assert ended.phase is P.LIVE


async def test_where_nothing_was_applied_nobody_is_watched(outside: Outside) -> None:
    outside.database.migrations.clear()
    async with running(outside) as daemon:
        await began(daemon)
        ended = await daemon.end()
    assert ended.facts["phase_seconds"]["PROVING"] < 1.0


async def test_a_live_colour_that_was_known_to_be_down_is_not_watched(outside: Outside) -> None:
    outside.users.failing[BLUE] = 1.0
    async with running(outside) as daemon:
        await daemon.deploy(live_is_down=True, reason="it is down")
        ended = await daemon.end()
    assert ended.facts["phase_seconds"]["PROVING"] < 1.0
    assert P.STARTING in ended.path


async def test_nobody_can_tell_so_data_are_waited_for_and_then_it_is_given_up(outside: Outside) -> None:
    def silence() -> None:
        outside.users.silent = True

    outside.at("after journal PROVING", silence)
    async with running(outside) as daemon:
        await began(daemon)
        ended = await daemon.end()
    assert (ended.phase, ended.cause, ended.moved) == (P.ABANDONED, Cause.BLIND, False)
    assert "nobody can tell how users of blue fare on the changed schema" in ended.reason
    assert 50.0 < ended.facts["phase_seconds"]["PROVING"] < 60.0
    assert outside.database.runs == ["0001_a"], "what was applied stays, and is named"
    assert "app/0001_a.expand" in ended.reason


async def test_data_that_come_late_are_taken(outside: Outside) -> None:
    def silence() -> None:
        outside.users.silent = True

    async def later(daemon: Daemon) -> None:
        await daemon.reach(P.PROVING)
        await asyncio.sleep(30)
        outside.users.silent = False

    outside.at("after journal PROVING", silence)
    async with running(outside) as daemon:
        await began(daemon)
        await later(daemon)
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert 30.0 <= ended.facts["phase_seconds"]["PROVING"] < 50.0


async def test_at_night_probes_decide_unless_the_settings_want_users(outside: Outside) -> None:
    outside.users.rate = 0.0
    async with running(outside) as daemon:
        await began(daemon)
        assert (await daemon.end()).phase is P.LIVE
    outside.change(proving=10.0, on_no_traffic="hold")
    outside.database.add("0002_b")
    async with running(outside) as daemon:
        await daemon.deploy("1.2.0")
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.ABANDONED, Cause.BLIND)
    assert "only our own probes" in ended.reason


async def test_an_abort_lets_the_proof_end_first(outside: Outside) -> None:
    outside.at("after journal PROVING", lambda: outside.users.failing.update({BLUE: 0.2}))
    async with running(outside) as daemon:
        await began(daemon)
        await daemon.reach(P.PROVING)
        await daemon.service.abort("current", ANN, "changed my mind")
        ended = await daemon.end()
    assert ended.phase is P.STRANDED


async def test_a_failed_expand_is_proved_with_users_too(outside: Outside) -> None:
    outside.database.add("0002_b")
    outside.database.failing["0002_b"] = "syntax error"
    outside.at("after journal ASSESSING", lambda: outside.users.failing.update({BLUE: 0.2}))
    async with running(outside) as daemon:
        await began(daemon)
        ended = await daemon.end()
    assert ended.phase is P.STRANDED
    assert "app/0001_a.expand" in ended.reason


async def test_a_restart_in_the_middle_of_it_proves_anew(outside: Outside) -> None:
    async with running(outside) as daemon:
        await began(daemon)
        await daemon.reach(P.PROVING)
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert ended.facts["phase_seconds"]["PROVING"] >= 10.0
