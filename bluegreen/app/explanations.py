"""What `explain` answers: the arithmetic of a verdict, signal by signal and limit by limit."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of a signal: `turns` where it holds no cut back. `value` None: it is off. `text` says it in words."""

    name: str
    turns: bool
    value: float | None
    needed: float
    text: str


@dataclass(frozen=True, slots=True)
class RouteLine:
    """`bad` of `n` events of one route of one service, and the first bad line of them."""

    service: str
    route: str
    n: int
    bad: int
    line: str


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal's arithmetic: `rate` None where nothing was seen; `odds` its part of the account's; `more_bad` bad
    events in a row that would cut (None: no number would); `missing` events until it may be called good (None: never);
    `made_up` of them had probes stand in.

    `state` is ok, bad, undecided or error. The live colour had `usual` of `history` events bad, `phi` times as unsteady
    as chance; `decides` names the term that made `tolerated` of it. `share` of the stake was bet on this signal.
    `trouble`: why its source cannot be heard. `routes`: where bad ones came from, worst first.
    """

    signal: str
    n: int
    bad: int
    rate: float | None
    tolerated: float
    odds: float
    more_bad: int | None
    missing: int | None
    critical: bool
    label: str = ""
    state: str = ""
    dry_run: bool = False
    synthetic: bool = False
    source: str = ""
    trouble: str = ""
    usual: float = 0.0
    history: int = 0
    decides: str = ""
    phi: float = 1.0
    share: float = 1.0
    made_up: int = 0
    keys: tuple[KeyLine, ...] = ()
    routes: tuple[RouteLine, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One fixed limit: `broken` cuts whatever the odds say, but in dry run. `text` says it in words; a share is one of
    1, of the last `window` seconds; `run` of `in_a_row` are beyond it one after another."""

    name: str
    value: float
    limit: float
    samples: int
    broken: bool
    signal: str = ""
    text: str = ""
    dry_run: bool = False
    window: float = 0.0
    min_samples: int = 1
    run: int = 0
    in_a_row: int = 1


@dataclass(frozen=True, slots=True)
class Explanation:
    """The arithmetic of a verdict at `at`, after `watched` seconds: now (`current`), or when that phase was left. It
    cuts where `odds` reach `odds_needed` and every key of the strongest signal turns, or where a limit is broken.

    `silent` are the sources of critical signals that cannot be heard; `troubles` says of every source that cannot be
    heard why. `dry` are the signals in dry run, of which nothing follows. `side_by_side`: users met both colours then.
    """

    deployment: str
    release: str
    phase: str
    at: datetime
    current: bool
    verdict: str
    reason: str
    watched: float
    odds: float
    odds_needed: float
    min_bad: int
    signals: tuple[SignalLine, ...]
    limits: tuple[LimitLine, ...]
    silent: tuple[str, ...]
    way_back: str
    held: str
    paused: str
    troubles: tuple[str, ...] = ()
    dry: tuple[SignalLine, ...] = ()
    side_by_side: bool = False
