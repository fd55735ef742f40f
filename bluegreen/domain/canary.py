"""When a step of a canary may end before its time: enough of the users' answers in this very step, and no objection.

The account runs over all steps, the window and the standby with one alpha, so that a step is never a trial of its own.
But `healthy` alone is said of everything since the first step: right after a step began it would let the next one
begin at once, with a share that nobody has seen yet. So each step asks for its own samples again, and for those of
users: of our own probes only a share meets the new colour, and their thousands would never come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from bluegreen.domain.evidence import Evidence, Judgement, Verdict
from bluegreen.domain.plans import CanaryStep, Terms
from bluegreen.domain.records import Json
from bluegreen.domain.stakes import Key
from bluegreen.domain.tolerance import watch_needed
from bluegreen.domain.traffic import Colour, Split


@dataclass(frozen=True, slots=True)
class Served:
    """The step that serves: its number from 0, when it began (seconds in CANARYING), and what had been counted of each
    signal of the new colour by then."""

    number: int
    began: float
    seen: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> Json:
        """For the journal."""
        return {"number": self.number, "began": self.began, "seen": dict(self.seen)}

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept."""
        return cls(int(kept["number"]), float(kept["began"]), dict(kept["seen"]))


def split_for(colour: Colour, step: CanaryStep) -> Split:
    """How users are shared out in a step."""
    return Split(colour, step.share)


def describe_step(number: int, steps: tuple[CanaryStep, ...]) -> str:
    """`step 1 of 3 (5 %)`, for people."""
    return f"step {number + 1} of {len(steps)} ({100 * steps[number].share:g} %)"


def missing(judgement: Judgement, served: Served, terms: Terms) -> dict[str, int | None]:
    """Events that this step still needs, by signal: of each critical signal of users, or where none of those is
    critical of each critical one. 0: it has them; None: no number suffices."""
    critical = [evidence for evidence in judgement.signals if evidence.critical]
    users = [evidence for evidence in critical if not evidence.synthetic] or critical
    found: dict[str, int | None] = {}
    for evidence in users:
        needed = watch_needed(evidence.tolerated, terms.min_effect, terms.alpha)
        seen = evidence.n - served.seen.get(evidence.signal, 0)
        found[evidence.signal] = None if needed is None else max(needed - seen, 0)
    return found


def served_well(judgement: Judgement, served: Served, terms: Terms) -> bool:
    """Whether the step may end now, before its time: nothing speaks against it, and it has its samples."""
    fine = judgement.verdict in (Verdict.HEALTHY, Verdict.UNDECIDED) and not judgement.held_back
    return fine and all(left == 0 for left in missing(judgement, served, terms).values())


def shared_cause(judgement: Judgement) -> Evidence | None:
    """The signal that fails the users of both colours alike, so that nobody may blame the release; None without one."""
    for evidence in judgement.held_back:
        if any(key.key is Key.SHARED_CAUSE for key in evidence.holding):
            return evidence
    return None


def speaks_for_shared_cause(evidence: Evidence) -> bool:
    """Whether what is seen speaks for it, and it is not merely too early to rule it out: a release that alone fails its
    users is, for its first bad answers, a shared cause that nobody can rule out."""
    return any(key.key is Key.SHARED_CAUSE and key.value is not None and key.value < 1.0 for key in evidence.holding)


def in_words(judgement: Judgement, served: Served, terms: Terms) -> str:
    """What the step still lacks; empty where it lacks nothing."""
    lacking = {signal: left for signal, left in missing(judgement, served, terms).items() if left != 0}
    told = [
        f"{signal} cannot tell: every rate is tolerated" if left is None else f"{signal} needs {left:,} more"
        for signal, left in lacking.items()
    ]
    held = [evidence.describe_held() for evidence in judgement.held_back]
    blind = judgement.reasons if judgement.verdict is Verdict.BLIND else ()
    return "; ".join([*blind, *held, *told])
