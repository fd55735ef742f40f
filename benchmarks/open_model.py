"""Users who do not wait for each other: request number i is due at t0 + i / rate, whatever became of those before it.

A client that waits for an answer before it asks again sends less while things are bad and so counts too few bad
answers ("coordinated omission"). Here a slow answer delays nobody; its time counts from when it was due. Connections
are kept and used again, as browsers and proxies do; a request is never sent twice.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import aiohttp
import msgspec

from benchmarks.child import module
from benchmarks.stand import NAMES, Stand
from bluegreen.demo.children import Child

PATIENCE = 10.0
"""Seconds after which an answer is given up: a bad one."""


class Answer(msgspec.Struct, array_like=True):
    """One request: when it was due and when its answer was there (monotonic seconds), whether that was a good one, and
    the colour it named ("" where it named none)."""

    due: float
    done: float
    good: bool
    said: str


@dataclass
class Users:
    """The process of the users of one stand."""

    stand: Stand
    rate: float

    @property
    def _file(self) -> Path:
        return self.stand.directory / "users.jsonl"

    def begin(self) -> Child:
        """Let them in, until the child is stopped."""
        sites = ",".join(str(self.stand.services[name].site) for name in NAMES)
        words = (str(self._file), str(self.stand.port), sites, str(self.rate))
        return module("benchmarks.open_model", *words, log=self.stand.directory / "users.log")

    def answers(self) -> Sequence[Answer]:
        """All they got, by when it was due, once the child has ended."""
        return sorted(msgspec.json.decode(self._file.read_bytes(), type=list[Answer]), key=lambda answer: answer.due)


async def _ask(session: aiohttp.ClientSession, url: str, site: str, due: float, answers: list[Answer]) -> None:
    said, good = "", False
    try:
        async with session.get(url, headers={"Host": site}) as answer:
            said, good = await answer.text(), answer.status == 200
    except (aiohttp.ClientError, OSError):  # TimeoutError is one
        pass
    answers.append(Answer(due, monotonic(), good, said))


async def ask(port: int, sites: list[str], rate: float) -> list[Answer]:
    """Send requests until SIGTERM, wait for those under way, and return what came of all."""
    answers: list[Answer] = []
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    budget, url = aiohttp.ClientTimeout(total=PATIENCE), f"http://127.0.0.1:{port}/"
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=budget) as session, asyncio.TaskGroup() as group:
        began, number = monotonic(), 0
        while not told.is_set():
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - monotonic()))
            site = sites[number % len(sites)]
            group.create_task(_ask(session, url, site, due, answers), name=f"request {number}")
            number += 1
    return answers


if __name__ == "__main__":
    path, port, sites, rate = sys.argv[1:]
    got = asyncio.run(ask(int(port), sites.split(","), float(rate)))
    Path(path).write_bytes(msgspec.json.encode(got))
