"""The routes of upkeep, called: backups, migrations, colours by hand, tests, the audit."""

from dataclasses import dataclass
from typing import Any

from bluegreen.app.upkeep_answers import ByHand, Delivery, HookTest, MigrationsOf, Repaired, SmokeAnswer
from bluegreen.domain.migrations import Backup
from bluegreen.domain.records import AuditRow
from bluegreen.interfaces.connection import Connection, Reply

AS_LONG_AS_IT_TAKES = None
"""The daemon bounds these itself ([backup] timeout, [environments.<colour>] timeout), and goes on when we leave."""


@dataclass(frozen=True, slots=True)
class Migrations:
    """Database by database."""

    items: tuple[MigrationsOf, ...]


@dataclass(frozen=True, slots=True)
class Repairs:
    """Database by database."""

    items: tuple[Repaired, ...]


@dataclass(frozen=True, slots=True)
class Backups:
    """The latest first."""

    items: tuple[Backup, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """The end of a colour's own log."""

    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class Receivers:
    """The names in [[notify]]."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The latest first; `cursor` leads to the next page."""

    items: tuple[AuditRow, ...]
    cursor: int | None


class UpkeepCalls(Connection):
    """One method a route."""

    async def migrations(self) -> Reply[Migrations]:
        """Every migration with what the ledger says of it."""
        return await self._get("/v1/migrations", Migrations)

    async def repair(
        self, reason: str = "", *, indexes: bool = False, applied: str = "", not_applied: str = ""
    ) -> Reply[Repairs]:
        """Repair the ledger, or settle one migration."""
        body: dict[str, Any] = {"reason": reason, "indexes": indexes}
        body |= {key: label for key, label in (("applied", applied), ("not_applied", not_applied)) if label}
        return await self._post("/v1/migrations/repair", Repairs, body, budget=AS_LONG_AS_IT_TAKES)

    async def backups(self) -> Reply[Backups]:
        """The backups that are kept."""
        return await self._get("/v1/backups", Backups)

    async def back_up(self, reason: str = "") -> Reply[Backups]:
        """Take a backup of every database."""
        return await self._post("/v1/backups", Backups, {"reason": reason}, budget=AS_LONG_AS_IT_TAKES)

    async def verify_backup(self, id: str) -> Reply[Backup]:
        """Verify a backup once more."""
        return await self._post(f"/v1/backups/{id}/verify", Backup, {}, budget=AS_LONG_AS_IT_TAKES)

    async def start_colour(self, colour: str, release: str = "", reason: str = "") -> Reply[ByHand]:
        """Bring the idle colour up."""
        named = {"release": release} if release else {}
        body = {"reason": reason, **named}
        return await self._post(f"/v1/environments/{colour}/up", ByHand, body, budget=AS_LONG_AS_IT_TAKES)

    async def stop_colour(self, colour: str, reason: str = "") -> Reply[ByHand]:
        """Stop the idle colour."""
        body = {"reason": reason}
        return await self._post(f"/v1/environments/{colour}/down", ByHand, body, budget=AS_LONG_AS_IT_TAKES)

    async def take_over(self, colour: str, reason: str) -> Reply[ByHand]:
        """Start the live-only parts of the colour that serves, on a person's word."""
        body = {"reason": reason}
        return await self._post(f"/v1/environments/{colour}/takeover", ByHand, body, budget=AS_LONG_AS_IT_TAKES)

    async def smoke_colour(self, colour: str, *, continuity: bool = False) -> Reply[SmokeAnswer]:
        """Ask a colour its checks, and with `continuity` what holds of what either colour gives its users."""
        body = {"continuity": True} if continuity else {}
        return await self._post(f"/v1/environments/{colour}/smoke", SmokeAnswer, body, budget=AS_LONG_AS_IT_TAKES)

    async def environment_logs(self, colour: str, lines: int) -> Reply[Output]:
        """The end of a colour's own log."""
        return await self._get(f"/v1/environments/{colour}/logs", Output, lines=lines)

    async def receivers(self) -> Reply[Receivers]:
        """The names of those who are told."""
        return await self._get("/v1/notify", Receivers)

    async def test_receiver(self, name: str) -> Reply[Delivery]:
        """Send a test notice."""
        return await self._post(f"/v1/notify/{name}/test", Delivery, {}, budget=AS_LONG_AS_IT_TAKES)

    async def test_hook(self, name: str) -> Reply[HookTest]:
        """Have the daemon knock at its own hook."""
        return await self._post(f"/v1/hooks/{name}/test", HookTest, {})

    async def audit(self, limit: int, cursor: int = 0) -> Reply[Audit]:
        """Who did what."""
        return await self._get("/v1/audit", Audit, limit=limit, cursor=cursor)
