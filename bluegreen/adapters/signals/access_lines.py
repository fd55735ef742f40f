"""What one line of Caddy's access log means: whose answer it was, and whether users were well served.

A line is about 1 kB of JSON, of which a few fields count; typed structs skip the rest. Measured with Caddy
2.11.7: 502s carry the upstream that was tried; a client that gave up is logged as 499; 101 and
text/event-stream log the duration of the whole stream; an answer that Caddy breaks off (the upstream died in
the middle of it, `abort`) is logged with the status already sent and *without* its upstream, so nobody can be
blamed for it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bluegreen.domain.signals import Batch, Counted, Measured
from bluegreen.domain.traffic import Colour, Service, normal

SOURCE = "access_log"
GAVE_UP = 499
DENIED = (401, 403)
SWITCHED = 101

Witness = Callable[[str, Colour, int], None]
"""Told of each answer to a request of our own: its nonce, the colour that gave it, the status."""


class Request(msgspec.Struct):
    """What was asked; the headers are only looked into where our own may be among them."""

    host: str = ""
    headers: msgspec.Raw = msgspec.Raw(b"{}")


class ResponseHeaders(msgspec.Struct):
    """What the answer said of itself."""

    content_type: list[str] = msgspec.field(name="Content-Type", default_factory=list)


class Line(msgspec.Struct):
    """One line: `duration` in seconds, `upstream` as `log_append` adds it."""

    status: int
    duration: float
    request: Request
    upstream: str = ""
    resp_headers: ResponseHeaders = msgspec.field(default_factory=ResponseHeaders)

    @property
    def streamed(self) -> bool:
        """True where the duration says how long a client stayed, not how long it waited."""
        return self.status == SWITCHED or any("text/event-stream" in kind for kind in self.resp_headers.content_type)


class Upstreams:
    """Who listens where: from a dial, as the log has it, to service and colour."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._owners: dict[str, list[tuple[Service, Colour]]] = defaultdict(list)
        for service in services.values():
            for colour, addresses in service.addresses.items():
                for address in addresses:
                    self._owners[normal(address)].append((service, colour))

    def owner(self, line: Line) -> tuple[str, Colour] | None:
        """The service and colour that were asked; where services share an address, the one of this site."""
        owners = self._owners.get(line.upstream) or self._owners.get(normal(line.upstream))
        if not owners:
            return None
        if len(owners) > 1:
            owners = [owner for owner in owners if owner[0].site == line.request.host] or owners
        service, colour = owners[0]
        return service.name, colour


@dataclass(slots=True)
class Seen:
    """What came of all lines so far: taken, by nobody we know, not readable; `reason` of the last of those."""

    taken: int = 0
    unattributed: int = 0
    undecodable: int = 0
    reason: str = ""


@dataclass(slots=True)
class _Counts:
    """The lines of one colour in one turn."""

    n: int = 0
    failed: int = 0
    denied: int = 0
    durations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, service: str, line: Line) -> None:
        self.n += 1
        self.failed += line.status >= 500
        self.denied += line.status in DENIED
        if not line.streamed:
            self.durations[service].append(line.duration)

    def batches(self, colour: Colour) -> Iterator[Batch]:
        yield Counted(SOURCE, "5xx", colour, self.n, self.failed)
        yield Counted(SOURCE, "auth", colour, self.n, self.denied)
        for service, durations in self.durations.items():
            yield Measured(SOURCE, "slow", colour, service, tuple(durations))


class AccessLines:
    """Reads lines and adds them up per colour; our own requests go to the witness and nowhere else."""

    def __init__(self, services: Mapping[str, Service], probe_header: str, on_witness: Witness) -> None:
        self._upstreams = Upstreams(services)
        self._header = "-".join(part.capitalize() for part in probe_header.split("-"))  # as Go writes it
        self._quoted = f'"{self._header}"'.encode()
        self._on_witness = on_witness
        self._lines = msgspec.json.Decoder(Line)
        self._headers = msgspec.json.Decoder(dict[str, list[str]])
        self.seen = Seen()

    def add_up(self, lines: Sequence[bytes]) -> list[Batch]:
        """The batches that some lines make. A line that cannot be read is counted and costs nobody else."""
        counts: dict[Colour, _Counts] = {}
        for line, nonce in self._decoded(lines):
            owner = self._upstreams.owner(line)
            if owner is None:
                self.seen.unattributed += 1
            elif nonce is not None:
                self._on_witness(nonce, owner[1], line.status)
            elif line.status >= 100 and line.status != GAVE_UP:
                counts.setdefault(owner[1], _Counts()).add(owner[0], line)
        return [batch for colour, counted in counts.items() for batch in counted.batches(colour)]

    def _decoded(self, lines: Iterable[bytes]) -> Iterator[tuple[Line, str | None]]:
        for text in lines:
            try:
                line = self._lines.decode(text)
                nonce = self._nonce(line.request.headers)
            except (ValueError, RecursionError) as exc:  # msgspec's own errors and bad UTF-8 are ValueErrors
                self.seen.undecodable += 1
                self.seen.reason = str(exc)
                continue
            self.seen.taken += 1
            yield line, nonce

    def _nonce(self, headers: msgspec.Raw) -> str | None:
        if self._quoted not in bytes(headers):
            return None
        values = self._headers.decode(headers).get(self._header)
        return values[0] if values else None
