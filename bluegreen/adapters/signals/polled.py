"""A source that has to be asked: a question every interval, one at a time, and an answer for each colour.

Asked of Prometheus, of a database, of a JSON document: what is common is here. A question that fails is no sample,
neither good nor bad; after `errors` failures in a row the source says why it cannot be heard. No data is a failure
too: it is not zero. Where each colour is asked by itself, only the colours that matter now count: that nobody
scrapes a stopped colour is no trouble.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bluegreen.adapters.signals.increases import Increases
from bluegreen.adapters.signals.questions import Answer, Pace, Questions, finite, troubles
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted, Gauged
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Clock

PATIENCE = 1.0
"""Seconds beyond the timeout in which whoever asks may still say by himself that there was no answer."""

log = structlog.get_logger("bluegreen")


@dataclass(slots=True)
class _Hearing:
    """How one colour is heard: failed turns in a row, and why the last of them did."""

    failed: int = 0
    trouble: str = ""


@dataclass(slots=True)
class Polled:
    """The SignalSource port on questions: source and signal have one name. `manual` is the section that tells more."""

    name: str
    questions: Questions
    clock: Clock
    pace: Pace = field(default_factory=Pace)
    manual: str = "watch"
    _matter: frozenset[Colour] = field(default=frozenset(), init=False)
    _heard_at: float | None = field(default=None, init=False)
    _hearing: dict[Colour | None, _Hearing] = field(default_factory=lambda: defaultdict(_Hearing), init=False)
    _increases: Increases = field(default_factory=Increases, init=False)
    _told: str = field(default="", init=False)
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    @property
    def heard_at(self) -> float | None:
        """Now, until so many questions were not answered that it is an error; then the last answer."""
        if self._heard_at is None:
            return None
        now, pace = self.clock.monotonic(), self.pace
        patience = pace.errors * pace.interval + pace.timeout + PATIENCE
        return now if now - self._heard_at <= patience else self._heard_at

    @property
    def caught_up_at(self) -> float | None:
        """Now: nothing that was not asked waits to be reported."""
        return self.clock.monotonic()

    @property
    def behind(self) -> float:
        """0: an answer is heard when it comes."""
        return 0.0

    @property
    def problem(self) -> str:
        """Why nothing is heard of a colour that matters, after `errors` failures in a row; else empty."""
        failed = {colour: hearing for colour, hearing in self._hearing.items() if hearing.failed >= self.pace.errors}
        for colour, hearing in failed.items():
            if self._matters(colour, failed):
                return f"{self._words(colour, hearing.trouble)} ({hearing.failed} times in a row)"
        return ""

    def attend(self, colours: frozenset[Colour]) -> None:
        """These colours matter now: that another one cannot be heard is no problem. One that was stopped until now
        begins without the failures of that time."""
        for colour in colours - self._matter:
            self._hearing[colour].failed = 0
        self._matter = colours

    async def check(self) -> None:
        """Ask once. Raises SignalFailed where a colour that matters has no value (where none is known to matter: where
        none has any)."""
        found = troubles(await self._answers())
        failed = {colour for colour, trouble in found.items() if trouble}
        for colour in failed:
            if self._matters(colour, failed):
                next = (f"bluegreen config docs {self.manual}",)
                raise SignalFailed(self._words(colour, found[colour]), next=next, source=self.name)

    def position(self) -> Json:
        """The last totals of counters; None for a gauge, and before the first look."""
        return self._increases.to_json()

    def resume(self, position: Json) -> bool:
        """Count on from those totals: what was added meanwhile is judged."""
        return self._increases.restore(position, self.clock.monotonic())

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Ask every interval until cancelled; after a stall of ours no question is made up for."""
        due = self.clock.monotonic()
        while True:
            await self._turn(report)
            now = self.clock.monotonic()
            due = due + self.pace.interval if due + self.pace.interval > now else now + self.pace.interval
            await asyncio.sleep(due - now)

    async def _turn(self, report: Callable[[Batch], None]) -> None:
        asked = self.clock.monotonic()
        answers = await self._answers()
        for colour, trouble in troubles(answers).items():
            hearing = self._hearing[colour]
            hearing.trouble, hearing.failed = trouble, hearing.failed + 1 if trouble else 0
        for answer in answers:
            if not answer.trouble:
                self._heard_at = self.clock.monotonic()
                self._report(answer, asked, report)
        self._tell()

    async def _answers(self) -> Sequence[Answer]:
        """What one turn brought; whatever goes wrong is an answer, too."""
        try:
            async with asyncio.timeout(self.pace.timeout + PATIENCE), self._alone:
                return [finite(answer) for answer in await self.questions.ask()]
        except TimeoutError:
            trouble = f"no answer within {self.pace.timeout:g} s"
        except SignalFailed as exc:
            trouble = exc.detail
        return [Answer(colour, trouble=trouble) for colour in self.questions.colours]

    def _report(self, answer: Answer, asked: float, report: Callable[[Batch], None]) -> None:
        if answer.total is None:
            report(Gauged(self.name, self.name, answer.colour, answer.value, since=asked))
            return
        key = f"{answer.colour or ''} {answer.place}".strip()
        since = self._increases.since(key, asked)
        counted = self._increases.count(key, answer.value, answer.total, asked)
        if counted is not None and counted[0]:
            report(Counted(self.name, self.name, answer.colour, *counted, since=since))

    def _matters(self, colour: Colour | None, failed: "dict[Colour | None, _Hearing] | set[Colour | None]") -> bool:
        if colour is None:
            return True
        return colour in self._matter if self._matter else set(self.questions.colours) <= set(failed)

    def _words(self, colour: Colour | None, trouble: str) -> str:
        return f"{self.name}{f' of {colour}' if colour else ''} cannot be told: {trouble}"

    def _tell(self) -> None:
        """Log a problem when it begins and when it ends."""
        problem = self.problem
        if bool(problem) != bool(self._told):
            if problem:
                log.warning("signal.unheard", signal=self.name, reason=problem)
            else:
                log.info("signal.heard", signal=self.name)
        self._told = problem
