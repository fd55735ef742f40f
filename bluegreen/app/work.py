"""What a change of the shared schema stands on: a deployment's run, or what an operator does by hand."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bluegreen.app.world import World
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Json


class Work(Protocol):
    """`run.Run`, or `errand.Errand`. `purpose` is what stands in the ledger, in names of backups and of copies."""

    world: World

    @property
    def purpose(self) -> str:
        """The deployment's id, or the errand's."""

    @property
    def release(self) -> Release:
        """The release that the schema is changed for."""

    def note(self, text: str) -> None:
        """Say what is waited for."""

    async def tell(self, name: str, **facts: Json) -> bool:
        """Tell an event of it."""

    async def warn(self, text: str) -> None:
        """Keep a warning with it and tell it."""

    def action(self, name: str, **detail: Json) -> AbstractAsyncContextManager[None]:
        """Announce an action on the world before it is tried, and note its outcome after."""
