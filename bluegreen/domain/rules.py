"""How a release is judged, signal by signal and limit by limit: what the configuration says, as the domain needs it."""

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """On which side of what was usual a gauge is bad."""

    ABOVE = "above"
    BELOW = "below"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class GaugeRule:
    """When a sample of a gauge is bad: outside [`low`, `high`] where one of them is set, else outside the range that
    the live colour showed, widened by `margin` (a share of 1 of that range's ends), on the side of `direction`."""

    direction: Direction = Direction.ABOVE
    margin: float = 0.2
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SignalRule:
    """How one signal counts. `weight`: its part of the stake (of all weights together). `critical`: `healthy` needs
    it, and nobody knows how users fare while its `source` is silent. `synthetic`: its events are our own probes and
    say nothing about whether users were there. `dry_run`: it is shown and never decides. `gauge` None: it is counted.
    `label`: how people call it, where the name is not enough."""

    name: str
    weight: float
    critical: bool = False
    synthetic: bool = False
    dry_run: bool = False
    source: str = ""
    gauge: GaugeRule | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A plain rule, evaluated beside the account: it cuts back on its own, whatever the odds.

    For a counted signal: the share of bad events of the last `window_s` seconds is above (or below) `value`, with at
    least `min_samples` of them, in `in_a_row` windows back to back. `window_s` 0: each event is judged on its own, and
    `in_a_row` bad ones after one another break it. For a gauge: `in_a_row` samples after one another are beyond
    `value`. `each_key`: every key of the signal (say, every service's probe) on its own. `dry_run`: it is shown and
    never decides. `unless_usual`: it does not hold where the live colour's history has a bad event of that signal.
    """

    name: str
    signal: str
    value: float
    direction: Direction = Direction.ABOVE
    window_s: float = 30.0
    min_samples: int = 1
    in_a_row: int = 1
    each_key: bool = False
    dry_run: bool = False
    unless_usual: bool = False


USERS = "access_log"
"""The source that hears users: where its signals counted nothing, no user came."""

PROBES = "probes"
"""The source whose requests are like users' own, and may stand in for those that do not come."""

SIGNALS = (
    SignalRule("5xx", weight=0.4, critical=True, source="access_log"),
    SignalRule("auth", weight=0.2, source="access_log"),
    SignalRule("slow", weight=0.2, source="access_log"),
    SignalRule("probe", weight=0.2, critical=True, synthetic=True, source="probes"),
)
