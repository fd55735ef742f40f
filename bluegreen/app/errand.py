"""A change of the schema that an operator makes by hand: what a deployment's run is to its steps, this is to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from bluegreen.app.engine import Engine
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Json
from bluegreen.domain.rollback import BY_HAND


class Errand:
    """See work.Work. The order stands in the audit, written before anything was done; what was done, in the ledger."""

    def __init__(self, engine: Engine, release: Release, what: str, by: str) -> None:
        self.world = engine.world
        self.warnings: list[str] = []
        self._engine, self._release, self._what, self._by = engine, release, what, by
        self._purpose = f"{BY_HAND}-{engine.world.clock.now():%Y%m%d-%H%M%S}-{uuid4().hex[:4]}"

    @property
    def purpose(self) -> str:
        """What stands in the ledger and in the names of backups."""
        return self._purpose

    @property
    def release(self) -> Release:
        """The release that serves."""
        return self._release

    def note(self, text: str) -> None:
        """Show in the status what is waited for."""
        self._engine.by_hand = self.world.redact(f"{self._what}: {text}")

    async def tell(self, name: str, **facts: Json) -> bool:
        """Tell an event of it."""
        return await self._engine.news.tell(name, by=self._by, errand=self._purpose, **facts)

    async def warn(self, text: str) -> None:
        """Keep a warning for the answer and tell it."""
        text = self.world.redact(text)
        if text not in self.warnings:
            self.warnings.append(text)
            await self.tell("migration.warned", warning=text, severity="warning")

    @asynccontextmanager
    async def action(self, name: str, **detail: Json) -> AsyncIterator[None]:
        """The audit's row is the intent, and the ledger knows the outcome."""
        yield
