"""The switch and the way back, with everything that a balancer can do to a write."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from bluegreen.adapters.balancers.memory import Fault, Route
from bluegreen.adapters.database.memory import MemoryDatabase
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import RequestRefused, WrongPhase
from bluegreen.domain.phases import Outcome, Phase
from tests.app.daemons import ANN, Daemon, outcomes, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

REVERTED, STRANDED, LIVE = Phase.REVERTED, Phase.STRANDED, Phase.LIVE


def faults(*list_of: Fault) -> Callable[[Outside], None]:
    """Faults met by the writes to come, from the switch on."""
    return lambda outside: outside.balancer.faults.extend(list_of)


def worse(outside: Outside) -> None:
    outside.users.failing[GREEN] = 1.0


async def intent_outcomes(outside: Outside, id: str) -> list[Outcome | None]:
    return [intent.outcome for intent in await outside.journal.intents(id) if intent.action == "switch"]


def generations_grow(outside: Outside) -> bool:
    stamps = [generation for _, generation in outside.balancer.written]
    return all(a < b for a, b in pairwise(stamps))


# --- forward


async def test_after_one_foreign_change_the_switch_is_tried_again(outside: Outside) -> None:
    faults(Fault.FOREIGN_CHANGE)(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE


@pytest.mark.parametrize("fault", [Fault.FOREIGN_CHANGE, Fault.UNREACHABLE, Fault.REFUSED])
async def test_a_switch_that_certainly_had_no_effect_ends_without_a_write_and_nothing_was_moved(
    fault: Fault, outside: Outside
) -> None:
    faults(fault, fault, fault)(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved, ended.cause) == (REVERTED, False, Cause.STEP_FAILED)
    assert outside.balancer.written == []
    assert await intent_outcomes(outside, ended.id) == [Outcome.FAILED]
    assert not outside.cards.written[-1].open
    (notice,) = outcomes(outside)
    assert "was not switched; users never left blue" in notice.text
    assert await outside.journal.fact("quarantine", "1.1.0") is None


@pytest.mark.parametrize(
    "moved",
    [
        lambda outside: outside.balancer.point("web", *SERVICES["web"].addresses[GREEN]),
        lambda outside: outside.balancer.point("web", "127.0.0.1:9", generation=1),
    ],
    ids=["one service is on the other colour", "one service is somewhere else"],
)
async def test_traffic_that_somebody_moved_right_before_the_switch_is_left_where_it_is(
    moved: Callable[[Outside], None], outside: Outside
) -> None:
    outside.at("before journal keep generation", lambda: moved(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved, ended.cause) == (REVERTED, False, Cause.MOVED_OUTSIDE)
    assert outside.balancer.written == []
    assert any("traffic is not on blue" in warning for warning in ended.warnings)


async def test_a_switch_without_an_answer_is_fenced_although_it_seems_to_have_had_no_effect(outside: Outside) -> None:
    faults(Fault.LANDS_LATE)(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        outside.balancer.land()
        await asyncio.sleep(60)
    assert (ended.phase, ended.moved) == (REVERTED, True)
    assert outside.balancer.written == [(BLUE, 2)], "the fence was written, the late write found another content"
    assert {route.dials for route in outside.balancer.routes.values()} == {s.addresses[BLUE] for s in SERVICES.values()}


async def test_a_switch_whose_connection_was_lost_after_its_effect_goes_on_to_the_proof(outside: Outside) -> None:
    faults(Fault.LOST_WITH_EFFECT)(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE
    assert outside.balancer.written == [(GREEN, 1)]


@pytest.mark.parametrize("fault", [Fault.LOST_WITHOUT_EFFECT, Fault.NO_EFFECT])
async def test_a_switch_that_shows_no_effect_is_undone_with_a_fence(fault: Fault, outside: Outside) -> None:
    faults(fault)(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (REVERTED, True)
    assert "did not take effect" in ended.reason
    assert outside.balancer.written == [(BLUE, 2)]


async def test_the_right_addresses_without_our_stamp_are_not_our_switch(outside: Outside) -> None:
    def restarted() -> None:
        for name, service in SERVICES.items():
            outside.balancer.point(name, *service.addresses[GREEN])

    outside.at("after balancer green 1", restarted)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (REVERTED, True)
    assert "did not take effect" in ended.reason


async def test_a_balancer_that_is_away_before_the_first_write_is_waited_for(outside: Outside) -> None:
    outside.at("after journal SWITCHING", lambda: setattr(outside.balancer, "reachable", False))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.SWITCHING)
        await asyncio.sleep(5)
        outside.balancer.reachable = True
        ended = await daemon.end()
    assert ended.phase is LIVE


async def test_the_wait_for_a_balancer_that_stays_away_is_bounded_and_nothing_was_moved(outside: Outside) -> None:
    outside.at("after journal SWITCHING", lambda: setattr(outside.balancer, "reachable", False))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.SWITCHING)
        began = outside.clock.monotonic()
        ended = await daemon.end()
        assert 8 < outside.clock.monotonic() - began < 13
    assert (ended.phase, ended.moved, ended.cause) == (REVERTED, False, Cause.STEP_FAILED)
    assert any("could not be read back" in warning for warning in ended.warnings)


async def test_without_a_card_there_is_no_switch(outside: Outside) -> None:
    outside.cards.full = True
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (REVERTED, False)
    assert outside.balancer.written == []


async def test_the_card_leads_back_to_the_colour_of_this_deployment_also_after_a_restart(outside: Outside) -> None:
    """Guards: after a restart the card of the deployment before was taken up, which leads to the wrong colour."""
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        first = await daemon.deploy("1.1.0")
        await daemon.reach(Phase.AWAITING)
        await daemon.service.promote(first.id, ANN)
        await daemon.end()
        await daemon.deploy("1.2.0")
        await daemon.reach(Phase.AWAITING)
    async with running(outside) as daemon:
        await daemon.service.promote("current", ANN)
        await daemon.reach(Phase.WATCHING)
        card = outside.cards.written[-1]
        assert (card.colour, card.open, card.deployment) == (GREEN, True, (await daemon.current()).id)


async def test_the_card_is_fit_for_the_failsafe_only_where_users_may_go_back_by_themselves(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.end()
        await daemon.service.rollback("", ANN)
        await daemon.end()
        await daemon.deploy("1.2.0", live_is_down=True, reason="it is broken")
        await daemon.end()
    opened = [card.failsafe for card in outside.cards.written if card.open]
    assert opened == [True, False, False]


# --- back


async def to_watching(daemon: Daemon) -> None:
    await daemon.deploy()
    await daemon.reach(Phase.WATCHING)
    await asyncio.sleep(3)


async def test_the_way_back_is_written_before_anything_is_written_down_and_told_last(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        so_far = len(outside.told)
        worse(outside)
        ended = await daemon.end()
    assert ended.phase is REVERTED
    told = outside.told[so_far:]
    assert told.index("balancer blue 2") < told.index("journal REVERTING") < told.index("journal claim notice")
    assert "journal keep watch" not in told[told.index("balancer blue 2") :]


@pytest.mark.parametrize(
    "fault",
    [Fault.LANDS_LATE, Fault.LOST_WITHOUT_EFFECT, Fault.REFUSED, Fault.NO_EFFECT, Fault.UNREACHABLE],
)
async def test_a_way_back_that_does_not_show_is_tried_again_until_it_does(fault: Fault, outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(*[fault] * 6)(outside)
        worse(outside)
        ended = await daemon.end()
        outside.balancer.land()
        status = await daemon.service.status()
    assert ended.phase is REVERTED
    assert status.traffic is not None
    assert status.traffic.colour is BLUE
    assert generations_grow(outside)
    assert pages(outside) == ["cutback-stuck"]


async def test_a_way_back_whose_connection_was_lost_after_its_effect_is_done(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(Fault.LOST_WITH_EFFECT)(outside)
        worse(outside)
        ended = await daemon.end()
    assert ended.phase is REVERTED
    assert outside.balancer.written == [(GREEN, 1), (BLUE, 2)]
    assert pages(outside) == []


async def test_while_the_balancer_is_away_the_way_back_is_tried_on_and_a_human_is_called_with_the_command(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        outside.balancer.reachable = False
        worse(outside)
        await daemon.reach(Phase.REVERTING)
        await asyncio.sleep(600)  # long after the deadline: it pages and ends nothing
        assert (await daemon.current()).phase is Phase.REVERTING
        outside.balancer.reachable = True
        returned = outside.clock.monotonic()
        ended = await daemon.end()
        assert outside.clock.monotonic() - returned < 6
    assert (ended.phase, ended.cause) == (REVERTED, Cause.REGRESSED)
    assert pages(outside) == ["cutback-stuck"]
    assert outside.notifier.sent[0].facts["next"] == "systemctl restart caddy"


async def test_a_foreign_writer_that_wins_three_times_leaves_it_to_people(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(*[Fault.FOREIGN_CHANGE] * 3)(outside)
        worse(outside)
        ended = await daemon.end()
    assert ended.phase is STRANDED
    assert "somebody else keeps changing" in ended.reason
    card = outside.cards.written[-1]
    assert (card.open, card.failsafe) == (True, False), "a person may still go back by the card alone"
    (notice,) = outcomes(outside)
    assert notice.severity == "critical"
    assert "bluegreen status" in notice.text


async def test_a_foreign_writer_that_wins_now_and_then_only_delays(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(*[Fault.FOREIGN_CHANGE, Fault.FOREIGN_CHANGE, Fault.REFUSED] * 2)(outside)
        worse(outside)
        ended = await daemon.end()
    assert ended.phase is REVERTED


async def test_after_it_the_card_is_closed_the_snippets_follow_and_drift_is_not_seen(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        worse(outside)
        ended = await daemon.end()
        await asyncio.sleep(30)
        events = [event.name for event in await daemon.events()]
    assert ended.phase is REVERTED
    assert not outside.cards.written[-1].open
    assert outside.balancer.persisted() is BLUE
    assert await outside.journal.fact("wanted", "colour") == "blue"
    assert "traffic.drifted" not in events
    assert None not in await intent_outcomes(outside, ended.id)


async def test_snippets_that_cannot_be_written_are_a_warning_and_delay_nothing(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        outside.balancer.disk_full = True
        worse(outside)
        ended = await daemon.end()
    assert ended.phase is REVERTED
    assert any("snippet files" in warning for warning in ended.warnings)


@pytest.mark.parametrize("status", [500, 200])
async def test_users_are_where_they_should_be_also_where_the_log_does_not_say_so(status: int, outside: Outside) -> None:
    """An answer of the application's own, or none in the log: people are told that not all is well."""
    async with running(outside) as daemon:
        await to_watching(daemon)
        outside.front_door.logged = status == 500
        outside.front_door.statuses[BLUE] = status
        worse(outside)
        ended = await daemon.end()
    assert ended.phase is REVERTED
    assert pages(outside) == ["both-bad"]


