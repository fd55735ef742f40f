"""While no deployment runs the live-only parts are where users are wanted, whatever an earlier daemon left; and an
operator's word helps where a host is dead."""

import asyncio

import pytest

from bluegreen.app import waiting
from bluegreen.domain.errors import LiveColourProtected, NotFound, RunnerFailed
from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Mark
from tests.app.daemons import ANN, Daemon, pages, running, until
from tests.app.outside import Dying, Outside
from tests.domain.examples import BLUE, GREEN
from tests.virtual_time import EPOCH

UP, DOWN = "up live-only", "down live-only"


@pytest.fixture(autouse=True)
def with_parts(outside: Outside) -> None:
    outside.employ("mailer")
    outside.change(window=5.0, standby=5.0, drain=1.0)


def runs_on(outside: Outside) -> set[str]:
    return {str(colour) for colour, runner in outside.runners.items() if runner.alone}


async def on_trial(outside: Outside, daemon: Daemon) -> str:
    await asyncio.sleep(30)
    id = (await daemon.deploy()).id
    await daemon.reach(Phase.WATCHING)
    await until(lambda: outside.runners[GREEN].alone)
    return id


async def taken_back_without_them(outside: Outside, daemon: Daemon) -> None:
    """Users are back on blue; mailer may run on green, whose link is cut."""
    await on_trial(outside, daemon)
    outside.runners[GREEN].failing[DOWN] = "the link is cut"
    await daemon.cutback()
    assert (await daemon.end()).phase is Phase.REVERTED
    assert runs_on(outside) == {"green"}


