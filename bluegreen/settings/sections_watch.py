"""How a release is watched: the sections [watch] and below."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.settings.section import Section, as_written
from bluegreen.settings.sections_flows import Flow
from bluegreen.settings.sections_limits import Limit, Signals
from bluegreen.settings.sections_log_lines import DEPRECATED, LogLines, PatternOrNone
from bluegreen.settings.sections_routes import Route
from bluegreen.settings.sections_signals import Asked, HttpJsonSignal, PrometheusSignal, SqlSignal
from bluegreen.settings.values import Duration, Period, Share


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
    standby_smoke: Duration = Field(
        default=as_written("30s"),
        description="Time between two rounds of the smoke checks against the old colour while there is a way back to "
        "it. It is asked for readiness every second in any case. Three rounds that fail in a row: there is no way "
        'back, and a human is called. "0s": not at all.',
    )
    aftermath: Duration = Field(
        default=as_written("2m"),
        description="How long after a cutback the old colour is compared with what the new one showed before it, to "
        'tell a worse release from a shared cause. Nothing is moved by it. "0s": not at all.',
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
    routes: tuple[Route, ...] = Field(default=(), description="Classes of requests that are counted apart.")
    prometheus: tuple[PrometheusSignal, ...] = Field(default=(), description="Numbers from Prometheus.")
    sql: tuple[SqlSignal, ...] = Field(default=(), description="Numbers from a shared database.")
    http_json: tuple[HttpJsonSignal, ...] = Field(default=(), description="Numbers from JSON documents over HTTP.")
    log_lines: LogLines = Field(default=(), description="Lines of a colour's own log that tell of a worse release.")
    deprecations: PatternOrNone = Field(
        default=DEPRECATED,
        description="Regular expression of the lines in a colour's own log that are counted for each deployment and "
        'told at its end, and decide nothing. "": none. Without `follow` in [environments] nothing is counted.',
    )
    signals: Signals = Field(default=Signals(), description="How the signals that are always there count.")
    limits: tuple[Limit, ...] = Field(default=(), description="Plain rules beside the verdict.")
    flows: tuple[Flow, ...] = Field(default=(), description="Requests in order, such as a login.")
    in_flight: bool = Field(
        default=True,
        description="Whether Caddy is asked twice a second how many requests are under way. It shows a colour that "
        "takes users' requests and answers none, also where probes are answered. It needs caddy.access_log.",
    )
    advanced: Advanced = Field(default=Advanced(), description="The arithmetic of the verdict.")

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Every number that is asked for."""
        return (*self.prometheus, *self.sql, *self.http_json)

    @model_validator(mode="after")
    def _probes_are_heard(self) -> Self:
        if self.advanced.silent_after <= self.probes.interval + self.probes.timeout:
            raise ValueError(
                "advanced.silent_after must be longer than probes.interval and probes.timeout together: between two "
                "probes every source would seem silent"
            )
        return self
