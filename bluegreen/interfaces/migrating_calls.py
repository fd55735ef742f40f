"""The routes that rehearse and apply migrations, called."""

from collections.abc import Mapping, Sequence

from bluegreen.app.upkeep_answers import ContractPlan, MigratedByHand
from bluegreen.domain.findings import Rehearsal
from bluegreen.interfaces.connection import Connection, Reply

AS_LONG_AS_IT_TAKES = None
"""The daemon bounds these itself, and goes on when we leave."""


class MigratingCalls(Connection):
    """One method a route."""

    async def rehearse(self, files: Mapping[str, str] | None = None, source: str = "") -> Reply[Rehearsal]:
        """Rehearse what is pending, or the given files."""
        body = {**({"files": dict(files)} if files else {}), **({"source": source} if source else {})}
        return await self._post("/v1/migrations/plan", Rehearsal, body, budget=AS_LONG_AS_IT_TAKES)

    async def migrate_up(self, reason: str = "") -> Reply[MigratedByHand]:
        """Apply the pending expand migrations."""
        return await self._post("/v1/migrations/up", MigratedByHand, {"reason": reason}, budget=AS_LONG_AS_IT_TAKES)

    async def contract_plan(self) -> Reply[ContractPlan]:
        """What a contract would do."""
        return await self._get("/v1/migrations/contract", ContractPlan)

    async def migrate_contract(self, expected: Sequence[str], reason: str = "") -> Reply[MigratedByHand]:
        """Apply these contract migrations."""
        body = {"expected": list(expected), "reason": reason}
        return await self._post("/v1/migrations/contract", MigratedByHand, body, budget=AS_LONG_AS_IT_TAKES)
