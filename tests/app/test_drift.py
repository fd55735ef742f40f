"""Nothing runs, and somebody else moves the traffic: told, or put back; and our stamp, when Caddy has lost it."""

import asyncio
from dataclasses import replace

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.app.pause import Pause
from bluegreen.app.requests import Paused
from bluegreen.app.world import World
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import RouteNotFound, WrongPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour, Mark, Traffic
from tests.app.daemons import ANN, Daemon, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase


def move(outside: Outside, colour: Colour, *names: str, generation: int | None = None) -> None:
    """Somebody else moves services."""
    for name in names or SERVICES:
        outside.balancer.point(name, *SERVICES[name].addresses[colour], generation=generation)


async def live_on_green(daemon: Daemon) -> None:
    await daemon.deploy()
    assert (await daemon.end()).phase is P.LIVE
    await asyncio.sleep(5)


async def named(daemon: Daemon) -> list[str]:
    return [event.name for event in await daemon.events()]


async def pause(daemon: Daemon) -> Pause:
    await daemon.engine.pause.begin(Paused("ann", "moving house", daemon.outside.clock.now()))
    return daemon.engine.pause


# --- told


async def test_it_is_told_within_two_seconds_with_the_difference_and_what_to_type(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        move(outside, BLUE, "api")
        began = outside.clock.monotonic()
        await until(lambda: daemon.reconciler.drift.now)
        assert outside.clock.monotonic() - began < 2
        await asyncio.sleep(1)
        drift = (await daemon.service.status()).drift
    assert drift is not None
    assert drift.difference[1:] == ("- api dials 127.0.0.1:2003 (green)", "+ api dials 127.0.0.1:1003 (blue)")
    assert (drift.wanted, drift.doing) == (GREEN, "it is left to you")
    assert drift.next == ("systemctl reload caddy",)  # on two colours there is nothing to accept
    (notice,) = [notice for notice in outside.notifier.sent if notice.event == "traffic.drifted"]
    assert "+ api dials 127.0.0.1:1003 (blue)" in notice.text
    assert notice.facts["difference"] == list(drift.difference)


async def test_without_snippets_a_reload_alone_would_not_help(outside: Outside) -> None:
    outside.balancer.snippets = {}
    async with running(outside) as daemon:
        await live_on_green(daemon)
        move(outside, BLUE)
        await until(lambda: daemon.reconciler.drift.now)
        drift = daemon.reconciler.drift.now
    assert drift is not None
    assert drift.next[0].startswith("put the addresses of green into the Caddyfile: web to 127.0.0.1:2001; api to")


class BehindTraefik(Outside):
    def world(self) -> World:
        return replace(super().world(), balancer_name="Traefik")


async def test_behind_traefik_its_file_is_named_since_a_restart_would_change_nothing() -> None:
    outside = BehindTraefik()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        move(outside, BLUE)
        await until(lambda: daemon.reconciler.drift.now)
        drift = daemon.reconciler.drift.now
    assert drift is not None
    assert drift.next[0].startswith("put the addresses of green into [traefik] file: web to 127.0.0.1:2001; api to")
    assert drift.next[-1].startswith("bluegreen resolve current")


async def test_people_may_accept_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        with pytest.raises(WrongPhase, match="nothing to settle"):
            await daemon.service.resolve("current", ANN, "too early")
        move(outside, BLUE)
        await until(lambda: daemon.reconciler.drift.now)
        await daemon.service.resolve("current", ANN, "we want blue")
        await asyncio.sleep(3)
        assert (await daemon.service.status()).drift is None
        assert await outside.journal.fact("wanted", "colour") == BLUE
    assert [row.verb for row in await outside.journal.audited(1)] == ["resolve"]
    assert outside.serving() == {BLUE}


async def test_where_the_balancer_itself_knows_what_to_type_that_comes_first(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)

        async def observe() -> Traffic:
            steps = ("bluegreen caddy disarm", "bluegreen config check")
            raise RouteNotFound("it was set up for another mode", next=steps)

        outside.balancer.observe = observe  # type: ignore[method-assign] # set up by others meanwhile
        await until(lambda: daemon.reconciler.drift.now)
        drift = daemon.reconciler.drift.now
    assert drift is not None
    assert drift.next == ("bluegreen caddy disarm", "systemctl reload caddy")


async def test_a_route_that_is_gone_is_told_and_nothing_is_written(outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.balancer.remove("api")
        await asyncio.sleep(20)
        status = await daemon.service.status()
    assert status.drift is not None
    assert status.drift.doing == "a route is gone: put it back by hand"
    assert outside.balancer.written == [(GREEN, 1)]


# --- put back


async def test_restore_puts_users_back_at_once_and_proves_it(outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        asked = len(outside.front_door.asked)
        move(outside, BLUE)
        began = outside.clock.monotonic()
        await until(lambda: outside.serving() == {GREEN})
        assert outside.clock.monotonic() - began < 2
        await asyncio.sleep(5)
        assert (await daemon.service.status()).drift is None
        names = await named(daemon)
    assert outside.balancer.written == [(GREEN, 1), (GREEN, 2)]
    assert (names.count("traffic.restored"), names.count("traffic.stamped")) == (1, 0)
    assert len(outside.front_door.asked) > asked + 6
    assert [n.event for n in outside.notifier.sent][-2:] == ["traffic.drifted", "traffic.restored"]


@pytest.mark.parametrize("names", [(), ("api",)], ids=["all services", "one of two"])
async def test_a_colour_that_does_not_answer_is_left_in_either_setting(
    names: tuple[str, ...], outside: Outside
) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        for readiness in outside.readiness:
            readiness.failures[BLUE] = "connection refused"
        move(outside, BLUE, *names)
        await asyncio.sleep(5)
        assert outside.serving() == {GREEN}
        assert "traffic.restored" in await named(daemon)


async def test_one_failed_look_at_the_colour_is_not_its_death(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.readiness[0].say("HTTP 503")
        move(outside, BLUE)
        await asyncio.sleep(10)
    assert outside.serving() == {BLUE}


async def test_where_the_wanted_colour_is_not_ready_people_are_called_once_and_it_waits_for_it(
    outside: Outside,
) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.readiness[0].failures[GREEN] = "connection refused"
        move(outside, BLUE)
        await asyncio.sleep(60)
        assert outside.serving() == {BLUE}
        assert pages(outside) == ["drift-held"]
        drift = (await daemon.service.status()).drift
        assert drift is not None
        assert "cannot: green is not ready" in drift.doing
        assert (await named(daemon)).count("traffic.not_restored") == 1
        outside.readiness[0].failures.clear()
        await asyncio.sleep(10)
    assert outside.serving() == {GREEN}


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LANDS_LATE, Fault.NO_EFFECT, Fault.LOST_WITHOUT_EFFECT])
async def test_a_write_that_fails_is_tried_again_with_a_higher_generation(fault: Fault, outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.balancer.faults.append(fault)
        move(outside, BLUE)
        await asyncio.sleep(20)
    assert outside.serving() == {GREEN}
    assert outside.balancer.written[-1] == (GREEN, 3)


async def test_somebody_who_moves_it_again_and_again_is_left_to_people(outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        for _ in range(5):
            move(outside, BLUE)
            await asyncio.sleep(20)
        assert (await named(daemon)).count("traffic.restored") == 3
        assert pages(outside) == ["drift-again"]
        await asyncio.sleep(700)
        assert outside.serving() == {GREEN}, "later it is tried again"


async def test_while_it_is_paused_it_stays_and_afterwards_it_is_put_back(outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        paused = await pause(daemon)
        move(outside, BLUE)
        await asyncio.sleep(30)
        assert outside.serving() == {BLUE}
        drift = (await daemon.service.status()).drift
        assert drift is not None
        assert drift.doing == "it is not put back: paused by ann: moving house"
        await paused.end()
        await asyncio.sleep(3)
    assert outside.serving() == {GREEN}


async def test_while_a_deployment_is_stranded_nothing_is_written(outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        outside.balancer.faults.extend([Fault.FOREIGN_CHANGE] * 3)
        await daemon.cutback()
        assert (await daemon.end()).phase is P.STRANDED
        written = list(outside.balancer.written)
        move(outside, GREEN)
        await asyncio.sleep(20)
        move(outside, BLUE)
        await asyncio.sleep(20)
    assert outside.balancer.written == written


async def test_it_is_put_back_also_where_the_journal_cannot_be_written(outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.journal.full = True
        move(outside, BLUE)
        await outside.balancer.persist(BLUE)
        await asyncio.sleep(5)
        assert outside.serving() == {GREEN}
        assert outside.balancer.written[:2] == [(GREEN, 1), (GREEN, 2)], "above what is known, though nobody stamped it"
        assert outside.balancer.persisted() is GREEN
        assert pages(outside) == [], "nobody is called for what was done"
        outside.journal.full = False
        await asyncio.sleep(5)


@pytest.mark.parametrize("verb", ["resolve", "pause"])
async def test_what_a_person_says_while_it_is_being_put_back_counts(verb: str, outside: Outside) -> None:
    outside.restores_drift = True
    async with running(outside) as daemon:
        await live_on_green(daemon)
        check, said = outside.readiness[0].check, list[str]()

        async def saying(target: Target) -> CheckResult:
            if target.colour is GREEN and not said:
                said.append(verb)
                if verb == "resolve":
                    await daemon.service.resolve("current", ANN, "blue is what we want")
                else:
                    await daemon.service.pause(ANN, "hands off")
            return await check(target)

        outside.readiness[0].check = saying  # type: ignore[method-assign]
        move(outside, BLUE)
        await asyncio.sleep(20)
        assert said == [verb]
        assert outside.serving() == {BLUE}
        assert "traffic.restored" not in await named(daemon)


# --- the stamp


async def test_a_restarted_balancer_is_stamped_again_once_and_users_stay(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.balancer.forget()
        await asyncio.sleep(60)
        assert (await outside.balancer.observe()).generation == 2
        assert (await named(daemon)).count("traffic.stamped") == 1
        await daemon.deploy("1.2.0")
        assert (await daemon.end()).phase is P.LIVE
    assert outside.balancer.written == [(GREEN, 1), (GREEN, 2), (BLUE, 3)]


async def test_a_foreign_stamp_is_replaced(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        move(outside, GREEN, generation=41)
        await asyncio.sleep(5)
    assert outside.balancer.written == [(GREEN, 1), (GREEN, 42)]


async def test_before_our_first_write_there_is_nothing_to_stamp(outside: Outside) -> None:
    async with running(outside):
        move(outside, BLUE)
        await asyncio.sleep(30)
    assert outside.balancer.written == []


async def test_a_first_switch_that_was_refused_leaves_nothing_to_stamp_either(outside: Outside) -> None:
    outside.balancer.faults.append(Fault.REFUSED)
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).moved is False
        await asyncio.sleep(30)
    assert outside.balancer.written == []


async def test_a_switch_that_was_never_made_leaves_the_stamp_as_it_is(outside: Outside) -> None:
    """Guards: each write closes idle connections, and the journal then knows a generation that Caddy never had."""
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.balancer.faults.append(Fault.REFUSED)
        await daemon.deploy("1.2.0")
        assert (await daemon.end()).moved is False
        await asyncio.sleep(30)
    async with running(outside):
        await asyncio.sleep(30)
    assert outside.balancer.written == [(GREEN, 1)]


@pytest.mark.parametrize("phase", [P.AWAITING, P.WATCHING, P.STANDING_BY])
async def test_it_is_stamped_again_while_a_deployment_runs(phase: Phase, outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        if phase is P.AWAITING:
            for fact in ("last", "served"):  # there was a deployment before
                await outside.journal.keep("generation", fact, 7)
        else:
            await daemon.service.promote("current", ANN)
            await daemon.reach(phase)
        outside.balancer.forget()
        await asyncio.sleep(3)
        assert (await named(daemon)).count("traffic.stamped") == 1
        before = outside.balancer.written[-1]
        await daemon.service.promote("current", ANN)
        await daemon.reach(P.WATCHING, P.STANDING_BY)
        await daemon.cutback()
        assert (await daemon.end()).phase is P.REVERTED
    stamps = [generation for _, generation in outside.balancer.written]
    assert stamps == sorted(set(stamps))
    assert before[0] is (BLUE if phase is P.AWAITING else GREEN)


async def test_the_card_knows_of_a_stamp_that_was_put_on_while_watching(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        move(outside, GREEN)
        await asyncio.sleep(5)
    card = await outside.cards.read()
    assert card is not None
    assert (outside.balancer.written[-1], card.generation) == ((GREEN, 2), 2)


async def test_a_stamp_that_fails_is_told_once_and_tried_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        outside.balancer.faults.extend([Fault.REFUSED] * 3)
        outside.balancer.forget()
        await asyncio.sleep(30)
        names = await named(daemon)
    assert (names.count("traffic.not_stamped"), names.count("traffic.stamped")) == (1, 1)
    assert outside.balancer.written == [(GREEN, 1), (GREEN, 5)]


async def test_on_the_way_back_no_stamp_is_put_on(outside: Outside) -> None:
    """Guards: it would beat the way back to its write, and send it round once more."""
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await asyncio.sleep(3)
        outside.at("before journal cutback.attempt_failed", lambda: asyncio.sleep(5))
        outside.balancer.faults.append(Fault.REFUSED)
        outside.balancer.forget()
        await daemon.cutback()
        assert (await daemon.end()).phase is P.REVERTED
        assert "traffic.stamped" not in await named(daemon)
    assert outside.balancer.written == [(GREEN, 1), (BLUE, 3)]


async def test_while_it_is_paused_no_stamp_is_put_on(outside: Outside) -> None:
    async with running(outside) as daemon:
        await live_on_green(daemon)
        await pause(daemon)
        outside.balancer.forget()
        await asyncio.sleep(30)
    assert outside.balancer.written == [(GREEN, 1)]


# --- while a deployment runs


@pytest.mark.parametrize("phase", [P.AWAITING, P.WATCHING])
async def test_while_it_is_paused_traffic_that_is_moved_ends_nothing_until_resume(
    phase: Phase, outside: Outside
) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.AWAITING)
        if phase is P.WATCHING:
            await daemon.service.promote("current", ANN)
            await daemon.reach(P.WATCHING)
        paused = await pause(daemon)
        move(outside, BLUE if phase is P.WATCHING else GREEN)
        await asyncio.sleep(10)
        assert (await daemon.current()).phase is phase
        assert pages(outside) == ["moved-held"]
        await paused.end()
        ended = await daemon.end()
    assert ended.phase is (P.REVERTED if phase is P.WATCHING else P.ABANDONED)
    assert ended.cause is Cause.MOVED_OUTSIDE


async def test_a_slow_look_never_sends_users_to_a_colour_that_is_being_stopped(outside: Outside) -> None:
    """Users were elsewhere for a moment, and by the time that is answered the old colour is being stopped."""
    outside.change(window=1.0, standby=1.0, drain=5.0)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        run = daemon.engine.run
        assert run is not None
        marked = outside.cards.marked

        async def slow() -> Mark | None:
            await until(lambda: run.deployment.stopped)
            return await marked()

        outside.cards.marked = slow  # type: ignore[method-assign]
        outside.at("before runner blue down", lambda: asyncio.sleep(3))
        move(outside, BLUE)
        await asyncio.sleep(1.5)
        move(outside, GREEN)
        assert (await daemon.end()).phase is P.LIVE
    assert outside.serving() == {GREEN}


async def test_with_the_old_colour_stopped_a_restore_that_fails_is_tried_again_and_does_not_call_people_again(
    outside: Outside,
) -> None:
    outside.at("after journal CONTRACTING", lambda: asyncio.sleep(60))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.CONTRACTING)
        outside.balancer.faults.extend([Fault.REFUSED] * 3)
        move(outside, BLUE)
        await asyncio.sleep(8)
        assert outside.serving() == {BLUE}, "not tried again each second"
        await daemon.end()
        names = await named(daemon)
    assert outside.serving() == {GREEN}
    assert outside.balancer.written == [(GREEN, 1), (GREEN, 5)]
    assert pages(outside) == ["restored", "not-restored"]
    assert (names.count("traffic.not_restored"), names.count("traffic.restored")) == (1, 1)
