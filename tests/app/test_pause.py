"""While a person paused the automation nothing moves by itself, and everything that is ordered does."""

import asyncio

import pytest

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.errors import JournalUnwritable
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, alert, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase
LONG = 600.0
"""Virtual seconds in which everything would have happened that may."""


async def paused_in(daemon: Daemon, phase: Phase, seconds: float | None = None) -> None:
    """A deployment in a phase, paused there."""
    await daemon.deploy()
    await daemon.reach(phase)
    await daemon.service.pause(ANN, "counting the money", seconds)


def move_to_blue(outside: Outside) -> None:
    """Somebody else sends users back."""
    for name, service in SERVICES.items():
        outside.balancer.point(name, *service.addresses[BLUE])


async def resumed(daemon: Daemon) -> None:
    await daemon.service.resume(ANN, "counted")


def names(events: object) -> list[str]:
    return [event.name for event in events]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["deploy", "rollback"])
async def test_the_gate_is_not_passed_by_itself_and_is_after_resume(kind: str, outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.service.pause(ANN, "counting the money")
        if kind == "deploy":
            await daemon.deploy()
        else:
            await daemon.service.rollback("1.0.0", ANN)
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(LONG)
        assert (await daemon.current()).phase is P.AWAITING
        await resumed(daemon)
        assert (await daemon.end()).phase is P.LIVE


@pytest.mark.parametrize("phase", [P.WATCHING, P.STANDING_BY])
async def test_a_watch_does_not_end_by_itself_its_deadline_only_pages_and_resume_ends_it(
    phase: Phase, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, phase)
        await asyncio.sleep(30)
        watch = (await daemon.service.status()).watch
        assert watch is not None
        assert watch.held == f"paused by {ANN.who}: counting the money; the time of {phase} is over"
        assert pages(outside) == []
        await asyncio.sleep(LONG)
        assert (await daemon.current()).phase is phase
        assert pages(outside) == ["paused"]
        await resumed(daemon)
        assert (await daemon.end()).phase is P.LIVE


@pytest.mark.parametrize("phase", [P.WATCHING, P.STANDING_BY])
async def test_a_regression_is_told_and_cuts_back_only_after_resume(phase: Phase, outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, phase)
        outside.users.failing[GREEN] = 0.5
        await asyncio.sleep(LONG)
        watch = (await daemon.service.status()).watch
        assert watch is not None
        assert watch.verdict == "regressed"
        assert "would have cut back: green is worse (5xx" in watch.held
        assert outside.serving() == {GREEN}
        assert pages(outside) == ["cutback-withheld"]
        assert names(await daemon.events()).count("cutback.withheld") == 1
        await resumed(daemon)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, "regressed")
    assert outside.serving() == {BLUE}


async def test_a_regression_during_the_switch_waits_for_resume(outside: Outside) -> None:
    outside.at("after balancer green 1", lambda: setattr(outside.front_door, "logged", False))
    outside.users.failing[GREEN] = 1.0
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await daemon.service.pause(ANN, "looking myself")
        await daemon.service.promote("current", ANN)
        await until(lambda: outside.balancer.written)
        await asyncio.sleep(3)
        assert (await daemon.current()).phase is P.SWITCHING
        outside.front_door.logged = True
        await daemon.reach(P.WATCHING)
        await until(lambda: pages(outside) == ["cutback-withheld"])
        await resumed(daemon)
        assert (await daemon.end()).cause == "regressed"


async def test_a_pause_during_the_last_checks_keeps_users_where_they_are_until_resume(outside: Outside) -> None:
    outside.change(auto_promote=True)
    async with running(outside) as daemon:
        outside.at("after journal SWITCHING", lambda: daemon.service.pause(ANN, "hands off"))
        await daemon.deploy()
        await until(daemon.engine.pause.active)
        await asyncio.sleep(5)
        assert (outside.serving(), (await daemon.current()).phase) == ({BLUE}, P.SWITCHING)
        await resumed(daemon)
        await daemon.reach(P.WATCHING)
        assert outside.serving() == {GREEN}


async def test_a_switch_that_fails_is_taken_back_all_the_same(outside: Outside) -> None:
    outside.change(auto_promote=False)
    outside.at("after balancer green 1", lambda: setattr(outside.front_door, "logged", False))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await daemon.service.pause(ANN, "looking myself")
        await daemon.service.promote("current", ANN)
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (P.REVERTED, True)
    assert outside.serving() == {BLUE}


async def test_blind_past_the_deadline_is_not_cut_back_but_told(outside: Outside) -> None:
    outside.change(on_blind="cutback")
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING)
        outside.users.silent = True
        await asyncio.sleep(LONG)
        assert (await daemon.current()).phase is P.WATCHING
        assert pages(outside) == ["cutback-withheld"]
        await resumed(daemon)
        assert (await daemon.end()).cause == "blind"


async def test_an_alert_is_recorded_with_the_reason_and_calls_a_person(outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING)
        answer = await daemon.service.alert(alert(daemon))
        assert (answer.effect, answer.reason) == (AlertEffect.RECORDED, f"paused by {ANN.who}: counting the money")
        await asyncio.sleep(1)
        assert pages(outside) == ["alert-held"]
        assert (await daemon.current()).phase is P.WATCHING


async def test_traffic_that_was_moved_outside_is_told_and_goes_back_after_resume(outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING)
        move_to_blue(outside)
        await asyncio.sleep(60)
        assert (await daemon.current()).phase is P.WATCHING
        assert pages(outside).count("moved-held") == 1
        await resumed(daemon)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, "moved-outside")


