"""What people and alerts ordered while a deployment runs: go on, or stop. The first stop stands."""

import asyncio
from dataclasses import dataclass
from typing import Self

from bluegreen.domain.deployments import Cause
from bluegreen.domain.records import Json


@dataclass(frozen=True, slots=True)
class Stop:
    """Why to give up or go back. `force`: also to a colour that is known dead."""

    cause: Cause
    reason: str
    force: bool = False


class Orders:
    """The orders of one deployment; kept in the journal, so that what was acknowledged survives a restart."""

    def __init__(self) -> None:
        self.promoted = asyncio.Event()
        self.stopped = asyncio.Event()
        self.stop: Stop | None = None
        self.resolved = ""
        """Why a way back that does not succeed was settled by hand; empty where it was not."""

    def promote(self) -> None:
        """Pass the gate; harmless twice."""
        self.promoted.set()

    def halt(self, stop: Stop) -> None:
        """Stop; a later stop changes nothing, unless it insists."""
        if self.stop is None or stop.force:
            self.stop = stop
        self.stopped.set()

    def resolve(self, reason: str) -> None:
        """Leave the way back as it is: a person put it right."""
        self.resolved = reason

    def to_json(self) -> Json:
        """As the journal keeps them."""
        stop = self.stop
        kept = {"cause": stop.cause, "reason": stop.reason, "force": stop.force} if stop else None
        return {"promoted": self.promoted.is_set(), "stop": kept, "resolved": self.resolved}

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As they were kept; None where nothing was."""
        orders = cls()
        if kept and kept["promoted"]:
            orders.promote()
        if kept:
            orders.resolved = kept["resolved"]
        if kept and kept["stop"]:
            stop = kept["stop"]
            orders.halt(Stop(Cause(stop["cause"]), stop["reason"], stop["force"]))
        return orders
