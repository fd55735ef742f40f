"""What Traefik says that it does: its API, read and never written (it has no way to change anything).

`GET /api/http/services/<name>@file` gives a service as it was loaded, with the routers that name it (`usedBy`); 404
where it was not loaded. It answers on an entry point of its own, with no rights of its own: keep it on loopback.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from bluegreen.adapters.balancers.traefik_document import STAMP, parts_of, traffic_of
from bluegreen.adapters.balancers.traefik_shape import checked
from bluegreen.domain.errors import BalancerUnreachable, ChangeUnknown, RouteNotFound
from bluegreen.domain.traffic import Service, Traffic

NOT_FOUND, WELL = 404, 200

LOOK_AGAIN = 0.02
"""Seconds between two questions whether Traefik has taken a change up."""


class TraefikApi:
    """Traefik's API at `base`. Open before use; `timeout` in seconds for one answer."""

    def __init__(self, base: str, services: Sequence[Service], *, timeout: float) -> None:
        self.base, self._services, self._timeout = base, services, timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout))

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        if self._session is not None:
            await self._session.close()
        self._session = None

    async def traffic(self) -> Traffic:
        """Where users go, as Traefik has loaded it. Raises BalancerUnreachable, RouteNotFound."""
        return traffic_of(await self._loaded(), self._services, f"Traefik at {self.base}")

    async def taken_up(self, generation: int, file: Path) -> None:
        """Return when Traefik has loaded what was written to `file` under `generation`, or cannot be asked. Raises
        ChangeUnknown."""
        try:
            async with asyncio.timeout(self._timeout):
                while not await self._serves(generation):
                    await asyncio.sleep(LOOK_AGAIN)
        except BalancerUnreachable:
            return  # whether it follows its file is seen at the front door
        except TimeoutError as exc:
            raise ChangeUnknown(
                f"{file} was replaced, and Traefik has not taken it up within {self._timeout:g} s: is another file in "
                "its directory in error, or is its providersThrottleDuration longer?",
                next=("journalctl -u traefik -n 20", "bluegreen config docs traefik.timeout"),
            ) from exc

    async def refuse_unrouted(self) -> None:
        """Raise RouteNotFound for a service that Traefik has not loaded, or that no router of it names."""
        found = await self._loaded()
        traffic_of(found, self._services, f"Traefik at {self.base}")
        for service in self._services:
            if not found[service.name].get("usedBy"):
                raise RouteNotFound(
                    f"no router of Traefik leads to {service.name}@file, so no user does",
                    next=(f"curl {self.base}/api/http/routers", "bluegreen config docs traefik.file"),
                    service=service.name,
                )

    async def _serves(self, generation: int) -> bool:
        try:
            return (await self.traffic()).generation == generation
        except RouteNotFound:
            return False

    async def _loaded(self) -> dict[str, Any]:
        """Our services, those that users are shared out to, and the stamp, as far as Traefik has them."""
        found: dict[str, Any] = {}
        asked = [*(service.name for service in self._services), STAMP]
        while asked:
            name = asked.pop(0)
            definition = await self._service(name)
            if definition is not None:
                found[name] = definition
                asked += parts_of(definition)
        return found

    async def _service(self, name: str) -> dict[str, Any] | None:
        if self._session is None:
            raise BalancerUnreachable("the client of Traefik's API is not open")
        url = f"{self.base}/api/http/services/{quote(name, safe='')}@file"
        try:
            async with self._session.get(url) as answer:
                if answer.status == NOT_FOUND:
                    return None
                if answer.status != WELL:
                    raise self._failed(f"answered {answer.status} to {url}")
                return dict(checked(await answer.json(content_type=None)))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
            raise self._failed(f"does not answer: {str(exc) or type(exc).__name__}") from exc

    def _failed(self, why: str) -> BalancerUnreachable:
        return BalancerUnreachable(
            f"Traefik's API at {self.base} {why}", next=(f"curl {self.base}/api/overview", "systemctl status traefik")
        )
