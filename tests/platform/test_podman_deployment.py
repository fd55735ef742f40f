"""The whole daemon on colours that are compose projects of podman-compose, behind a real Caddy, with users."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluegreen.adapters.runners.compose import ComposeRunner
from bluegreen.adapters.runners.compose_call import Place
from bluegreen.adapters.runners.compose_stack import Project
from bluegreen.demo.children import Child
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.hosts import Here
from tests.e2e.yard import Yard, failed
from tests.platform.containers import Containers

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

STACK = """\
services:
  web:
    image: localhost/web:${RELEASE}
    network_mode: host
    environment: ["PORT=${WEB_PORT}"]
    healthcheck:
      test: ["CMD", "/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:${WEB_PORT}/health"]
      interval: 500ms
      timeout: 5s
      retries: 4
  mailer:
    image: localhost/worker:1.0.0
    network_mode: host
"""

LIVE_ONLY = '\n[[services]]\nname = "mailer"\nrole = "live-only"\n'


class ComposeYard(Yard):
    """A yard whose colours are containers on the machine's own loopback."""

    containers: Containers

    async def application(self, colour: str) -> Child:
        """Blue runs before the daemon comes, as an operator has brought it up."""
        if colour == "blue":
            (self.directory / "colours").mkdir()
            (self.directory / "colours" / "compose.yaml").write_text(STACK)
            for each in Colour:
                port = self.ports[each]["web"]
                (self.directory / "colours" / f".env.{each}").write_text(f"WEB_PORT={port}\n")
            runner = self.runner(Colour.BLUE)
            await runner.up(Release("1.0.0"))
            await runner.up(Release("1.0.0"), live_only=True)
            self._configure()
        return None  # type: ignore[return-value]

    def runner(self, colour: Colour) -> ComposeRunner:
        """A colour's runner, as the daemon makes it."""
        where = self.directory / "colours"
        project = Project(
            f"yard-{colour}",
            env_files=(where / f".env.{colour}",),
            live_only=("mailer",),
            written=self.directory / "state" / "compose",
        )
        place = Place(colour, Here(), where, self.containers.variables)
        return ComposeRunner(place, project, tool=self.containers.tool, pull="never", stop_timeout=5.0, settles=0.3)

    def _configure(self) -> None:
        variables = ", ".join(f'{name} = "{value}"' for name, value in self.containers.variables.items())
        text = re.sub(r"^(up|down) = .*\n", "", self.config.read_text(), flags=re.MULTILINE)
        for colour in Colour:
            lines = f'runner = "compose"\ndirectory = "{self.directory}/colours"\nenvironment = {{ {variables} }}\n'
            lines += f'env_files = ["{self.directory}/colours/.env.{colour}"]\n'
            lines += f'compose = {{ tool = ["{self.containers.tool[0]}"], pull = "never", stop_timeout = "5s" }}\n'
            text = text.replace(f"[environments.{colour}]\n", f"[environments.{colour}]\n{lines}")
        self.config.write_text(text.replace('path = "/health/ready"', 'path = "/health"') + LIVE_ONLY)

    async def cleared(self) -> None:
        """End everything, the containers too."""
        self.apps.clear()
        await super().cleared()
        for colour in Colour:
            await self.runner(colour).down()

    @asynccontextmanager
    async def visitors(self) -> AsyncIterator[None]:
        """Users who read pages all the time; what they get is in `got`."""

        async def one() -> None:
            async with self.client() as session:
                while True:
                    self.got.append(await self.ask(session, "web", "/", "GET"))
                    await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(), name=f"visitor {number}") for number in range(3)]
            yield
            for task in tasks:
                task.cancel()

    async def version(self) -> str:
        """What users are told."""
        async with self.client() as session, session.get(self.url("web", "/version")) as answer:
            return str((await answer.json(content_type=None))["version"])


@pytest.fixture
async def yard(podman: Containers, short_directory: Path) -> AsyncIterator[ComposeYard]:
    made = ComposeYard(short_directory, window="2s")
    made.containers = podman
    async with made.running():
        yield made


async def test_a_good_release_goes_live_and_a_broken_one_never_reaches_a_user(yard: ComposeYard) -> None:
    async with yard.visitors():
        await yard.heard()
        for version, phase, words in (
            ("1.0.1", "PREPARING", "image localhost/web:1.0.1 of web is not there"),
            ("1.1.0-sick", "STARTING", "web is not healthy after"),
        ):
            broken = await yard.ended(await yard.deploy(version), seconds=90.0)
            assert broken.phase == "ABANDONED", phase
            assert words in (broken.reason or "")
            assert await yard.version() == "1.0.0"

        live = await yard.ended(await yard.deploy("1.1.0"), seconds=120.0)
        assert live.phase == "LIVE", live.reason
        assert await yard.version() == "1.1.0"
    assert not failed(yard.got)

    parts = {part.name: part for part in await yard.runner(Colour.GREEN).parts()}
    assert {name: part.properties["release"] for name, part in parts.items()} == {"web": "1.1.0", "mailer": "1.1.0"}
    assert await yard.runner(Colour.BLUE).parts() == ()
