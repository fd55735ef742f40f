"""What lines of Caddy's access log mean: whose answers they were, and whether users were well served.

Measured with Caddy 2.11.7: 502s carry the upstream that was tried; a client that gave up is logged as 499; 101 and
text/event-stream log the duration of the whole stream; an answer that Caddy breaks off (the upstream died in
the middle of it, `abort`) is logged with the status already sent and *without* its upstream, so nobody can be
blamed for it.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bluegreen.adapters.signals.access_clients import Clients
from bluegreen.adapters.signals.access_counts import NOBODY, Turn
from bluegreen.adapters.signals.access_line import AccessLine, Decoder
from bluegreen.adapters.signals.access_routes import Routes
from bluegreen.domain.signals import Batch
from bluegreen.domain.traffic import Colour, Service, normal

GAVE_UP = 499
LATEST = 9
"""Lines whose times tell how old lines are when they are read."""

Witness = Callable[[str, Colour, int], None]
"""Told of each answer to a request of our own: its nonce, the colour that gave it, the status."""

Answers = Callable[[str, Colour, int], None]
"""Told once per turn how many answers users got from a service of a colour: what is ignored is not among them."""


class Upstreams:
    """Who listens where: from a dial, as the log has it, to service and colour."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._owners: dict[str, list[tuple[Service, Colour]]] = defaultdict(list)
        for service in services.values():
            for colour, addresses in service.addresses.items():
                for address in addresses:
                    self._owners[normal(address)].append((service, colour))
        self._only = {
            dial: (owners[0][0].name, owners[0][1]) for dial, owners in self._owners.items() if len(owners) == 1
        }

    def owner(self, line: AccessLine) -> tuple[str, Colour] | None:
        """The service and colour that were asked; where services share an address, the one of this site."""
        return self._only.get(line.upstream) or self._among(line)

    def _among(self, line: AccessLine) -> tuple[str, Colour] | None:
        owners = self._owners.get(line.upstream) or self._owners.get(normal(line.upstream))
        if not owners:
            return None
        owners = [owner for owner in owners if owner[0].site == line.request.host] or owners
        return owners[0][0].name, owners[0][1]


@dataclass(slots=True)
class Seen:
    """What came of all lines so far: taken, by nobody we know, not readable; `reason` of the last of those."""

    taken: int = 0
    unattributed: int = 0
    undecodable: int = 0
    reason: str = ""


class AccessLines:
    """Reads lines and adds them up per colour; our own requests go to the witness and nowhere else."""

    def __init__(
        self,
        services: Mapping[str, Service],
        decoder: Decoder,
        on_witness: Witness,
        routes: Routes,
        clients: Clients,
        on_answers: Answers | None = None,
    ) -> None:
        self._upstreams = Upstreams(services)
        self._on_witness = on_witness
        self._on_answers = on_answers
        self._routes = routes
        self._clients = clients
        self._lines = decoder
        self.seen = Seen()
        self.latest: deque[AccessLine] = deque(maxlen=LATEST)
        """The last lines of the last turn that had any."""

    def add_up(self, lines: Sequence[bytes]) -> list[Batch]:
        """The batches that some lines make. A line that cannot be read is counted and costs nobody else."""
        turns: dict[Colour, Turn] = {}
        if lines:
            self.latest.clear()
        for text in lines:
            try:
                line = self._lines.decode(text)
            except (ValueError, RecursionError) as exc:  # msgspec's own errors and bad UTF-8 are ValueErrors
                self.seen.undecodable += 1
                self.seen.reason = str(exc)
            else:
                self.seen.taken += 1
                self.latest.append(line)
                self._take(line, turns)
        self._tell(turns)
        return [batch for colour, turn in turns.items() for batch in turn.batches(colour)]

    def _take(self, line: AccessLine, turns: dict[Colour, Turn]) -> None:
        owner = self._upstreams.owner(line)
        if owner is None:
            self.seen.unattributed += 1
            return
        service, colour = owner
        asked = line.request
        nonce = asked.nonce
        if nonce:
            self._on_witness(nonce[0], colour, line.status)
            return
        if line.bluegreen_preview is not None:  # no user: he asked for the colour that nobody is sent to
            return
        route = self._routes.route(service, asked.method, asked.uri)
        if route.ignored or line.status < 100 or line.status == GAVE_UP:
            return
        address = asked.client_ip or asked.remote_ip
        turn = turns.get(colour)
        if turn is None:
            turn = turns[colour] = Turn()
        turn.add(route, line, self._clients.number(address) if address else NOBODY)

    def _tell(self, turns: Mapping[Colour, Turn]) -> None:
        if self._on_answers is not None:
            for colour, turn in turns.items():
                for service, n in turn.answers().items():
                    self._on_answers(service, colour, n)
