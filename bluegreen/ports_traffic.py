"""What the app needs of the way users take: who sends them to a colour, and what can be asked at their door.

The rules for every method stand in `ports.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

from bluegreen.domain.arming import Arms
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.flows import Flow, FlowAnswer
from bluegreen.domain.sites import Left, Site, SiteWish
from bluegreen.domain.traffic import Card, Colour, Split, Traffic


class Balancer(Protocol):
    """Sends users to one colour or the other: all services in one change."""

    async def observe(self) -> Traffic:
        """Read where every service goes now. Changes nothing.

        Raises BalancerUnreachable, RouteNotFound, RouteAmbiguous (both name the paths and the keys to correct).
        """

    async def validate(self) -> None:
        """Refuse addresses that the balancer would accept and then fail to dial: bad ports, unresolvable hosts,
        a scheme that does not fit the route's transport, one address in both colours. Raises AddressInvalid."""

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """Make one attempt to send every service to `colour`, stamped with `generation`, in one conditional write.

        With `fallback` the balancer itself lets the other colour answer what this one does not (`Traffic.fallback`);
        it stays so until the next switch without it, also while we are dead.

        With `expected`, MovedOutside is raised before the write unless that colour (or split) serves every service now,
        and under no generation as high as this one: a way back that came meanwhile is not overtaken.
        Without it (the way back, a fence) any present state is overwritten. Already there under this very
        generation: nothing is written. Raises BalancerUnreachable (nothing sent), ChangeRefused (no effect),
        ForeignChange (no effect: read again), ChangeUnknown (may land late: a fence must follow), ConnectionLost.
        """

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back to `colour` needs, read from the balancer as it is now (`deployment` left empty)."""

    def persisted(self) -> Colour | None:
        """The colour in the snippet files that a restarted balancer would read; None where no snippet is kept.
        Raises BalancerError where the files disagree or cannot be read."""

    async def persist(self, colour: Colour) -> None:
        """Bring the snippet files that exist to `colour`, each replaced as a whole. Raises BalancerError."""

    async def reload(self) -> str:
        """Make the balancer read its own configuration files again, and so the snippets, past us: by the configured
        command, within 5 s. Returns what it said. Harmless twice. Raises BalancerError where no command is configured
        or it fails."""


class Shares(Protocol):
    """Sends a share of the users to the new colour, for a canary; one user always meets the same colour, in every
    service, and whoever met the new one in a step meets it in the next ones too."""

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """Make one attempt to send users to both colours as `split` says, every service in one conditional write,
        stamped with `generation`. Already so under this very generation: nothing is written. Raises as Balancer.switch
        does; `Balancer.observe` then shows the split, and `Balancer.switch` ends it."""


class Arming(Protocol):
    """Sets a balancer up so that a switch is a change of one small file (`mode = "pointer"`), and back again.

    Nothing here moves users: who was served by a colour before is served by it after.
    """

    @property
    def file(self) -> str:
        """The path of the file that tells where to send users."""

    async def arms(self) -> tuple[Arms, ...]:
        """How each service is set up now. Changes nothing. Raises as Balancer.observe does."""

    async def arm(self) -> tuple[Arms, ...]:
        """Set up every service that is not, or not as the configuration is now, in one conditional write; the file
        names the colour that serves before the first route reads it. Returns how it is now; already so: nothing is
        written. Raises as Balancer.switch does, MovedOutside where not one colour serves every service."""

    async def disarm(self) -> tuple[Arms, ...]:
        """Put back every route that was set up through the API exactly as it was, sending users where they are now.
        What stands in the operator's own file is his to change. Raises as Balancer.switch does."""

    def snippet(self) -> str:
        """What the operator puts into his own configuration file, so that it survives a restart and a reload."""

    async def pointed(self) -> str | None:
        """What stands in the file now, on one line; None where there is no file. Raises BalancerError."""

    async def plant(self, nonce: str) -> None:
        """Put a nonce where the balancer would read it, for `PointerDoor.reads`. Raises BalancerError."""


@runtime_checkable
class Costs(Protocol):
    """What a switch of this balancer costs users, for the plan. A balancer that has nothing to say need not have it."""

    async def costs(self) -> tuple[str, ...]:
        """One line for people each, from how the balancer is set up now; empty: nothing is lost. Changes nothing.
        Raises as Balancer.observe does."""


@runtime_checkable
class Previews(Protocol):
    """Whether the operator's secret leads to the idle colour, where that is not so by the set-up alone: then each write
    of Balancer.switch with `expected` brings it. A balancer that needs no such write need not have it."""

    async def previews(self) -> bool:
        """Whether it leads there now, at every service. Changes nothing. Raises as Balancer.observe does."""


class FrontDoor(Protocol):
    """The way users come in: the balancer's real listener."""

    async def ask(self, service: str) -> FrontDoorAnswer:
        """Send one request for a service and learn which colour served it. Never raises for a bad answer."""


class PointerDoor(Protocol):
    """The way users come in, asked what the balancer knows of the pointer file."""

    async def reads(self, service: str, nonce: str) -> str | None:
        """What the balancer reads in the file that tells it where to send users (`Arming`), asked with the nonce that
        was planted; None where it does not know the nonce: it does not see the file, or does not look. Never raises."""


class FlowDoor(Protocol):
    """The way users come in, for several requests that belong together."""

    async def walk(self, flow: Flow) -> FlowAnswer:
        """Make the requests of a flow in order, up to the first that fails, within the flow's timeout. Never raises for
        a bad answer. What a flow writes, it writes: each run is one more."""


class InFlight(Protocol):
    """What is under way now, as the balancer counts it."""

    async def in_flight(self) -> Mapping[str, int]:
        """How many requests each dial has taken and not yet answered, long streams among them. A dial that nobody was
        sent to is not in it. Raises BalancerUnreachable."""


class Sites(Protocol):
    """Sets a site up once, and takes it away again: a host name with a route, and with a certificate.

    Each change is a whole load of the balancer's configuration. It is whole or not at all: what was there before is
    kept aside first, and put back where the change, or `proved`, fails. A change that was cut off is found by `left`.
    """

    async def sites(self) -> tuple[Site, ...]:
        """The sites that were added here, as they stand. Changes nothing. Raises BalancerUnreachable."""

    async def add(self, wish: SiteWish, proved: Callable[[], Awaitable[None]]) -> bool:
        """Set a site up; False where it is so already, and nothing was written. `proved` is awaited after the write:
        what it raises undoes it. Raises RequestRefused (nothing was written, and why not), a BalancerError as
        Balancer.switch does, StepFailed with what was put back, or could not be."""

    async def remove(self, name: str, proved: Callable[[], Awaitable[None]], *, force: bool = False) -> Site:
        """Take a site away; returns it as it was. With `force` also the operator's own route for the host `name`.
        Raises NotFound, and as `add` does."""

    async def left(self) -> Left | None:
        """What a change that was cut off in the middle left; None where nothing, or where it had no effect (then it is
        tidied up). While there is something, nothing is changed. Raises nothing of the domain."""