async def test_the_old_colour_is_probed_already_while_the_switch_is_proved(outside: Outside) -> None:
    outside.at("after balancer green 1", lambda: setattr(outside.front_door, "logged", False))  # the proof lasts 10 s
    async with running(outside) as daemon:
        await daemon.deploy()
        await until(lambda: outside.balancer.written)
        outside.readiness[0].failures[BLUE] = "connection refused"
        await asyncio.sleep(5)
        assert pages(outside) == ["no-way-back"]
        assert outside.cards.written[-1].failsafe is False
        await daemon.cutback()
        ended = await daemon.end()
    assert (ended.phase, outside.balancer.written) == (STRANDED, [(GREEN, 1)])


async def test_the_database_is_not_even_asked_on_the_way_back(outside: Outside) -> None:
    asked: list[str] = []

    class Hangs(MemoryDatabase):
        def __getattribute__(self, name: str) -> object:
            asked.append(name)
            return super().__getattribute__(name)

    outside.database = Hangs()
    async with running(outside) as daemon:
        await to_watching(daemon)
        assert asked
        asked.clear()
        worse(outside)
        ended = await daemon.end()
    assert (ended.phase, asked) == (REVERTED, [])


async def test_a_receiver_of_notices_that_hangs_delays_nothing(outside: Outside) -> None:
    outside.notifier.hanging = True
    async with running(outside) as daemon:
        await to_watching(daemon)
        worse(outside)
        began = outside.clock.monotonic()
        await until(lambda: outside.balancer.written[-1][0] is BLUE)
        await daemon.end()
        assert outside.clock.monotonic() - began < 2


