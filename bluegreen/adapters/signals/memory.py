"""A source of signals that reports what a test tells it, when it tells it."""

import asyncio
from collections.abc import Callable

from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch
from bluegreen.ports import Clock


class MemorySignals:
    """The SignalSource port on a queue. `missing` True: what came during a restart is lost; `lag`: seconds behind;
    `trouble`: why nothing can be heard."""

    def __init__(self, clock: Clock, name: str = "access_log") -> None:
        self._clock = clock
        self._name = name
        self._queue: asyncio.Queue[Batch] = asyncio.Queue()
        self._heard_at: float | None = None
        self._reported = 0
        self.missing = False
        self.lag = 0.0
        self.trouble = ""

    @property
    def name(self) -> str:
        return self._name

    @property
    def heard_at(self) -> float | None:
        return self._heard_at

    @property
    def caught_up_at(self) -> float | None:
        """Now, where nothing waits to be reported; else long ago."""
        return self._clock.monotonic() if self._queue.empty() else self._heard_at

    @property
    def behind(self) -> float:
        return self.lag

    @property
    def problem(self) -> str:
        """What a test says it is; empty at first."""
        return self.trouble

    async def check(self) -> None:
        if self.trouble:
            raise SignalFailed(self.trouble, source=self._name)

    def emit(self, *batches: Batch) -> None:
        """Have batches reported, in this order, as soon as the source runs."""
        for batch in batches:
            self._queue.put_nowait(batch)

    def position(self) -> Json:
        return self._reported

    def resume(self, position: Json) -> bool:
        return isinstance(position, int) and not self.missing

    async def run(self, report: Callable[[Batch], None]) -> None:
        while True:
            report(await self._queue.get())
            self._reported += 1
            self._heard_at = self._clock.monotonic()
