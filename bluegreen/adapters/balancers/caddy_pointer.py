"""Caddy as the balancer, in mode "pointer": a switch replaces one small file that Caddy reads at each request.

No configuration is loaded, so no connection is closed, and the price does not grow with the number of routes. The admin
endpoint is asked only to see that every service follows the file; where that was so at the last look, a switch goes
without it, and an endpoint that hangs delays nobody. Routes that do not follow the file (a Caddy that was reloaded from
a Caddyfile without our lines) are set up again where a switch needs them (docs/decisions/040).
"""

from collections.abc import Sequence
from typing import Self

import structlog

from bluegreen.adapters.balancers.addresses import refuse_overtaken
from bluegreen.adapters.balancers.caddy_armable import ArmableCaddy
from bluegreen.adapters.balancers.caddy_arming import change_to_arm
from bluegreen.adapters.balancers.caddy_change import change_to
from bluegreen.adapters.balancers.caddy_following import (
    ARM,
    Following,
    arms_of,
    following,
    leads,
    refuse_unfollowing,
    refuse_unknown_word,
    traffic_by,
)
from bluegreen.adapters.balancers.pointer import Pointing
from bluegreen.adapters.balancers.pointer_words import Pointed
from bluegreen.domain.errors import BalancerError, BalancerUnreachable, ChangeRefused, ConnectionLost, ForeignChange
from bluegreen.domain.traffic import Card, Colour, Split, Traffic
from bluegreen.ports import Clock

log = structlog.get_logger(__name__)


class CaddyPointer(ArmableCaddy):
    """The ports Balancer, Shares, Arming and Costs on a Caddy that follows the file `style.pointer`."""

    _by_card = False
    """The configuration is not known, only what a cutback card says: nothing is armed by that."""

    @classmethod
    def of_card(cls, card: Card, clock: Clock, *, daemon_uid: int, reload: Sequence[str] = ()) -> Self:
        """The balancer as far as a cutback card knows it: that every service followed the file when it was written."""
        made = super().of_card(card, clock, daemon_uid=daemon_uid, reload=reload)
        made.believe(card, alone=True)
        return made

    def believe(self, card: Card, *, alone: bool = False) -> None:
        """Take from a card of this very file that every service followed it: until the first look, that tells where
        users are while the admin endpoint hangs. `alone`: the card is all that is known."""
        if alone or (card.pointer == self.file and card.services == self._services):
            self._following = Following(card.paths)
            self._trusting = self._by_card = alone

    async def observe(self) -> Traffic:
        """Where every service goes now: by the file where its route follows it, else by what the route dials."""
        look = await self._look_shortly()
        if look is not None:
            follows = any(handler.armed for each in look[1] for handler in each.handlers)
            return traffic_by(look[1], await self._file.read() if follows else Pointing(None), self._style)
        return self._by_file_alone(await self._file.read())

    async def validate(self) -> None:
        """Refuse what Caddy accepts and then fails to dial, and routes that a switch would not move."""
        located = await self._validated()
        refuse_unfollowing(arms_of(located, self._style))

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        """One attempt to send every service to `colour`: one rename (see the port)."""
        wanted = Pointed(colour, fallback, generation)
        if expected is None:
            await self._point_anyway(wanted, colour, generation)
        else:
            await self._point(wanted, colour, generation, expected)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        """One attempt to share users out, as `switch` makes its own."""
        await self._point(Pointed(split, generation=generation), split.colour, generation, expected)

    async def costs(self) -> tuple[str, ...]:
        """What a switch costs users: nothing, while every service follows the file."""
        return ()

    def persisted(self) -> Colour | None:
        """The colour in the snippet files; without any, that of the file where a restarted Caddy would follow it."""
        kept = super().persisted()
        if kept is not None or self._following is None or not self._following.kept:
            return kept
        pointed = self._file.read_now().pointed
        return pointed.to if pointed is not None and isinstance(pointed.to, Colour) else None

    def _by_file_alone(self, pointing: Pointing) -> Traffic:
        if self._following is None:
            raise BalancerUnreachable
        return self._following.traffic(self._services, pointing)

    async def _point(self, wanted: Pointed, colour: Colour, generation: int, expected: Colour | Split) -> None:
        """The way forward: only from where users are expected, and only where all of them move."""
        follows = self._following or await self._followed(wanted, colour, generation, expected)
        if not follows.knows(wanted.word):  # perhaps armed anew since the last look
            await self._look()
            follows = self._following or follows
        pointing = await self._file.read()
        refuse_unknown_word(wanted, follows)
        if pointing.pointed == wanted:
            return
        refuse_overtaken(follows.traffic(self._services, pointing), colour, generation, expected)
        await self._file.replace(wanted, pointing)

    async def _followed(self, wanted: Pointed, colour: Colour, generation: int, expected: Colour | Split) -> Following:
        """Let every service follow the file, where users are as expected, and nobody moves."""
        reading, located = await self._look()
        pointing = await self._file.read()
        if self._following is None:
            traffic = traffic_by(located, pointing, self._style)
            refuse_overtaken(traffic, colour, generation, expected)
            stray = tuple(each for each in located if following((each,), self._style) is None)
            await self._arm((reading, stray), pointing, self._one_colour(traffic))
            await self._look()
        if self._following is None:
            raise ChangeRefused("not every service follows the file, although it was armed", next=(ARM,))
        return self._following

    async def _point_anyway(self, wanted: Pointed, colour: Colour, generation: int) -> None:
        """The way back: the file first, whatever else; then the routes that do not follow it."""
        try:
            pointing = await self._file.read()
            if pointing.pointed != wanted:
                await self._file.replace(wanted, pointing)
        except (ConnectionLost, ForeignChange):
            raise
        except BalancerError as exc:
            await self._past_the_file(colour, generation, exc)
            return
        self._trusting = True
        moved = pointing.pointed != wanted and self._following is not None and self._following.knows(wanted.word)
        if not moved:
            await self._bring_along(wanted, colour, generation)

    async def _bring_along(self, wanted: Pointed, colour: Colour, generation: int) -> None:
        """Let the services go where the file says whose routes do not follow it; those that do are there already."""
        look = await self._look_shortly()
        if look is None:
            return
        reading, located = look
        stray = tuple(each for each in located if not leads(each, wanted))
        if self._by_card:
            change = change_to(colour, generation, stray, reading.value)
        else:
            change = change_to_arm(stray, reading.value, self._style, colour)
        if change is not None:
            await self._rewrite(change, reading)

    async def _past_the_file(self, colour: Colour, generation: int, why: BalancerError) -> None:
        """A file that cannot be written, on a disk that is full or broken, keeps nobody from the way back: the routes
        are rewritten, as in mode "rewrite", and follow the file no more."""
        try:
            reading, located = await self._look()
            change = change_to(colour, generation, located, reading.value)
            if change is not None:
                await self._rewrite(change, reading)
        except BalancerError as exc:
            raise type(why)(f"{why.detail}; nor through the admin API: {exc.detail}", next=why.next) from exc
        log.warning("balancer.file_passed_by", colour=colour, generation=generation, reason=why.detail)