# --- settled by people


async def test_a_stranded_deployment_is_taken_back_by_retry_when_the_old_colour_answers_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        outside.front_door.statuses[BLUE] = None
        worse(outside)
        stranded = await daemon.end()
        assert stranded.phase is STRANDED
        outside.front_door.statuses[BLUE] = 200
        await daemon.service.retry(stranded.id, ANN)
        ended = await daemon.end()
    assert (ended.id, ended.phase) == (stranded.id, REVERTED)
    assert ended.path[-3:] == (STRANDED, Phase.REVERTING, REVERTED)
    assert [notice.event for notice in outcomes(outside)] == ["deployment.stranded", "deployment.reverted"]
    assert generations_grow(outside)


@pytest.mark.parametrize("verb", ["retry", "cutback"])
async def test_a_way_back_ordered_right_after_it_stranded_is_not_lost(verb: str, outside: Outside) -> None:
    """Guards: asked while the end was still being written down, the new way back was dropped with the old run."""
    outside.at("before journal claim notice", lambda: asyncio.sleep(0.5))
    async with running(outside) as daemon:
        await to_watching(daemon)
        outside.front_door.statuses[BLUE] = None
        worse(outside)
        await daemon.reach(STRANDED)
        outside.front_door.statuses[BLUE] = 200
        await (daemon.service.cutback(ANN) if verb == "cutback" else daemon.service.retry("current", ANN))
        ended = await daemon.end()
    assert ended.phase is REVERTED


