"""kill -9 at every point of a change in three phases: the same call again ends it, nothing is missed or done twice."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.migrations import points, story
from tests.adapters.sites import Site
from tests.real_parts import execute

pytestmark = pytest.mark.real

NOBODY = -1
PARTS = 4
"""The points are shared out to that many tests, each within the time of one."""

AT_LEAST = 30


@dataclass
class Nursery:
    """Makes daemons that die, on databases of one make."""

    process: "subprocess.Popen[str]"
    server: EmbeddedPostgres
    template: str
    home: Path

    def raise_daemon(self, site: Site, point: int) -> tuple[int, list[str]]:
        """Its exit code, and the points it passed if it came to its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"dsn": site.dsn, "home": str(site.home), "bin_dir": str(site.bin_dir), "point": point}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["passed"]

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Site]:
        name = f"{self.template}_{uuid4().hex[:8]}"
        await execute(self.server.dsn(), f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
        home = self.home / name
        home.mkdir()
        site = Site(self.server.dsn(name), home, self.server.bin_dir)
        story.write(site)
        yield site
        await execute(self.server.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def nursery(postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Nursery]:
    template = f"points_{uuid4().hex[:8]}"
    await execute(postgres.dsn(), f'CREATE DATABASE "{template}"')
    await execute(postgres.dsn(template), story.BEFORE)
    with _forking() as process:
        yield Nursery(process, postgres, template, tmp_path)
    await execute(postgres.dsn(), f'DROP DATABASE "{template}"')


def _forking() -> "subprocess.Popen[str]":
    root = Path(points.__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", points.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


def _shared_out(count: int, part: int) -> Iterator[int]:
    yield from range(part, count, PARTS)


@pytest.mark.parametrize("part", range(PARTS))
async def test_killed_at_any_point_the_same_call_again_brings_it_to_the_same_end(nursery: Nursery, part: int) -> None:
    async with nursery.site() as site:
        code, passed = nursery.raise_daemon(site, NOBODY)
        end = await site.value(story.END)
    assert code == 0
    assert len(passed) >= AT_LEAST
    for point in _shared_out(len(passed), part):
        async with nursery.site() as site:
            code, _ = nursery.raise_daemon(site, point)
            assert code == -9, f"{passed[point]}: ended with {code}"
            assert await site.value(story.HALF), f"half a transaction was seen after {passed[point]}"
            await story.tell(site)
            assert await site.value(story.END) == end, f"killed {passed[point]}"
