"""The lines of one colour in one reading turn, added up: who asked, for which route, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bluegreen.adapters.signals.access_line import AccessLine
from bluegreen.adapters.signals.access_routes import Route
from bluegreen.domain.signals import CLIENT_BUCKETS, Batch, Counted, Measured, Part, Who
from bluegreen.domain.traffic import Colour

SOURCE = "access_log"
NOBODY = -1
"""The client of a line that names none."""


Took = tuple[float, int, str]
"""How long an answer took, in seconds; to which client; for which route."""


@dataclass(slots=True)
class _Kind:
    """One class of routes: how often each bucket of clients asked, and who was denied."""

    asked: list[int] = field(default_factory=lambda: [0] * CLIENT_BUCKETS)
    denied: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Asked:
    """One route: how often it was asked for, and how often in vain; the first such line, in words. `kind` and `took`
    are shared with other routes."""

    kind: _Kind
    took: list[Took]
    n: int = 0
    failed: int = 0
    denied: int = 0
    first_failed: str = ""
    first_denied: str = ""


@dataclass(slots=True)
class Turn:
    """The lines of one colour in one turn."""

    routes: dict[Route, _Asked] = field(default_factory=dict)
    kinds: dict[str, _Kind] = field(default_factory=dict)
    took: dict[str, list[Took]] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    known: bool = True

    def add(self, route: Route, line: AccessLine, client: int) -> None:
        """Count one line; `client` is NOBODY where it names none."""
        asked = self.routes.get(route) or self._begin(route)
        asked.n += 1
        asked.kind.asked[client % CLIENT_BUCKETS] += 1
        if client < 0:
            self.known = False
        if line.status >= 500:
            asked.failed += 1
            asked.first_failed = asked.first_failed or told(route, line)
            self.failed.append(client)
        if line.status in route.failures:
            asked.denied += 1
            asked.first_denied = asked.first_denied or told(route, line)
            asked.kind.denied.append(client)
        if not line.streamed:
            asked.took.append((line.duration, client, route.name))
            written = line.written
            if written is not None:
                self.begun.append(written - line.duration)

    def answers(self) -> Counter[str]:
        """How many of them each service gave."""
        answers: Counter[str] = Counter()
        for route, asked in self.routes.items():
            answers[route.service] += asked.n
        return answers

    def batches(self, colour: Colour) -> Iterator[Batch]:
        """What is reported of it."""
        everybody = [sum(bucket) for bucket in zip(*(kind.asked for kind in self.kinds.values()), strict=True)]
        parts = tuple(Part(r.service, r.name, a.n, a.failed, a.first_failed) for r, a in self.routes.items())
        who = self._who(everybody, self.failed)
        n, begun = sum(everybody), tuple(self.begun)
        yield Counted(SOURCE, "5xx", colour, n, len(self.failed), who=who, parts=parts, begun=begun)
        for signal, kind in self.kinds.items():
            yield self._auth(colour, signal, kind)
        for service, took in self.took.items():
            if took:
                values, clients, routes = zip(*took, strict=True)
                yield Measured(SOURCE, "slow", colour, service, values, clients if self.known else (), routes)

    def _begin(self, route: Route) -> _Asked:
        kind = self.kinds.setdefault(route.auth, _Kind())
        asked = self.routes[route] = _Asked(kind, self.took.setdefault(route.service, []))
        return asked

    def _auth(self, colour: Colour, signal: str, kind: _Kind) -> Counted:
        parts = tuple(
            Part(route.service, route.name, asked.n, asked.denied, asked.first_denied)
            for route, asked in self.routes.items()
            if route.auth == signal
        )
        who = self._who(kind.asked, kind.denied)
        return Counted(SOURCE, signal, colour, sum(kind.asked), len(kind.denied), who=who, parts=parts)

    def _who(self, asked: Iterable[int], failed: list[int]) -> Who | None:
        return Who(tuple(asked), tuple(failed)) if self.known else None


def told(route: Route, line: AccessLine) -> str:
    """A line for people, with nothing of it that a client made up: `12:03:04.120 UTC POST /login 502 in 12 ms by
    127.0.0.1:9001`."""
    at = line.written
    time = f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-3] + " UTC " if at is not None else ""
    return f"{time}{route.name} {line.status} in {line.duration * 1000:,.0f} ms by {line.upstream}"
