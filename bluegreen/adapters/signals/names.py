"""Looks names up without ever standing in anybody's way.

getaddrinfo(3) blocks, for half a minute where the servers of names are gone, and cannot be cancelled. Here a name has
one thread at most: who asks meanwhile waits for the same answer, within his own budget.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from bluegreen.adapters.signals.aside import aside

Lookup = Callable[[str, int], list[Any]]
"""Blocks until the addresses of a host are known, as socket.getaddrinfo gives them. Raises OSError."""


def look_up(host: str, port: int) -> list[Any]:
    """Ask the machine's own resolver."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class Names(AbstractResolver):
    """The resolver of one source, for aiohttp; `known` for everybody else."""

    def __init__(self, lookup: Lookup = look_up) -> None:
        self._lookup = lookup
        self._pending: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    async def known(self, host: str, port: int) -> list[Any]:
        """The addresses of a host. Raises OSError; give it a budget."""
        pending = self._pending.get((host, port))
        if pending is None or pending.done():
            pending = self._pending[host, port] = aside(lambda: self._lookup(host, port), f"lookup of {host}")
        try:
            return await asyncio.shield(pending)
        except UnicodeError as exc:  # a label that is too long
            raise OSError(str(exc)) from exc

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp wants them."""
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=family, proto=proto, flags=0)
            for family, _, proto, _, address in await self.known(host, port)
        ]

    async def close(self) -> None:
        """Nothing: a thread that still waits ends by itself, and keeps nobody."""
