"""Numbers that are asked for: [[watch.prometheus]], [[watch.sql]], [[watch.http_json]], and what they share."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.domain.rules import Direction, GaugeRule, SignalRule
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Name, Period
from bluegreen.settings.values_answers import HeaderName
from bluegreen.settings.values_signals import JsonPlace, Margin, PlainUrl, SignalName

Sides = Literal["above", "below", "outside"]


class Asked(Section):
    """What all of them share: how often they are asked, what is bad, and how much they count."""

    name: SignalName = Field(description="What it is called in verdicts and limits.", examples=["queue"])
    interval: Period = Field(
        default=as_written("5s"), description="Time between two questions. The next one waits for the last."
    )
    timeout: Period = Field(default=as_written("3s"), description="How long one answer may take.")
    bad_when: Sides | None = Field(
        default=None,
        description='On which side of what the live colour showed in 24 h a value is bad: "above", "below" or '
        '"outside". Not set: "above". Not with `low`, `high` or `total`.',
        examples=["above"],
    )
    margin: Margin = Field(
        default=as_written("20%"),
        description="How far beyond what the live colour showed a value may go, as a share of it.",
    )
    low: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="A value below this is bad, whatever was seen before. Not set: see `bad_when`.",
        examples=[0.0],
    )
    high: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="A value above this is bad, whatever was seen before. Not set: see `bad_when`.",
        examples=[200.0],
    )
    weight: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="How much it counts beside the others: the four signals of our own have 1 together.",
    )
    critical: bool = Field(
        default=False,
        description="true: without it no release is called healthy, and while it cannot be heard the verdict is blind.",
    )
    dry_run: bool = Field(default=False, description="true: it is shown and never decides.")
    errors: int = Field(
        default=3, ge=1, description="After so many failures in a row it counts as a signal that cannot be heard."
    )

    @property
    def counted(self) -> bool:
        """Whether it counts bad events of all, in place of measuring a value."""
        return False

    @property
    def direction(self) -> Sides:
        """On which side a value is bad."""
        if self.low is None and self.high is None:
            return self.bad_when or "above"
        return "above" if self.low is None else "below" if self.high is None else "outside"

    @property
    def rule(self) -> SignalRule:
        """How it counts in a verdict; the weight as it was written."""
        gauge = GaugeRule(Direction(self.direction), self.margin, self.low, self.high)
        return SignalRule(
            self.name,
            weight=self.weight,
            critical=self.critical,
            dry_run=self.dry_run,
            source=self.name,
            gauge=None if self.counted else gauge,
        )

    @model_validator(mode="after")
    def _sides_agree(self) -> Self:
        given = [key for key in ("bad_when", "margin", "low", "high") if key in self.model_fields_set]
        if self.counted and given:
            raise ValueError(
                f"`{given[0]}` is for a value, and with `total` bad events are counted: remove one of them"
            )
        fixed = [key for key in ("low", "high") if getattr(self, key) is not None]
        if fixed and self.bad_when is not None:
            raise ValueError(
                f"`bad_when` is what the live colour is asked about, and `{fixed[0]}` is fixed: remove one of them"
            )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g}): every value would be bad")
        return self


class PrometheusSignal(Asked):
    """A number from Prometheus. With {colour} in its query it is asked of each colour by itself; without, it belongs
    to whoever serves."""

    url: PlainUrl = Field(
        description="Where Prometheus is, with its path prefix if it has one.", examples=["http://127.0.0.1:9090"]
    )
    headers: dict[HeaderName, SecretText] = Field(
        default={},
        description='Headers of the question. A value may be { credential = "NAME" }.',
        examples=[{"Authorization": {"credential": "prometheus-auth"}}],
    )
    verify: bool = Field(
        default=True,
        description="false: over https its certificate is not verified. Then whoever is in between reads `headers`.",
    )
    query: str = Field(
        min_length=1,
        description="PromQL that gives one number: a scalar, or one series. With `total`: the counter of bad events.",
        examples=['sum(app_queue_length{env="{colour}"})'],
    )
    total: str | None = Field(
        default=None,
        min_length=1,
        description="PromQL of the counter of all events; then `query` counts the bad ones of them. Not set: `query` "
        "is a value.",
        examples=['sum(app_jobs_total{env="{colour}"})'],
    )
    interval: Period = Field(
        default=as_written("15s"),
        description="Time between two questions. Not shorter than Prometheus scrapes: one scrape would count twice.",
    )

    @property
    def counted(self) -> bool:
        """Whether `total` is set."""
        return self.total is not None


class SqlSignal(Asked):
    """A number from a shared database, in a read-only transaction."""

    database: Name = Field(description="The name of one of the [[databases]].", examples=["app"])
    built_in: Literal["connections", "active", "waiting_for_locks"] | None = Field(
        default=None,
        description="Each colour's sessions, known by [environments.<colour>] application_name: all of them, those "
        "that run a statement, or those that wait for a lock. The last two need the role pg_read_all_stats where the "
        "colours have roles of their own. This or `query`.",
        examples=["active"],
    )
    query: str | None = Field(
        default=None,
        min_length=1,
        description="SQL that gives one row of one number. With $1 (the colour's application_name, as a pattern for "
        "LIKE) or {colour} it is asked for each colour; without, it belongs to whoever serves. This or `built_in`.",
        examples=["SELECT count(*) FROM jobs WHERE failed AND worker LIKE $1"],
    )
    total: str | None = Field(
        default=None,
        min_length=1,
        description="SQL of the counter of all events; then `query` counts the bad ones of them, and both only grow. "
        "Not set: it is a value.",
        examples=["SELECT count(*) FROM jobs WHERE worker LIKE $1"],
    )

    @property
    def counted(self) -> bool:
        """Whether `total` is set."""
        return self.total is not None

    @property
    def needs_application_names(self) -> bool:
        """Whether a colour is known by its application_name."""
        return self.built_in is not None or "$1" in (self.query or "") + (self.total or "")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.built_in is None) is (self.query is None):
            raise ValueError('needs either `built_in`, for example built_in = "active", or `query`')
        if self.built_in is not None and self.total is not None:
            raise ValueError("`total` is for `query`: `built_in` is a value")
        return self


class HttpJsonSignal(Asked):
    """A number from a JSON document over HTTP. With {colour} or {address} in its url it is asked of each colour by
    itself; without, it belongs to whoever serves."""

    url: PlainUrl = Field(
        description="Where the document is. {colour} is filled in, and {address} with each address of `service`.",
        examples=["http://{address}/stats"],
    )
    service: Name | None = Field(
        default=None,
        description="The name of one of the [[services]], whose addresses {address} stands for. Not set: there is no "
        "{address}.",
        examples=["web"],
    )
    headers: dict[HeaderName, SecretText] = Field(
        default={},
        description='Headers of the question. A value may be { credential = "NAME" }.',
        examples=[{"Authorization": {"credential": "stats-auth"}}],
    )
    verify: bool = Field(
        default=True,
        description="false: over https its certificate is not verified. Then whoever is in between reads `headers`.",
    )
    value: JsonPlace = Field(
        description="Where in the document the number stands: a JSON pointer, or a JSONPath that fits one value. With "
        "`total`: the counter of bad events.",
        examples=["/jobs/failed"],
    )
    total: JsonPlace | None = Field(
        default=None,
        description="Where the counter of all events stands; then `value` counts the bad ones of them. Not set: "
        "`value` is a value.",
        examples=["/jobs/done"],
    )

    @property
    def counted(self) -> bool:
        """Whether `total` is set."""
        return self.total is not None

    @model_validator(mode="after")
    def _address_has_a_service(self) -> Self:
        if ("{address}" in self.url) is not (self.service is not None):
            raise ValueError("`service` and {address} in `url` belong together: write both, or none of them")
        unknown = set(re.findall(r"\{.*?\}", self.url)) - {"{colour}", "{address}"}
        if unknown:
            raise ValueError(f"{quoted(min(unknown))} in `url` is not filled in: only {{colour}} and {{address}} are")
        return self
