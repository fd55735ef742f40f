"""A route that is gone from the balancer says that users are somewhere nobody knows; silence says nothing."""

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import RouteNotFound
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Traffic
from tests.app.daemons import pages, running
from tests.app.outside import Outside


async def test_while_a_release_is_watched_the_way_back_is_walked_as_soon_as_there_is_one(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        kept = dict(outside.balancer.routes)
        outside.balancer.remove("api")
        stuck = await daemon.reach(Phase.REVERTING)
        assert stuck.cause is Cause.MOVED_OUTSIDE
        outside.balancer.routes.update(kept)
        assert (await daemon.end()).phase is Phase.REVERTED
    assert (await outside.balancer.observe()).colour is stuck.old
    assert outside.balancer.written


async def test_before_the_switch_the_deployment_is_given_up(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy(auto_promote=False)
        await daemon.reach(Phase.AWAITING)
        outside.balancer.remove("api")
        ended = await daemon.end()
    assert (ended.phase, ended.cause, ended.moved) == (Phase.ABANDONED, Cause.MOVED_OUTSIDE, False)
    assert pages(outside) == []


async def test_an_endpoint_that_does_not_answer_ends_nothing(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        outside.balancer.reachable = False
        await daemon.reach(Phase.STANDING_BY)
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is Phase.LIVE


async def test_after_a_restart_it_is_walked_too(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
    kept = dict(outside.balancer.routes)
    outside.balancer.remove("api")
    async with running(outside) as daemon:
        stuck = await daemon.reach(Phase.REVERTING)
        assert stuck.cause is Cause.MOVED_OUTSIDE
        outside.balancer.routes.update(kept)
        assert (await daemon.end()).phase is Phase.REVERTED
    assert (await outside.balancer.observe()).colour is stuck.old


async def test_a_cutback_is_obeyed_while_a_restarted_daemon_waits_for_the_balancer(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
    outside.balancer.reachable = False
    async with running(outside) as daemon:
        await daemon.cutback()
        going_back = await daemon.reach(Phase.REVERTING)
        assert going_back.cause is Cause.OPERATOR
        outside.balancer.reachable = True
        assert (await daemon.end()).phase is Phase.REVERTED


async def test_a_balancer_that_starts_and_has_no_route_yet_ends_nothing(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bare() -> Traffic:
        raise RouteNotFound("there is no route at all", bare=True)

    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        with monkeypatch.context() as starting:
            starting.setattr(outside.balancer, "observe", bare)
            await daemon.reconciler.step()
        await daemon.reach(Phase.STANDING_BY)
        with monkeypatch.context() as emptied:
            emptied.setattr(outside.balancer, "observe", bare)
            stuck = await daemon.reach(Phase.REVERTING)
        assert stuck.cause is Cause.MOVED_OUTSIDE
        assert (await daemon.end()).phase is Phase.REVERTED
