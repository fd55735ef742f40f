"""The old colour is the fallback inside the balancer while a release is watched: kept, noticed, decided, taken away."""

import asyncio
from dataclasses import replace

import pytest

from bluegreen.adapters.balancers.memory import Fault, Route
from bluegreen.app.requests import Paused, PlanRequest
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import CanaryStep
from bluegreen.domain.signals import Counted
from tests.app.daemons import ANN, Daemon, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase
FIRST = "green-or-blue"


@pytest.fixture
def outside() -> Outside:
    outside = Outside()
    outside.change(fallback=True)
    return outside


def writes(outside: Outside) -> list[str]:
    return [what.removeprefix("balancer ") for what in outside.told if what.startswith("balancer ")]


def moved_by_others(outside: Outside, *, fallback: bool = False) -> None:
    """Somebody else changes every route and leaves our stamp."""
    routes = outside.balancer.routes
    dials = {name: service.addresses[GREEN] for name, service in SERVICES.items()}
    outside.balancer.routes = {n: replace(routes[n], dials=dials[n], fallback=fallback) for n in routes}


async def names(daemon: Daemon) -> list[str]:
    return [event.name for event in await daemon.events()]


async def told(daemon: Daemon, name: str) -> dict[str, object]:
    return dict(next(event for event in await daemon.events() if event.name == name).facts)


# --- kept


async def test_it_is_there_from_the_switch_on_and_taken_away_before_the_old_colour_is_stopped(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.STANDING_BY)
        assert outside.balancer.routes["web"].fallback
        ended = await daemon.end()
        await asyncio.sleep(5)
    assert (ended.phase, ended.reason) == (P.LIVE, "")
    assert writes(outside) == [f"{FIRST} 1", "green 2"]
    assert outside.told.index("balancer green 2") < outside.told.index("runner blue down")
    assert outside.broken == []
    assert pages(outside) == []


async def test_a_worse_release_is_taken_back_without_it(outside: Outside) -> None:
    outside.users.failing[GREEN] = 1.0
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.REVERTED
    assert writes(outside) == [f"{FIRST} 1", "blue 2"]


async def test_a_canary_has_none_and_the_switch_after_it_has(outside: Outside) -> None:
    outside.terms = replace(outside.terms, canary=(CanaryStep(0.05, 3.0),))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert writes(outside) == ["green 0.05 1", f"{FIRST} 2", "green 3"]


@pytest.mark.parametrize("kind", ["rollback", "live is down"])
async def test_a_colour_that_is_left_for_a_reason_is_no_fallback(kind: str, outside: Outside) -> None:
    async with running(outside) as daemon:
        if kind == "rollback":
            await daemon.service.rollback("1.0.9", ANN, "it lost mails")
        else:
            await daemon.deploy(live_is_down=True, reason="blue burns")
        await daemon.end()
    assert writes(outside) == ["green 1"]


async def test_a_caddy_that_forgot_it_in_the_watch_is_told_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.balancer.forget()  # restarted from the snippets
        await until(lambda: outside.balancer.routes["web"].generation)
        assert outside.balancer.routes["web"].fallback
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert writes(outside) == [f"{FIRST} 1", f"{FIRST} 2", "green 3"]


