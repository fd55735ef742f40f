"""Who plays in every scenario: the stage, an operator, and a crowd of users in a process of their own."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bluegreen.app.requests import PlanRequest
from bluegreen.demo.children import Child, spawn
from bluegreen.demo.records import Record, read
from bluegreen.demo.scenery import SITES
from bluegreen.demo.stack import SERVICES, Stack
from bluegreen.demo.stage import Stage
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Event
from bluegreen.processes import environment

FINAL = ("LIVE", "ABANDONED", "REVERTED", "STRANDED")


class Crowd:
    """Users who never stop asking, counted by themselves: an independent witness."""

    def __init__(self, stage: Stage, rate: float, seconds: float) -> None:
        self._stage, self._rate, self._seconds = stage, rate, seconds
        self._file = stage.directory / f"load-{time.monotonic_ns()}.jsonl"
        self._child: Child | None = None

    def begin(self) -> None:
        """Let them in."""
        hosts = [word for service, site in SITES.items() for word in ("--host", f"{service}={site}")]
        argv = [sys.executable, "-m", "bluegreen.demo.load", "--front", self._stage.front, *hosts]
        argv += ["--rate", str(self._rate), "--seconds", str(self._seconds), "--timeout", "3"]
        argv += ["--output", str(self._file)]
        self._file.touch()
        path = {"PYTHONPATH": ":".join(sys.path)}
        self._child = spawn(argv, env=environment(path), log=self._stage.directory / "load.log")

    @property
    def records(self) -> list[Record]:
        """What they got so far."""
        return read(self._file)

    async def leave(self) -> list[Record]:
        """Send them home, and return all they got."""
        if self._child is not None:
            await self._child.stop()
        return self.records


@asynccontextmanager
async def crowd(stage: Stage, *, rate: float = 60.0, seconds: float = 120.0) -> AsyncIterator[Crowd]:
    """A crowd that is there while this lasts."""
    users = Crowd(stage, rate, seconds)
    users.begin()
    try:
        yield users
    finally:
        await users.leave()


async def baseline(stage: Stage, users: Crowd, requests: int = 400) -> None:
    """Let the daemon see how the live colour serves them, until that many requests were made."""
    await eventually(lambda: len(users.records) >= requests, 30.0)
    async with stage.client as client:
        await client.status()


async def deploy(stage: Stage, release: str) -> str:
    """Deploy as the CLI does: plan, then apply the plan; returns the id."""
    async with stage.client as client:
        plan = (await client.plan(PlanRequest(release=release))).value
        return (await client.deploy(plan.id)).value.id


async def deployment(stage: Stage, id: str) -> Deployment:
    """A deployment as the API shows it."""
    async with stage.client as client:
        return (await client.deployment(id)).value


async def begun(stage: Stage, release: str, seconds: float = 60.0) -> str:
    """The id of the deployment that somebody else begins with this release, once it is the current one."""
    async with asyncio.timeout(seconds):
        while (now := await deployment(stage, "current")).plan.release.version != release:
            await asyncio.sleep(0.05)
    return now.id


async def ended(stage: Stage, id: str, seconds: float = 60.0) -> Deployment:
    """The deployment when it has ended."""
    return await reached(stage, id, FINAL, seconds)


async def reached(stage: Stage, id: str, phases: tuple[str, ...] | str, seconds: float = 60.0) -> Deployment:
    """The deployment when it is in one of these phases."""
    wanted = (phases,) if isinstance(phases, str) else phases
    async with asyncio.timeout(seconds):
        while True:
            now = await deployment(stage, id)
            if now.phase in wanted:
                return now
            assert now.phase not in FINAL, f"ended in {now.phase} before {wanted}: {now.reason}"
            await asyncio.sleep(0.05)


async def events(stage: Stage, id: str) -> list[Event]:
    """What happened in a deployment."""
    async with stage.client as client:
        return list((await client.logs(id)).value.items)


async def colours_served(stage: Stage) -> set[str | None]:
    """Which colours answer now, service by service, several times each."""
    seen: set[str | None] = set()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        for site in list(SITES.values()) * 3:
            async with session.get(f"{stage.front}/version", headers={"Host": site}) as answer:
                seen.add(answer.headers.get("X-Colour"))
    return seen


async def answers_at(stage: Stage, colour: str) -> bool:
    """Whether a colour's own processes answer."""
    stack = Stack.load(stage.sample)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            for service in SERVICES:
                async with session.get(f"http://{stack.address(colour, service)}/version") as answer:
                    assert answer.status == 200
    except aiohttp.ClientError:
        return False
    return True


async def caddy_config(stage: Stage) -> object:
    """Caddy's whole configuration, asked past the daemon."""
    socket = stage.caddy.admin.removeprefix("unix/")
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session,
        session.get("http://localhost/config/") as answer,
    ):
        return await answer.json(content_type=None)


async def eventually(true: Callable[[], bool], seconds: float) -> None:
    """Return when it is so; TimeoutError otherwise."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


def leftovers(directory: Path) -> list[str]:
    """Files that no finished backup leaves behind."""
    return [path.name for path in directory.glob("*.partial")]
