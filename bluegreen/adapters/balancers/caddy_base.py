"""What both modes of Caddy have in common: the admin endpoint, the services, the card, the snippets, the reload."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from bluegreen.adapters.balancers.addresses import refuse_malformed, refuse_unresolvable
from bluegreen.adapters.balancers.caddy_admin import CaddyAdmin, Reading
from bluegreen.adapters.balancers.caddy_arms import Style, refuse_several
from bluegreen.adapters.balancers.caddy_change import PLAIN, Change
from bluegreen.adapters.balancers.caddy_difference import foreign_change
from bluegreen.adapters.balancers.caddy_routes import SERVERS
from bluegreen.adapters.balancers.caddy_services import Located, locate, refuse_nested, refuse_unfit
from bluegreen.adapters.balancers.endpoint import Endpoint
from bluegreen.adapters.balancers.snippets import Snippets
from bluegreen.domain.errors import BalancerError, BalancerUnreachable, ForeignChange
from bluegreen.domain.traffic import Card, Colour, Service, Traffic
from bluegreen.ports import Clock, Timed, untimed
from bluegreen.processes import CommandFailed, environment, run_command

CADDYS_USER = "caddy"
"""The user that Caddy's own packages run it as."""

RELOAD_SECONDS = 5.0
"""Seconds for the reload command: a Caddy that hangs is not waited for."""


class CaddyBase(ABC):
    """A Caddy whose admin endpoint we reach. Open it before use (`async with`, or `open` and `close`).

    `timeout` in seconds: of each request, of resolving hosts, of writing the snippets in `directory` (None:
    none are kept). The admin socket must belong to root, to us or to `socket_owner`. `reload` is the argv that makes
    Caddy read its Caddyfile again; empty: there is none. `style`: what the configuration says of arms.
    """

    def __init__(
        self,
        admin: str,
        services: Sequence[Service],
        *,
        timeout: float,
        clock: Clock,
        directory: Path | None = None,
        allow_remote_admin: bool = False,
        socket_owner: str = CADDYS_USER,
        daemon_uid: int | None = None,
        reload: Sequence[str] = (),
        timed: Timed = untimed,
        style: Style = PLAIN,
    ) -> None:
        """`daemon_uid`: whose sockets are trusted like our own, where we are root and the daemon is not. `timed` is
        told of each "read" and "write"."""
        endpoint = Endpoint.parse(admin, allow_remote=allow_remote_admin)
        self._admin = CaddyAdmin(endpoint, timeout=timeout, owner=socket_owner, daemon_uid=daemon_uid, timed=timed)
        self._written, self._services, self._timeout, self._clock = admin, tuple(services), timeout, clock
        self._directory, self._style, self._timed = directory, style, timed
        self._remote, self._owner, self._reload = allow_remote_admin, socket_owner, tuple(reload)
        self._snippets = Snippets(directory, self._services)
        self._last: tuple[Reading, tuple[Located, ...]] | None = None

    @classmethod
    def of_card(cls, card: Card, clock: Clock, *, daemon_uid: int, reload: Sequence[str] = ()) -> Self:
        """The balancer as far as a cutback card knows it."""
        return cls(
            card.endpoint,
            card.services,
            timeout=card.timeout,
            clock=clock,
            directory=Path(card.snippets) if card.snippets else None,
            allow_remote_admin=card.allow_remote_admin,
            socket_owner=card.socket_owner,
            daemon_uid=daemon_uid,
            reload=reload,
            style=Style(pointer=Path(card.pointer) if card.pointer else None),
        )

    async def open(self) -> None:
        """Make it ready; nothing is sent."""
        await self._admin.open()

    async def close(self) -> None:
        """Let go of everything; harmless twice."""
        await self._admin.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def observe(self) -> Traffic:
        """Where every service goes now."""

    async def card(self, colour: Colour, generation: int) -> Card:
        """What the way back needs; `deployment` is empty, it is closed, and the failsafe may act on it."""
        seen = await self.observe()
        blank = Card.blank(self._written, colour, generation, self._services, seen, self._clock.now())
        return replace(
            blank,
            snippets=str(self._directory) if self._directory else "",
            timeout=self._timeout,
            socket_owner=self._owner,
            daemon_uid=os.geteuid(),
            allow_remote_admin=self._remote,
            pointer=str(self._style.pointer or ""),
        )

    def persisted(self) -> Colour | None:
        """The colour in the snippet files."""
        return self._snippets.read()

    async def persist(self, colour: Colour) -> None:
        """Bring the snippet files that exist to `colour`."""
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.to_thread(self._snippets.write, colour)
        except TimeoutError as exc:
            raise BalancerError(
                f"the snippets in {self._directory} were not written within {self._timeout:g} s: does the disk hang?"
            ) from exc

    async def reload(self) -> str:
        """Run the reload command to its end; returns the last line that it said."""
        if not self._reload:
            raise BalancerError(
                "no command to reload Caddy is configured", next=('[caddy] reload = ["systemctl", "reload", "caddy"]',)
            )
        command = " ".join(self._reload)
        try:
            ran = await run_command(self._reload, timeout=RELOAD_SECONDS, env=environment())
        except CommandFailed as exc:
            raise BalancerError(f"Caddy was not reloaded: {exc.detail}", next=(command,)) from exc
        if ran.code != 0:
            raise BalancerError(f"{command} failed with {ran.code}: {ran.last_line}", next=(command,))
        return ran.last_line

    async def _look(self) -> tuple[Reading, tuple[Located, ...]]:
        """All servers as they are now, with the ETag that guards a write below them, and our routes among them.

        Those are looked for where something changed since the last look: among 5,000 routes it takes 0.1 s.
        """
        known = self._last[0] if self._last else None
        reading = await self._admin.read(SERVERS, known)
        if self._last is None or reading is not self._last[0]:
            self._last = None
            self._last = reading, locate(reading.value, self._services)
        return self._last

    async def _change(self, change: Change, read: Reading) -> None:
        """Make a change of what was read, on the condition that it is still so. Raises as Balancer.switch does; a
        foreign change is named, for the price of one more read."""
        try:
            await self._admin.replace(change.path, change.value, read.etag)
        except ForeignChange as exc:
            try:
                now = await self._admin.read(SERVERS)
            except BalancerUnreachable:
                raise exc from None
            raise ForeignChange(foreign_change(read.value, now.value, SERVERS), next=("bluegreen status -v",)) from exc

    async def _validated(self) -> tuple[Located, ...]:
        """Our routes, after everything was refused that Caddy accepts and then fails to dial. Raises AddressInvalid,
        and as `observe` does."""
        refuse_malformed(self._services)
        if self._style.fallback:
            refuse_several(self._services)
        await refuse_unresolvable(self._services, self._timeout)
        _, located = await self._look()
        refuse_unfit(located)
        if self._style.fallback or self._style.shares or self._style.pointer or self._style.preview:
            refuse_nested(located)
        return located
