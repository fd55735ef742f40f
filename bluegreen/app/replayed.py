"""What came of judging a stream of samples: each change of the verdict, and what users got until then."""

from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.domain.evidence import Judgement, Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """The verdict became another one at `t` (the stream's time), `after` seconds of trial."""

    t: float
    after: float
    verdict: Verdict
    reason: str
    odds: float


@dataclass(frozen=True, slots=True)
class Served:
    """What the new colour served until some moment: events and bad ones by signal, as they came. `signal` is that of
    users' answers with the strongest evidence: one response may be bad in several ways, so that they are not added up.
    """

    events: Mapping[str, tuple[int, int]]
    signal: str

    @property
    def n(self) -> int:
        """Responses to users."""
        return self.events.get(self.signal, (0, 0))[0]

    @property
    def bad(self) -> int:
        """Bad ones of them."""
        return self.events.get(self.signal, (0, 0))[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `changes` begins with the verdict at the switch; `until_cut` is what users got of the new colour
    until it regressed, None where it did not; `in_all` what they got in the whole stream; `judged_until` is the
    stream's time at which the watch was over, or the stream."""

    changes: tuple[Change, ...]
    last: Judgement
    until_cut: Served | None
    in_all: Served
    judged_until: float
    ended: bool
    side_by_side: bool

    @property
    def cut(self) -> Change | None:
        """When and why it would have been cut back; None where it would have stayed."""
        found = self.changes[-1]
        return found if found.verdict is Verdict.REGRESSED else None
