"""The way back does not succeed: snippets first, then a reload past us, and a page that says where users are."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import ChangeRefused, JournalUnwritable
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour
from tests.app.daemons import Daemon, pages, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

REVERTED, REVERTING = Phase.REVERTED, Phase.REVERTING


async def stuck(daemon: Daemon, *, reloads: bool) -> None:
    """A release is watched, our way to the balancer is gone, and people want to go back."""
    balancer = daemon.outside.balancer
    balancer.reload_fault = None if reloads else "access denied"
    await daemon.deploy()
    await daemon.reach(Phase.WATCHING)
    await asyncio.sleep(3)
    balancer.reachable = False
    await daemon.cutback()
    await until(lambda: pages(daemon.outside))


def page(outside: Outside) -> str:
    (notice,) = [notice for notice in outside.notifier.sent if notice.event == "cutback-stuck"]
    assert notice.facts["next"] == "systemctl restart caddy"
    return notice.text


async def test_after_three_failures_users_are_back_by_snippet_and_reload_and_the_page_says_so(outside: Outside) -> None:
    async with running(outside) as daemon:
        began = outside.clock.monotonic()
        await stuck(daemon, reloads=True)
        assert outside.clock.monotonic() - began < 10
        assert outside.serving() == {BLUE}
        assert outside.balancer.persisted() is BLUE
        assert (await daemon.current()).phase is REVERTING, "only a write of ours shuts out what may land late"
        assert "the front door shows that users are on blue already" in page(outside)
        assert "Caddy was reloaded with the snippets of blue" in (await daemon.service.status()).doing
        await asyncio.sleep(300)
        assert (outside.balancer.reloads, pages(outside)) == (1, ["cutback-stuck"])
        outside.balancer.reachable = True
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (REVERTED, Cause.OPERATOR)
    assert (await outside.balancer.observe()).generation is not None


async def test_a_state_disk_that_hangs_does_not_hold_up_the_next_attempts(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        await asyncio.sleep(3)

        async def hang(what: str) -> None:
            if what.startswith("before journal"):
                await asyncio.sleep(5)
                raise JournalUnwritable("the journal did not answer within 5 s")

        outside.story = hang
        outside.balancer.faults.extend([Fault.REFUSED] * 4)
        outside.users.failing[GREEN] = 1.0
        began = outside.clock.monotonic()
        await until(lambda: outside.serving() == {BLUE})
        assert outside.clock.monotonic() - began < 30, "it was 56 s when each attempt waited for the disk twice"


async def test_a_reload_that_fails_is_told_and_tried_again_about_every_minute(outside: Outside) -> None:
    async with running(outside) as daemon:
        await stuck(daemon, reloads=False)
        assert "a restarted Caddy comes up on blue, but it was not reloaded (access denied)" in page(outside)
        assert "users are still on green" in page(outside)
        await asyncio.sleep(20)
        outside.balancer.reload_fault = None
        await asyncio.sleep(70)
        assert outside.serving() == {BLUE}
        assert "users are on blue already" in (await daemon.service.status()).doing
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is REVERTED


async def test_a_balancer_that_people_restart_from_the_snippets_ends_it_by_itself(outside: Outside) -> None:
    async with running(outside) as daemon:
        await stuck(daemon, reloads=False)
        outside.balancer.forget()
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is REVERTED
    assert outside.serving() == {BLUE}


@pytest.mark.parametrize("why", ["no snippet is kept", "no space left on device"])
async def test_nothing_is_reloaded_where_the_snippets_do_not_lead_back(why: str, outside: Outside) -> None:
    """It would come up on the new colour, or on whatever an old Caddyfile says."""
    outside.balancer.snippets = {} if why == "no snippet is kept" else outside.balancer.snippets
    async with running(outside) as daemon:
        outside.balancer.disk_full = why == "no space left on device"
        await stuck(daemon, reloads=True)
        assert why in page(outside)
        assert (outside.balancer.reloads, outside.serving()) == (0, {GREEN})
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is REVERTED


async def test_a_front_door_that_does_not_answer_is_said_too(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.at("before journal caddy.not_reloaded", lambda: outside.front_door.statuses.update({GREEN: None}))
        await stuck(daemon, reloads=False)
        assert "the front door shows: web: no answer" in page(outside)
        outside.front_door.statuses[GREEN] = 200
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is REVERTED


async def test_hours_of_trying_do_not_fill_the_journal(outside: Outside) -> None:
    async with running(outside) as daemon:
        await stuck(daemon, reloads=False)
        outside.users.silent = True
        await asyncio.sleep(2 * 3600)
        names = [event.name for event in await daemon.events()]
        assert names.count("cutback.attempt_failed") < 20
        assert names.count("caddy.not_reloaded") < 20
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is REVERTED


# --- what was refused, and yet


def refuse_and(outside: Outside, monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """The forward write is refused, and something happens right after."""
    outside.balancer.faults.append(Fault.REFUSED)
    switch = outside.balancer.switch

    async def refused(colour: Colour, generation: int, **rest: Any) -> None:
        try:
            await switch(colour, generation, **rest)
        except ChangeRefused:
            then()
            raise

    monkeypatch.setattr(outside.balancer, "switch", refused)


async def test_a_switch_that_was_refused_and_is_seen_all_the_same_is_taken_back(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is believed where a look does not show the contrary."""

    def took_effect() -> None:
        for name, service in SERVICES.items():
            outside.balancer.point(name, *service.addresses[GREEN], generation=1)

    refuse_and(outside, monkeypatch, took_effect)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (REVERTED, True)
    assert outside.balancer.written == [(BLUE, 2)]


async def test_a_switch_that_was_refused_where_no_look_is_possible_is_fenced(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_and(outside, monkeypatch, lambda: setattr(outside.balancer, "reachable", False))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(REVERTING)
        outside.balancer.reachable = True
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (REVERTED, True)
    assert outside.balancer.written[-1][0] is BLUE
