"""A Caddy that can be set up to follow a file, and how far it is: the ground of mode "pointer", and the port Arming."""

import asyncio
from abc import ABC
from functools import cached_property

import structlog

from bluegreen.adapters.balancers.caddy_admin import Reading
from bluegreen.adapters.balancers.caddy_arming import change_to_arm, change_to_disarm
from bluegreen.adapters.balancers.caddy_base import CaddyBase
from bluegreen.adapters.balancers.caddy_change import Change
from bluegreen.adapters.balancers.caddy_following import Following, arms_of, following, traffic_by
from bluegreen.adapters.balancers.caddy_services import Located
from bluegreen.adapters.balancers.caddy_snippet import snippet
from bluegreen.adapters.balancers.pointer import PointerFile, Pointing
from bluegreen.adapters.balancers.pointer_words import Pointed
from bluegreen.adapters.balancers.swap import Rename
from bluegreen.domain.arming import Arms
from bluegreen.domain.errors import BalancerError, BalancerUnreachable, MovedOutside
from bluegreen.domain.traffic import Colour, Traffic

log = structlog.get_logger(__name__)

PATIENCE = 1.0
"""Seconds for the admin endpoint where it was seen before that every service follows the file."""

Look = tuple[Reading, tuple[Located, ...]]


class ArmableCaddy(CaddyBase, ABC):
    """The port Arming on a Caddy, for the file `style.pointer`."""

    _rename: Rename | None = None
    """For tests that hold the rename up."""
    _following: Following | None = None
    """As the last look saw it, while every service followed the file."""
    _trusting = False
    """Whether the file alone tells where users are, also where nothing listens at the admin endpoint: after a way back
    of ours, and where a card says so."""
    _silent = False

    @cached_property
    def _file(self) -> PointerFile:
        if self._style.pointer is None:
            raise ValueError("a Caddy that follows a file needs one")
        return PointerFile(self._style.pointer, timeout=self._timeout, timed=self._timed, rename=self._rename)

    @property
    def file(self) -> str:
        """The path of the pointer file."""
        return str(self._file.path)

    async def arms(self) -> tuple[Arms, ...]:
        """How each service is set up now."""
        _, located = await self._look()
        return arms_of(located, self._style)

    async def arm(self) -> tuple[Arms, ...]:
        """Let every service follow the file, and nobody moves."""
        look = await self._look()
        pointing = await self._file.read()
        await self._arm(look, pointing, self._one_colour(traffic_by(look[1], pointing, self._style)))
        return await self.arms()

    async def disarm(self) -> tuple[Arms, ...]:
        """Put the operator's handlers back, and nobody moves."""
        reading, located = await self._look()
        traffic = traffic_by(located, await self._file.read(), self._style)
        change = change_to_disarm(located, reading.value, self._one_colour(traffic))
        if change is not None:
            await self._rewrite(change, reading)
        return await self.arms()

    def snippet(self) -> str:
        """What the operator puts into his Caddyfile."""
        return snippet(self._services, self._style)

    async def pointed(self) -> str | None:
        """What stands in the file now, on one line; None where there is no file."""
        pointing = await self._file.read()
        return None if pointing.raw is None else " ".join(pointing.text.split())

    async def plant(self, nonce: str) -> None:
        """Put a nonce beside the file."""
        await self._file.plant(nonce)

    async def _arm(self, look: Look, pointing: Pointing, live: Colour) -> None:
        """One change. The file names the colour that serves before the first route reads it."""
        reading, located = look
        change = change_to_arm(located, reading.value, self._style, live)
        said = pointing.pointed
        if said is None or said.to != live or (said.fallback and not self._style.fallback):
            await self._file.replace(Pointed(live, generation=said.generation if said else None), pointing)
        if change is not None:
            await self._rewrite(change, reading)

    async def _rewrite(self, change: Change, reading: Reading) -> None:
        """Whoever follows the file then is seen at the next look."""
        self._following = None
        await self._change(change, reading)

    def _one_colour(self, traffic: Traffic) -> Colour:
        if traffic.colour is None:
            raise MovedOutside(
                f"not one colour serves every service, so nobody could tell whether users stay: {traffic.describe()}",
                next=("bluegreen status -v", f"cat {self.file}"),
            )
        return traffic.colour

    async def _look(self) -> Look:
        """As in the base, and what was seen is remembered."""
        try:
            look = await super()._look()
        except BalancerUnreachable:
            raise
        except BalancerError:
            self._following = None
            raise
        self._silent = self._trusting = False
        self._following = following(look[1], self._style)
        return look

    async def _look_shortly(self) -> Look | None:
        """A look at Caddy; None where it does not come in time, and every service followed the file at the last one.

        Nobody waits for an endpoint that hangs: users are where the file says. Raises as Balancer.observe does.
        """
        try:
            async with asyncio.timeout(PATIENCE if self._following else None):
                return await self._look()
        except TimeoutError:
            self._tell_silent(f"no answer within {PATIENCE:g} s")
        except BalancerUnreachable as exc:
            if self._following is None or not (self._trusting or isinstance(exc.__cause__, TimeoutError)):
                raise
            self._tell_silent(exc.detail)
        return None

    def _tell_silent(self, why: str) -> None:
        if not self._silent:
            log.warning("balancer.admin_silent", reason=why, file=self.file)
        self._silent = True
