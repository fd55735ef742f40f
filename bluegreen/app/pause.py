"""Whether the daemon may act by itself: a person may pause that, with a reason and until a time.

Kept in the journal, so that it survives a restart. Its end is read off the clock whenever somebody asks: a daemon
that was away comes back to a pause that is over.
"""

from datetime import datetime

from bluegreen.app.requests import Paused
from bluegreen.domain.records import AuditRow, Fact, Json
from bluegreen.ports import Clock, Journal

KIND, KEY = "pause", "automation"


class Pause:
    """The pause of one daemon. While it is active nothing moves traffic but a person, and a failed switch."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._kept: Paused | None = None

    async def read(self) -> None:
        """Take up what an earlier daemon kept."""
        self._kept = _from_json(await self._journal.fact(KIND, KEY))

    @property
    def now(self) -> Paused | None:
        """The pause that is active; None where there is none, or none any more."""
        return None if self._kept is None or self.over else self._kept

    @property
    def over(self) -> bool:
        """True where a pause has come to its end by itself, and nobody was told yet."""
        until = self._kept.until if self._kept else None
        return until is not None and until <= self._clock.now()

    @property
    def reason(self) -> str:
        """Why nothing happens by itself, in words; empty where it does."""
        return self.now.describe() if self.now else ""

    def active(self) -> bool:
        """True while nothing may move by itself."""
        return self.now is not None

    async def begin(self, paused: Paused, row: AuditRow | None = None) -> None:
        """Pause, or pause otherwise: written first, together with `row`, so that what is refused has no effect. Raises
        JournalUnwritable."""
        if row is None:
            await self._journal.keep(KIND, KEY, _to_json(paused))
        else:
            await self._journal.audit(row, Fact(KIND, KEY, _to_json(paused)))
        self._kept = paused

    async def end(self, row: AuditRow | None = None) -> None:
        """End the pause, written first, together with `row`; harmless where there is none. Raises JournalUnwritable."""
        if row is None:
            await self._journal.forget(KIND, KEY)
        else:
            await self._journal.audit(row, Fact(KIND, KEY, None))
        self._kept = None

    def let_go(self) -> Paused | None:
        """Forget a pause that is over: what stays of it in a journal that refuses has no effect any more."""
        ended, self._kept = self._kept, None
        return ended


def _to_json(paused: Paused) -> Json:
    until = paused.until.isoformat() if paused.until else None
    return {"by": paused.by, "reason": paused.reason, "since": paused.since.isoformat(), "until": until}


def _from_json(kept: Json) -> Paused | None:
    if not kept:
        return None
    until = datetime.fromisoformat(kept["until"]) if kept["until"] else None
    return Paused(kept["by"], kept["reason"], datetime.fromisoformat(kept["since"]), until)
