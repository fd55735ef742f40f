"""What the API answers to `pause`, `resume` and `explain`. Also a source of its OpenAPI document."""

from bluegreen.domain.phases import Phase
from bluegreen.interfaces.models import Paused
from bluegreen.interfaces.models_base import Answer, Number, Time


class Pause(Answer):
    """Whether nothing moves by itself now; `ended` is the pause that `resume` ended."""

    pause: Paused | None
    ended: Paused | None = None


class KeyLine(Answer):
    """What must hold beside the odds: `turns` where it holds no cut back; `value` null: it is off."""

    name: str
    turns: bool
    value: Number | None
    needed: Number
    text: str


class RouteLine(Answer):
    """Where events came from: one route of one service, and its first bad line."""

    service: str
    route: str
    n: int
    bad: int
    line: str


class SignalLine(Answer):
    """One signal's arithmetic. `more_bad`: bad events in a row that would cut back now; null where none would. `state`
    is ok, bad, undecided or error, empty where an earlier version kept it."""

    signal: str
    n: int
    bad: int
    rate: Number | None
    tolerated: Number
    odds: Number
    more_bad: int | None
    missing: int | None
    critical: bool
    label: str
    state: str
    dry_run: bool
    synthetic: bool
    source: str
    trouble: str
    usual: Number
    history: int
    decides: str
    phi: Number
    share: Number
    made_up: int
    keys: tuple[KeyLine, ...]
    routes: tuple[RouteLine, ...]
    where: str


class LimitLine(Answer):
    """One fixed limit; a broken one cuts back whatever the odds say."""

    name: str
    value: Number
    limit: Number
    samples: int
    broken: bool
    signal: str
    text: str
    dry_run: bool
    window: Number
    min_samples: int
    run: int
    in_a_row: int


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
    troubles: tuple[str, ...]
    dry: tuple[SignalLine, ...]
    side_by_side: bool
