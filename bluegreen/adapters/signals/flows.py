"""Flows through the front door: what only goes wrong in several steps, a login above all.

Each run is one event of its flow's own signal. Runs of a flow never overlap, and what a flow writes is written with
each: it needs a user of its own. Every request carries the probe's header, so that none counts as a user's.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bluegreen.adapters.signals.moment import OfTheMoment
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.flows import Flow, FlowAnswer
from bluegreen.domain.signals import Batch, Counted, Part
from bluegreen.ports import Clock
from bluegreen.ports_traffic import FlowDoor

SOURCE = "flows"
SIGNAL = "flow"

PATIENCE = 5.0
"""Seconds beyond its timeout after which a run is given up: each step may also wait for its line in the access log."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A flow and how often it runs, in seconds from start to start."""

    flow: Flow
    every: float


class Flows(OfTheMoment):
    """The SignalSource port on flows: one signal each, `flow:<name>`."""

    def __init__(self, door: FlowDoor, flows: Mapping[str, Repeated], *, clock: Clock) -> None:
        super().__init__(clock)
        self._door, self._flows = door, flows
        self._heard_at: float | None = None
        self._failures: dict[str, str] = {}
        self._longest = max((each.every + each.flow.timeout + PATIENCE for each in flows.values()), default=0.0)

    @property
    def name(self) -> str:
        """`flows`."""
        return SOURCE

    @property
    def heard_at(self) -> float | None:
        """Now, while runs end when they should: minutes between two of them are no silence. None before the first."""
        if self._heard_at is None or self._clock.monotonic() - self._heard_at > self._longest:
            return self._heard_at
        return self._clock.monotonic()

    @property
    def problem(self) -> str:
        """Empty: a front door that does not answer is what flows are there to see."""
        return ""

    async def check(self) -> None:
        """Raises SignalFailed where a flow does not go through: a release could be no worse by it. What the last run
        found is told; a flow that did not run yet is walked now."""
        async with asyncio.TaskGroup() as group:
            first = [
                group.create_task(self._answer(each.flow), name=f"flow:{name}")
                for name, each in self._flows.items()
                if name not in self._failures
            ]
        failures = {task.result().flow: task.result().failure for task in first} | self._failures
        broken = [f"flow {name} does not go through: {failure}" for name, failure in failures.items() if failure]
        if broken:
            steps = tuple(f"bluegreen config docs watch.flows.{key}" for key in ("steps", "values"))
            raise SignalFailed("; ".join(broken), source=SOURCE, next=steps)

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Walk every flow again and again and report each run, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, repeated in self._flows.items():
                group.create_task(self._repeat(repeated, report), name=f"flow:{name}")

    async def _repeat(self, repeated: Repeated, report: Callable[[Batch], None]) -> None:
        """One run after the other, each when it is due; after one that took longer none is made up for."""
        while True:
            began = self._clock.monotonic()
            await self._once(repeated.flow, began, report)
            await asyncio.sleep(max(0.0, began + repeated.every - self._clock.monotonic()))

    async def _once(self, flow: Flow, began: float, report: Callable[[Batch], None]) -> None:
        answer = await self._answer(flow)
        if not answer.reached:
            return  # nobody listens: that is no colour's doing, and we are silent
        self._heard_at, self._failures[flow.name] = self._clock.monotonic(), answer.failure
        if len(answer.colours) > 1:
            return  # two colours answered: it says nothing about either
        colour = next(iter(answer.colours), None)
        bad = bool(answer.failure)
        parts = (Part("", "", 1, 1, self._line(answer)),) if bad else ()
        report(Counted(SOURCE, f"{SIGNAL}:{flow.name}", colour, 1, int(bad), flow.name, began, parts=parts))

    async def _answer(self, flow: Flow) -> FlowAnswer:
        try:
            async with asyncio.timeout(flow.timeout + PATIENCE):
                return await self._door.walk(flow)
        except TimeoutError:
            failure = f"not answered within the flow's {flow.timeout:g} s"
            return FlowAnswer(flow.name, failure, frozenset(), flow.timeout)

    def _line(self, answer: FlowAnswer) -> str:
        return f"{self._time_of_day()} flow {answer.flow}: {answer.failure}"
