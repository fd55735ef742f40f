"""One attempt to make a release live: its phase, its cause, and the only way it moves on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from bluegreen.domain.phases import REOPENED, Outcome, Phase, next_phase
from bluegreen.domain.plans import Kind, Plan
from bluegreen.domain.records import Json
from bluegreen.domain.traffic import Colour


class Cause(StrEnum):
    """Why a deployment did not simply go on."""

    STEP_FAILED = "step-failed"
    DEADLINE = "deadline"
    OPERATOR = "operator"
    ALERT = "alert"
    REGRESSED = "regressed"
    BLIND = "blind"
    MOVED_OUTSIDE = "moved-outside"
    RESTARTED = "restarted-during-switch"
    FAILSAFE = "failsafe"
    """The daemon could not run while a release was watched. Nobody judged the release."""
    SENT_BACK = "sent-back"
    """bluegreen had sent users back and ended before it could write down why: somebody or something judged it."""
    GATE = "gate-refused"
    INTERNAL = "internal-error"

    @property
    def quarantines(self) -> bool:
        """True where the release itself is to blame or was judged by a person (rule 12)."""
        return self in (Cause.OPERATOR, Cause.ALERT, Cause.REGRESSED, Cause.SENT_BACK)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt at a phase ended, and why; `next` are commands for the operator."""

    outcome: Outcome
    reason: str = ""
    cause: Cause | None = None
    next: tuple[str, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to make a release live. `moved`: a forward write was at least intended, first at
    `moved_at`. `stopped`: parts of
    the old colour were stopped, so that the way back is a rollback. `elapsed`: seconds in this phase, as of the
    last save."""

    id: str
    plan: Plan
    created_at: datetime
    phase: Phase = Phase.PREPARING
    phase_since: datetime | None = None
    elapsed: float = 0.0
    attempt: int = 1
    moved: bool = False
    moved_at: datetime | None = None
    stopped: bool = False
    cause: Cause | None = None
    reason: str = ""
    next: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    path: tuple[Phase, ...] = (Phase.PREPARING,)
    ended_at: datetime | None = None
    settled: bool = False
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def new(self) -> Colour:
        """The colour that this deployment brings up."""
        return self.plan.idle

    @property
    def old(self) -> Colour:
        """The colour that served when it was planned: the way back."""
        return self.plan.live

    @property
    def found_worse(self) -> bool:
        """True where users met a new release and it was taken back for what it was (rule 12)."""
        judged = self.cause is not None and self.cause.quarantines
        return judged and self.moved and self.plan.kind is Kind.DEPLOY

    @property
    def blocks_others(self) -> bool:
        """True while no other deployment may start: it runs, or it is STRANDED and nobody settled it."""
        return not self.phase.final or (self.phase is Phase.STRANDED and not self.settled)

    def advance(self, answer: Answer, now: datetime) -> Self:
        """The same deployment in its next phase. The first cause is kept: what follows is its consequence."""
        phase = next_phase(self.phase, answer.outcome)
        failed = answer.outcome is not Outcome.DONE
        reason = self.reason
        if failed and answer.reason:
            reason = f"{reason}; then: {answer.reason}" if reason else answer.reason
        return self._enter(
            phase,
            now,
            cause=self.cause or (answer.cause if failed else None),
            reason=reason,
            next=answer.next or self.next,
            facts={**self.facts, **answer.facts},
        )

    def reopen(self, now: datetime) -> Self:
        """A STRANDED deployment back in REVERTING (`retry`, `cutback`); KeyError from any other phase."""
        return self._enter(REOPENED[self.phase], now, settled=False)

    def resumed(self) -> Self:
        """The same phase once more, after a restart of the daemon."""
        return replace(self, attempt=self.attempt + 1)

    def _enter(self, phase: Phase, now: datetime, **changes: Any) -> Self:
        return replace(
            self,
            phase=phase,
            phase_since=now,
            elapsed=0.0,
            path=(*self.path, phase),
            ended_at=now if phase.final else None,
            **changes,
        )
