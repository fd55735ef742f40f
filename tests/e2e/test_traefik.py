"""The same story behind a real Traefik: a good release goes live without a lost request, a bad one is cut back."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.demo.records import Tally
from bluegreen.demo.scenery import SITES, Pace
from bluegreen.demo.stack import SERVICES, Stack
from bluegreen.demo.stage import Stage
from bluegreen.demo.traefik import EmbeddedTraefik, traefik_binary
from bluegreen.processes import environment, run_command
from tests.e2e.cast import baseline, colours_served, crowd, deploy, ended, eventually, reached

TRAEFIK = """
[traefik]
file = "{traefik.file}"
api = "{traefik.api}"
access_log = "{log}"
front_door = "{traefik.front}"
"""


class TraefikStage(Stage):
    """The stage with a Traefik where Caddy stands."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.traefik = EmbeddedTraefik(
            self.directory,
            *free_ports(2),
            access_log=self.access_log,
        )
        self.front = self.traefik.front

    async def set_up(self) -> None:
        await super().set_up()
        await self.caddy.kill()
        await self.traefik.start()

    async def tear_down(self) -> None:
        await super().tear_down()
        await self.traefik.kill()

    def _write_files(self, stack: Stack) -> None:
        super()._write_files(stack)
        self.traefik.routes(SITES)
        self.traefik.serve({service: stack.address("blue", service) for service in SERVICES})
        text = self.config.read_text() + TRAEFIK.format(traefik=self.traefik, log=self.access_log)
        self.config.write_text(f'balancer = "traefik"\n{text}')


@pytest.fixture
async def stage(short_directory: Path, postgres: EmbeddedPostgres, database: str) -> AsyncIterator[TraefikStage]:
    try:
        traefik_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    stage = TraefikStage(short_directory, database, postgres.bin_dir, pace=Pace(window="3s", standby="1s"))
    try:
        await stage.set_up()
        await stage.start_daemon()
        yield stage
    finally:
        await stage.tear_down()


async def test_a_good_release_goes_live_and_a_bad_one_is_cut_back(stage: TraefikStage) -> None:
    async with crowd(stage, rate=100.0) as users:
        await baseline(stage, users)
        good = await ended(stage, await deploy(stage, "1.1.0"))
        assert good.phase == "LIVE", good.reason
        assert await colours_served(stage) == {"green"}
        tally = Tally.of(users.records)
        assert tally.bad == 0, tally
        bad = await ended(stage, await deploy(stage, "1.2.0-errors-1.0"))
        assert (bad.phase, bad.cause) == ("REVERTED", "regressed"), bad.reason
        assert await colours_served(stage) == {"green"}


async def test_the_way_back_needs_neither_the_daemon_nor_traefik_s_api(stage: TraefikStage) -> None:
    async with crowd(stage, rate=100.0) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0")
        await reached(stage, id, "WATCHING")
        assert await colours_served(stage) == {"green"}
        await stage.kill_daemon()
        config = ("--config", str(stage.config))
        argv = ("cutback", "--offline", "--reason", "it looks bad", *config)
        ran = await run_command([*_bluegreen(), *argv], timeout=30.0, env=environment())
        assert ran.code == 0, ran.output
        await eventually(lambda: all(record.colour == "blue" for record in users.records[-20:]), 10.0)
        await stage.start_daemon()
        assert (await ended(stage, id)).phase == "REVERTED"


async def test_the_doctor_looks_at_it(stage: TraefikStage) -> None:
    ran = await run_command(
        [*_bluegreen(), "doctor", "--config", str(stage.config)], timeout=60.0, env=environment({"COLUMNS": "200"})
    )
    assert f"{stage.traefik.file}" in ran.output
    assert "no router" not in ran.output
    assert "goes to blue" in ran.output
    assert "admin" not in ran.output, "nothing is said of a Caddy that is not there"


def _bluegreen() -> list[str]:
    return [sys.executable, "-m", "bluegreen"]
