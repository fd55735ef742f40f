"""The routes of `bluegreen caddy`, called."""

from bluegreen.app.upkeep_answers import BalancerSetup, CaddyfileLines
from bluegreen.interfaces.connection import Connection, Reply

AS_LONG_AS_IT_TAKES = None
"""The daemon bounds these itself, and goes on when we leave."""


class ArmingCalls(Connection):
    """One method a route."""

    async def balancer_setup(self) -> Reply[BalancerSetup]:
        """How the balancer is set up for a switch."""
        return await self._get("/v1/caddy", BalancerSetup)

    async def caddyfile_lines(self) -> Reply[CaddyfileLines]:
        """What the operator puts into his own file."""
        return await self._get("/v1/caddy/snippet", CaddyfileLines)

    async def arm(self, reason: str = "") -> Reply[BalancerSetup]:
        """Set it up for mode "pointer"."""
        return await self._post("/v1/caddy/arm", BalancerSetup, {"reason": reason}, budget=AS_LONG_AS_IT_TAKES)

    async def disarm(self, reason: str = "") -> Reply[BalancerSetup]:
        """Put the operator's routes back."""
        return await self._post("/v1/caddy/disarm", BalancerSetup, {"reason": reason}, budget=AS_LONG_AS_IT_TAKES)
