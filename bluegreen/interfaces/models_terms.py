"""How a plan promises to judge: its signals and plain rules, as the API shows them."""

from bluegreen.domain.rules import Direction
from bluegreen.interfaces.models_base import Answer, Number


class GaugeRule(Answer):
    """When a sample is bad: outside of what is fixed, else of what the live colour showed and a margin."""

    direction: Direction
    margin: Number
    low: Number | None
    high: Number | None


class SignalRule(Answer):
    """How one signal counts; `weight` of the weights of all that decide, or of all in dry run."""

    name: str
    weight: Number
    critical: bool
    synthetic: bool
    dry_run: bool
    source: str
    gauge: GaugeRule | None
    label: str


class LimitRule(Answer):
    """A plain rule beside the account; `window_s` 0: events one by one."""

    name: str
    signal: str
    value: Number
    direction: Direction
    window_s: Number
    min_samples: int
    in_a_row: int
    each_key: bool
    dry_run: bool
    unless_usual: bool
