"""Daemons of one story that die by SIGKILL at a given point of it, each a fork of one process that has read all code.

A point is a statement that changes something, or the tool: when it was sent and its answer is not there, and for those
that take effect by themselves also when it is. (Before it is sent is after the one before it.) Orders come in as lines of JSON, {dsn, home, bin_dir, point, verb, later}, and are answered by the exit
code and the points that were passed. `verb` is a method of the site ("" for the story); `later`: the daemon dies so
many seconds after the point, by an alarm that nobody catches.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from bluegreen.adapters.migrations import command
from tests.adapters.migrations import story
from tests.adapters.sites import Site

COMMENTS = re.compile(r"^\s*--.*$", re.MULTILINE)
CHANGING = re.compile(r"COMMIT|CREATE|ALTER|INSERT|UPDATE|WITH batch|DROP")
EFFECTIVE = re.compile(r"COMMIT|\w+ (UNIQUE )?INDEX|the tool")

Call = Callable[..., Awaitable[Any]]


class Points:
    """Counts, and dies at the one that was ordered."""

    def __init__(self, death: int, later: float) -> None:
        self.passed: list[str] = []
        self._death, self._later = death, later

    def pass_by(self, name: str) -> None:
        if len(self.passed) == self._death and self._later:
            signal.setitimer(signal.ITIMER_REAL, self._later)
        elif len(self.passed) == self._death:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed.append(name)

    def around(self, call: Call, name: Callable[..., str]) -> Call:
        async def wrapped(*args: Any, **options: Any) -> Any:
            told = name(*args)
            if not told:
                return await call(*args, **options)
            task = asyncio.ensure_future(call(*args, **options))
            await asyncio.sleep(0)  # it writes to the socket, or starts the process, as far as it goes without waiting
            self.pass_by(f"sent {told}")
            try:
                answer = await task
            except asyncio.CancelledError:
                task.cancel()
                raise
            if EFFECTIVE.match(told):
                self.pass_by(f"answered {told}")
            return answer

        return wrapped


def _statement(_: object, sql: str, *rest: object) -> str:
    text = " ".join(COMMENTS.sub("", sql).split())
    return text[:40] if CHANGING.match(text) else ""


async def _daemon(order: dict[str, Any]) -> list[str]:
    points = Points(order["point"], order["later"])
    for verb in ("execute", "fetchval", "fetchrow", "fetch"):
        setattr(asyncpg.Connection, verb, points.around(getattr(asyncpg.Connection, verb), _statement))
    command.run_command = points.around(command.run_command, lambda *_: "the tool")  # type: ignore[attr-defined]
    site = Site(order["dsn"], Path(order["home"]), Path(order["bin_dir"]))
    await (getattr(site, order["verb"])() if order["verb"] else story.tell(site))
    return points.passed


def _fork(order: dict[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        code = 1
        try:
            os.write(writer, json.dumps(asyncio.run(_daemon(order))).encode())
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as answer:
        passed = answer.read()
    return {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "passed": json.loads(passed or "[]")}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
