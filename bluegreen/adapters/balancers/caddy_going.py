"""Where one handler of Caddy sends the users of a service, be it an operator's own or arms of ours."""

from dataclasses import dataclass

from bluegreen.adapters.balancers.addresses import colour_of
from bluegreen.adapters.balancers.caddy_armed import ArmedRoute
from bluegreen.adapters.balancers.caddy_routes import Handler
from bluegreen.adapters.balancers.caddy_shares import PLACES, place, places_below
from bluegreen.adapters.balancers.pointer_words import Pointed, read_line
from bluegreen.domain.traffic import Colour, Service, Split, normal

SAMPLE = 256
"""Of so many places one is looked at."""


@dataclass(frozen=True, slots=True)
class Going:
    """What a handler dials, and what that means; as in ServiceTraffic. Where the dials are not what the word promises
    it is the dials that count: then it may be no colour."""

    dials: tuple[str, ...]
    stamps: frozenset[int | None]
    colour: Colour | None = None
    split: Split | None = None
    fallback: bool = False


def going(service: Service, handler: Handler, line: str) -> Going:
    """Where a handler sends users, while the file that arms follow holds `line`."""
    armed, stamps = handler.armed, frozenset(handler.stamps(service.name))
    if armed is None:
        return Going(handler.dials, stamps, colour_of(service, handler.dials))
    pointed = read_line(line if armed.pointer else armed.word)
    if armed.pointer:
        stamps = frozenset([pointed.generation if pointed else None])
    if pointed is not None and isinstance(pointed.to, Split):
        return _shared(service, armed, line, pointed.to, stamps)
    return _single(service, armed.dials(line), pointed, stamps)


def previewed(service: Service, handler: Handler, secret: str) -> Colour | None:
    """The colour that whoever sends this secret meets first; None where it leads nowhere. Of mode "rewrite"."""
    if handler.armed is None or handler.armed.pointer or not secret:
        return None
    return _first_of_both(service, handler.armed.dials(header=secret))


def _single(service: Service, dials: tuple[str, ...], pointed: Pointed | None, stamps: frozenset[int | None]) -> Going:
    if pointed is None or not pointed.fallback:
        return Going(dials, stamps, colour_of(service, dials) if pointed else None)
    colour = _first_of_both(service, dials)
    return Going(dials, stamps, colour, fallback=colour is not None)


def _first_of_both(service: Service, dials: tuple[str, ...]) -> Colour | None:
    """The colour that is dialled first where the other one is dialled behind it; None where it is not so."""
    seen = [normal(dial) for dial in dials]
    for colour in Colour:
        if seen == [normal(dial) for each in (colour, colour.other) for dial in service.addresses[each]]:
            return colour
    return None


def _shared(service: Service, armed: ArmedRoute, line: str, split: Split, stamps: frozenset[int | None]) -> Going:
    """A split it is where users meet what it promises: on both sides of its border, and all over."""
    border = places_below(split.share)
    new, old = armed.dials(line, place=place(0)), armed.dials(line, place=place(PLACES - 1))
    promised = (
        colour_of(service, new) is split.colour
        and colour_of(service, old) is split.colour.other
        and all(
            armed.dials(line, place=place(number)) == (new if number < border else old)
            for number in (border - 1, border, *range(SAMPLE // 2, PLACES, SAMPLE))
        )
    )
    return Going(tuple(dict.fromkeys((*new, *old))), stamps, split=split if promised else None)
