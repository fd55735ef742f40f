"""Wakes the reader of one growing file as soon as there is something to read.

inotify(7) on the opened files (they may be renamed) and on the directory (a new one may appear) tells within
a fraction of a millisecond. It tells nothing on network filesystems and may be used up
(`fs.inotify.max_user_instances`): then the file is simply looked at every POLL seconds. Events come one per
write; the watch is disarmed while the reader works and for SPACING after, so that ten thousand lines a second
cost five hundred wake-ups and not ten thousand.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from inotify_simple import INotify, flags

POLL = 0.02
"""Seconds between two looks where nothing tells."""

SPACING = 0.002
"""Seconds that a burst of writes may gather before it is read."""

SAFETY = 1.0
"""Seconds after which the reader looks all the same: a directory replaced, a link that leads elsewhere."""

OF_DIRECTORY = flags.CREATE | flags.MOVED_TO

log = structlog.get_logger("bluegreen")


@asynccontextmanager
async def changes_of(path: Path, *, inotify: bool) -> "AsyncIterator[Changes]":
    """What wakes the reader of `path`; without inotify where that is not wanted or not to be had."""
    notify = await _inotify(path) if inotify else None
    try:
        yield Changes(path, notify)
    finally:
        if notify is not None:
            notify.close()


async def _inotify(path: Path) -> INotify | None:
    try:
        await asyncio.to_thread(_load_libc)
        return INotify()
    except OSError as exc:
        log.warning("access_log.polled", path=str(path), reason=f"inotify cannot be used: {exc}")
        return None


def _load_libc() -> None:
    INotify().close()  # the library's first use looks for libc with a child process


class Changes:
    """Waits until the file may have changed."""

    def __init__(self, path: Path, notify: INotify | None) -> None:
        self._path = path
        self._notify = notify
        self._watches: dict[int, int] = {}
        self._watch_directory()

    def follow(self, descriptors: Iterable[int]) -> bool:
        """Watch exactly these open files, whatever their names become; True where one was not watched until now, so
        that what was written to it meanwhile woke nobody."""
        wanted, before = set(descriptors), set(self._watches)
        if self._notify is None or wanted == before:
            return False
        for descriptor in self._watches.keys() - wanted:
            with suppress(OSError):  # the kernel drops the watch of a file that is gone
                self._notify.rm_watch(self._watches.pop(descriptor))
        for descriptor in wanted - self._watches.keys():
            with suppress(OSError):  # no /proc, or no watch left: SAFETY has to do
                self._watches[descriptor] = self._notify.add_watch(f"/proc/self/fd/{descriptor}", flags.MODIFY)
        return not self._watches.keys() <= before

    async def wait(self) -> None:
        """Return when there may be something to read, at the latest after SAFETY seconds."""
        if self._notify is None:
            await asyncio.sleep(POLL)
            return
        await asyncio.sleep(SPACING)
        try:
            async with asyncio.timeout(SAFETY):
                while not self._about_us():
                    await _readable(self._notify)
        except TimeoutError:
            self._watch_directory()

    def _about_us(self) -> bool:
        """Take the events that wait; True where one of them is not about a neighbour in the directory."""
        events = list(self._notify.read(timeout=0)) if self._notify is not None else []
        return any(not event.name or event.name == self._path.name for event in events)

    def _watch_directory(self) -> None:
        """Begin, or go on, watching the directory that is at the path now."""
        if self._notify is not None:
            with suppress(OSError):  # no such directory yet: looked for again after SAFETY
                self._notify.add_watch(self._path.parent, OF_DIRECTORY)


async def _readable(notify: INotify) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(notify, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(notify)
