"""A front door in memory: answers as the balancer it is told of would, for the fast tests of the app."""

from collections.abc import Callable, Sequence

from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.traffic import Colour, Service

BAD_GATEWAY = 502


class MemoryFrontDoor:
    """The FrontDoor port on a function that says which colour a service's requests go to now.

    Scripted from outside: `statuses` is what each colour answers (None: nothing comes), `listening` False
    means that nobody does, `logged` False that the access log has no lines. `asked` lists the services asked for.
    """

    def __init__(self, services: Sequence[Service], serving: Callable[[str], Colour | None]) -> None:
        self._services = {service.name: service for service in services}
        self._serving = serving
        self.statuses: dict[Colour, int | None] = dict.fromkeys(Colour, 200)
        self.listening = True
        self.logged = True
        self.asked: list[str] = []

    async def ask(self, service: str) -> FrontDoorAnswer:
        """One answer of the colour that serves this service now, or of the balancer itself."""
        self.asked.append(self._services[service].name)
        if not self.listening:
            return FrontDoorAnswer(service, None, None, 0.0, error="no answer: nobody listens")
        colour = self._serving(service)
        status = self.statuses[colour] if colour else BAD_GATEWAY
        return FrontDoorAnswer(
            service=service,
            colour=colour if self.logged else None,
            status=status,
            seconds=0.0,
            error="" if status is not None else "no answer within the timeout",
            body=f"{colour}".encode() if colour and status is not None else b"",
        )
