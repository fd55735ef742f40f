"""The backfill of now: how far it is, and what people want of it. One in a daemon, since one runs at a time."""

import asyncio

from bluegreen.domain.backfills import BackfillState, Progress


class Filling:
    """`now` is the one that runs, or that a deployment waits for while it is paused; None otherwise."""

    def __init__(self) -> None:
        self.now: Progress | None = None
        self._wanted: BackfillState | None = None
        self._by = ""
        self._changed = asyncio.Event()

    @property
    def runs(self) -> bool:
        """Whether one runs."""
        return self.now is not None and self.now.state is BackfillState.RUNNING

    @property
    def waits(self) -> bool:
        """Whether a deployment waits for one that is paused."""
        return self.now is not None and self.now.state is BackfillState.PAUSED

    @property
    def by_whom(self) -> str:
        """Who stopped it, as the tail of a sentence."""
        return f" by {self._by}" if self._by else ""

    @property
    def ways_out(self) -> tuple[str, ...]:
        """What to type where it is in the way of something."""
        return ("bluegreen migrate backfill pause", "bluegreen status") if self.runs else ()

    def halt(self) -> BackfillState | None:
        """PAUSED or CANCELLED once a person wants it to stop (ports_database.Halt)."""
        return self._wanted

    def begin(self, progress: Progress) -> None:
        """One begins."""
        self.now, self._wanted, self._by = progress, None, ""
        self._tell()

    def end(self) -> None:
        """It runs no more."""
        self.now = None
        self._tell()

    def stop(self, state: BackfillState, by: str) -> None:
        """A person wants it paused or cancelled; it stops between two batches."""
        self._wanted, self._by = state, by
        self._tell()

    def resume(self) -> None:
        """A person wants a paused one to go on."""
        self._wanted = None
        self._tell()

    async def resumed(self, progress: Progress) -> bool:
        """Wait while it is paused; False where it is cancelled instead."""
        self.now, self._wanted = progress, BackfillState.PAUSED
        try:
            while self._wanted is BackfillState.PAUSED:
                await self._change()
        finally:
            self.now = None
        return self._wanted is None

    async def stopped(self, seconds: float) -> bool:
        """Wait until none runs any more; False where that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                while self.runs:
                    await self._change()
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()