@pytest.mark.parametrize("verb", ["cutback", "abort"])
async def test_operators_go_back_while_it_is_paused(verb: str, outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING)
        if verb == "abort":
            await daemon.service.abort("current", ANN)
        else:
            await daemon.cutback()
        assert (await daemon.end()).phase is P.REVERTED
        assert daemon.engine.pause.active()


async def test_an_operator_takes_a_release_all_the_way_while_it_is_paused(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.service.pause(ANN, "by hand today")
        await daemon.deploy()
        for phase in (P.AWAITING, P.WATCHING, P.STANDING_BY):
            await daemon.reach(phase)
            await daemon.service.promote("current", ANN, "seen to it", full=True)
        assert (await daemon.end()).phase is P.LIVE


async def test_the_card_forbids_the_failsafe_while_it_is_paused(outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING, seconds=20.0)
        card = await outside.cards.read()
        assert card is not None
        assert (card.open, card.failsafe) == (True, False)
        await asyncio.sleep(22)
        card = await outside.cards.read()
        assert card is not None
        assert card.failsafe
        await daemon.end()
        await daemon.service.pause(ANN, "afterwards")
        card = await outside.cards.read()
        assert card is not None
        assert not card.open, "a card that is closed stays closed"


async def test_a_card_written_while_it_is_paused_forbids_the_failsafe(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.service.pause(ANN, "by hand today")
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        await daemon.service.promote("current", ANN)
        await daemon.reach(P.WATCHING)
        card = await outside.cards.read()
        assert card is not None
        assert (card.open, card.failsafe) == (True, False)


async def test_a_pause_ends_by_the_clock_and_says_so(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.service.pause(ANN, "lunch", 1800.0)
        await asyncio.sleep(1799)
        assert daemon.engine.pause.active()
        await asyncio.sleep(3)
        assert not daemon.engine.pause.active()
        told = [event for event in await daemon.events() if event.name.startswith("automation.")]
    assert names(told) == ["automation.paused", "automation.resumed"]
    assert told[1].facts["by"] == "the clock"
    assert await outside.journal.fact("pause", "automation") is None


async def test_a_pause_survives_a_restart_and_ends_while_the_daemon_is_away(outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING, seconds=600.0)
        outside.users.failing[GREEN] = 0.5
    await asyncio.sleep(30)
    async with running(outside) as daemon:
        await asyncio.sleep(100)
        assert (await daemon.current()).phase is P.WATCHING
        assert daemon.engine.pause.reason == f"paused by {ANN.who}: counting the money"
    await asyncio.sleep(600)
    async with running(outside) as daemon:
        assert (await daemon.end()).phase is P.REVERTED


async def test_a_way_back_that_somebody_else_took_while_the_daemon_was_away_waits_for_resume(outside: Outside) -> None:
    async with running(outside) as daemon:
        await paused_in(daemon, P.WATCHING)
    move_to_blue(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(30)
        assert (await daemon.current()).phase is P.WATCHING
        assert "moved-held" in pages(outside)
        await resumed(daemon)
        assert (await daemon.end()).cause == "moved-outside"


async def test_who_paused_it_stands_in_the_audit_and_in_the_status(outside: Outside) -> None:
    async with running(outside) as daemon:
        first = await daemon.service.pause(ANN, "lunch", 60.0)
        await daemon.service.pause(ANN, "a long lunch")
        status = await daemon.service.status()
        assert status.pause is not None
        assert (status.pause.reason, status.pause.until) == ("a long lunch", None)
        await resumed(daemon)
        assert await daemon.service.resume(ANN, "again") is None, "harmless twice"
        assert (await daemon.service.status()).pause is None
    rows = list(reversed(await outside.journal.audited(10)))
    assert [(row.verb, row.before, row.after) for row in rows] == [
        ("pause", "running", first.describe()),
        ("pause", first.describe(), f"paused by {ANN.who}: a long lunch"),
        ("resume", f"paused by {ANN.who}: a long lunch", "running"),
    ]


async def test_a_pause_that_cannot_be_kept_is_refused_and_none(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.journal.full = True
        with pytest.raises(JournalUnwritable):
            await daemon.service.pause(ANN, "lunch")
        assert not daemon.engine.pause.active()


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_what_is_refused_for_its_audit_has_no_effect(verb: str, outside: Outside) -> None:
    async with running(outside) as daemon:
        if verb == "resume":
            await daemon.service.pause(ANN, "lunch")

        def refuse() -> None:
            raise JournalUnwritable("no room for the audit")

        outside.at("before journal audit", refuse)
        with pytest.raises(JournalUnwritable):
            await (daemon.service.pause(ANN, "tea") if verb == "pause" else daemon.service.resume(ANN, "back"))
        assert daemon.engine.pause.active() is (verb == "resume")
    async with running(outside) as daemon:
        assert daemon.engine.pause.active() is (verb == "resume"), "nor for the next daemon"


async def test_what_was_left_for_inspection_stays_while_it_is_paused(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await daemon.cutback()
        await daemon.end()
        await daemon.service.pause(ANN, "still looking")
        await asyncio.sleep(LONG)
        assert outside.runners[GREEN].running == "1.1.0"
        await resumed(daemon)
        await until(lambda: not outside.runners[GREEN].running)
