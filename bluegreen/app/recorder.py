"""Records everything that counts in a trial, so that it can be judged again: every bad event with its moment, good ones
added up by step of the trial's clock.

All events of a step meet the same stakes, so that nothing is lost by adding up; what was read at once is told apart by
a millisecond each time, since it was judged together. It is memory alone: recording.py writes it down, off the way from
a bad line to the decision.
"""

from dataclasses import dataclass, field
from typing import Any, Self

from bluegreen.app.baseline import Baseline
from bluegreen.app.samples import Sample
from bluegreen.app.trial import STEPS, Trial
from bluegreen.domain.records import Json
from bluegreen.domain.signals import CLIENT_BUCKETS, Batch, Counted, Gauged, Measured, Who
from bluegreen.domain.traffic import Colour

MOST = 400_000
"""Samples of one trial that are kept: at 50 a second more than two hours. One that names the clients of many failures
counts as so many, since each is a number to keep. What comes after is not recorded."""

PIECE = 2_000
"""Rows of the history that lie in one chunk: more would hold up the event loop while they are packed."""

DRAINS = 99
"""Readings of one step that are told apart; those after count as the last one."""

CUT_OFF = f"more than {MOST:,} samples came: those after this moment were not recorded"

Key = tuple[bool, str, str, bool]


@dataclass(slots=True)
class _Good:
    """Good events of one step."""

    n: int = 0
    asked: list[int] = field(default_factory=lambda: [0] * CLIENT_BUCKETS)

    def add(self, n: int, who: Who | None) -> None:
        self.n += n
        if who is not None:
            self.asked = [one + more for one, more in zip(self.asked, who.asked, strict=True)]


class Recorder:
    """What is to be written down of the trial that runs. `pending` are chunks that were cut off and are not known to be
    durable, by number."""

    def __init__(self, switched_at: float = 0.0, colours: tuple[str, str] = ("", "")) -> None:
        """Without colours it records nothing: no release is on trial. `colours`: the old one and the new one."""
        self.pending: dict[int, list[Sample]] = {}
        self._number = 0
        self._switched_at = round(switched_at, 3)
        self._colours = colours
        self._rows: list[Sample] = []
        self._good: dict[Key, _Good] = {}
        self._at = (0, 0)
        self._drain = 0
        self._recorded = 0

    @classmethod
    def of(cls, new: Colour, at: float, baseline: Baseline, trial: Trial) -> Self:
        """For a trial of `new` that begins at the wall time `at`, against this baseline."""
        recorder = cls(at, (str(new.other), str(new)))
        recorder._begin(baseline, trial)
        return recorder

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept with the trial; what was written after that is written anew. Raises KeyError, TypeError or
        ValueError where another program kept it."""
        if kept is None:
            return cls()
        old, new = kept["colours"]
        recorder = cls(float(kept["switched_at"]), (str(old), str(new)))
        recorder._go_on(int(kept["number"]), int(kept["recorded"]))
        return recorder

    def _begin(self, baseline: Baseline, trial: Trial) -> None:
        old, new = self._colours
        slow = baseline.worst_slow(trial.slow) if trial.slow else None
        told = {"switched_at": self._switched_at, "old": old, "new": new, "slow": slow}
        self._cut([self._about({**told, "side_by_side": trial.side_by_side})])
        for piece in _pieces(baseline.whole()):
            self._cut([self._about({"history": piece})])

    def _go_on(self, number: int, recorded: int) -> None:
        self._number, self._recorded = number, recorded
        for stale in (number + 1, number + 2):  # of the earlier life, which wrote on after it kept the trial
            self.pending[stale] = []

    def take(self, batch: Batch, trial: Trial, *, new: bool) -> None:
        """Record a batch as it counts."""
        if self._recorded >= MOST or not self._colours[1]:
            return
        self._turn(trial)
        if isinstance(batch, Gauged):
            self._settle()
            self._add(new, batch.signal, value=batch.value)
            return
        seen = trial.measure(batch)
        if not seen.bad:
            self._count(new, batch, seen.n, seen.who)
            return
        self._settle()
        clients = {} if seen.who is None or len(seen.who.failed) != seen.bad else _clients(seen.who)
        self._add(new, batch.signal, n=seen.n, bad=seen.bad, key=batch.key, **clients)

    def drained(self) -> None:
        """What was read until now was judged: what comes next is judged by itself."""
        self._drain = min(self._drain + 1, DRAINS)

    def mark(self, trial: Trial, **what: Json) -> None:
        """Record that users were moved."""
        if not self._colours[1]:
            return
        self._turn(trial)
        self._settle()
        self._rows.append(self._about(what))

    def cut(self) -> None:
        """What was recorded until now makes a chunk of its own; nothing where nothing was."""
        self._settle()
        rows, self._rows = self._rows, []
        if rows:
            self._cut(rows)

    def kept(self, number: int) -> None:
        """A chunk is durable."""
        self.pending.pop(number, None)

    def to_json(self) -> Json:
        """Where it stands, to be kept together with the trial right after `cut`."""
        if not self._colours[1]:
            return None
        return {
            "number": self._number,
            "recorded": self._recorded,
            "switched_at": self._switched_at,
            "colours": list(self._colours),
        }

    def _cut(self, rows: list[Sample]) -> None:
        self.pending[self._number] = rows
        self._number += 1

    def _turn(self, trial: Trial) -> None:
        """Good ones are added up until the next step, or the next judgement."""
        if trial.step != self._at[0]:
            self._drain = 0
        at = (trial.step, self._drain)
        if at != self._at:
            self._settle()
            self._at = at

    def _count(self, new: bool, batch: Counted | Measured, n: int, who: Who | None) -> None:
        if n:
            self._good.setdefault((new, batch.signal, batch.key, who is not None), _Good()).add(n, who)

    def _settle(self) -> None:
        good, self._good = self._good, {}
        for (new, signal, key, known), each in good.items():
            clients: dict[str, Any] = {"asked": tuple(each.asked), "failed": ()} if known else {}
            self._add(new, signal, n=each.n, key=key, **clients)

    def _add(self, new: bool, signal: str, **what: Any) -> None:
        self._rows.append(Sample(self._t, self._colours[new], signal, **what))
        before = self._recorded
        self._recorded += max(1, len(what.get("failed", ())))
        if before < MOST <= self._recorded:
            self._rows.append(self._about({"cut_off": CUT_OFF}))

    def _about(self, what: Json) -> Sample:
        return Sample(self._t, self._colours[1], "5xx", n=0, about=what)

    @property
    def _t(self) -> float:
        step, drain = self._at
        return round(self._switched_at + step / STEPS + drain / 1000, 3)


def _clients(who: Who) -> dict[str, Any]:
    return {"asked": who.asked, "failed": who.failed}


def _pieces(whole: Json) -> list[Json]:
    """A baseline in pieces that `Baseline.restore` takes, without its durations: `slow` says what they come to."""
    found: list[Json] = [{"histories": {}, "durations": {}, "ranges": whole["ranges"]}] if whole["ranges"] else []
    for signal, rows in whole["histories"].items():
        parts = (rows[begin : begin + PIECE] for begin in range(0, len(rows), PIECE))
        found += [{"histories": {signal: part}, "durations": {}, "ranges": {}} for part in parts]
    return found
