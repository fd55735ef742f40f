"""A daemon of one call, to be killed in the middle of it: `restoring.py DSN HOME BIN_DIR BACKUP POINT`.

It is the app's own order, on a real Postgres and a real journal; everything else is in memory. At POINT (the number of
a moment in the story) it kills itself with -9; 0: never. It prints each moment as it comes to it, between the lines
of the log.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bluegreen.adapters.backups import restorations, swap
from bluegreen.adapters.backups.restorations import Restorations
from bluegreen.adapters.clock import SystemClock
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.adapters.postgres.dump import Dumper
from bluegreen.app.engine import Engine
from bluegreen.app.news import News
from bluegreen.app.notices import Outbox
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Caller
from bluegreen.app.service import Service
from bluegreen.app.watch import Watch
from tests.adapters.sites import Site
from tests.app.outside import Outside

STEPS = (
    (Restorations, "keep_present"),
    (Restorations, "restore_beside"),
    (Restorations, "swap"),
    (Dumper, "dump"),
    (Dumper, "restore_whole"),
    (restorations, "_create"),
    (swap, "_rename"),
)
"""What has a moment before it and one after it."""


class Story:
    """Counts the moments and dies at one of them."""

    def __init__(self, point: int) -> None:
        self.point, self.seen = point, 0

    def __call__(self, what: str) -> None:
        self.seen += 1
        print(f"moment: {what}", flush=True)
        if self.seen == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class Told(SqliteJournal):
    """Says when a step of the restoration is durable."""

    story: Story

    async def keep(self, kind: str, key: str, value: Any) -> None:
        await super().keep(kind, key, value)
        if kind == "restoration":
            self.story(f"kept {value['step']}")


def told(story: Story, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same, with a moment before and after it."""

    async def both(*args: Any, **rest: Any) -> Any:
        story(f"before {name}")
        result = await call(*args, **rest)
        story(f"after {name}")
        return result

    return both


def between(story: Story, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with a moment where it is about the second rename, and where both are done and not committed."""

    def first(*args: Any) -> Any:
        if name == "grants":
            story("both renamed, not committed")
        elif "_restore_" in args[0]:
            story("between the renames")
        return call(*args)

    return first


async def main(dsn: str, home: str, bin_dir: str, backup: str, point: str) -> None:
    site, story, outside = Site(dsn, Path(home), Path(bin_dir)), Story(int(point)), Outside()
    for owner, name in STEPS:
        setattr(owner, name, told(story, name.strip("_"), getattr(owner, name)))
    for name in ("quoted", "grants"):
        setattr(swap, name, between(story, name, getattr(swap, name)))
    outside.database = site.database()  # type: ignore[assignment]
    clock = SystemClock()
    journal = Told(Path(home) / "state.db")
    journal.story = story
    outside.journal, outside.clock = journal, clock  # type: ignore[assignment]
    await journal.open()
    world = outside.world()
    news = News(world.journal, world.clock)
    engine = Engine(world, news, Outbox(world.journal, ()), Watch(world.clock, ()))
    service = Service(engine, Reconciler(engine))
    restored = await service.restore(backup, Caller("test", "socket"), confirm="main", stop_colours=True)
    await journal.close()
    started = [f"{each.colour} {each.release}{each.problem}" for each in restored.colours]
    print(f"moment: done: {restored.kept}, {', '.join(started)}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