async def test_a_deployment_right_after_the_end_of_another_waits_until_that_is_written_down(outside: Outside) -> None:
    outside.at("before journal claim notice", lambda: asyncio.sleep(0.5))
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.reach(LIVE)
        await daemon.deploy("1.2.0")
        ended = await daemon.end()
    assert (ended.phase, ended.plan.release.version) == (LIVE, "1.2.0")


async def test_what_is_stranded_in_the_schema_is_proved_and_not_moved_by_retry(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.at("after journal PROVING", lambda: outside.smoke.failures.update({BLUE: "HTTP 500"}))
    async with running(outside) as daemon:
        await daemon.deploy()
        stranded = await daemon.end()
        assert stranded.phase is STRANDED
        await daemon.service.retry("current", ANN)
        again = await daemon.end()
        assert again.phase is STRANDED
        outside.smoke.failures.clear()
        await daemon.service.retry("current", ANN)
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (REVERTED, False)
    assert outside.balancer.written == []


async def test_resolve_takes_what_caddy_serves_as_wanted(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(*[Fault.FOREIGN_CHANGE] * 3)(outside)
        worse(outside)
        stranded = await daemon.end()
        outside.users.failing.clear()
        settled = await daemon.service.resolve(stranded.id, ANN, "a hot fix on green")
        assert settled.settled
        assert await outside.journal.fact("wanted", "colour") == "green"
        await daemon.deploy("1.2.0")
        ended = await daemon.end()
    assert (ended.phase, ended.old) == (LIVE, GREEN)


async def test_resolve_is_refused_while_caddy_serves_neither_colour_alone(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(*[Fault.FOREIGN_CHANGE] * 3)(outside)
        worse(outside)
        await daemon.end()
        outside.balancer.routes = outside.balancer.routes | {"web": Route(SERVICES["web"].addresses[BLUE])}
        with pytest.raises(RequestRefused, match="neither colour alone"):
            await daemon.service.resolve("current", ANN, "done")
        assert not (await daemon.current()).settled


async def test_a_way_back_that_does_not_succeed_may_be_settled_by_hand_after_its_deadline(outside: Outside) -> None:
    async with running(outside) as daemon:
        await to_watching(daemon)
        faults(*[Fault.REFUSED] * 100)(outside)
        worse(outside)
        reverting = await daemon.reach(Phase.REVERTING)
        with pytest.raises(WrongPhase, match="not for you to settle yet"):
            await daemon.service.resolve(reverting.id, ANN, "too early")
        await asyncio.sleep(40)
        await daemon.service.resolve(reverting.id, ANN, "a hot fix on green")
        ended = await daemon.end()
    assert (ended.phase, ended.settled) == (STRANDED, True)
    assert "settled by uid 1000 (ann): a hot fix on green" in ended.reason
    assert await outside.journal.fact("wanted", "colour") == "green"
