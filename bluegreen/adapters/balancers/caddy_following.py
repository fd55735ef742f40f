"""Which of our routes follow the pointer file, and where users are by what it says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_fitness import judged
from bluegreen.adapters.balancers.caddy_routes import Handler
from bluegreen.adapters.balancers.caddy_services import Located
from bluegreen.adapters.balancers.pointer import Pointing
from bluegreen.adapters.balancers.pointer_words import Pointed
from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.errors import ChangeRefused, RouteNotFound
from bluegreen.domain.traffic import Colour, Service, ServiceTraffic, Split, Traffic

ARM = "bluegreen caddy arm"


@dataclass(frozen=True, slots=True)
class Following:
    """Every service follows the file: at these JSON `paths`, for these `words` (None: for whichever it may say).
    `kept`: each in the operator's own file, so that a restart keeps it."""

    paths: Mapping[str, tuple[str, ...]]
    words: frozenset[str] | None = None
    kept: bool = False

    def knows(self, word: str) -> bool:
        """Whether there is an arm for it in every route."""
        return self.words is None or word in self.words

    def traffic(self, services: Sequence[Service], pointing: Pointing) -> Traffic:
        """Where users are, by the file alone."""
        pointed = pointing.pointed
        known = pointed if pointed is not None and self.knows(pointed.word) else None
        return Traffic(tuple(_by_file(service, self.paths[service.name], known) for service in services))


def following(located: Sequence[Located], style: Style) -> Following | None:
    """What can be relied on while nothing changes in Caddy; None where a service does not follow the file at all."""
    if not all(_ours(handler, style) for each in located for handler in each.handlers):
        return None
    words = frozenset(wanted.word for wanted in _all_words(style) if all(leads(each, wanted) for each in located))
    if not words >= set(Colour):
        return None
    kept = all(handler.original is None for each in located for handler in each.handlers)
    return Following({each.service.name: _paths(each) for each in located}, words, kept)


def traffic_by(located: Sequence[Located], pointing: Pointing, style: Style) -> Traffic:
    """Where users are: by the file where a route follows it, else by what the route dials."""
    return Traffic(tuple(each.pointed(pointing.text if _all_ours(each, style) else "") for each in located))


def leads(located: Located, wanted: Pointed) -> bool:
    """Whether the users of a service are where `wanted` says, once the file says so."""
    going = located.pointed(wanted.line)
    return going.generation == wanted.generation and (going.split or going.colour, going.fallback) == (
        wanted.to,
        wanted.fallback,
    )


def arms_of(located: Sequence[Located], style: Style) -> tuple[Arms, ...]:
    """How every service is set up now: as its worst route is."""
    return tuple(_arms(each, style) for each in located)


def refuse_unfollowing(arms: Sequence[Arms]) -> None:
    """Raise RouteNotFound for a service whose users a switch would not move, or not as it should."""
    for each in arms:
        if not each.serves:
            raise RouteNotFound(
                f"{each.service}, at {', '.join(each.paths)}, is {each.armed}{f': {each.fault}' if each.fault else ''};"
                " a switch would not move its users as it should",
                next=(ARM,),
                service=each.service,
                paths=each.paths,
            )


def refuse_unknown_word(wanted: Pointed, following: Following) -> None:
    """Raise ChangeRefused where a route has no arm for this: Caddy would serve whichever colour is alive."""
    if not following.knows(wanted.word):
        raise ChangeRefused(
            f"the routes are not armed for {wanted.word}: they were armed for another configuration",
            next=(ARM,),
            word=wanted.word,
        )


def _all_words(style: Style) -> Iterator[Pointed]:
    for colour in Colour:
        yield Pointed(colour)
        if style.fallback:
            yield Pointed(colour, fallback=True)
    for split in style.splits:
        yield Pointed(split)


def _by_file(service: Service, paths: tuple[str, ...], pointed: Pointed | None) -> ServiceTraffic:
    to = pointed.to if pointed else None
    first = to.colour if isinstance(to, Split) else to or Colour.BLUE
    alone = isinstance(to, Colour) and pointed is not None and not pointed.fallback
    return ServiceTraffic(
        service=service.name,
        paths=paths,
        dials=service.addresses[first] if alone else service.addresses[first] + service.addresses[first.other],
        colour=to if isinstance(to, Colour) else None,
        generation=pointed.generation if pointed else None,
        split=to if isinstance(to, Split) else None,
        fallback=pointed is not None and pointed.fallback,
    )


def _arms(located: Located, style: Style) -> Arms:
    states = [judged(located.service, handler, style) for handler in located.handlers]
    worst, fault = min(states, key=lambda each: WORST.index(each[0]))
    return Arms(located.service.name, worst, _paths(located), fault)


WORST = (Armed.BARE, Armed.OUTDATED, Armed.OURS, Armed.KEPT)


def _ours(handler: Handler, style: Style) -> bool:
    return handler.armed is not None and handler.armed.pointer == str(style.pointer)


def _all_ours(located: Located, style: Style) -> bool:
    return not any(
        handler.armed and handler.armed.pointer and not _ours(handler, style) for handler in located.handlers
    )


def _paths(located: Located) -> tuple[str, ...]:
    return tuple(handler.place for handler in located.handlers)