async def test_a_fallback_that_somebody_took_out_under_our_stamp_is_put_in_again_and_told(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(3)
        moved_by_others(outside)
        await until(lambda: outside.balancer.routes["web"].fallback)
        await asyncio.sleep(0.1)
        stamped = await told(daemon, "traffic.stamped")
        ended = await daemon.end()
    assert (stamped["fallback"], stamped["was"]) == (True, 1)
    assert ended.phase is P.LIVE


async def test_one_that_is_left_over_is_taken_away_once_the_colour_stands_alone(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        outside.dead.add(GREEN)
        outside.runners[BLUE].running = "1.0.0"
        for name, service in SERVICES.items():
            dials = service.addresses[GREEN] + service.addresses[BLUE]
            outside.balancer.routes = outside.balancer.routes | {name: Route(dials, 2, fallback=True)}
        await asyncio.sleep(20)
        assert outside.balancer.routes["web"].fallback, "blue is what answers users now"
        assert "traffic.not_stamped" in await names(daemon)
        outside.dead.clear()
        await until(lambda: not outside.balancer.routes["web"].fallback)
    assert writes(outside)[-1] == "green 3"


async def test_the_old_colour_is_not_stopped_by_hand_or_by_retiring_while_it_is_the_fallback(outside: Outside) -> None:
    outside.at("after journal RETIRING", lambda: outside.balancer.faults.extend([Fault.REFUSED] * 99))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        assert outside.balancer.routes["web"].fallback
        outside.balancer.faults.clear()
        await until(lambda: not outside.balancer.routes["web"].fallback)
    assert ended.phase is P.LIVE
    assert "blue stays up: it is still the fallback of green" in ended.reason
    assert ("down", "") not in outside.runners[BLUE].calls
    assert outside.broken == []


# --- noticed


async def fallen(outside: Outside) -> Deployment:
    """A whole deployment of which green dies in the middle of the watch."""
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(5)
        outside.kill(GREEN)
        ended = await daemon.end()
        outside.revive(GREEN)
        await asyncio.sleep(30)
    return ended


async def test_a_colour_that_dies_in_the_watch_costs_users_nothing_and_is_decided_at_once(outside: Outside) -> None:
    ended = await fallen(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert ended.reason.startswith("Caddy itself fell back to blue: green did not answer ")
    assert ended.found_worse
    judged = ended.facts["judgement"]
    assert (judged["verdict"], judged["reason"]) == ("regressed", ended.reason)
    assert outside.users.got_bad == {BLUE: 0, GREEN: 0}
    assert writes(outside) == [f"{FIRST} 1", "blue 2"]
    assert outside.serving() == {BLUE}, "green came back, and took nobody with it"
    assert ended.facts["phase_seconds"]["WATCHING"] < 7


async def test_our_own_probes_alone_notice_it(outside: Outside) -> None:
    outside.users.rate = 0.0
    ended = await fallen(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert "did not answer 2 probes" in ended.reason
    assert ended.facts["phase_seconds"]["WATCHING"] < 9


async def test_a_colour_that_dies_in_standby_is_noticed_too(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.STANDING_BY)
        outside.kill(GREEN)
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)


async def test_what_was_asked_before_the_switch_and_is_answered_late_means_nothing(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        before = outside.clock.now().timestamp()
        await daemon.reach(P.WATCHING)
        for _ in range(10):
            outside.log.emit(Counted("extra", "5xx", BLUE, 3, 0, begun=(before,) * 3))
            await asyncio.sleep(1)
        ended = await daemon.end()
    assert ended.phase is P.LIVE


async def test_during_a_canary_both_colours_are_expected(outside: Outside) -> None:
    outside.terms = replace(outside.terms, canary=(CanaryStep(0.05, 20.0),))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.CANARYING)
        ended = await daemon.end()
    assert outside.users.got[BLUE] > 100
    assert ended.phase is P.LIVE


async def test_users_that_somebody_else_sent_back_are_no_fault_of_the_release(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(2.05)  # the reconciler looks once a second, and users are there at once
        for name, service in SERVICES.items():
            outside.balancer.point(name, *service.addresses[BLUE])
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.MOVED_OUTSIDE)
    assert await outside.journal.fact("quarantine", "1.1.0") is None


async def test_in_a_pause_a_person_is_called_and_nothing_is_done_before_its_end(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await daemon.engine.pause.begin(Paused("ann", "moving house", outside.clock.now()))
        await asyncio.sleep(5)
        outside.kill(GREEN)
        await asyncio.sleep(60)
        status = await daemon.service.status()
        assert pages(outside) == ["cutback-withheld"]
        assert status.watch is not None
        assert "would have cut back: Caddy itself fell back to blue" in status.watch.held
        assert outside.balancer.routes["web"].fallback
        await daemon.service.resume(ANN, "moved")
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert outside.users.got_bad == {BLUE: 0, GREEN: 0}


async def test_while_nobody_can_read_where_users_are_sent_nothing_is_done(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(5)
        outside.balancer.reachable = False
        outside.kill(GREEN)
        await asyncio.sleep(5)
        assert (await daemon.current()).phase is P.WATCHING
        outside.balancer.reachable = True
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)


async def test_a_regression_is_acted_on_also_where_nobody_can_read_whether_the_balancer_fell_back(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(5)
        outside.balancer.reachable = False
        now = outside.clock.now().timestamp()
        outside.log.emit(Counted("extra", "5xx", BLUE, 3, 0, begun=(now,) * 3))
        await asyncio.sleep(2)
        outside.users.failing[GREEN] = 1.0
        await daemon.reach(P.REVERTING)
        outside.balancer.reachable = True
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)


# --- with the daemon dead


async def test_a_colour_that_died_with_the_daemon_is_found_in_the_log_of_meanwhile(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(6)
    outside.kill(GREEN)
    await asyncio.sleep(20)
    meanwhile = outside.clock.now().timestamp() - 10
    outside.revive(GREEN)  # and is back, taking its users back, before anybody looks
    outside.log.emit(Counted("extra", "5xx", BLUE, 4, 0, begun=tuple(meanwhile + at for at in range(4))))
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert ended.reason == "Caddy itself fell back to blue: green did not answer 4 requests"
    assert writes(outside) == [f"{FIRST} 1", "blue 2"]


async def test_where_the_log_of_meanwhile_is_lost_the_probes_find_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(6)
    outside.users.missing, outside.users.rate = True, 0.0
    outside.kill(GREEN)
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert "probes" in ended.reason


# --- taken away


async def in_retiring(outside: Outside, what: object = None) -> Deployment:
    """A deployment; `what` is done when RETIRING begins."""
    if callable(what):
        outside.at("after journal RETIRING", what)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        await asyncio.sleep(10)
    return ended


async def test_a_colour_that_its_fallback_answers_for_is_not_left_alone(outside: Outside) -> None:
    ended = await in_retiring(outside, lambda: outside.kill(GREEN))
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert "green does not answer its users, and blue still answers for it" in ended.reason
    assert outside.serving() == {BLUE}


async def test_one_that_dies_right_when_it_is_left_alone_is_taken_back(outside: Outside) -> None:
    outside.at("after balancer green 2", lambda: outside.kill(GREEN))
    ended = await in_retiring(outside)
    assert (ended.phase, ended.cause) == (P.REVERTED, Cause.REGRESSED)
    assert "blue was its fallback until now" in ended.reason


async def test_where_neither_answers_nothing_is_touched(outside: Outside) -> None:
    def both() -> None:
        outside.kill(GREEN)
        outside.kill(BLUE)

    ended = await in_retiring(outside, both)
    assert ended.phase is P.LIVE
    assert "blue stays up" in ended.reason
    assert writes(outside)[0] == f"{FIRST} 1"
    assert outside.balancer.routes["web"].fallback
    assert ("down", "") not in outside.runners[BLUE].calls


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.REFUSED, Fault.FOREIGN_CHANGE, Fault.LOST_WITHOUT_EFFECT])
async def test_a_write_that_fails_is_tried_again(fault: Fault, outside: Outside) -> None:
    ended = await in_retiring(outside, lambda: outside.balancer.faults.extend([fault, fault]))
    assert (ended.phase, ended.reason) == (P.LIVE, "")
    assert outside.balancer.written[-1][0] is GREEN
    assert not outside.balancer.routes["web"].fallback
    assert ("down", "") in outside.runners[BLUE].calls


async def test_a_write_that_may_land_late_is_shut_out_by_the_next_one(outside: Outside) -> None:
    ended = await in_retiring(outside, lambda: outside.balancer.faults.append(Fault.LANDS_LATE))
    outside.balancer.land()
    assert ended.phase is P.LIVE
    assert {route.generation for route in outside.balancer.routes.values()} == {3}


async def test_users_that_were_moved_at_that_moment_go_back(outside: Outside) -> None:
    def move() -> None:
        for name, service in SERVICES.items():
            outside.balancer.point(name, *service.addresses[BLUE])

    ended = await in_retiring(outside, move)
    assert ended.phase is P.REVERTED
    assert outside.serving() == {BLUE}


# --- without a fallback


async def both_answer(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a second balancer listens beside ours, and sends every second request to blue."""
    turn = [BLUE, GREEN] * 2

    def answering(service: str) -> object:
        turn.append(turn.pop(0))
        return turn[0]

    monkeypatch.setattr(outside.front_door, "_serving", answering)


async def test_a_second_balancer_on_the_port_calls_a_person_and_moves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside()
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(2)
        await both_answer(outside, monkeypatch)
        await asyncio.sleep(10)
        assert (await daemon.current()).phase is P.WATCHING
        assert pages(outside) == ["both-colours"]
        (page,) = [notice for notice in outside.notifier.sent if notice.event == "both-colours"]
    assert "Caddy sends users to green, and answers to 2 probes came from blue" in page.text
    assert "does a second Caddy listen on the same port?" in page.text
    assert page.facts["next"] == "ss -ltnp"


# --- said beforehand


@pytest.mark.parametrize("fallback", [True, False])
async def test_the_plan_says_who_answers_what_the_new_colour_does_not(fallback: bool, outside: Outside) -> None:
    outside.change(fallback=fallback)
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
    (watching,) = [step.text for step in plan.steps if step.phase is P.WATCHING]
    assert watching.endswith("back to blue if 1.1.0 is worse" + "; blue answers what green does not" * fallback)
