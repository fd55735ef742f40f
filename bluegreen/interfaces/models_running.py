"""What really runs of a colour, as the API shows it."""

from collections.abc import Mapping

from bluegreen.domain.parts import PartState
from bluegreen.interfaces.models_base import Answer, Time


class Part(Answer):
    """A container or a unit, as its supervisor tells. `image` is what it was started with, `digest` what it is."""

    name: str
    state: PartState
    image: str
    digest: str
    started_at: Time | None
    health: str
    detail: str
    properties: Mapping[str, str] = {}


class Difference(Answer):
    """A part is not as it was started, and no deployment did it. `key` is the same as long as the same is meant."""

    part: str
    key: str
    text: str


class Running(Answer):
    """What runs of a colour, as of `looked_at`; `unknown` says why nobody can tell since `since`."""

    release: str
    parts: tuple[Part, ...]
    looked_at: Time | None
    begun: Time | None
    differences: tuple[Difference, ...]
    unknown: str
    since: Time | None
