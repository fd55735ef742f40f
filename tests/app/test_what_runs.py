"""What really runs is written down when it was started; what differs later is told once, and moves nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bluegreen.app.running_watch import EVERY, SURE
from bluegreen.app.what_runs import BUDGET
from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Release
from bluegreen.domain.running import Running
from bluegreen.domain.traffic import Colour
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN
from tests.virtual_time import EPOCH

P = Phase
A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
WEB = Part("web", PartState.RUNNING, "app:1.1.0", A, EPOCH)
LONG_ENOUGH = 2 * (EVERY + BUDGET + SURE)


def runs(outside: Outside, colour: Colour, *parts: Part) -> None:
    outside.runners[colour].found = parts


async def seen(daemon: Daemon, colour: Colour) -> Running:
    return (await daemon.service.status()).running[colour]


async def drifted(daemon: Daemon) -> list[str]:
    return [str(event.facts["text"]) for event in await daemon.events() if event.name == "runs.drifted"]


async def test_a_deployment_keeps_what_ran_when_it_was_ready(outside: Outside) -> None:
    runs(outside, GREEN, WEB)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        status = await daemon.service.status()
    assert ended.phase is P.LIVE
    (kept,) = ended.facts["runs"]
    assert (kept["name"], kept["digest"], kept["started_at"]) == ("web", A, EPOCH.isoformat().replace("+00:00", "Z"))
    assert status.running[GREEN].parts == (WEB,)
    assert BLUE not in status.running  # nobody can tell of it


async def test_what_another_program_kept_is_looked_at_anew_and_no_flaw_ends_the_daemon(outside: Outside) -> None:
    await outside.journal.keep("runs", BLUE, {"parts": "of another kind"})
    runs(outside, BLUE, replace(WEB, image="app:1.0.0"))
    async with running(outside) as daemon:
        await asyncio.sleep(LONG_ENOUGH)
        assert (await seen(daemon, BLUE)).parts[0].image == "app:1.0.0"
        daemon.service.running_watch.look = None  # type: ignore[method-assign, assignment]
        outside.database.connections = None  # type: ignore[method-assign, assignment]
        await asyncio.sleep(LONG_ENOUGH)
        assert (await daemon.service.status()).traffic is not None


async def test_nothing_is_said_where_nobody_can_tell(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        await asyncio.sleep(LONG_ENOUGH)
        assert (await daemon.service.status()).running == {}
        assert await drifted(daemon) == []
    assert "runs" not in ended.facts


async def test_a_part_that_ends_is_told_once_and_users_stay_where_they_are(outside: Outside) -> None:
    runs(outside, GREEN, WEB)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        written = len(outside.balancer.written)
        runs(outside, GREEN, replace(WEB, state=PartState.FAILED, detail="exit code 1"))
        await asyncio.sleep(LONG_ENOUGH)
        assert await drifted(daemon) == ["green (1.1.0): web is failed: exit code 1"]
        assert [d.text for d in (await seen(daemon, GREEN)).differences] == ["web is failed: exit code 1"]
    async with running(outside) as daemon:  # a restart tells nothing twice
        await asyncio.sleep(LONG_ENOUGH)
        assert len(await drifted(daemon)) == 1
        assert [d.part for d in (await seen(daemon, GREEN)).differences] == ["web"]
        runs(outside, GREEN, WEB)
        await asyncio.sleep(LONG_ENOUGH)
        assert (await seen(daemon, GREEN)).differences == ()
        assert [event.name for event in await daemon.events()][-1] == "runs.as_started"
    assert [notice.severity for notice in outside.notifier.sent if notice.event == "runs.drifted"] == ["warning"]
    assert len(outside.balancer.written) == written


async def test_a_part_that_began_again_is_told(outside: Outside) -> None:
    runs(outside, GREEN, WEB)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        runs(outside, GREEN, replace(WEB, started_at=EPOCH + timedelta(hours=1)))
        await asyncio.sleep(LONG_ENOUGH)
        (text,) = await drifted(daemon)
    assert "web was started again at" in text


async def test_an_image_that_is_not_the_release_s_is_a_warning_of_the_deployment(outside: Outside) -> None:
    outside.described["1.1.0"] = Release("1.1.0", images={"web": "app:1.1.0"})
    runs(outside, GREEN, replace(WEB, image="app:1.0.0"))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert "green: web runs app:1.0.0, and 1.1.0 says app:1.1.0" in ended.warnings


async def test_a_tag_that_was_pushed_over_since_it_ran_here_is_a_warning(outside: Outside) -> None:
    runs(outside, GREEN, WEB)
    async with running(outside) as daemon:
        await daemon.service.start_colour(GREEN, "1.1.0", ANN)
        await daemon.service.stop_colour(GREEN, ANN)
        runs(outside, GREEN, replace(WEB, digest=B))
        await daemon.deploy()
        ended = await daemon.end()
    assert any("app:1.1.0 is another image than the last time it ran here" in warning for warning in ended.warnings)


async def test_a_supervisor_that_does_not_answer_is_unknown_since_and_delays_nothing(outside: Outside) -> None:
    runs(outside, GREEN, WEB)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        await asyncio.sleep(LONG_ENOUGH)
        outside.runners[GREEN].hanging.add("parts")
        began = outside.clock.monotonic()
        await asyncio.sleep(LONG_ENOUGH)
        found = await seen(daemon, GREEN)
        assert (found.unknown, found.parts) == ("no answer within 15 s", (WEB,))
        since = found.since
        await asyncio.sleep(LONG_ENOUGH)
        assert (await seen(daemon, GREEN)).since == since  # not from each look anew
        assert outside.clock.monotonic() - began < 3 * LONG_ENOUGH
        assert [event.name for event in await daemon.events()].count("runs.unknown") == 1
        outside.runners[GREEN].hanging.clear()
        await asyncio.sleep(LONG_ENOUGH)
        assert (await seen(daemon, GREEN)).unknown == ""


async def test_a_deployment_is_not_held_up_by_what_cannot_be_told(outside: Outside) -> None:
    outside.runners[GREEN].failing["parts"] = "the engine is gone"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert any("what really runs of green cannot be told" in warning for warning in ended.warnings)


async def test_what_we_stop_ourselves_is_no_drift(outside: Outside) -> None:
    runs(outside, BLUE, replace(WEB, image="app:1.0.0"))
    runs(outside, GREEN, WEB)
    async with running(outside) as daemon:
        await asyncio.sleep(LONG_ENOUGH)
        assert BLUE in (await daemon.service.status()).running  # taken as it was found
        await daemon.deploy()
        await daemon.reach(P.RETIRING)
        runs(outside, BLUE)
        await daemon.end()
        await asyncio.sleep(LONG_ENOUGH)
        status = await daemon.service.status()
        assert await drifted(daemon) == []
    assert set(status.running) == {GREEN}
