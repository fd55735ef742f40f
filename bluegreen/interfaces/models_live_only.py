"""The live-only parts as the API tells them."""

from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_base import Answer


class LiveOnly(Answer):
    """The parts that run only where users are: on `colour`, once `settled`. `known` is false where bluegreen never
    moved them; `problem` says why they are not where they should be."""

    names: tuple[str, ...]
    colour: Colour | None
    known: bool
    settled: bool
    doing: str
    problem: str
    next: tuple[str, ...]
