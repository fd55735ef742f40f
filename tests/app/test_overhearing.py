"""What a release says in its own log that decides nothing is counted for its deployment, and told at its end."""

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.signals import Overheard
from bluegreen.interfaces.reports import deployment_lines
from tests.app.daemons import Daemon, outcomes, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

FIRST = "DeprecationWarning: the old cookie format"


def says(daemon: Daemon, n: int, first: str = FIRST, colour: str = "green") -> None:
    daemon.engine.world.overhearing.take(Overheard(GREEN if colour == "green" else BLUE, 10, 0, n, first))


async def test_warnings_are_counted_from_the_start_of_the_release_and_told_at_its_end(outside: Outside) -> None:
    async with running(outside) as daemon:
        says(daemon, 7, "what ran there before")
        outside.at("before journal STARTING", lambda: says(daemon, 3, "what runs there still"))
        await daemon.deploy()
        await daemon.reach(Phase.TESTING, Phase.WATCHING)
        says(daemon, 1)
        await daemon.reach(Phase.WATCHING)
        says(daemon, 1_233, "a later one")
        says(daemon, 5, "of the old colour", "blue")
        ended = await daemon.end()
        end = (await daemon.events())[-1]
    assert ended.phase is Phase.LIVE
    assert ended.facts["deprecations"] == {"n": 1_234, "first": FIRST}
    words = f"1,234 deprecation warnings, first: {FIRST}"
    assert end.facts["deprecations"] == words
    assert outcomes(outside)[0].text == f"olympus: 1.1.0 is live on green. It gave {words}."
    assert any(words in line for line in deployment_lines(ended, ()))


async def test_a_release_that_warns_of_nothing_is_not_said_to(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        end = (await daemon.events())[-1]
    assert "deprecations" not in {*ended.facts, *end.facts}
    assert not any("deprecation" in line for line in deployment_lines(ended, ()))


async def test_after_a_restart_they_are_counted_on(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        says(daemon, 2)
        await _saved(daemon)
    async with running(outside) as again:
        says(again, 3, "after the restart")
        ended = await again.end()
    assert _n(ended) == 5
    assert ended.facts["deprecations"]["first"] == FIRST


async def test_lines_are_added_up_for_the_metrics(outside: Outside) -> None:
    async with running(outside) as daemon:
        daemon.engine.world.overhearing.take(Overheard(GREEN, 10, 2))
        says(daemon, 3)
        assert daemon.engine.world.overhearing.lines == {GREEN: (20, 2, 3)}


def _n(deployment: Deployment) -> int:
    return int(deployment.facts["deprecations"]["n"])


async def _saved(daemon: Daemon) -> None:
    assert daemon.engine.run is not None
    await daemon.engine.run.update()
