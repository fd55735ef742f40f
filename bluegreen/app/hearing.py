"""Listens to the sources of signals, and tells whether they can be heard now, in words: silent, behind, failed, or
still catching up."""

import asyncio
from collections.abc import Callable

import structlog

from bluegreen.app.attention import CATCH_UP, Attention
from bluegreen.domain.signals import Batch
from bluegreen.ports import Clock, SignalSource

AGAIN = 1.0
"""Seconds after which a source that crashed is begun again."""

CRASHED_FOR = 30.0
"""Seconds for which it is told that a source crashed."""

log = structlog.get_logger("bluegreen")


class Hearing:
    """Looks at the sources; changes nothing of them."""

    def __init__(self, clock: Clock, sources: tuple[SignalSource, ...], attention: Attention) -> None:
        self._clock = clock
        self._sources = {source.name: source for source in sources}
        self._attention = attention
        self._crashed: dict[str, tuple[float, str]] = {}

    async def listen(self, source: SignalSource, report: Callable[[Batch], None]) -> None:
        """Listen to one source until cancelled. Should it crash, that is told, and it is begun again: a flaw in one
        source must not deafen the others, nor end the daemon."""
        while True:
            try:
                await source.run(report)
            except Exception as exc:  # the supervisor of a source
                log.exception("source.crashed", source=source.name)
                self._crashed[source.name] = self._clock.monotonic(), f"{source.name} crashed: {exc!r}"
            await asyncio.sleep(AGAIN)

    def silent(self, seconds: float) -> dict[str, str]:
        """Sources that were alive and have said nothing for so long, or hear what is older than that, in words."""
        now = self._clock.monotonic()
        found = {}
        for name, source in self._sources.items():
            if source.heard_at is not None and now - source.heard_at > seconds:
                found[name] = f"{name} has said nothing for {now - source.heard_at:.0f} s"
            elif source.behind > seconds:
                found[name] = f"{name} is {source.behind:.0f} s behind"
        return found

    def troubles(self, seconds: float) -> dict[str, str]:
        """The same and those that have failed, in their own words."""
        now = self._clock.monotonic()
        failed = {name: source.problem for name, source in self._sources.items() if source.problem}
        crashed = {name: words for name, (at, words) in self._crashed.items() if now - at < CRASHED_FOR}
        return {**self.silent(seconds), **failed, **crashed}

    def caught_up(self) -> bool:
        """Whether all that came before the watch loop began, or while nobody watched, was read and judged.

        True also where a source had CATCH_UP seconds for it: what it is then is for the verdict to say.
        """
        return not self._attention.away and not any(self.late(name) for name in self._sources)

    def late(self, source: str) -> bool:
        """Whether a source still reads what came before the watch loop began, or while nobody watched."""
        since = self._attention.awake_since
        if source not in self._sources or self._clock.monotonic() - since > CATCH_UP:
            return False
        at = self._sources[source].caught_up_at
        return self._attention.away or at is None or at < since
