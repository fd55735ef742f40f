"""How a release is judged: the promise about false cuts, what is tolerated, and how the stake is spread over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, log1p
from typing import Any

from bluegreen.domain.history import Clients, Count, History
from bluegreen.domain.rules import SIGNALS, GaugeRule, SignalRule
from bluegreen.domain.tolerance import Tolerance, tolerance, tolerated

GRID = (1.5, 2.5, 5.0, 12.0, 40.0, 200.0, 2000.0)
"""Effect sizes bet on, as odds ratios over the tolerated rate: from "half as much again" to an outage."""


@dataclass(frozen=True, slots=True)
class WatchRules:
    """How a release is judged. Times in seconds, rates as shares of 1.

    alpha: probability of a false cut per deployment, over all signals and the whole watch. min_bad: bad
    events below which nothing is cut. min_effect: how much worse a release called healthy must not be. rel,
    plus, delta: see `tolerance`. tau_s: time scale on which the stake is released.
    """

    window_s: float = 1800.0
    standby_s: float = 3600.0
    alpha: float = 0.001
    min_bad: int = 3
    min_effect: float = 0.01
    probe_failures_in_a_row: int = 3
    rel: float = 1.5
    plus: float = 0.002
    delta: float = 1e-4
    tau_s: float = 10.0
    grid: tuple[float, ...] = GRID
    signals: tuple[SignalRule, ...] = SIGNALS

    def __post_init__(self) -> None:
        if not (0.0 < self.alpha < 1.0 and 0.0 < self.delta < 1.0):
            raise ValueError(f"alpha {self.alpha} and delta {self.delta} must lie between 0 and 1")
        if not (self.window_s > 0.0 and self.standby_s >= 0.0 and self.tau_s > 0.0):
            raise ValueError("window_s and tau_s must be above 0 seconds, standby_s not below")
        if not (0.0 < self.min_effect < 1.0 and self.rel >= 1.0 and self.plus >= 0.0):
            raise ValueError("min_effect must lie between 0 and 1, rel be at least 1 and plus at least 0")
        if not self.grid or min(self.grid) <= 1.0:
            raise ValueError(f"every effect size bet on must be above 1: {self.grid}")
        _check_signals(self.signals)

    def tolerance(self, *, n: int, bad: int) -> Tolerance:
        """What these rules tolerate after the live colour's `bad` of `n`."""
        return tolerance(n=n, bad=bad, rel=self.rel, plus=self.plus, delta=self.delta)

    def tolerated(self, history: History) -> Tolerance:
        """What these rules tolerate after a history of the live colour."""
        clients = history.clients()
        return self.tolerated_counts(history.counts(clients), clients)

    def tolerated_counts(self, counts: Sequence[Count], clients: Clients = Clients.UNKNOWN) -> Tolerance:
        """What these rules tolerate after counts of the live colour, in order of time and of any length each."""
        return tolerated(counts, rel=self.rel, plus=self.plus, delta=self.delta, clients=clients)

    def released(self, t_s: float) -> float:
        """Share of the stake that is bet `t_s` seconds after the switch: one half at 0, all at the end."""
        end = self.window_s + self.standby_s
        t = min(max(t_s, 0.0), end)
        return 0.5 + 0.5 * log1p(t / self.tau_s) / log1p(end / self.tau_s)


def _check_signals(signals: tuple[SignalRule, ...]) -> None:
    names = [signal.name for signal in signals]
    if len(set(names)) < len(names):
        raise ValueError(f"a signal is named twice: {', '.join(names)}")
    if any(signal.weight <= 0.0 for signal in signals) or abs(fsum(s.weight for s in signals) - 1.0) > 1e-9:
        raise ValueError("the weights of the signals must be above 0 and add up to 1, so that they share one alpha")
    if not any(signal.critical for signal in signals):
        raise ValueError("no signal is critical: a release would be healthy without a single sample")


def saved_rules(saved: dict[str, Any]) -> WatchRules:
    """The rules that `asdict` made, also of a version that knew fewer. KeyError, TypeError or ValueError where they
    are no rules."""
    signals = tuple(_saved_signal(signal) for signal in saved["signals"])
    return WatchRules(**{**saved, "grid": tuple(saved["grid"]), "signals": signals})


def _saved_signal(saved: dict[str, Any]) -> SignalRule:
    gauge = saved.get("gauge")
    return SignalRule(**{**saved, "gauge": None if gauge is None else GaugeRule(**gauge)})
