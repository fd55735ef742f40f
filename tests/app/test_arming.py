"""Mode "pointer": arming moves nobody and is proved, what cannot be proved is taken back, and lost arms are noticed."""

import asyncio
from collections.abc import Callable

import pytest

from bluegreen.adapters.balancers.memory_arming import MemoryArming
from bluegreen.app.pointer import verify_pointer
from bluegreen.app.requests import Paused
from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    DeploymentInProgress,
    RequestRefused,
    StepFailed,
)
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase


async def named(daemon: Daemon) -> list[str]:
    return [event.name for event in await daemon.events()]


async def live_on_green(daemon: Daemon) -> None:
    await daemon.deploy()
    assert (await daemon.end()).phase is P.LIVE
    await asyncio.sleep(5)


# --- what is asked of the balancer


async def test_in_mode_rewrite_there_is_nothing_to_verify_and_nothing_to_arm(outside: Outside) -> None:
    assert await verify_pointer(outside.world()) == ()
    async with running(outside) as daemon:
        setup = await daemon.service.setup()
        assert (setup.mode, [arms.armed for arms in setup.services]) == ("rewrite", [Armed.BARE] * 2)
        for order in (daemon.service.arm, daemon.service.disarm):
            with pytest.raises(RequestRefused, match='mode "rewrite"') as refused:
                await order(ANN)
            assert 'mode = "pointer"' in refused.value.next[0]


async def test_a_file_that_the_balancer_reads_is_verified_by_a_nonce(outside: Outside) -> None:
    outside.arm()
    assert await verify_pointer(outside.world()) == ()
    assert len(outside.front_door.pointer) == 1, "one nonce was planted"


def edit(arming: MemoryArming) -> None:
    """Somebody changes an arm by hand."""
    arming.armed["api"], arming.faults["api"] = Armed.OUTDATED, "arm green dials x:1"


BLINDNESS: dict[str, tuple[Callable[[MemoryArming], object], str, str]] = {
    "it does not see it": (lambda arming: setattr(arming, "blind", True), "a nonce that was laid", "namei -l"),
    "there is none": (lambda arming: setattr(arming, "missing", True), "there is no file /memory/live", "caddy arm"),
    "a route is bare": (lambda arming: arming.lose(), "web is not armed", "bluegreen caddy arm"),
    "a route is outdated": (
        edit,
        "arm green dials x:1; no switch moves its users before it is armed anew",
        "bluegreen caddy arm",
    ),
}


@pytest.mark.parametrize(("break_it", "why", "step"), BLINDNESS.values(), ids=BLINDNESS.keys())
async def test_what_would_keep_a_switch_from_moving_users_ends_a_deployment_before_the_backup(
    outside: Outside, break_it: Callable[[MemoryArming], object], why: str, step: str
) -> None:
    break_it(outside.arm())
    problems = await verify_pointer(outside.world())
    assert why in " ".join(problem.detail for problem in problems)
    assert step in " ".join(step for problem in problems for step in problem.next)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        assert ended.phase is P.ABANDONED
        assert why in ended.reason
        assert P.BACKING_UP not in ended.path


async def test_a_balancer_that_reads_something_else_is_found_out(outside: Outside) -> None:
    arming = outside.arm()
    real = arming.plant

    async def stale(nonce: str) -> None:
        await real(nonce)
        outside.front_door.pointer[nonce] = "green g7\n"

    arming.plant = stale  # type: ignore[method-assign] # one Caddy reads another file than we write
    (first, _) = await verify_pointer(outside.world())
    assert 'it reads "green g7" where "blue" is written' in first.detail


async def test_another_who_verifies_meanwhile_does_not_make_it_fail(outside: Outside) -> None:
    arming = outside.arm()
    real, planted = arming.plant, []

    async def overtaken(nonce: str) -> None:
        planted.append(nonce)
        if len(planted) > 1:
            await real(nonce)

    arming.plant = overtaken  # type: ignore[method-assign] # the doctor's own nonce replaces ours
    assert await verify_pointer(outside.world()) == ()
    assert len(planted) == 2


async def test_a_disk_that_takes_no_nonce_is_a_problem_and_no_crash(outside: Outside) -> None:
    arming = outside.arm()

    async def full(nonce: str) -> None:
        raise BalancerError("no space left on device")

    arming.plant = full  # type: ignore[method-assign] # a full disk
    (problem,) = await verify_pointer(outside.world())
    assert problem.detail == "no space left on device"


