"""The routes of backfills, called."""

from dataclasses import dataclass

from bluegreen.domain.backfills import Progress
from bluegreen.interfaces.connection import Connection, Reply

AS_LONG_AS_IT_TAKES = None
"""A backfill bounds itself batch by batch, and goes on when we leave."""

WHERE = "/v1/migrations/backfill"


@dataclass(frozen=True, slots=True)
class Backfills:
    """In the order in which they were begun."""

    items: tuple[Progress, ...]


class BackfillCalls(Connection):
    """One method a route."""

    async def backfills(self) -> Reply[Backfills]:
        """Every backfill with how far it is."""
        return await self._get(WHERE, Backfills)

    async def backfill(self, label: str = "", reason: str = "") -> Reply[Backfills]:
        """Run what has rows to do, or one of them."""
        body = {"reason": reason} | ({"label": label} if label else {})
        return await self._post(WHERE, Backfills, body, budget=AS_LONG_AS_IT_TAKES)

    async def pause_backfill(self, reason: str = "") -> Reply[Backfills]:
        """Pause the one that runs."""
        return await self._post(f"{WHERE}/pause", Backfills, {"reason": reason})

    async def resume_backfill(self, reason: str = "") -> Reply[Backfills]:
        """Go on with what was paused."""
        return await self._post(f"{WHERE}/resume", Backfills, {"reason": reason}, budget=AS_LONG_AS_IT_TAKES)

    async def cancel_backfill(self, reason: str = "") -> Reply[Backfills]:
        """Stop the one that runs or is paused; its rows stay to be done."""
        return await self._post(f"{WHERE}/cancel", Backfills, {"reason": reason})
