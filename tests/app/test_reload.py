"""Reload: refused with reasons, and only then begun when nothing runs. And what the watchdog and the status go by."""

import asyncio

import pytest

from bluegreen.app.reloading import Renewal
from bluegreen.app.service import Service
from bluegreen.domain.errors import ConfigurationError, DeploymentInProgress, JournalUnwritable, WrongPhase
from bluegreen.domain.phases import Phase
from bluegreen.interfaces.standing import standing
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside


class Renewing:
    """A daemon's way to begin again, which only counts."""

    def __init__(self) -> None:
        self.wrong = ""
        self.begun = 0

    def check(self) -> tuple[str, ...]:
        if self.wrong:
            raise ConfigurationError(self.wrong)
        return ("a warning",)

    def begin(self) -> None:
        self.begun += 1


def renewable(daemon: Daemon, renewing: Renewing) -> Service:
    return Service(daemon.engine, daemon.reconciler, Renewal(renewing.check, renewing.begin))


async def test_with_nothing_running_it_begins_again_and_nothing_starts_any_more(outside: Outside) -> None:
    renewing = Renewing()
    async with running(outside) as daemon:
        assert await renewable(daemon, renewing).reload(ANN) == ("a warning",)
        assert renewing.begun == 1
        (row,) = await outside.journal.audited(10)
        assert (row.who, row.verb) == (ANN.who, "reload")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60.0):
                await daemon.deploy()
        assert daemon.engine.run is None


async def test_a_wrong_configuration_is_refused_with_its_reasons_and_locks_nothing(outside: Outside) -> None:
    renewing = Renewing()
    renewing.wrong = "watch.window: a bare number"
    async with running(outside) as daemon:
        with pytest.raises(ConfigurationError, match=r"watch\.window"):
            await renewable(daemon, renewing).reload(ANN)
        assert renewing.begun == 0
        await daemon.deploy()


async def test_a_deployment_that_runs_keeps_its_settings(outside: Outside) -> None:
    renewing = Renewing()
    async with running(outside) as daemon:
        await daemon.deploy()
        for phase in (Phase.PREPARING, Phase.WATCHING, Phase.STANDING_BY):
            await daemon.reach(phase)
            with pytest.raises(DeploymentInProgress, match=f"keeps the settings of its plan: .* is in {phase}") as told:
                await renewable(daemon, renewing).reload(ANN)
            assert told.value.next[0].startswith("bluegreen watch d-")
        await daemon.cutback()
        await daemon.end()
        await renewable(daemon, renewing).reload(ANN)
        assert renewing.begun == 1


async def test_what_is_done_by_hand_is_not_cut_off(outside: Outside) -> None:
    renewing = Renewing()
    async with running(outside) as daemon:
        daemon.engine.by_hand = "a backup by hand is being taken (ann)"
        with pytest.raises(DeploymentInProgress, match="a backup by hand"):
            await renewable(daemon, renewing).reload(ANN)
        daemon.engine.by_hand = ""
        await renewable(daemon, renewing).reload(ANN)
        assert renewing.begun == 1


async def test_what_cannot_be_written_down_is_not_done(outside: Outside) -> None:
    renewing = Renewing()

    def full() -> None:
        raise JournalUnwritable("the disk is full")

    async with running(outside) as daemon:
        outside.at("before journal audit", full)
        with pytest.raises(JournalUnwritable):
            await renewable(daemon, renewing).reload(ANN)
        assert renewing.begun == 0
        await daemon.deploy()


async def test_a_daemon_without_a_file_says_what_to_type(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(WrongPhase) as told:
            await daemon.service.reload(ANN)
        assert told.value.next == ("systemctl restart bluegreen",)


async def test_a_watch_loop_that_stands_still_is_noticed_and_none_at_all_is_not(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        assert daemon.watch.keeps_up(), "nothing is watched"
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert daemon.watch.keeps_up()
        now = outside.clock.monotonic()
        daemon.watch.looked_at = now - 5.1
        assert not daemon.watch.keeps_up()
        await asyncio.sleep(0.2)
        assert daemon.watch.keeps_up(), "it turned again"
        await daemon.cutback()
        await daemon.end()
        await asyncio.sleep(60)
        assert daemon.watch.keeps_up(), "the watch is over"


async def test_the_standing_says_where_the_traffic_is_and_what_runs(outside: Outside) -> None:
    outside.change(window=600.0)
    async with running(outside) as daemon:
        assert standing(daemon.engine, daemon.reconciler) == "looking where the traffic is; nothing is moving"
        await asyncio.sleep(2)
        assert standing(daemon.engine, daemon.reconciler) == "blue live; nothing is moving"
        id = (await daemon.deploy()).id
        await daemon.reach(Phase.WATCHING)
        await asyncio.sleep(2)
        assert standing(daemon.engine, daemon.reconciler) == f"green live; {id} WATCHING 1.1.0, 10 min left"
        await asyncio.sleep(60)
        assert standing(daemon.engine, daemon.reconciler) == f"green live; {id} WATCHING 1.1.0, 9 min left"
