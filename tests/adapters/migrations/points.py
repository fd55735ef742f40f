"""Daemons of one story that die by SIGKILL at a given point of it, each a fork of one process that has read all code.

A point is a statement that changes something, or the tool: when it was sent and its answer is not there, and for those
that take effect by themselves also when it is. (Before it is sent is after the one before it.) Orders come in as lines
of JSON, {dsn, home, bin_dir, point, verb, later}, and are answered by the exit code and the points that were passed.
`verb` is a method of the site ("" for the story); `later`: the daemon dies so many seconds after the point, by an alarm
that nobody catches.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from bluegreen.adapters.migrations import command
from tests.adapters.migrations import story
from tests.adapters.sites import Site

COMMENTS = re.compile(r"^\s*--.*$", re.MULTILINE)
CHANGING = re.compile(r"COMMIT|CREATE|ALTER|INSERT|UPDATE|WITH batch|DROP")
EFFECTIVE = re.compile(r"COMMIT|\w+ (UNIQUE )?INDEX")

TOOL = "the tool"
WAITS = {TOOL: 4}
"""A tool is first started, then waited for."""

Call = Callable[..., Coroutine[Any, Any, Any]]


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
            answer = await _Stopping(call(*args, **options), told, self.pass_by)
            if told == TOOL or EFFECTIVE.match(told):
                self.pass_by(f"answered {told}")
            return answer

        return wrapped


class _Stopping:
    """Awaits something, and passes by a point each time that it waits, as often as WAITS says."""

    def __init__(self, work: Coroutine[Any, Any, Any], told: str, pass_by: Callable[[str], None]) -> None:
        self._work, self._told, self._pass_by = work, told, pass_by
        self._left = WAITS.get(told, 1)

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        step = partial(next, steps)
        while True:
            try:
                waiting = step()
            except StopIteration as exc:
                return exc.value
            if self._left:
                self._left -= 1
                self._pass_by(f"sent {self._told}")
            try:
                step = partial(steps.send, (yield waiting))
            except BaseException as exc:  # noqa: BLE001 - passed on to whom it was meant for
                step = partial(steps.throw, exc)


def _statement(_: object, sql: str, *rest: object) -> str:
    text = " ".join(COMMENTS.sub("", sql).split())
    return text[:40] if CHANGING.match(text) else ""


async def _daemon(order: dict[str, Any]) -> list[str]:
    points = Points(order["point"], order["later"])
    for verb in ("execute", "fetchval", "fetchrow", "fetch"):
        setattr(asyncpg.Connection, verb, points.around(getattr(asyncpg.Connection, verb), _statement))
    for name in ("run_command",):
        setattr(command, name, points.around(getattr(command, name), lambda *_: TOOL))
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
