"""The story as a table: every phase, and the only moves between them.

Nothing sets a phase but `Deployment.advance(outcome)`, which asks this table. A cell that is missing is a
move that does not exist: the phases that recover (ASSESSING, ABANDONING, REVERTING) ignore an abort.
"""

from enum import StrEnum


class Phase(StrEnum):
    """Where a deployment stands. The comment of each row of NEXT says what the phase makes true."""

    PREPARING = "PREPARING"
    BACKING_UP = "BACKING_UP"
    REHEARSING = "REHEARSING"
    EXPANDING = "EXPANDING"
    PROVING = "PROVING"
    STARTING = "STARTING"
    TESTING = "TESTING"
    AWAITING = "AWAITING"
    CANARYING = "CANARYING"
    SWITCHING = "SWITCHING"
    WATCHING = "WATCHING"
    STANDING_BY = "STANDING_BY"
    RETIRING = "RETIRING"
    CONTRACTING = "CONTRACTING"
    ASSESSING = "ASSESSING"
    ABANDONING = "ABANDONING"
    REVERTING = "REVERTING"
    LIVE = "LIVE"
    ABANDONED = "ABANDONED"
    REVERTED = "REVERTED"
    STRANDED = "STRANDED"

    @property
    def final(self) -> bool:
        """True where the deployment has ended."""
        return self in FINAL

    @property
    def ignores_abort(self) -> bool:
        """True where an abort changes nothing, because the phase is already the way back."""
        return not self.final and Outcome.ABORTED not in NEXT[self]


class Outcome(StrEnum):
    """How one attempt at a phase ended."""

    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


P, O = Phase, Outcome  # noqa: E741 - the table is read as a table

FINAL = frozenset({P.LIVE, P.ABANDONED, P.REVERTED, P.STRANDED})

# fmt: off
NEXT: dict[Phase, dict[Outcome, Phase]] = {
    # the plan holds: config, routes, connectivity, disk, connection budget, live smoke, live signals, baseline
    P.PREPARING:   {O.DONE: P.BACKING_UP,  O.FAILED: P.ABANDONED,  O.ABORTED: P.ABANDONED},
    # a verified dump exists
    P.BACKING_UP:  {O.DONE: P.REHEARSING,  O.FAILED: P.ABANDONED,  O.ABORTED: P.ABANDONED},
    # the expand migrations were run on a scratch clone and are backward compatible
    P.REHEARSING:  {O.DONE: P.EXPANDING,   O.FAILED: P.ABANDONED,  O.ABORTED: P.ABANDONED},
    # the live schema is expanded
    P.EXPANDING:   {O.DONE: P.PROVING,     O.FAILED: P.ASSESSING,  O.ABORTED: P.ASSESSING},
    # the live colour still passes its checks on the expanded schema (old-on-new)
    P.PROVING:     {O.DONE: P.STARTING,    O.FAILED: P.STRANDED,   O.ABORTED: P.ABANDONED},
    # the idle colour runs the release and is ready
    P.STARTING:    {O.DONE: P.TESTING,     O.FAILED: P.ABANDONING, O.ABORTED: P.ABANDONING},
    # smoke checks pass against the idle colour, without users
    P.TESTING:     {O.DONE: P.AWAITING,    O.FAILED: P.ABANDONING, O.ABORTED: P.ABANDONING},
    # an operator promoted (or promotion is automatic)
    P.AWAITING:    {O.DONE: P.CANARYING,   O.FAILED: P.ABANDONING, O.ABORTED: P.ABANDONING},
    # the configured shares of traffic were served well
    P.CANARYING:   {O.DONE: P.SWITCHING,   O.FAILED: P.REVERTING,  O.ABORTED: P.REVERTING},
    # all traffic goes to the new colour, proved through the front door
    P.SWITCHING:   {O.DONE: P.WATCHING,    O.FAILED: P.REVERTING,  O.ABORTED: P.REVERTING},
    # the watch window passed without a regression
    P.WATCHING:    {O.DONE: P.STANDING_BY, O.FAILED: P.REVERTING,  O.ABORTED: P.REVERTING},
    # the old colour was kept warm for an instant way back
    P.STANDING_BY: {O.DONE: P.RETIRING,    O.FAILED: P.REVERTING,  O.ABORTED: P.REVERTING},
    # the old colour is drained and stopped
    P.RETIRING:    {O.DONE: P.CONTRACTING, O.FAILED: P.LIVE,       O.ABORTED: P.REVERTING},
    # contract migrations ran, if allowed and asked for
    P.CONTRACTING: {O.DONE: P.LIVE,        O.FAILED: P.LIVE,       O.ABORTED: P.LIVE},
    # what was applied is named; if anything was, the live colour is proved on it
    P.ASSESSING:   {O.DONE: P.ABANDONED,   O.FAILED: P.STRANDED},
    # the idle colour is stopped; traffic never moved
    P.ABANDONING:  {O.DONE: P.ABANDONED,   O.FAILED: P.ABANDONED},
    # traffic is back on the old colour, proved
    P.REVERTING:   {O.DONE: P.REVERTED,    O.FAILED: P.STRANDED},
}
# fmt: on

REOPENED = {P.STRANDED: P.REVERTING}
"""The only row out of a final phase: `retry` or `cutback` of a STRANDED deployment."""

BEFORE_SWITCH = (P.PREPARING, P.BACKING_UP, P.REHEARSING, P.EXPANDING, P.PROVING, P.STARTING, P.TESTING, P.AWAITING)
"""Phases in which no user has met the new release, whatever happens."""

WATCHED = frozenset({P.CANARYING, P.SWITCHING, P.WATCHING, P.STANDING_BY})
"""Phases in which an alert or an operator's cutback moves traffic back."""

AFTER_WATCH = frozenset({P.RETIRING, P.CONTRACTING})
"""Phases in which users stay on the new release: the way back is being given up, or is gone."""


AFTER_SWITCH = frozenset({P.WATCHING, P.STANDING_BY, P.RETIRING})
"""Phases in which all users are on the new release and the old one still runs: what began there may go on."""


def next_phase(phase: Phase, outcome: Outcome) -> Phase:
    """Return the phase that follows; KeyError where the table has no such move (a bug of the caller)."""
    return NEXT[phase][outcome]
