"""The story's terms: who promotes, how long phases may take, how the old colour leaves."""

from pydantic import Field

from bluegreen.domain.phases import Phase
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.sections_canary import Canary, longest
from bluegreen.settings.sections_watch import Watch
from bluegreen.settings.values import Duration, Period


class Promotion(Section):
    """The gate between a tested idle colour and users."""

    auto: bool = Field(
        default=False,
        description="Whether a tested release is promoted by itself. false: it waits for `bluegreen promote`.",
    )
    deadline: Period = Field(
        default=as_written("4h"),
        description="How long a tested release waits to be promoted; then it is given up and the idle colour stopped.",
    )


class Deadlines(Section):
    """How long each phase may take as a whole. A phase that passes its deadline has failed, with the end that a failure
    of that phase has; AWAITING has [promotion] deadline."""

    preparing: Period = Field(
        default=as_written("15m"),
        description="PREPARING: the checks before anything is done, and bringing what the release needs to the idle "
        "colour's host (images are pulled here; [environments.<colour>] timeout bounds that too).",
    )
    backing_up: Period = Field(
        default=as_written("6h"),
        description="BACKING_UP: dump and verification of all databases.",
    )
    rehearsing: Period = Field(
        default=as_written("15m"), description="REHEARSING: expand migrations and backfills, on a copy."
    )
    expanding: Period = Field(default=as_written("1h"), description="EXPANDING: all expand migrations.")
    proving: Period = Field(
        default=as_written("5m"),
        description="PROVING: the live colour's checks on the expanded schema, and [watch] proving. It is also how "
        "long data are waited for where nobody can tell how users fare.",
    )
    starting: Period = Field(
        default=as_written("15m"),
        description="STARTING: `up`, and readiness of every service.",
    )
    testing: Period = Field(default=as_written("10m"), description="TESTING: the smoke checks with their retries.")
    canarying: Period | None = Field(
        default=None,
        description="CANARYING: how far its steps may be extended while a signal is blind. Not set: twice the time of "
        "all [canary] steps, at least a minute more.",
        examples=["30m"],
    )
    switching: Period = Field(
        default=as_written("2m"),
        description="SWITCHING: the last check, the change in Caddy and its proof; then the traffic goes back.",
    )
    watching: Period | None = Field(
        default=None,
        description="WATCHING: how far the watch may be extended while a signal is blind. Not set: twice [watch] "
        "window, at least a minute more.",
        examples=["1h"],
    )
    standing_by: Period | None = Field(
        default=None,
        description="STANDING_BY: when to page if it cannot end. Not set: twice [watch] standby, at least a minute "
        "more.",
        examples=["2h"],
    )
    retiring: Period = Field(
        default=as_written("30m"),
        description="RETIRING: [retire] drain and `down`. Passed: the new release is live all the same, with a "
        "warning.",
    )
    contracting: Period = Field(
        default=as_written("1h"),
        description="CONTRACTING: all contract migrations. Passed: live, with a warning.",
    )
    assessing: Period = Field(
        default=as_written("5m"),
        description="ASSESSING: what a failed EXPANDING left behind, and the live colour's checks on it.",
    )
    abandoning: Period = Field(default=as_written("15m"), description="ABANDONING: stopping the idle colour.")
    reverting: Period = Field(
        default=as_written("2m"),
        description="REVERTING: when to page. The way back itself is tried on without end.",
    )


class Retire(Section):
    """How a colour that serves no users any more is stopped."""

    drain: Duration = Field(
        default=as_written("10m"),
        description="How long streams and requests that are still open on the old colour may go on before it is "
        "stopped. Where Caddy can be asked, it is stopped as soon as none is open.",
    )
    slice_pause: Duration = Field(
        default=as_written("10s"),
        description="Time between two `slices` of the old colour that are stopped one after the other: the clients of "
        "one come back before those of the next do.",
    )
    inspect: Duration = Field(
        default=as_written("30m"),
        description="How long a release that was cut back is left running, without users, to be looked at. A restart "
        'of the daemon does not prolong it. "0s": it is stopped at once.',
    )


def phase_deadlines(deadlines: Deadlines, promotion: Promotion, canary: Canary, watch: Watch) -> dict[Phase, float]:
    """Seconds that each phase may take; every phase that is not final has one."""

    def extended(seconds: float) -> float:
        return max(2 * seconds, seconds + 60.0)

    given = {Phase(name.upper()): seconds for name, seconds in deadlines if seconds is not None}
    own = {
        Phase.CANARYING: extended(longest(canary.steps)),
        Phase.AWAITING: promotion.deadline,
        Phase.WATCHING: extended(watch.window),
        Phase.STANDING_BY: extended(watch.standby),
    }
    return {phase: (own | given)[phase] for phase in Phase if not phase.final}
