"""A front door in memory: answers as the balancer it is told of would, for the fast tests of the app."""

from collections.abc import Awaitable, Callable, Sequence

from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.flows import Flow, FlowAnswer
from bluegreen.domain.traffic import Colour, Service

BAD_GATEWAY = 502


class MemoryFrontDoor:
    """The ports FrontDoor, FlowDoor and PointerDoor on a function: which colour a service's requests go to now.

    Scripted from outside: `statuses` is what each colour answers (None: nothing comes), `listening` False
    means that nobody does, `logged` False that the access log has no lines. `versions` is what each colour says it is;
    with `whose` it is that which tells the colour, as where there is no access log.
    `asked` lists the services asked for, `pointer` what the balancer reads for each nonce that it knows.
    """

    def __init__(self, services: Sequence[Service], serving: Callable[[str], Colour | None]) -> None:
        self._services = {service.name: service for service in services}
        self._serving = serving
        self.statuses: dict[Colour, int | None] = dict.fromkeys(Colour, 200)
        self.versions: dict[Colour, str] = dict.fromkeys(Colour, "")
        self.listening = True
        self.logged = True
        self.whose: Callable[[str], Awaitable[Colour | None]] | None = None
        self.asked: list[str] = []
        self.pointer: dict[str, str] = {}

    async def ask(self, service: str) -> FrontDoorAnswer:
        """One answer of the colour that serves this service now, or of the balancer itself."""
        self.asked.append(self._services[service].name)
        if not self.listening:
            return FrontDoorAnswer(service, None, None, 0.0, error="no answer: nobody listens", reached=False)
        colour = self._serving(service)
        status = self.statuses[colour] if colour else BAD_GATEWAY
        version = self.versions[colour] if colour and status is not None else ""
        told = colour if self.logged else None
        return FrontDoorAnswer(
            service=service,
            colour=told if self.whose is None else await self.whose(version),
            status=status,
            seconds=0.0,
            error="" if status is not None else "no answer within the timeout",
            body=f"{colour}".encode() if colour and status is not None else b"",
            version=version,
            doubt="" if self.whose is None else f"as {version}",
        )

    async def reads(self, service: str, nonce: str) -> str | None:
        """What was put into `pointer` under this nonce."""
        return self.pointer.get(nonce)

    async def walk(self, flow: Flow) -> FlowAnswer:
        """Every step in turn, each judged by its status alone."""
        colours = set[Colour]()
        for number, step in enumerate(flow.steps, 1):
            answer = await self.ask(step.service)
            if not answer.reached:
                return FlowAnswer(flow.name, f"step {number}, {step.title}: {answer.error}", frozenset(), 0.0, False)
            colours |= {answer.colour} if answer.colour is not None else set()
            if answer.status not in step.expect.status:
                failure = f"step {number}, {step.title}: expected another status, got {answer.status}"
                return FlowAnswer(flow.name, failure, frozenset(colours), 0.0)
        return FlowAnswer(flow.name, "", frozenset(colours), 0.0)
