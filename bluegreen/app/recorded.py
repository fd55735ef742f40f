"""The use case behind `replay ID`: gives the samples of a deployment back to whoever wants to judge them again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec

from bluegreen.app.desk import Desk
from bluegreen.app.recording import DEPLOYMENTS, KIND
from bluegreen.app.samples import Sample
from bluegreen.domain.errors import JournalUnreadable, NotFound
from bluegreen.domain.records import Json

PAGE = 5
"""Chunks that are read at a time: more would hold up the event loop while they are unpacked."""


class Recorded(Desk):
    """Gives the samples of a deployment back. Changes nothing."""

    async def samples(self, id: str) -> AsyncIterator[Sample]:
        """Everything that counted in a deployment's trial, in order, after what it says of itself. Raises NotFound
        where nothing was recorded, or it was forgotten."""
        deployment = await self.deployment(id)
        first = await self._world.journal.chunks(KIND, deployment.id, limit=1)
        if not first or not first[0][1]:
            known = f"samples of the last {DEPLOYMENTS} deployments are kept, from the switch on"
            raise NotFound(f"there are no samples of {deployment.id}: {known}", next=("bluegreen history",))
        terms: Any = msgspec.to_builtins(replace(deployment.plan.terms, deadlines={}))
        return self._all_samples(deployment.id, {"deployment": deployment.id, "terms": terms})

    async def _all_samples(self, id: str, more: dict[str, Any]) -> AsyncIterator[Sample]:
        after = -1
        while page := await self._world.journal.chunks(KIND, id, after, PAGE):
            for number, rows in page:
                after = number
                for sample in _read(rows):
                    if more and sample.about is not None:
                        sample.about, more = {**sample.about, **more}, {}
                    yield sample


def _read(rows: Json) -> list[Sample]:
    try:
        return msgspec.convert(rows, list[Sample])
    except msgspec.ValidationError as exc:
        raise JournalUnreadable(f"the samples are not of this program's shape: {exc}") from exc
