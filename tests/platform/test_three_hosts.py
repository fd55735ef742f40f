"""A load balancer, blue and green on three machines: the daemon, Caddy and the users on the first, each colour on one
of its own, reached by ssh."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.demo.records import Tally, sessions_lost
from bluegreen.demo.scenery import Pace
from bluegreen.domain.deployments import Deployment
from tests.e2e.cast import baseline, colours_served, crowd, deploy, ended, eventually, reached
from tests.platform.hosts import Machine, SpreadStage, machine, relay

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

PACE = Pace(window="4s", standby="1s", inspect="60s", starting="25s")
GATE = """
[[smoke]]
name = "gate"
command = ["{directory}/gate", "{{colour}}"]
timeout = "30s"
"""
GATE_PROGRAM = """\
#!/bin/sh
[ "$1" = green ] && [ -e {directory}/gated ] || exit 0
touch {directory}/at-the-gate
while [ ! -e {directory}/go ]; do sleep 0.1; done
echo "nothing is heard of it"
exit 1
"""


@pytest.fixture
async def machines(short_directory: Path) -> AsyncIterator[dict[str, Machine]]:
    """Blue's and green's."""
    async with AsyncExitStack() as stack:
        yield {
            colour: await stack.enter_async_context(machine(short_directory / "hosts", colour))
            for colour in ("blue", "green")
        }


@pytest.fixture
async def stage(
    machines: dict[str, Machine], short_directory: Path, postgres: EmbeddedPostgres, database: str
) -> AsyncIterator[SpreadStage]:
    """Release 1.0.0 on blue's machine, and the daemon. `up` on either waits for nothing; see `slow_up`."""
    slow = f'"{short_directory}/slow", '
    made = SpreadStage(
        short_directory,
        database,
        postgres.bin_dir,
        pace=PACE,
        up_prefix=slow,
        extra=GATE.format(directory=short_directory),
    )
    made.machines = machines
    _script(
        short_directory / "slow",
        f'[ ! -e "{short_directory}/slowly" ] || {{ touch "{short_directory}/began"; sleep 6; }}; exec "$@"',
    )
    _script(short_directory / "gate", GATE_PROGRAM.format(directory=short_directory))
    try:
        async with relay(database, machines["blue"].gateway) as made.relayed:
            await made.set_up()
            await made.start_daemon()
            yield made
    finally:
        for each in machines.values():
            each.heal()
            each.thaw()
        await made.tear_down()


def _script(file: Path, text: str) -> None:
    file.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def _took(deployment: Deployment) -> float:
    assert deployment.ended_at is not None
    return (deployment.ended_at - deployment.created_at).total_seconds()


async def test_the_whole_story(stage: SpreadStage) -> None:
    """Deploy, a broken release, a link that is cut while the release is watched, and a good one after all."""
    async with crowd(stage, rate=50.0, seconds=200.0) as users:
        await baseline(stage, users, 250)

        broken = await ended(stage, await deploy(stage, "1.1.0-errors-1.0"))
        assert (broken.phase, broken.cause) == ("REVERTED", "regressed"), broken.reason
        assert await colours_served(stage) == {"blue"}
        hurt = len([record for record in users.records if record.status == 500])

        id = await deploy(stage, "1.1.1")
        await reached(stage, id, "WATCHING")
        assert await colours_served(stage) == {"green"}
        stage.machines["green"].cut()
        cut = await ended(stage, id, 60.0)
        assert cut.phase == "REVERTED", cut.reason
        assert await colours_served(stage) == {"blue"}, "users are back by themselves, and that took no ssh"
        stage.machines["green"].heal()

        good = await ended(stage, await deploy(stage, "1.1.2"), 90.0)
        assert good.phase == "LIVE", good.reason
        assert await colours_served(stage) == {"green"}
        records = await users.leave()
    print(
        f"\n{len(records)} requests; errors of the broken release: {hurt}; failed in all: "
        f"{Tally.of(records).failed}; {cut.reason}; broken {_took(broken):.1f} s, cut {_took(cut):.1f} s, "
        f"good {_took(good):.1f} s"
    )
    assert sessions_lost(records) == []


async def test_a_machine_that_is_lost_while_its_colour_starts_or_is_tested_moves_nobody(stage: SpreadStage) -> None:
    green, here = stage.machines["green"], stage.directory
    async with crowd(stage, rate=20.0, seconds=200.0) as users:
        await baseline(stage, users, 100)

        (here / "slowly").touch()
        id = await deploy(stage, "1.1.0")
        await eventually((here / "began").exists, 60.0)
        green.cut()
        starting = await ended(stage, id, 60.0)
        assert starting.phase == "ABANDONED", starting.reason
        assert "STARTING" in starting.path
        assert "green" in starting.reason
        assert green.address in starting.reason, "the machine is named"
        green.heal()
        (here / "slowly").unlink()

        (here / "gated").touch()
        id = await deploy(stage, "1.1.0")
        await eventually((here / "at-the-gate").exists, 90.0)
        green.freeze()
        (here / "go").touch()
        testing = await ended(stage, id, 90.0)
        assert testing.phase == "ABANDONED", testing.reason
        assert testing.path[-3:-1] == ("TESTING", "ABANDONING"), testing.reason
        (here / "gated").unlink()

        refused = await ended(stage, await deploy(stage, "1.1.0"), 60.0)
        assert refused.phase == "ABANDONED", refused.reason
        assert "BACKING_UP" not in refused.path, "nothing was done for a machine that does not answer"
        assert "is not reached" in refused.reason
        assert await colours_served(stage) == {"blue"}
        records = await users.leave()
    for phase, lost in (("STARTING", starting), ("TESTING", testing), ("PREPARING", refused)):
        print(f"\nin {phase}: {lost.reason}")
    assert sessions_lost(records) == []
