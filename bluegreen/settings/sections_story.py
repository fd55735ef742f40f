"""The story's terms: who promotes, how long phases may take, how the new colour is watched, how the old one leaves."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.domain.phases import Phase
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import Duration, Period, Share

NOTHING_TO_DO = 60.0
"""Seconds for a phase that has nothing configured in this version."""


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

    preparing: Period = Field(default=as_written("2m"), description="PREPARING: the checks before anything is done.")
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


class Probes(Section):
    """Requests of our own through the front door, always running: they see a colour that hangs, and make up for users
    at night."""

    interval: Period = Field(
        default=as_written("500ms"),
        description="Time between two probes of one service.",
    )
    timeout: Period = Field(
        default=as_written("1s"),
        description="A probe without an answer by then has failed.",
    )


class Advanced(Section):
    """The arithmetic of the verdict. The defaults are measured; change them only with a reason."""

    alpha: Share = Field(
        default=as_written("0.1%"),
        description="Probability of a false cutback per deployment, over all signals and however often they are "
        "looked at.",
    )
    min_bad: int = Field(
        default=3, ge=1, description="Fewer bad responses than this never cut back, however rare they were."
    )
    probe_failures: int = Field(
        default=3, ge=1, description="This many failed probes of one service in a row cut back on their own."
    )
    slow_factor: float = Field(
        default=1.0,
        gt=0,
        description="A response is slow when it takes longer than the live colour's 95th percentile times this.",
    )
    slow_floor: Duration = Field(
        default=as_written("25ms"),
        description="A response is never slow below this: a cold start costs a fast service milliseconds that no "
        "user notices.",
    )
    silent_after: Period = Field(
        default=as_written("10s"),
        description="A signal source that was heard and is silent for this long makes the verdict blind.",
    )


class Watch(Section):
    """What happens after the switch: how long users are watched, and what counts as worse."""

    window: Period = Field(
        default=as_written("30m"),
        description="How long the new colour must serve users without a regression. A real regression is cut back "
        "within seconds; the window is for what comes late.",
    )
    standby: Duration = Field(
        default=as_written("1h"),
        description="How long after the window the old colour is kept warm, so that the way back is instant. The "
        'watch goes on meanwhile. "0s": not at all.',
    )
    proving: Duration = Field(
        default=as_written("10s"),
        description="How long the live colour's users are watched on a schema that was just expanded, before the new "
        "release is started. They fare worse than before: a human is called, and the deployment goes no further. "
        '"0s": only the smoke checks are asked.',
    )
    on_blind: Literal["hold", "cutback"] = Field(
        default="hold",
        description='What to do when a signal that was heard stays silent to the deadline. "hold": stay, page, do '
        'not count it as done. "cutback": go back.',
    )
    on_no_traffic: Literal["probes", "hold"] = Field(
        default="probes",
        description='What decides when there are too few users to judge by. "probes": our own probes do. "hold": '
        "stay, page.",
    )
    min_effect: Share = Field(
        default=as_written("1%"),
        description="The smallest worsening worth ruling out, in percentage points: a signal is called healthy only "
        "once enough was seen to rule it out. Smaller: more traffic is needed; regressions are cut back all the "
        "same.",
    )
    probes: Probes = Field(default=Probes(), description="Our own requests through the front door.")
    advanced: Advanced = Field(default=Advanced(), description="The arithmetic of the verdict.")

    @model_validator(mode="after")
    def _probes_are_heard(self) -> Self:
        if self.advanced.silent_after <= self.probes.interval + self.probes.timeout:
            raise ValueError(
                "advanced.silent_after must be longer than probes.interval and probes.timeout together: between two "
                "probes every source would seem silent"
            )
        return self


class Retire(Section):
    """How a colour that serves no users any more is stopped."""

    drain: Duration = Field(
        default=as_written("10m"),
        description="How long streams and requests that are still open on the old colour may go on before it is "
        "stopped.",
    )
    inspect: Duration = Field(
        default=as_written("30m"),
        description="How long a release that was cut back is left running, without users, to be looked at. A restart "
        'of the daemon does not prolong it. "0s": it is stopped at once.',
    )


def phase_deadlines(deadlines: Deadlines, promotion: Promotion, watch: Watch) -> dict[Phase, float]:
    """Seconds that each phase may take; every phase that is not final has one."""

    def extended(seconds: float) -> float:
        return max(2 * seconds, seconds + 60.0)

    given = {Phase(name.upper()): seconds for name, seconds in deadlines if seconds is not None}
    own = {
        Phase.CANARYING: NOTHING_TO_DO,
        Phase.AWAITING: promotion.deadline,
        Phase.WATCHING: extended(watch.window),
        Phase.STANDING_BY: extended(watch.standby),
    }
    return {phase: (own | given)[phase] for phase in Phase if not phase.final}
