"""The routes that put a backup into service, called."""

from bluegreen.app.upkeep_answers import ByHandCommands
from bluegreen.domain.restorations import Losses, Restored
from bluegreen.interfaces.connection import Connection, Reply

AS_LONG_AS_IT_TAKES = None
"""The daemon bounds these itself, and goes on when we leave."""


class RestoringCalls(Connection):
    """One method a route."""

    async def restore_commands(self, id: str) -> Reply[ByHandCommands]:
        """What a person types to do it without the daemon."""
        path = f"/v1/backups/{id}/restore-command"
        return await self._ask("GET", path, ByHandCommands, AS_LONG_AS_IT_TAKES)

    async def losses(self, id: str) -> Reply[Losses]:
        """What would go out of service."""
        return await self._ask("GET", f"/v1/backups/{id}/losses", Losses, AS_LONG_AS_IT_TAKES)

    async def restore(self, id: str, confirm: str, *, stop_colours: bool = False, reason: str = "") -> Reply[Restored]:
        """Put a backup into service."""
        body = {"confirm": confirm, "stop_colours": stop_colours, "reason": reason}
        return await self._post(f"/v1/backups/{id}/restore", Restored, body, budget=AS_LONG_AS_IT_TAKES)
