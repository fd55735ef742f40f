"""What the app needs of the world: one Protocol per family of adapters.

Rules for every method: it may be called again after a crash ("ensure"); it ends within the adapter's own
budget from the settings, or raises; it raises only errors of `domain.errors`; it passes cancellation through.
Durations are seconds (float), sizes bytes, wall time is timezone-aware UTC.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.parts import Part
from bluegreen.domain.phases import Outcome
from bluegreen.domain.plans import Release
from bluegreen.domain.records import AuditRow, Event, Fact, Intent, Json, Notice, Record
from bluegreen.domain.signals import Batch
from bluegreen.domain.traffic import Card, Colour, Mark

Timed = Callable[[str, float], None]
"""Is told of each exchange with the outside: which operation, and how many seconds it took, also where it failed."""


def untimed(operation: str, seconds: float) -> None:
    """Where nobody measures."""


class Clock(Protocol):
    """Time. Durations are measured on `monotonic`, people are shown `now`."""

    def now(self) -> datetime:
        """Wall time, UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow; those in which the machine is suspended are not among them."""

    def suspended(self) -> float:
        """Seconds in which the machine was suspended, since some moment in the past: only differences mean anything."""


class Runner(Protocol):
    """Starts and stops one colour. Called only through `app.environments`, which protects the live colour.

    Parts that must never run twice (workers, schedulers) are its `live_only` ones: they are started and stopped by
    calls of their own.
    """

    @property
    def live_only(self) -> tuple[str, ...]:
        """The parts that run only in the colour that is live, by name."""

    async def prepare(self, release: Release) -> str:
        """Ensure all is there that `up` will need (its host, its tool, every image), and start nothing. Returns the
        kept output. Raises RunnerFailed."""

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        """Ensure the colour runs this release, all but its live-only parts, or with `live_only` just those; returns
        once started, with the kept output. Raises RunnerFailed."""

    async def down(self, *, live_only: bool = False) -> str:
        """Ensure the colour is stopped, all of it, or with `live_only` just those parts. Raises RunnerFailed."""

    @property
    def slices(self) -> int:
        """In how many slices the colour can be stopped one after the other, before `down`; 0: only as a whole."""

    async def stop_slice(self, number: int) -> str:
        """Ensure one slice, from 0, is stopped; the others serve on. Returns the kept output. Raises RunnerFailed."""

    async def logs(self, lines: int) -> str:
        """The last lines of the colour's own log; a text that says so where none is configured."""

    async def parts(self) -> tuple[Part, ...]:
        """What really runs of the colour, also what is stopped or failed; empty where nobody can tell. Raises
        RunnerFailed."""


class Checker(Protocol):
    """One question asked of a colour."""

    @property
    def name(self) -> str:
        """How people name this check."""

    async def check(self, target: Target) -> CheckResult:
        """Ask once, within the check's own timeout. A failure is a result, never an exception."""


class Readiness(Protocol):
    """Whether one service of a colour is ready for users."""

    @property
    def service(self) -> str:
        """The service's name."""

    @property
    def consecutive(self) -> int:
        """Successes in a row that count as ready."""

    @property
    def interval(self) -> float:
        """Seconds between two questions."""

    async def check(self, target: Target) -> CheckResult:
        """Ask every address of the service in that colour once."""


class SignalSource(Protocol):
    """A stream of counts that says how users fare. Runs always, also when idle: it makes the baseline."""

    @property
    def name(self) -> str:
        """The source's name, as batches carry it."""

    @property
    def heard_at(self) -> float | None:
        """Monotonic seconds of the last sign of life; None before the first."""

    @property
    def caught_up_at(self) -> float | None:
        """Monotonic seconds when nothing was left that could have been reported; None before the first such moment."""

    @property
    def behind(self) -> float:
        """Seconds between an event and our hearing of it, as of the last ones; 0 where the source is asked by us."""

    @property
    def problem(self) -> str:
        """Why nothing can be heard now, and what to do about it; empty where all is well."""

    async def check(self) -> None:
        """Try once whether it can be heard at all, and report nothing. Raises SignalFailed: which source, why, and what
        to do about it."""

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Report batches as they come, until cancelled. `report` is synchronous and fast."""

    def position(self) -> Json:
        """Where the source stands, to be given to `resume`; None where that means nothing."""

    def resume(self, position: Json) -> bool:
        """Go on from a saved position (before `run`); False where that is impossible and data is missing."""


@runtime_checkable
class Attentive(Protocol):
    """A source that hears each colour by itself: trouble with one that does not matter is nobody's problem."""

    def attend(self, colours: frozenset[Colour]) -> None:
        """These colours serve or are on trial from now on."""


