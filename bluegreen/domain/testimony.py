"""What one signal says of the new colour: its arithmetic, its state, and what keeps it from being acted on."""

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.figures import as_odds, percent
from bluegreen.domain.keys import KeyReading
from bluegreen.domain.rules import PROBES


class State(StrEnum):
    """What one signal means: fine with enough samples, worse, too few samples, or its source cannot be heard."""

    OK = "ok"
    BAD = "bad"
    UNDECIDED = "undecided"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one signal says. `odds` are its part of the account's wealth, of which `share` was bet on it. `missing`:
    events it still needs before the release may be called good by it (0: it has them; None: no number suffices, since
    every rate is tolerated); `made_up`: those that good probes stood in for.

    `p` is the live colour's rate in `history_n` events and `phi` their over-dispersion; `decides` is the term that made
    the tolerated rate of them. `convicts`: it is why the release is worse; `keys` may hold it back. `trouble`:
    why its source cannot be heard, in words. `of_users`: its events are users' own.
    """

    signal: str
    n: int
    bad: int
    tolerated: float
    odds: float
    missing: int | None
    critical: bool
    synthetic: bool
    p: float = 0.0
    history_n: int = 0
    phi: float = 1.0
    decides: str = ""
    share: float = 1.0
    made_up: int = 0
    keys: tuple[KeyReading, ...] = ()
    convicts: bool = False
    trouble: str = ""
    dry_run: bool = False
    of_users: bool = True
    label: str = ""
    source: str = ""
    where: str = ""

    @property
    def name(self) -> str:
        """How people call the signal."""
        return self.label or self.signal

    @property
    def of_people(self) -> bool:
        """True where it tells what a request gets: of a user, or of a probe in place of one."""
        return self.of_users or self.source == PROBES

    @property
    def rate(self) -> float | None:
        """Share of bad events; None where nothing was seen, which is not a rate of 0."""
        return self.bad / self.n if self.n else None

    @property
    def state(self) -> State:
        """What it means by itself."""
        if self.convicts:
            return State.BAD
        if self.trouble:
            return State.ERROR
        return State.OK if self.missing == 0 else State.UNDECIDED

    @property
    def holding(self) -> tuple[KeyReading, ...]:
        """The keys that do not turn: whatever the odds, it cuts nothing while there is one."""
        return tuple(key for key in self.keys if not key.turns)

    def describe(self) -> str:
        """`5xx 38 of 1,204 (3.2 %) against tolerated 0.3 %: 1,840:1`."""
        if self.rate is None:
            return f"{self.name} nothing seen, tolerated {percent(self.tolerated)}"
        seen = f"{self.bad:,} of {self.n:,} ({percent(self.rate)})"
        return f"{self.name} {seen} against tolerated {percent(self.tolerated)}: {as_odds(self.odds)}"

    def describe_missing(self) -> str:
        """`5xx needs 312 more`."""
        if self.missing is None:
            return f"{self.name} cannot tell: every rate is tolerated"
        return f"{self.name} needs {self.missing:,} more"

    def describe_good(self) -> str:
        """`describe`, and how many probes stood in for users."""
        made_up = f" ({self.made_up:,} good probes stand in for users that did not come)" if self.made_up else ""
        return f"{self.describe()}{made_up}"

    def describe_held(self) -> str:
        """`describe`, and what holds it back."""
        return f"{self.describe()}, held back: {', '.join(key.describe() for key in self.holding)}"