async def test_what_is_not_armed_is_said_by_the_plan_and_once_by_the_refusal(outside: Outside) -> None:
    arming = outside.arm()
    for name in SERVICES:
        arming.armed[name] = Armed.BARE
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert any("not armed, and no deployment starts before `bluegreen caddy arm`" in each for each in ended.warnings)
    assert ended.phase is P.ABANDONED
    assert ended.reason.count("web is not armed") == 1
    assert "there is no file" not in ended.reason, "nobody follows it"


async def test_arms_that_a_reload_takes_away_are_a_warning_and_those_in_the_file_are_none(outside: Outside) -> None:
    outside.arm()
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        assert ended.phase is P.LIVE
        assert any("bluegreen caddy snippet" in warning for warning in ended.warnings)
    outside.arm(Armed.KEPT)
    async with running(outside) as daemon:
        await daemon.deploy("1.2.0")
        assert not any("caddy snippet" in warning for warning in (await daemon.end()).warnings)


# --- arm and disarm


async def test_arming_is_proved_told_and_written_down_and_moves_nobody(outside: Outside) -> None:
    outside.arm(Armed.BARE)
    async with running(outside) as daemon:
        before = dict(outside.balancer.routes)
        setup = await daemon.service.arm(ANN, "set-up")
        assert [arms.armed for arms in setup.services] == [Armed.OURS] * 2
        assert (setup.mode, setup.file, setup.says) == ("pointer", "/memory/live", "blue")
        assert outside.balancer.routes == before
        assert len(outside.front_door.asked) >= 6, "proved through the front door"
        assert "caddy.armed" in await named(daemon)
        (row,) = await daemon.service.audit(1)
        assert (row.verb, row.reason) == ("caddy arm", "set-up")


async def test_what_caddy_does_not_see_is_disarmed_again_at_once(outside: Outside) -> None:
    arming = outside.arm(Armed.BARE)
    arming.blind = True
    async with running(outside) as daemon:
        with pytest.raises(
            StepFailed, match="disarmed again: the routes are as they were, users are on blue"
        ) as failed:
            await daemon.service.arm(ANN)
        assert failed.value.next[0] == "namei -l /memory/live"
        assert set(arming.armed.values()) == {Armed.BARE}
        assert "caddy.not_armed" in await named(daemon)
        assert daemon.engine.by_hand == ""


async def test_users_who_are_not_served_after_it_make_it_be_taken_back(outside: Outside) -> None:
    arming = outside.arm(Armed.BARE)
    async with running(outside) as daemon:
        outside.front_door.logged = False
        with pytest.raises(StepFailed, match="To disarm again failed, too"):
            await daemon.service.arm(ANN)
        assert arming.calls == ["arm", "disarm"]


async def test_a_lost_answer_is_settled_by_looking_and_an_unknown_one_is_told(outside: Outside) -> None:
    arming = outside.arm(Armed.BARE)
    async with running(outside) as daemon:
        arming.refusal = ConnectionLost()
        with pytest.raises(StepFailed, match="web is not armed"):
            await daemon.service.arm(ANN)
        for refusal in (ChangeUnknown("no answer in time"), ChangeRefused("HTTP 500")):
            arming.refusal = refusal
            with pytest.raises(type(refusal), match=refusal.detail):
                await daemon.service.arm(ANN)
        assert set(arming.armed.values()) == {Armed.BARE}


async def test_services_on_different_colours_are_not_armed(outside: Outside) -> None:
    arming = outside.arm(Armed.BARE)
    async with running(outside) as daemon:
        outside.balancer.point("api", *SERVICES["api"].addresses[GREEN])
        with pytest.raises(RequestRefused, match="not one colour serves every service"):
            await daemon.service.arm(ANN)
        assert arming.calls == []


@pytest.mark.parametrize("verb", ["arm", "disarm"])
async def test_neither_is_done_beside_a_deployment(outside: Outside, verb: str) -> None:
    arming = outside.arm()
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployment = await daemon.deploy()
        await daemon.reach(P.AWAITING)
        with pytest.raises(DeploymentInProgress, match=deployment.id):
            await getattr(daemon.service, verb)(ANN)
        assert arming.calls == []


# --- arms that somebody took away


async def test_after_disarming_nothing_is_stamped_told_or_armed_again(outside: Outside) -> None:
    outside.restores_drift = True
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        setup = await daemon.service.disarm(ANN)
        assert [arms.armed for arms in setup.services] == [Armed.BARE] * 2
        written = len(outside.balancer.written)
        outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
        await asyncio.sleep(20)
        assert len(outside.balancer.written) == written
        assert arming.calls == ["disarm"]
        assert "caddy.arms_lost" not in await named(daemon)
        await daemon.service.arm(ANN)
        assert await daemon.outside.journal.fact("arming", "disarmed") is None


