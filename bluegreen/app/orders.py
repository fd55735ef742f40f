"""What people and alerts ordered while a deployment runs: go on, or stop. The first stop stands."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Self

from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json


@dataclass(frozen=True, slots=True)
class Stop:
    """Why to give up or go back. `force`: also to a colour that is known dead."""

    cause: Cause
    reason: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """A phase that was ordered to be over (`promote --full`), and by whom and why: that phase alone."""

    phase: Phase
    reason: str


class Orders:
    """The orders of one deployment; kept in the journal, so that what was acknowledged survives a restart."""

    def __init__(self) -> None:
        self.promoted = asyncio.Event()
        self.stopped = asyncio.Event()
        self.stop: Stop | None = None
        self.passed: Passed | None = None
        self.superseded = ""
        """By what this deployment is superseded: the old colour is then retired at once, and contracts nothing."""
        self.resolved = ""
        """Why a way back that does not succeed was settled by hand; empty where it was not."""

    def promote(self, passed: Passed | None = None) -> None:
        """Pass the gate, or with `passed` whatever that phase waits for; harmless twice."""
        if passed is None or passed.phase is Phase.AWAITING:
            self.promoted.set()
        self.passed = passed or self.passed

    def why_over(self, phase: Phase) -> str:
        """Why a phase that waits need not wait any longer; empty where it does."""
        if self.passed is not None and self.passed.phase is phase:
            return self.passed.reason
        return self.superseded if phase is Phase.STANDING_BY else ""

    def supersede(self, by: str) -> None:
        """End without more ado, to make room; harmless twice."""
        self.superseded = self.superseded or by

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
        return {
            "promoted": self.promoted.is_set(),
            "stop": asdict(self.stop) if self.stop else None,
            "passed": asdict(self.passed) if self.passed else None,
            "superseded": self.superseded,
            "resolved": self.resolved,
        }

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As they were kept, also by an older program; None where nothing was."""
        orders = cls()
        if not kept:
            return orders
        if kept["promoted"]:
            orders.promote()
        orders.resolved = kept["resolved"]
        orders.superseded = kept.get("superseded", "")
        passed, stop = kept.get("passed"), kept["stop"]
        if passed:
            orders.passed = Passed(Phase(passed["phase"]), passed["reason"])
        if stop:
            orders.halt(Stop(Cause(stop["cause"]), stop["reason"], stop["force"]))
        return orders
