"""Daemons that die when they are told to, on databases of one make."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.migrations import points
from tests.adapters.sites import Site
from tests.real_parts import execute

NEVER = -1


@dataclass
class Nursery:
    """`template` is the database that all of them are copies of."""

    process: "subprocess.Popen[str]"
    server: EmbeddedPostgres
    template: str
    home: Path

    async def daemon(self, site: Site, point: int, *, verb: str = "", later: float = 0.0) -> tuple[int, list[str]]:
        """Let one live until that point; its exit code, and the points it passed if it came to its end."""
        order = {"dsn": site.dsn, "home": str(site.home), "bin_dir": str(site.bin_dir)}
        return await asyncio.to_thread(self._order, order | {"point": point, "verb": verb, "later": later})

    def _order(self, order: dict[str, object]) -> tuple[int, list[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["passed"]

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Site]:
        """A fresh copy."""
        name = f"{self.template}_{uuid4().hex[:8]}"
        await execute(self.server.dsn(), f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
        home = self.home / name
        home.mkdir()
        yield Site(self.server.dsn(name), home, self.server.bin_dir)
        await execute(self.server.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def nursery(server: EmbeddedPostgres, home: Path, schema: str) -> AsyncIterator[Nursery]:
    """A nursery for databases with that schema."""
    template = f"points_{uuid4().hex[:8]}"
    await execute(server.dsn(), f'CREATE DATABASE "{template}"')
    await execute(server.dsn(template), schema)
    with _forking() as process:
        yield Nursery(process, server, template, home)
    await execute(server.dsn(), f'DROP DATABASE "{template}"')


@contextmanager
def _forking() -> Iterator["subprocess.Popen[str]"]:
    root = Path(points.__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", points.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    with process:
        yield process
        process.kill()
