"""One bench per balancer: what others do to it, and what may go wrong with a write, by the same names."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.memory import Fault, MemoryBalancer
from bluegreen.adapters.balancers.snippets import line
from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.demo.ports import free_ports
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports_traffic import Balancer
from tests.adapters.balancers import sites
from tests.adapters.balancers.gate import Address, Gate

TIMEOUT = 2.0
ROUTES = {"kratos": "/config/apps/http/servers/srv0/routes/1", "hera": "/config/apps/http/servers/srv0/routes/2"}


class Bench(Protocol):
    """What a contract test needs beside the port."""

    endpoint: str

    @property
    def balancer(self) -> Balancer:
        """The balancer on the bench."""

    def meet(self, *faults: Fault) -> None:
        """Give the next writes these faults."""

    async def land(self) -> None:
        """Let late writes arrive."""

    def written(self) -> int:
        """Writes that were accepted."""

    async def point(self, service: str, *dials: str) -> None:
        """Somebody else sends a service elsewhere, without our stamp."""

    async def remove(self, service: str) -> None:
        """Somebody else takes a route away."""

    async def restart(self) -> None:
        """The balancer comes up anew from what it was started with."""

    async def unplug(self) -> None:
        """Nothing answers at the endpoint any more."""

    def keep_snippets(self, colour: Colour) -> None:
        """Create the snippet files, as set-up does."""

    def reload_with(self, exit_code: int) -> Balancer:
        """A balancer of the same kind whose reload command comes up from what it was started with, or fails."""

    def beside(self, *services: Service) -> Balancer:
        """A balancer of the same kind with other services configured."""


class MemoryBench:
    endpoint = "memory"

    def __init__(self) -> None:
        self.balancer = MemoryBalancer(sites.SERVICES, clock=sites.StoppedClock())

    def meet(self, *faults: Fault) -> None:
        self.balancer.faults.extend(faults)

    async def land(self) -> None:
        self.balancer.land()

    def written(self) -> int:
        return len(self.balancer.written)

    async def point(self, service: str, *dials: str) -> None:
        self.balancer.point(service, *dials)

    async def remove(self, service: str) -> None:
        self.balancer.remove(service)

    async def restart(self) -> None:
        self.balancer.forget()

    async def unplug(self) -> None:
        self.balancer.reachable = False

    def keep_snippets(self, colour: Colour) -> None:
        self.balancer.snippets = {service.name: colour for service in sites.SERVICES}

    def reload_with(self, exit_code: int) -> Balancer:
        self.balancer.reload_fault = f"it failed with {exit_code}" if exit_code else None
        return self.balancer

    def beside(self, *services: Service) -> Balancer:
        return MemoryBalancer(services, clock=sites.StoppedClock())


class CaddyBench:
    def __init__(self, caddy: EmbeddedCaddy, outer: str, directory: Path) -> None:
        self._caddy, self._directory, self._stack = caddy, directory, AsyncExitStack()
        self.endpoint = outer
        self.gate = Gate(Address(caddy.admin), Address(outer), self._meddle)
        self.balancer = self._balancer(sites.SERVICES)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CaddyBench"]:
        await self._caddy.start(sites.olympus())
        async with self._stack, self.gate, self.balancer:
            yield self

    def meet(self, *faults: Fault) -> None:
        self.gate.faults.extend(faults)

    async def land(self) -> None:
        await self.gate.land()

    def written(self) -> int:
        return self.gate.statuses.count(200)

    async def point(self, service: str, *dials: str) -> None:
        path = f"{ROUTES[service]}/handle/0"
        path += "/routes/1/handle/0/upstreams" if service == "kratos" else "/upstreams"
        status, said = await sites.patch(self._caddy.admin, path, [{"dial": dial} for dial in dials])
        assert status == 200, said

    async def remove(self, service: str) -> None:
        status, said = await sites.patch(self._caddy.admin, ROUTES[service], {"handle": []})
        assert status == 200, said

    async def restart(self) -> None:
        await self._caddy.restart()

    async def unplug(self) -> None:
        await self.gate.close()

    def keep_snippets(self, colour: Colour) -> None:
        for service in sites.SERVICES:
            (self._directory / f"{service.name}.caddy").write_text(line(service, colour))

    def reload_with(self, exit_code: int) -> Balancer:
        words = [str(caddy_binary()), "reload", "--config", str(self._caddy.directory / "caddy.json")]
        words += ["--address", self._caddy.admin.removeprefix("http://")]
        return self._balancer(sites.SERVICES, ["sh", "-c", f"exit {exit_code}"] if exit_code else words)

    def beside(self, *services: Service) -> Balancer:
        return self._balancer(services)

    def _balancer(self, services: Sequence[Service], reload: Sequence[str] = ()) -> CaddyBalancer:
        return CaddyBalancer(
            self.endpoint,
            services,
            timeout=TIMEOUT,
            clock=sites.StoppedClock(),
            directory=self._directory,
            reload=reload,
            style=self._style(),
        )

    def _style(self) -> Style:
        return Style()

    async def _meddle(self) -> None:
        """A foreign change that leaves our services alone: what we read is stale all the same."""
        path = "/config/apps/http/servers/srv0/routes/3/handle/0/upstreams/0/dial"
        status, said = await sites.patch(self._caddy.admin, path, "127.0.0.1:18998")
        assert status == 200, said


class PreviewedBench(CaddyBench):
    """The same with a preview secret: each write but the way back leaves arms in the place of a handler."""

    async def point(self, service: str, *dials: str) -> None:
        path = f"{ROUTES[service]}/handle/0{'/routes/1/handle/0' if service == 'kratos' else ''}"
        status, said = await sites.patch(self._caddy.admin, path, sites.proxy(*dials))
        assert status == 200, said

    def _style(self) -> Style:
        return Style(preview="s3cret")


def outer_address(kind: str, directory: Path) -> str:
    """Where the gate listens: a socket, or a port of loopback."""
    return f"unix/{directory / 'gate.sock'}" if kind == "unix" else f"http://127.0.0.1:{free_ports(1)[0]}"
