"""Traefik as the balancer: one dynamic file of its file provider is replaced, and Traefik takes it up.

No connection is closed and no request is lost by that. What is written is one file for all services, so they move
together. Traefik waits `providersThrottleDuration` (2 s, unless it is set) between two changes, so a switch may take
effect that much later: where its API can be asked, a switch ends when Traefik says so, and one that does not take
effect in time is unknown, as a write is that may land late. The file itself needs no fence but its generation
(`swap.py`): two writers cannot overtake each other.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import structlog

from bluegreen.adapters.balancers import traefik_document as document
from bluegreen.adapters.balancers.addresses import refuse_malformed, refuse_overtaken, refuse_unresolvable
from bluegreen.adapters.balancers.swap import Rename
from bluegreen.adapters.balancers.traefik_api import TraefikApi
from bluegreen.adapters.balancers.traefik_file import TraefikFile
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    RouteNotFound,
)
from bluegreen.domain.traffic import Card, Colour, Service, Split, Traffic
from bluegreen.ports import Clock, Timed, untimed

log = structlog.get_logger(__name__)

ENDPOINT = "traefik:"
"""How the card says that its balancer is this one; the file follows."""


class TraefikBalancer:
    """The ports Balancer, Shares and Costs on a Traefik. Open before use (`async with`, or `open` and `close`).

    `timeout` in seconds: of reading and of writing the file, of one answer of the API at `api` (None: it is not asked),
    and of Traefik's taking up a change. `cookie_domain` is that of Traefik's cookie during a canary.
    """

    def __init__(
        self,
        file: Path,
        services: Sequence[Service],
        *,
        timeout: float,
        clock: Clock,
        api: str | None = None,
        cookie_domain: str | None = None,
        timed: Timed = untimed,
        rename: Rename | None = None,
    ) -> None:
        """`timed` is told of each "read" and "write"; `rename` is for tests that hold it up."""
        self._services, self._timeout, self._clock = tuple(services), timeout, clock
        self._file = TraefikFile(file, timeout=timeout, timed=timed, rename=rename)
        self._api = TraefikApi(api, self._services, timeout=timeout) if api else None
        self._domain = cookie_domain
        self._silent = False

    @classmethod
    def of_card(cls, card: Card, clock: Clock) -> Self:
        """The balancer as far as a cutback card knows it."""
        return cls(Path(card.pointer), card.services, timeout=card.timeout, clock=clock)

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        if self._api is not None:
            await self._api.open()

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        if self._api is not None:
            await self._api.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def observe(self) -> Traffic:
        """Where every service goes: as Traefik says, or as the file does where Traefik cannot be asked."""
        in_file = self._in_file(self._file.value(await self._file.text()))
        if self._api is None:
            return in_file
        try:
            traffic = await self._api.traffic()
        except BalancerUnreachable as exc:
            if not self._silent:
                log.warning("balancer.api_silent", reason=exc.detail, file=str(self._file.path), next=list(exc.next))
            self._silent = True
            return in_file  # Traefik follows it; that it does is seen at the front door
        self._silent = False
        return traffic

    async def validate(self) -> None:
        """Refuse what Traefik accepts and then fails to dial; a file that we cannot replace; and, where Traefik can be
        asked, a service that no router leads to, or that it has not loaded as the file has it."""
        refuse_malformed(self._services)
        await refuse_unresolvable(self._services, self._timeout)
        self._in_file(self._file.value(await self._file.text()))
        if not os.access(self._file.path.parent, os.W_OK | os.X_OK):
            raise ChangeRefused(
                f"{self._file.path.parent} cannot be written by us, so {self._file.path.name} cannot be replaced",
                next=(f"ls -ld {self._file.path.parent}",),
            )
        if self._api is not None:
            await self._api.refuse_unrouted()

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """One attempt to send every service to `colour`: one replaced file, taken up by Traefik (see the port)."""
        if fallback:
            raise ChangeRefused("Traefik sends nobody back by itself: fallback_to_previous is for Caddy")
        await self._write(colour, generation, expected)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """One attempt to share users out: by Traefik's own weights and cookie, for one service alone."""
        if len(self._services) > 1:
            raise ChangeRefused(
                "Traefik remembers a user's colour for each service by itself: with more than one a user would meet "
                "both colours at once",
                next=("bluegreen config docs canary.steps",),
            )
        await self._write(split, generation, expected)

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back needs; `deployment` is empty, it is closed, and the failsafe may act on it."""
        seen = await self.observe()
        blank = Card.blank(f"{ENDPOINT}{self._file.path}", colour, generation, self._services, seen, self._clock.now())
        return replace(
            blank,
            timeout=self._timeout,
            daemon_uid=os.geteuid(),
            pointer=str(self._file.path),
        )

    def persisted(self) -> Colour | None:
        """None: the file that is switched is also what a restarted Traefik reads."""
        return None

    async def persist(self, colour: Colour) -> None:
        """Nothing to do, as `persisted` says."""

    async def reload(self) -> str:
        """Traefik watches its files, and has no way to be told. Raises BalancerError."""
        raise BalancerError(
            "no command to reload Traefik is configured: it watches its files", next=("journalctl -u traefik -n 20",)
        )

    async def costs(self) -> tuple[str, ...]:
        """What people should know of a switch."""
        late = "Traefik takes a change up without closing a connection: nothing is lost, and WebSockets stay on the old"
        known = (f"{late} colour. It does so up to its providersThrottleDuration (2 s, unless it is set) later",)
        if len(self._services) == 1:
            return (*known, "in a canary Traefik's cookie keeps who met the old colour there: shares are of new users")
        return known

    async def _write(self, to: Colour | Split, generation: int, expected: Colour | Split | None) -> None:
        text = await self._file.text()
        try:
            value = self._file.value(text)
        except RouteNotFound:
            if expected is not None:
                raise
            value = {}  # the way back needs nothing that somebody may have torn: it is written anew
        if expected is not None and not self._is_so(value, to, generation):
            refuse_overtaken(self._in_file(value), to.colour if isinstance(to, Split) else to, generation, expected)
        if not self._is_so(value, to, generation):
            await self._file.replace(self._wanted(value, to, generation), text)
        if self._api is not None:
            await self._api.taken_up(generation, self._file.path)

    def _wanted(self, value: dict[str, Any], to: Colour | Split, generation: int) -> dict[str, Any]:
        return document.written(value, self._services, to, generation, self._domain)

    def _is_so(self, value: dict[str, Any], to: Colour | Split, generation: int) -> bool:
        return self._wanted(value, to, generation) == value

    def _in_file(self, value: dict[str, Any]) -> Traffic:
        return document.traffic_of(document.services_in(value), self._services, str(self._file.path))
