"""What the API answers to `pause`, `resume` and `explain`. Also a source of its OpenAPI document."""

from bluegreen.domain.phases import Phase
from bluegreen.interfaces.models import Paused
from bluegreen.interfaces.models_base import Answer, Number, Time


class Pause(Answer):
    """Whether nothing moves by itself now; `ended` is the pause that `resume` ended."""

    pause: Paused | None
    ended: Paused | None = None


class SignalLine(Answer):
    """One signal's arithmetic. `more_bad`: bad events in a row that would cut back now; null where none would."""

    signal: str
    n: int
    bad: int
    rate: Number | None
    tolerated: Number
    odds: Number
    more_bad: int | None
    missing: int | None
    critical: bool


class LimitLine(Answer):
    """One fixed limit; a broken one cuts back whatever the odds say."""

    name: str
    value: Number
    limit: Number
    samples: int
    broken: bool


class Explanation(Answer):
    """The arithmetic of a verdict: of now (`current`), or of the moment when that phase was left."""

    deployment: str
    release: str
    phase: Phase
    at: Time
    current: bool
    verdict: str
    reason: str
    watched: Number
    odds: Number
    odds_needed: Number
    min_bad: int
    signals: tuple[SignalLine, ...]
    limits: tuple[LimitLine, ...]
    silent: tuple[str, ...]
    way_back: str
    held: str
    paused: str
