"""What a rule between sections is, and what rules have in common."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from bluegreen.settings.places import nearest


class Broken(NamedTuple):
    """A rule that does not hold: where, and what to do about it."""

    path: tuple[str | int, ...]
    text: str


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str: ...


Rule = Callable[..., Iterator[Broken]]

MORE_THAN_ONE = 2


def unique(section: str, items: Sequence[Named]) -> Iterator[Broken]:
    """A complaint for every name that stands there twice."""
    seen: Counter[str] = Counter()
    for index, item in enumerate(items):
        seen[item.name] += 1
        if seen[item.name] == MORE_THAN_ONE:
            path: tuple[str | int, ...] = (*section.split("."), index, "name")
            yield Broken(path, f'"{item.name}" is the name of more than one of the [[{section}]]')


def unknown(name: str, section: str, known: Sequence[str]) -> str:
    """What to say of a name that is not there."""
    meant = nearest(name, known)
    if meant:
        return f'there is no "{name}" in {section}; did you mean "{meant}"?'
    return f'there is no "{name}" in {section}; ' + (
        f"there is: {', '.join(known)}" if known else "there is none at all"
    )
