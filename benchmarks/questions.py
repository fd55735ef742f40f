"""Users of a database who do not wait for each other, in a process of their own; every answer is kept.

Question i is due at t0 + i / rate, whatever became of those before it (open_model.py says why). One in five writes.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import asyncpg
import msgspec

from benchmarks.child import module
from bluegreen.demo.children import Child

CONNECTIONS = 40
PATIENCE = 60.0
"""Seconds after which an answer is given up: a failure."""

READ, WRITE = "SELECT name FROM users WHERE id = $1", "UPDATE users SET seen = seen + 1 WHERE id = $1"


class Answer(msgspec.Struct, array_like=True):
    """One question: when it was due, when its answer was there (monotonic seconds), and whether there was one."""

    due: float
    done: float
    good: bool


@dataclass
class Askers:
    """The process of the users of one database with so many `rows`."""

    dsn: str
    rows: int
    rate: float
    directory: Path

    @property
    def _file(self) -> Path:
        return self.directory / "answers.json"

    def begin(self) -> Child:
        """Let them in, until the child is stopped."""
        words = (str(self._file), self.dsn, str(self.rows), str(self.rate))
        return module("benchmarks.questions", *words, log=self.directory / "askers.log")

    def answers(self) -> Sequence[Answer]:
        """All they got, by when it was due, once the child has ended."""
        found = msgspec.json.decode(self._file.read_bytes(), type=list[Answer])
        return sorted(found, key=lambda answer: answer.due)


async def _ask(pool: "asyncpg.Pool[asyncpg.Record]", id: int, due: float, answers: list[Answer]) -> None:
    good = True
    try:
        async with asyncio.timeout(PATIENCE), pool.acquire() as connection:
            if random.random() < 0.2:
                await connection.execute(WRITE, id)
            else:
                await connection.fetchval(READ, id)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # TimeoutError is one
        good = False
    answers.append(Answer(due, monotonic(), good))


async def ask(dsn: str, rows: int, rate: float) -> list[Answer]:
    """Send questions until SIGTERM, wait for those under way, and return what came of all."""
    answers: list[Answer] = []
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    pool = asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, statement_cache_size=0)
    async with pool, asyncio.TaskGroup() as group:
        began, number = monotonic(), 0
        while not told.is_set():
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - monotonic()))
            id = random.randint(1, rows)
            group.create_task(_ask(pool, id, due, answers), name=f"question {number}")
            number += 1
    return answers


if __name__ == "__main__":
    path, dsn, rows, rate = sys.argv[1:]
    got = asyncio.run(ask(dsn, int(rows), float(rate)))
    Path(path).write_bytes(msgspec.json.encode(got))
