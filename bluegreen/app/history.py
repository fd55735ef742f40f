"""Keeps what the live colour showed over restarts: every ten seconds what changed, as one chunk of the journal.

The history of the release on trial lies beside it, under the deployment's id, and joins it where the release stays. A
journal that refuses costs a line in the log, and the next chunk holds what this one would have. After kill -9 the last
ten seconds are missing, and the time in which no daemon ran is a gap.
"""

import asyncio
from collections.abc import Callable

import structlog

from bluegreen.app.baseline import Baseline
from bluegreen.app.news import News
from bluegreen.app.run import Run
from bluegreen.app.watch import Watch
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.history import BLOCK_S, KEPT
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json
from bluegreen.ports import Clock, Journal

KIND, LIVE = "history", "live"
"""Under which the journal keeps it."""

EVERY = 10.0
"""Seconds between two chunks."""

SHORTEN = 360
"""Chunks after which those older than a day are forgotten."""

PAGE = 500
"""Chunks that are read at a time, so that a start does not hold up whatever else begins."""

STAYED = frozenset({Phase.RETIRING, Phase.CONTRACTING, Phase.LIVE})
"""Phases in which a release has passed its watch."""

ALL = 1 << 62

log = structlog.get_logger("bluegreen")


class Keeping:
    """Reads and writes the history of `watch.baseline` and `watch.candidate`. `deployment` gives the id of the one that
    runs, "" where none does."""

    def __init__(
        self, journal: Journal, clock: Clock, news: News, watch: Watch, deployment: Callable[[], str] = lambda: ""
    ) -> None:
        self._journal, self._clock, self._news, self._watch = journal, clock, news, watch
        self._deployment = deployment
        self._number = -1
        self._written = 0
        self._failed: dict[str, int] = {}
        """Numbers under which a chunk was tried to be written, and may still land."""
        self._on_trial = ""
        self._settled: set[str] = set()
        """Deployments whose own history has joined the live one, or was dropped."""

    async def read(self) -> None:
        """Take up the history of the live colour, before anything is put on trial against it."""
        chunks = await self._read(LIVE)
        if not chunks:
            return
        today = [value for number, value in chunks if number > self._block() - KEPT]
        self._settled = {value["settled"] for value in today if isinstance(value, dict) and "settled" in value}
        self._restore(self._watch.baseline, today)
        self._number = chunks[-1][0]
        if self._number > self._block() + KEPT:  # the clock was far ahead once: numbers would never be old enough
            await self._write_anew()

    async def take_up(self) -> None:
        """Take up the history of the release on trial, after its trial was taken up. That of one that has passed its
        watch joins the live one; that of one that was taken back is dropped."""
        latest = await self._latest()
        chunks = [value for _, value in await self._read(latest.id)] if latest is not None else []
        if latest is None or not chunks or latest.id in self._settled:
            return
        self._on_trial = latest.id
        candidate = self._watch.candidate or Baseline()
        self._restore(candidate, chunks)
        if self._watch.candidate is None and latest.phase in STAYED:
            self._watch.baseline.join(candidate)

    async def run(self) -> None:
        """Keep what changed, every EVERY seconds, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.keep()

    async def keep(self) -> None:
        """Keep what changed since the last time. Neither a journal that refuses nor a flaw here ends the daemon."""
        try:
            await self._keep_live()
            await self._keep_candidate()
        except JournalFailed as exc:
            self._news.failed(exc)
        except Exception:  # the supervisor: what is usual is only known for less long
            log.exception("history.crashed")

    async def _keep_live(self) -> None:
        settled = self._on_trial if self._watch.candidate is None else ""
        taken = self._watch.baseline.take()
        if taken is None and not settled:
            return
        await self._write(self._watch.baseline, taken, LIVE, {"settled": settled} if settled else {})
        if settled:
            self._on_trial = ""
            await self._journal.shorten(KIND, settled, ALL)
        self._written += 1
        if self._written % SHORTEN == 1:
            await self._journal.shorten(KIND, LIVE, self._block() - KEPT)

    async def _keep_candidate(self) -> None:
        candidate, id = self._watch.candidate, self._deployment()
        taken = candidate.take() if candidate is not None and id else None
        if candidate is None or taken is None:
            return
        self._on_trial = id
        await self._write(candidate, taken, id, {})

    async def _write(self, baseline: Baseline, taken: Json, key: str, more: dict[str, Json]) -> None:
        """One chunk. Where that fails all of it is still to be kept, under the same number: a write that lands late is
        replaced, and counts nothing twice."""
        number = self._failed.get(key) or max(self._block(), self._number + 1)
        self._number = max(self._number, number)
        nothing: Json = {"histories": {}, "durations": {}, "ranges": {}}
        try:
            await self._journal.append(KIND, key, number, {**(taken or nothing), **more})
        except BaseException:  # also where it is cancelled
            self._failed[key] = number
            if taken is not None:
                baseline.untake(taken)
            raise
        self._failed.pop(key, None)

    async def _write_anew(self) -> None:
        try:
            await self._journal.shorten(KIND, LIVE, ALL)
            self._number = self._block()
            await self._journal.append(KIND, LIVE, self._number, self._watch.baseline.whole())
        except JournalFailed as exc:
            self._news.failed(exc)

    async def _read(self, key: str) -> list[tuple[int, Json]]:
        """All chunks of a series; none where they cannot be read: then it begins anew."""
        found: list[tuple[int, Json]] = []
        try:
            while page := await self._journal.chunks(KIND, key, found[-1][0] if found else -1, PAGE):
                found += page
        except JournalFailed as exc:
            log.warning("history.unusable", reason=exc.detail, key=key)
            return []
        return found

    async def _latest(self) -> Deployment | None:
        try:
            return next(iter(await self._journal.deployments(1)), None)
        except JournalFailed as exc:
            log.warning("history.unusable", reason=exc.detail)
            return None

    def _restore(self, baseline: Baseline, chunks: list[Json]) -> None:
        try:
            baseline.restore(chunks, self._clock.now().timestamp())
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            log.warning("history.unusable", reason=f"another program kept it: {exc!r}")

    def _block(self) -> int:
        return int(self._clock.now().timestamp() // BLOCK_S)


def id_of(run: Run | None) -> str:
    """Which deployment runs; "" where none does."""
    return run.deployment.id if run is not None else ""
