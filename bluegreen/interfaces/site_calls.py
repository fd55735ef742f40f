"""The routes of `bluegreen site`, called."""

from typing import Any

from bluegreen.app.upkeep_answers import SiteChange, SitesShown
from bluegreen.interfaces.connection import Connection, Reply

AS_LONG_AS_IT_TAKES = None
"""The daemon bounds these itself, and goes on when we leave."""


class SiteCalls(Connection):
    """One method a route."""

    async def sites(self) -> Reply[SitesShown]:
        """The sites that were added."""
        return await self._get("/v1/sites", SitesShown)

    async def add_site(self, site: dict[str, Any]) -> Reply[SiteChange]:
        """Add one."""
        return await self._post("/v1/sites", SiteChange, site, budget=AS_LONG_AS_IT_TAKES)

    async def remove_site(self, name: str, reason: str = "", *, force: bool = False) -> Reply[SiteChange]:
        """Take one away."""
        body = {"reason": reason, "force": force}
        return await self._post(f"/v1/sites/{name}/remove", SiteChange, body, budget=AS_LONG_AS_IT_TAKES)