async def test_what_a_cutback_could_not_bring_home_comes_home_once_the_host_is_back(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back_without_them(outside, daemon)
        called = len(pages(outside))
        parts = (await daemon.service.status()).live_only
        assert parts is not None
        assert not parts.settled
        assert "the link is cut" in parts.problem
        assert "takeover blue" in parts.next[0]
        await asyncio.sleep(60)
        assert len(pages(outside)) == called, "people were called already"
        outside.runners[GREEN].failing.clear()
        await until(lambda: runs_on(outside) == {"blue"})
        await asyncio.sleep(1)
        parts = (await daemon.service.status()).live_only
        assert parts is not None
        assert (parts.colour, parts.settled, parts.problem) == (BLUE, True, "")
        assert any("mailer run on blue now" in notice.text for notice in outside.notifier.sent)
    assert outside.broken == []


@pytest.mark.parametrize("back", [True, False])
async def test_a_deployment_begins_only_with_them_where_users_are(back: bool, outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back_without_them(outside, daemon)
        if back:
            outside.runners[GREEN].failing.clear()
        await daemon.deploy("1.2.0")
        ended = await daemon.end()
    if back:
        assert ended.phase is Phase.LIVE
        starts = [what for what in outside.told if what.startswith("runner") and "live-only" in what]
        assert starts[-3:] == ["runner blue up live-only", "runner blue down live-only", "runner green up live-only"]
    else:
        assert ended.phase is Phase.ABANDONED
        assert "mailer cannot be stopped on green" in ended.reason
        assert "bluegreen env takeover blue --reason '...'" in ended.next
    assert outside.broken == []


async def test_a_deployment_past_a_dead_colour_waits_for_nothing_there(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back_without_them(outside, daemon)
        outside.kill(BLUE)
        outside.runners[BLUE].hanging |= {"up live-only"}
        outside.runners[BLUE].failing["down live-only"] = "no route to host"
        outside.runners[GREEN].failing.clear()
        await daemon.deploy("1.2.0", live_is_down=True, reason="the host burnt")
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE, ended.reason
    assert outside.runners[GREEN].alone == "1.2.0"


async def test_the_next_daemon_goes_on_with_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back_without_them(outside, daemon)
    outside.runners[GREEN].failing.clear()
    async with running(outside):
        await until(lambda: runs_on(outside) == {"blue"})
    assert outside.broken == []


async def test_after_a_cutback_without_the_daemon_the_next_one_brings_them_home(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await on_trial(outside, daemon)
    await outside.balancer.switch(BLUE, 9)
    await outside.cards.mark(Mark(id, BLUE, 9, "uid 0 (root)", EPOCH))
    assert runs_on(outside) == {"green"}
    async with running(outside) as daemon:
        assert (await daemon.end()).phase is Phase.REVERTED
    assert runs_on(outside) == {"blue"}
    assert outside.broken == []


async def test_traffic_that_others_moved_is_followed_only_once_somebody_says_that_it_stays(outside: Outside) -> None:
    async with running(outside) as daemon:
        await on_trial(outside, daemon)
        assert (await daemon.end()).phase is Phase.LIVE
        outside.runners[BLUE].running = "1.0.0"
        await outside.balancer.switch(BLUE, 0)
        await asyncio.sleep(30)
        assert runs_on(outside) == {"green"}
        parts = (await daemon.service.status()).live_only
        assert parts is not None
        assert "users are on blue" in parts.problem
        await daemon.service.resolve("current", ANN, "blue it is")
        await until(lambda: runs_on(outside) == {"blue"})
    assert outside.broken == []


async def test_during_a_pause_nothing_is_moved(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back_without_them(outside, daemon)
        await daemon.service.pause(ANN, "leave it")
        outside.runners[GREEN].failing.clear()
        await asyncio.sleep(600)
        assert runs_on(outside) == {"green"}
        await daemon.service.resume(ANN, "go on")
        await until(lambda: runs_on(outside) == {"blue"})


async def test_before_anything_was_ever_deployed_they_are_left_as_they_are(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        parts = (await daemon.service.status()).live_only
        assert parts is not None
        assert (parts.known, parts.colour) == (False, BLUE)
        assert outside.runners[BLUE].calls == []


async def test_an_operators_word_starts_them_where_the_others_cannot_be_stopped(outside: Outside) -> None:
    async with running(outside) as daemon:
        await taken_back_without_them(outside, daemon)
        outside.runners[GREEN].alone = ""  # its host is dead
        await asyncio.sleep(100)
        await until(lambda: not daemon.engine.by_hand)
        done = await daemon.service.take_over(BLUE, ANN, "the host burnt")
        assert "could not be stopped on green" in done.output
        assert "twice" in done.output
        assert runs_on(outside) == {"blue"}
        parts = (await daemon.service.status()).live_only
        assert parts is not None
        assert (parts.settled, parts.problem) == (True, "")
        assert [row.verb for row in await daemon.service.audit(1)] == ["env takeover"]
        calls = outside.runners[GREEN].calls.count((DOWN, ""))
        await asyncio.sleep(600)
        assert outside.runners[GREEN].calls.count((DOWN, "")) == calls, "it is settled"


async def test_an_operators_word_is_not_taken_for_the_colour_that_does_not_serve(outside: Outside) -> None:
    async with running(outside) as daemon:
        outside.releases[GREEN] = "1.0.0"
        with pytest.raises(LiveColourProtected, match="users are not on green"):
            await daemon.service.take_over(GREEN, ANN, "because")
        outside.runners[BLUE].failing[UP] = "no"
        with pytest.raises(RunnerFailed):
            await daemon.service.take_over(BLUE, ANN, "because")
        outside.employ()
        with pytest.raises(NotFound):
            await daemon.service.take_over(BLUE, ANN, "because")


async def test_a_restoration_that_stopped_them_starts_them_again(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = (await daemon.service.back_up(ANN))[0].id
        await daemon.service.restore(id, ANN, confirm="main", stop_colours=True)
        await until(lambda: runs_on(outside) == {"blue"})
    outside.broken.clear()  # that users were on what was stopped had been ordered


async def test_one_that_starts_by_itself_beside_the_live_colour_is_stopped_again_and_told(outside: Outside) -> None:
    async with running(outside) as daemon:
        await on_trial(outside, daemon)
        await daemon.cutback()
        assert (await daemon.end()).phase is Phase.REVERTED
        await asyncio.sleep(5)
        before = outside.runners[GREEN].calls.count((DOWN, ""))
        running_one = Part("mailer-2", PartState.RUNNING)
        outside.runners[GREEN].found = (running_one, Part("mailer", PartState.STOPPED), Part("web", PartState.RUNNING))
        await until(lambda: outside.runners[GREEN].calls.count((DOWN, "")) > before)
        outside.runners[GREEN].found = ()
        await asyncio.sleep(120)
        assert outside.runners[GREEN].calls.count((DOWN, "")) == before + 1
        twins = [event for event in await daemon.events() if event.name == "live_only.twins"]
        assert [event.facts["parts"] for event in twins] == [["mailer-2"]]
    assert "live-only" in pages(outside)
    assert runs_on(outside) == {"blue"}


STORIES = {"good": None, "worse": GREEN}


@pytest.mark.parametrize("story", STORIES)
async def test_killed_at_any_write_they_end_where_users_are_and_never_ran_twice(story: str) -> None:
    """The daemon dies before and after every third write from the switch on."""
    wrong = []
    for point in range(1, 400, 3):
        outside = Outside()
        outside.employ("mailer")
        outside.change(window=2.0, standby=2.0, drain=0.5)
        if STORIES[story] is not None:
            outside.users.failing[GREEN] = 1.0
        dying = Dying(point)
        async with running(outside) as daemon:
            await asyncio.sleep(5)
            outside.at("before journal SWITCHING", lambda: follow(outside, dying))  # noqa: B023
            await daemon.deploy()
            await waiting.until(daemon.end(), name="story", stop=dying.dead)
        if not dying.dead.is_set():
            break
        outside.story = _quiet
        async with running(outside) as daemon:
            deployment = await daemon.end()
            await asyncio.sleep(10)
        serving = {str(colour) for colour in outside.serving()}
        if runs_on(outside) != serving or outside.broken or deployment.phase not in (Phase.LIVE, Phase.REVERTED):
            wrong.append(f"killed {dying.where} ({point}): {deployment.phase}, {runs_on(outside)}, {outside.broken}")
    else:
        pytest.fail("the story never ended")
    assert point > 20
    assert not wrong, "\n".join(wrong)


def follow(outside: Outside, dying: Dying) -> None:
    outside.story = dying


async def _quiet(what: str) -> None:
    """Hears nothing."""
