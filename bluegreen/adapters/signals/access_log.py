"""What users get, from a balancer's access log, within a few milliseconds of each line.

The log is tailed as a file and received in no other way: with a reader that stops, a log sent to a socket stalls Caddy
itself (167 requests in 8 s instead of 80,000), a file never does. What a line looks like: caddy_log.py, traefik_log.py.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import ClassVar

import structlog

from bluegreen.adapters.signals.access_clients import Clients
from bluegreen.adapters.signals.access_counts import SOURCE
from bluegreen.adapters.signals.access_line import Format
from bluegreen.adapters.signals.access_lines import LATEST, AccessLines, Answers, Seen, Witness
from bluegreen.adapters.signals.access_routes import RouteClass, Routes
from bluegreen.adapters.signals.access_sample import Sample, sample
from bluegreen.adapters.signals.changes import changes_of
from bluegreen.adapters.signals.log_file import Losses, OpenLog
from bluegreen.adapters.signals.tail import Tail
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch
from bluegreen.domain.traffic import Service
from bluegreen.ports import Clock

RETRY = 1.0
"""Seconds between two tries of a file that cannot be read."""

LATEST_S = 60.0
"""Seconds for which the age of a line tells how far behind we are."""

log = structlog.get_logger("bluegreen")


class AccessLog:
    """The SignalSource port on an access log, whose lines are in a sibling's `format`. `seen`, `lost` and `problem`
    tell people why nothing comes."""

    format: ClassVar[Format]

    def __init__(
        self,
        path: Path,
        services: Mapping[str, Service],
        *,
        on_witness: Witness,
        clock: Clock,
        probe_header: str = "X-Bluegreen-Probe",
        inotify: bool = True,
        routes: Sequence[RouteClass] = (),
        client_key: bytes = b"",
        on_answers: Answers | None = None,
    ) -> None:
        """`inotify` False where the log lies on a network filesystem: it is then looked at every 20 ms. `routes`: the
        classes of which auth failures are counted apart. `client_key`: what clients are hashed with."""
        self._path = path
        self._clock, self._inotify = clock, inotify
        self._header = probe_header
        self._tail = Tail(path)
        read = self.format.decoder(probe_header)
        self._lines = AccessLines(services, read, on_witness, Routes(routes), Clients(client_key), on_answers)
        self._ages: deque[tuple[float, float]] = deque(maxlen=LATEST)
        self._heard_at: float | None = None
        self._caught_up_at: float | None = None
        self._position: Json = None
        self.problem = ""

    @property
    def name(self) -> str:
        """`access_log`."""
        return SOURCE

    @property
    def heard_at(self) -> float | None:
        """When a line was last read, anybody's."""
        return self._heard_at

    @property
    def caught_up_at(self) -> float | None:
        """When the log was last read to its end; it is looked at once a second at least."""
        return self._caught_up_at

    @property
    def behind(self) -> float:
        """Seconds from when a line was written to when it was read: the median of the last few, so that one with a
        wrong time changes nothing. A log that is buffered shows, and a reader that does not keep up; so does a clock of
        Caddy's machine that goes wrong, where that is another one. 0 where no line came for a while."""
        since = self._clock.monotonic() - LATEST_S
        return max(0.0, median([age for at, age in self._ages if at > since] or [0.0]))

    @property
    def seen(self) -> Seen:
        """How many lines were taken, belonged to nobody, could not be read."""
        return self._lines.seen

    @property
    def lost(self) -> Losses:
        """How many lines were too long or never finished, and how often the file was emptied."""
        return self._tail.losses

    def position(self) -> Json:
        """The end of what was reported; None before the log was first opened."""
        return self._position

    def resume(self, position: Json) -> bool:
        """Go on behind what was reported; False where data is missing: `run` then begins at the log's end."""
        resumed = self._tail.resume(position)
        self._position = position if resumed else None
        return resumed

    async def check(self) -> None:
        """Raises SignalFailed where the log cannot be read, or none of its lines can; that lines come is seen by asking
        the front door."""
        try:
            await asyncio.to_thread(_opened, self._path)
        except OSError as exc:
            raise SignalFailed(self._cannot(exc), source=SOURCE, next=(f"ls -l {self._path}",)) from exc
        if self.seen.undecodable and not self.seen.taken:
            problem = f"no line of the access log {self._path} can be read: {self.seen.reason}; is it in JSON?"
            raise SignalFailed(problem, source=SOURCE, next=(f"tail -n 1 {self._path}",))

    async def sample(self) -> Sample:
        """What the last lines show of who asks, for people. Raises OSError."""
        return await asyncio.to_thread(sample, self._path, self._header, self.format.asked)

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Report what is written from now on (or from the resumed position), one read turn after the other. A log that
        is absent is waited for; one that cannot be read is silence, is logged and tried again."""
        if not self._tail.descriptors:
            self.resume(self._position)  # a second run goes on where the first one ended
        try:
            self._turn(report)  # the place is taken up before the watch is set up, which takes its time
            async with changes_of(self._path, inotify=self._inotify) as changes:
                while True:
                    more = self._turn(report)
                    unwatched = changes.follow(self._tail.descriptors)
                    if self.problem:
                        await asyncio.sleep(RETRY)
                    elif more or unwatched:
                        await asyncio.sleep(0)
                    else:
                        await changes.wait()
        finally:
            self._tail.close()

    def _turn(self, report: Callable[[Batch], None]) -> bool:
        """Read once, report what came; True where there may be more at once."""
        try:
            lines, more = self._tail.read()
        except OSError as exc:
            self._failed(exc)
            return False
        self.problem = ""
        try:
            self._take(lines, report)
        finally:  # also where whoever hears it crashes: begun again, we must not count the same lines for ever
            self._position = self._tail.position()
        if not more:
            self._caught_up_at = self._clock.monotonic()
        return more

    def _take(self, lines: list[bytes], report: Callable[[Batch], None]) -> None:
        readable, unreadable = self.seen.taken, self.seen.undecodable
        for batch in self._lines.add_up(lines):
            report(batch)
        if self.seen.taken > readable:
            self._heard_at = self._clock.monotonic()
            self._age(self._heard_at)
        if self.seen.undecodable and not unreadable:
            log.warning("access_log.undecodable", path=str(self._path), reason=self.seen.reason)

    def _age(self, now: float) -> None:
        """Take down how old the lines are that were just read."""
        wall = self._clock.now().timestamp()
        for line in self._lines.latest:
            written = line.written
            if written is not None:
                self._ages.append((now, wall - written))

    def _failed(self, exc: OSError) -> None:
        problem = self._cannot(exc)
        if problem != self.problem:
            log.warning("access_log.unreadable", path=str(self._path), reason=problem)
        self.problem = problem

    def _cannot(self, exc: OSError) -> str:
        hint = f"; {self.format.hint}" if isinstance(exc, PermissionError) else ""
        return f"the access log {self._path} cannot be read: {exc.strerror or exc}{hint}"


def _opened(path: Path) -> None:
    """Open and close it. Raises OSError."""
    os.close(OpenLog.at(path, Losses()).fd)