async def test_disarming_that_failed_is_no_disarming_and_arms_that_go_later_are_told(outside: Outside) -> None:
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        arming.refusal = ChangeRefused("HTTP 500")
        with pytest.raises(ChangeRefused):
            await daemon.service.disarm(ANN)
        arming.lose()
        outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
        await asyncio.sleep(20)
        assert "caddy.arms_lost" in await named(daemon)


async def test_while_nobody_can_tell_whether_it_was_disarmed_nothing_is_stamped_either(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stamp is a switch, and a switch of mode "pointer" sets up the routes that it needs."""
    arming = outside.arm()

    async def silent() -> tuple[Arms, ...]:
        raise BalancerUnreachable("no answer in time")

    async with running(outside) as daemon:
        await live_on_green(daemon)
        await daemon.service.disarm(ANN)
        monkeypatch.setattr(arming, "arms", silent)
        written = len(outside.balancer.written)
        outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
        await asyncio.sleep(20)
        assert len(outside.balancer.written) == written


async def test_arms_that_caddy_does_not_follow_are_not_left_up(outside: Outside) -> None:
    outside.restores_drift = True
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        arming.lose()
        arming.blind = True
        outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
        await until(lambda: "disarm" in arming.calls)
        await asyncio.sleep(1)
        assert arming.calls[:2] == ["arm", "disarm"]
        assert set(arming.armed.values()) == {Armed.BARE}
        assert "caddy.not_armed" in await named(daemon)


async def test_arms_that_a_reload_took_away_are_told_once_with_what_to_type(outside: Outside) -> None:
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        arming.lose()
        for name in SERVICES:
            outside.balancer.point(name, *SERVICES[name].addresses[GREEN])
        began = outside.clock.monotonic()
        await until(lambda: daemon.reconciler.lost_arms.trouble)
        assert outside.clock.monotonic() - began < 2
        await asyncio.sleep(20)
        assert (await named(daemon)).count("caddy.arms_lost") == 1
        assert any(trouble.startswith("arms-lost: web, api") for trouble in await daemon.service.troubles())
        (notice,) = [notice for notice in outside.notifier.sent if notice.event == "caddy.arms_lost"]
        assert "web: the arms are gone, its route dials 127.0.0.1:2001 (green) by itself again" in notice.text
        assert "Next: bluegreen caddy arm" in notice.text
        assert arming.calls == []
        await daemon.service.arm(ANN)
        await asyncio.sleep(10)
        assert daemon.reconciler.lost_arms.trouble == ""


async def test_with_restore_they_are_up_again_within_two_looks_and_not_for_ever(outside: Outside) -> None:
    outside.restores_drift = True
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        for times in range(1, 5):
            arming.lose()
            outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
            await asyncio.sleep(3)
            assert arming.calls == ["arm"] * min(times, 3), "somebody who takes them away again and again is at work"
            await asyncio.sleep(20)
        assert daemon.reconciler.lost_arms.trouble != ""


async def test_arms_that_a_way_back_past_the_file_left_behind_are_noticed_though_its_stamp_is_there(
    outside: Outside,
) -> None:
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        arming.lose()
        await asyncio.sleep(40)
        assert daemon.reconciler.lost_arms.trouble.startswith("arms-lost: web, api")
        assert (await named(daemon)).count("caddy.arms_lost") == 1
        await daemon.service.arm(ANN)
        await asyncio.sleep(10)
        assert daemon.reconciler.lost_arms.trouble == ""


async def test_in_a_pause_they_stay_away(outside: Outside) -> None:
    outside.restores_drift = True
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        await daemon.engine.pause.begin(Paused("ann", "moving house", outside.clock.now()))
        arming.lose()
        outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
        await asyncio.sleep(20)
        assert arming.calls == []
        assert daemon.reconciler.lost_arms.trouble != ""


async def test_drift_of_an_armed_balancer_says_what_the_file_says_and_what_to_type(outside: Outside) -> None:
    arming = outside.arm()
    async with running(outside) as daemon:
        await live_on_green(daemon)
        for name in SERVICES:
            outside.balancer.point(name, *SERVICES[name].addresses[BLUE])
        arming.says = "blue # by hand"
        await until(lambda: daemon.reconciler.drift.now)
        drift = daemon.reconciler.drift.now
    assert drift is not None
    assert drift.difference[:2] == ("- /memory/live says green", '+ /memory/live says "blue # by hand"')
    assert drift.next == ("echo green > /memory/live", "bluegreen resolve current --reason '...'")
