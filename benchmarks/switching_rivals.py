"""Those who switch a Caddy: our two ways and its own, each before the same two colours.

A rival is started on a port of its own, dials blue, and is told to dial the other colour. switching_others.py has those
that are no Caddy.
"""

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path

import aiohttp

from benchmarks.stand import HEAD, Stand
from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_pointer import CaddyPointer
from bluegreen.adapters.clock import SystemClock
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.traffic import Colour

TIMEOUT = 60.0
PLAIN_SITE = """
http://{site}:{port} {{
	bind 127.0.0.1
	reverse_proxy {dial}
}}
"""


class Rival(ABC):
    """One of them. `about` is its row in the table; `filler` how many more routes its configuration holds."""

    about: str

    def __init__(self, stand: Stand, filler: int = 0) -> None:
        self.stand, self.filler = stand, filler
        self.services = tuple(stand.services.values())
        self.port = free_ports(1)[0]
        self.directory = stand.directory / f"{type(self).__name__.lower()}-{filler}"
        self.directory.mkdir()
        self._generation = 0

    @classmethod
    def installed(cls) -> bool:
        """Whether its program is there."""
        return True

    @abstractmethod
    async def start(self) -> None:
        """Serve blue."""

    @abstractmethod
    async def switch(self, colour: Colour) -> None:
        """Give the command, and return when it was answered."""

    @abstractmethod
    async def stop(self) -> None:
        """End it; harmless when it does not run."""

    def next_generation(self) -> int:
        """Each switch has a number of its own."""
        self._generation += 1
        return self._generation

    async def _serving(self) -> None:
        """Returns when users are answered."""
        host = {"Host": str(self.services[0].site)}
        async with asyncio.timeout(30.0), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{self.port}/", headers=host) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)


class Caddy(Rival):
    """What all ways with Caddy have in common."""

    def __init__(self, stand: Stand, filler: int = 0) -> None:
        super().__init__(stand, filler)
        self._caddy = EmbeddedCaddy(self.directory)

    @property
    def pid(self) -> int:
        """Caddy's."""
        return self._caddy.pid or 0

    async def start(self) -> None:
        """A Caddy with a site for each service, and those that fill it."""
        await self._caddy.start(self._caddyfile(Colour.BLUE), timeout=120.0)
        await self._serving()

    async def stop(self) -> None:
        """End it at once."""
        await self._caddy.kill()

    def _caddyfile(self, colour: Colour) -> Path:
        """The hosts that fill it have short names: Caddy puts them behind those that are asked for, and need not go
        through all of them in each request."""
        dials = {str(service.site): service.addresses[colour][0] for service in self.services}
        dials |= {f"f{number}.io": "127.0.0.1:9" for number in range(self.filler)}
        sites = [PLAIN_SITE.format(site=site, port=self.port, dial=dial) for site, dial in dials.items()]
        path = self.directory / f"{colour}.caddyfile"
        path.write_text(HEAD.format(admin=self._caddy.admin) + "".join(sites))
        return path


class Plain(Caddy):
    """A Caddy that is never switched."""

    about = "no switch at all"

    async def switch(self, colour: Colour) -> None:
        """Nothing."""


class Reloaded(Caddy):
    """Caddy as its manual tells."""

    about = "caddy reload"

    async def switch(self, colour: Colour) -> None:
        """`caddy reload` with the other Caddyfile."""
        await self._caddy.reload(self._caddyfile(colour), timeout=60.0)


class Rewritten(Caddy):
    """Ours, through the admin API."""

    about = "ours: rewrite (the admin API)"

    async def start(self) -> None:
        """Caddy, and our balancer before it."""
        await super().start()
        self._balancer = CaddyBalancer(self._caddy.admin, self.services, timeout=TIMEOUT, clock=SystemClock())
        await self._balancer.open()

    async def switch(self, colour: Colour) -> None:
        """One PATCH."""
        await self._balancer.switch(colour, self.next_generation())

    async def stop(self) -> None:
        """Close ours, end Caddy."""
        await self._balancer.close()
        await super().stop()


class Pointed(Caddy):
    """Ours, by a file."""

    about = "ours: pointer (one rename)"

    async def start(self) -> None:
        """Caddy, armed."""
        await super().start()
        self._balancer = CaddyPointer(
            self._caddy.admin,
            self.services,
            timeout=TIMEOUT,
            clock=SystemClock(),
            directory=self.directory,
            style=Style(pointer=self.directory / "live"),
        )
        await self._balancer.open()
        await self._balancer.arm()

    async def switch(self, colour: Colour) -> None:
        """One rename."""
        await self._balancer.switch(colour, self.next_generation(), expected=colour.other)

    async def stop(self) -> None:
        """Close ours, end Caddy."""
        await self._balancer.close()
        await super().stop()
