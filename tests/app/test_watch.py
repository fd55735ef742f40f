"""The watch: when users are sent back, when not, and when only people may decide."""

import asyncio

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.signals import Counted
from tests.app.daemons import ANN, Daemon, alert, outcomes, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

LIVE, REVERTED, STRANDED = Phase.LIVE, Phase.REVERTED, Phase.STRANDED
WATCHING, STANDING_BY = Phase.WATCHING, Phase.STANDING_BY


async def learned(daemon: Daemon) -> None:
    """A minute of history of the live colour."""
    await asyncio.sleep(60)


async def to(daemon: Daemon, phase: Phase) -> None:
    await learned(daemon)
    await daemon.deploy()
    await daemon.reach(phase)
    await asyncio.sleep(3)


def standby_dies(outside: Outside) -> None:
    outside.readiness[0].failures[BLUE] = "connection refused"


def standby_comes_back(outside: Outside) -> None:
    outside.readiness[0].failures.clear()


def gets_worse(outside: Outside) -> None:
    outside.users.failing[GREEN] = 1.0


# --- back by itself


@pytest.mark.parametrize("phase", [WATCHING, STANDING_BY])
@pytest.mark.parametrize(("share", "bad_at_most"), [(1.0, 20), (0.1, 20), (0.02, 60)])
async def test_a_release_that_fails_users_is_taken_back_within_a_few_bad_answers(
    phase: Phase, share: float, bad_at_most: int, outside: Outside
) -> None:
    outside.change(window=300.0, standby=300.0)
    async with running(outside) as daemon:
        await to(daemon, phase)
        outside.users.failing[GREEN] = share
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert outside.users.got_bad[GREEN] <= bad_at_most
    assert "against tolerated" in ended.reason
    assert "regressed" in ended.facts["verdict"]