class Notifier(Protocol):
    """A way to tell people."""

    @property
    def name(self) -> str:
        """Its name in [[notify]]."""

    def wants(self, notice: Notice) -> bool:
        """Whether this receiver asked for such notices."""

    async def send(self, notice: Notice) -> None:
        """Deliver once, within its timeout. Raises NotifierFailed; may deliver twice if called again."""


class Cards(Protocol):
    """Keeps the cutback card as a file, beside and independent of the journal; and the mark of a cutback that was made
    by the card alone, without the daemon."""

    async def write(self, card: Card) -> None:
        """Replace the card: temp + fsync + rename. Raises JournalUnwritable."""

    async def read(self) -> Card | None:
        """The card as last written; None without one. Raises JournalUnreadable."""

    async def mark(self, mark: Mark) -> None:
        """Replace the mark, as `write` does, readable for the daemon's user. Raises JournalUnwritable."""

    async def marked(self) -> Mark | None:
        """The mark; None without one. Raises JournalUnreadable."""

    async def unmark(self) -> None:
        """Remove the mark; nothing where there is none. Raises JournalUnwritable."""


class Journal(Protocol):
    """What we want and what we did, crash-safe: what was acknowledged survives kill -9.

    Every write raises JournalUnwritable where it cannot be made durable.
    """

    async def save(self, deployment: Deployment, *records: Record) -> tuple[Event, ...]:
        """Store a deployment with the records that belong to this very state, all or nothing.
        Returns the events with their numbers."""

    async def deployment(self, id: str) -> Deployment | None:
        """One deployment."""

    async def deployments(self, limit: int, before: str = "") -> tuple[Deployment, ...]:
        """The latest first; `before` is an id to go on from."""

    async def conclude(self, intent: str, outcome: Outcome, note: str = "") -> None:
        """Store an intent's outcome."""

    async def intents(self, deployment: str) -> tuple[Intent, ...]:
        """A deployment's intents, oldest first. One without an outcome is open: its effect is unknown."""

    async def record(self, event: Event) -> Event:
        """Store an event; returns it with its number."""

    async def events(self, after: int, deployment: str = "", limit: int = 1000) -> tuple[Event, ...]:
        """Events with a number above `after`, oldest first."""

    async def audit(self, row: AuditRow, *facts: Fact) -> None:
        """Append to the audit, and store the facts that this action made, all or nothing."""

    async def audited(self, limit: int, before: int = 0) -> tuple[AuditRow, ...]:
        """The latest audit rows first, with their numbers; `before` is a number to go on from, 0 for the latest."""

    async def keep(self, kind: str, key: str, value: Json) -> None:
        """Store one fact, replacing it."""

    async def claim(self, kind: str, key: str, value: Json) -> bool:
        """Store one fact if there is none under this key; False where there was."""

    async def fact(self, kind: str, key: str) -> Any:
        """One fact; None without it."""

    async def facts(self, kind: str) -> Mapping[str, Json]:
        """All facts of a kind, oldest first."""

    async def append(self, kind: str, key: str, number: int, value: Json) -> None:
        """Store one chunk of a series under its number; one of the same number is replaced."""

    async def chunks(self, kind: str, key: str, after: int = -1, limit: int = 1000) -> tuple[tuple[int, Json], ...]:
        """The chunks of a series with a number above `after`, lowest first, each with its number."""

    async def shorten(self, kind: str, key: str, before: int) -> None:
        """Forget the chunks of a series with a number below `before`; nothing where there are none."""

    async def prune(self, deployments: int) -> int:
        """Keep the latest deployments, so many; forget those before with their intents, events and facts, and of what
        comes without end all but the latest (FACTS_KEPT, EVENTS_KEPT). A deployment that has not ended stays, and so
        does every audit row. Returns how many deployments were forgotten."""

    async def room(self) -> int:
        """Bytes free where the journal is kept."""

    async def forget(self, kind: str, key: str) -> None:
        """Remove one fact; nothing where there is none."""