async def test_users_are_back_in_the_moment_the_evidence_is_in(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        gets_worse(outside)
        began = outside.clock.monotonic()
        await until(lambda: outside.balancer.written[-1][0] is BLUE)
        assert outside.clock.monotonic() - began < 0.25  # two reports of the log, each of 10 answers


async def test_a_colour_that_hangs_and_writes_no_line_is_noticed_by_the_probes(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        outside.users.silent = True
        outside.front_door.statuses[GREEN] = None
        began = outside.clock.monotonic()
        ended = await daemon.end()
        assert outside.clock.monotonic() - began < 3
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert "failures in a row: 3, limit 3" in ended.reason


async def test_a_failure_in_the_last_second_of_the_window_still_wins(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        run = daemon.engine.run
        assert run is not None
        await until(lambda: run.elapsed > 19.7)
        gets_worse(outside)
        ended = await daemon.end()
    assert ended.phase is REVERTED


async def test_users_who_fare_badly_while_the_switch_is_being_proved_end_it_at_once(outside: Outside) -> None:
    gets_worse(outside)
    outside.at("after balancer green 1", lambda: asyncio.sleep(20))
    async with running(outside) as daemon:
        await learned(daemon)
        await daemon.deploy()
        began = outside.clock.monotonic()
        ended = await daemon.end()
        assert outside.clock.monotonic() - began < 5
    assert ended.path[-3:] == (Phase.SWITCHING, Phase.REVERTING, REVERTED)
    assert ended.cause is Cause.REGRESSED


@pytest.mark.parametrize("share", [0.0, 0.001])
async def test_a_release_that_is_only_trivially_different_stays(share: float, outside: Outside) -> None:
    outside.change(window=600.0, standby=600.0)
    outside.users.failing = {BLUE: 0.001, GREEN: 0.001 + share}
    async with running(outside) as daemon:
        await learned(daemon)
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_what_the_old_colour_still_answers_is_not_held_against_the_new_one(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        daemon.watch.report(Counted("access_log", "5xx", BLUE, 1000, 1000))
        ended = await daemon.end()
    assert ended.phase is LIVE


# --- blind, and no traffic


async def test_blind_at_the_end_of_the_window_waits_for_data_and_then_goes_on(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        outside.users.silent = True
        await asyncio.sleep(25)
        status = await daemon.service.status()
        assert status.watch is not None
        assert status.watch.held == "blind (access_log has said nothing for 25 s), waiting for data"
        assert (await daemon.current()).phase is WATCHING
        assert pages(outside) == []
        outside.users.silent = False
        ended = await daemon.end()
    assert ended.phase is LIVE


@pytest.mark.parametrize("phase", [WATCHING, STANDING_BY])
async def test_blind_until_the_deadline_is_held_and_people_are_called_once(phase: Phase, outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, phase)
        outside.users.silent = True
        await asyncio.sleep(600)
        assert (await daemon.current()).phase is phase
        assert pages(outside) == ["blind"]
        await daemon.service.cutback(ANN)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.OPERATOR)


async def test_blind_until_the_deadline_goes_back_where_that_is_configured(outside: Outside) -> None:
    outside.change(on_blind="cutback")
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        outside.users.silent = True
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.BLIND)
    assert await outside.journal.fact("quarantine", "1.1.0") is None


async def test_without_users_the_probes_decide_and_a_warning_says_so(outside: Outside) -> None:
    outside.users.rate = 0.0
    async with running(outside) as daemon:
        await learned(daemon)
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE
    assert any("5xx needs" in warning for warning in ended.warnings)


async def test_without_users_it_is_held_where_that_is_configured_until_they_come(outside: Outside) -> None:
    outside.change(on_no_traffic="hold")
    outside.users.rate = 0.0
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        await asyncio.sleep(600)
        assert (await daemon.current()).phase is WATCHING
        assert pages(outside) == ["no-traffic"]
        outside.users.rate = 100.0
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_no_sample_at_all_is_never_a_success(outside: Outside) -> None:
    async with running(outside) as daemon:
        daemon.watch.report = lambda batch: None  # type: ignore[method-assign] # whatever comes, nothing is heard
        await daemon.deploy()
        await asyncio.sleep(600)
        assert (await daemon.current()).phase is WATCHING
        assert pages(outside) == ["blind"]


# --- the way back is itself watched


async def test_when_the_old_colour_dies_people_are_told_and_the_failsafe_may_not_use_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        standby_dies(outside)
        await asyncio.sleep(5)
        status = await daemon.service.status()
        assert status.watch is not None
        assert status.watch.way_back == "lost"
        assert (outside.cards.written[-1].open, outside.cards.written[-1].failsafe) == (True, False)
        standby_comes_back(outside)
        await asyncio.sleep(2)
        assert outside.cards.written[-1].failsafe
    assert pages(outside) == ["no-way-back"]


async def test_one_failed_check_of_the_old_colour_is_not_its_death(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        standby_dies(outside)
        await asyncio.sleep(1)
        standby_comes_back(outside)
        await asyncio.sleep(1)
        gets_worse(outside)
        ended = await daemon.end()
    assert (ended.phase, pages(outside)) == (REVERTED, [])


async def test_a_worse_release_stays_while_there_is_no_way_back_and_goes_when_there_is(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        standby_dies(outside)
        await asyncio.sleep(5)
        gets_worse(outside)
        await asyncio.sleep(120)
        held = await daemon.current()
        assert held.phase is WATCHING
        assert outside.balancer.written == [(GREEN, 1)]
        assert pages(outside) == ["no-way-back", "regressed-held"]
        standby_comes_back(outside)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)


async def test_an_alert_finds_no_way_back_and_calls_people(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        standby_dies(outside)
        await asyncio.sleep(5)
        answer = await daemon.service.alert(alert(daemon))
        await asyncio.sleep(1)
    assert (answer.effect, "no way back" in answer.reason) == ("recorded", True)
    assert pages(outside) == ["no-way-back", "alert-held"]


async def test_an_operators_cutback_to_a_dead_colour_writes_nothing_and_leaves_it_to_people(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        standby_dies(outside)
        await asyncio.sleep(5)
        await daemon.service.cutback(ANN)
        ended = await daemon.end()
    assert ended.phase is STRANDED
    assert "blue does not answer, so nothing was written" in ended.reason
    assert outside.balancer.written == [(GREEN, 1)]
    assert "bluegreen cutback --force" in ended.next


async def test_an_operator_who_insists_is_taken_at_his_word(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        standby_dies(outside)
        await asyncio.sleep(5)
        await daemon.service.cutback(ANN, force=True)
        ended = await daemon.end()
    assert ended.phase is REVERTED
    assert outside.balancer.written[-1][0] is BLUE


async def test_a_failed_switch_is_taken_back_whatever_the_old_colour_says(outside: Outside) -> None:
    """Traffic may be half there: rule 4."""
    outside.at("after balancer green 1", lambda: setattr(outside.front_door, "logged", False))
    outside.at("after balancer green 1", lambda: standby_dies(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is REVERTED


# --- only people go back


async def rolled_back(daemon: Daemon) -> None:
    """1.1.0 is live on green, and an operator's rollback to 1.0.0 on blue is being watched."""
    await learned(daemon)
    await daemon.deploy()
    await daemon.end()
    await daemon.service.rollback("", ANN, "we do not like it")
    await daemon.reach(WATCHING)


async def test_a_rollback_that_fares_badly_calls_people_and_stays(outside: Outside) -> None:
    async with running(outside) as daemon:
        await rolled_back(daemon)
        outside.users.failing[BLUE] = 1.0
        await asyncio.sleep(600)
        held = await daemon.current()
        assert (held.phase, held.plan.kind) == (WATCHING, "rollback")
        assert pages(outside) == ["regressed-held"]
        answer = await daemon.service.alert(alert(daemon))
        assert (answer.effect, answer.reason) == ("recorded", "a rollback is only taken back by an operator")
        await daemon.service.cutback(ANN)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.OPERATOR)
    assert pages(outside) == ["regressed-held", "alert-held"]


async def test_a_rollback_that_fares_badly_from_its_first_second_stays_too(outside: Outside) -> None:
    """Guards: in SWITCHING the verdict took a rollback back by itself."""
    outside.users.failing[BLUE] = 0.0
    outside.at("after balancer blue 2", lambda: asyncio.sleep(2))
    async with running(outside) as daemon:
        await learned(daemon)
        await daemon.deploy()
        await daemon.end()
        outside.users.failing[BLUE] = 1.0
        await daemon.service.rollback("1.0.0", ANN)
        await daemon.reach(WATCHING)
        await asyncio.sleep(60)
        assert (await daemon.current()).phase is WATCHING
        await asyncio.sleep(1)
    assert pages(outside) == ["regressed-held"]


async def test_a_rollback_runs_the_same_table_and_leaves_backup_and_schema_alone(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        backups, runs = len(outside.database.shelf), list(outside.database.runs)
        outside.smoke.failures[GREEN] = "login: HTTP 500"  # that is why it is left
        outside.database.add("0002_b")
        await daemon.service.rollback("", ANN)
        ended = await daemon.end()
    assert (ended.phase, ended.plan.release.version, ended.new) == (LIVE, "1.0.0", BLUE)
    assert any("green fails its smoke checks" in warning for warning in ended.warnings)
    assert (len(outside.database.shelf), outside.database.runs) == (backups, runs)


async def test_with_the_live_colour_down_its_checks_are_warnings_and_nothing_goes_back_there(outside: Outside) -> None:
    outside.users.failing[BLUE] = 1.0
    outside.smoke.failures[BLUE] = "login: HTTP 500"
    outside.readiness[0].failures[BLUE] = "connection refused"
    outside.front_door.statuses[BLUE] = 502
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await learned(daemon)
        await daemon.deploy(live_is_down=True, reason="blue broke")
        await daemon.reach(WATCHING)
        outside.front_door.statuses[GREEN] = 502
        await asyncio.sleep(120)
        held = await daemon.current()
        assert held.phase is WATCHING
        assert len(held.warnings) >= 3
    assert outside.balancer.written == [(GREEN, 1)]
    assert sorted(pages(outside)) == ["no-way-back", "regressed-held"]


async def test_a_live_colour_whose_every_request_failed_is_no_reason_to_crash(outside: Outside) -> None:
    """Guards: a baseline of 100 % bad made PREPARING end in an internal error."""
    outside.users.failing[BLUE] = 1.0
    async with running(outside) as daemon:
        await learned(daemon)
        await daemon.deploy(live_is_down=True, reason="blue broke")
        ended = await daemon.end()
    assert ended.phase is LIVE
    assert any("no release could be worse" in warning for warning in ended.warnings)


async def test_everyone_gets_one_message_about_what_was_taken_back(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to(daemon, WATCHING)
        gets_worse(outside)
        await daemon.end()
        await asyncio.sleep(600)
    (notice,) = outcomes(outside)
    assert notice.text.startswith("olympus: 1.1.0 was taken back; users are on blue (5xx ")
    assert notice.facts["cause"] == "regressed"


async def test_a_flaw_in_keeping_the_evidence_sends_nobody_back(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(run: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bluegreen.app.watching.keep_evidence", crash)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE
