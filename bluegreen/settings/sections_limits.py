"""How each signal of our own counts, and the plain rules beside the verdict: [watch.signals] and [[watch.limits]]."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from bluegreen.domain.rules import Direction
from bluegreen.settings import units
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Duration, Name

ENOUGH = 50
"""Events from which a share means anything, where the operator does not say."""


def _bound(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be a percentage, for example "2%", or for a gauge a number, for example 200')  # noqa: TRY004 - pydantic's protocol
    if isinstance(value, str):
        units.parse_percent(value)
        return value.replace(" ", "")
    return float(value)


Bound = Annotated[
    float | str, BeforeValidator(_bound), Shape("percentage, or a number for what is measured in one", "2%")
]
"""A number as it is; a percentage as it was written."""


class OwnSignal(Section):
    """How one of our own signals counts."""

    weight: float = Field(
        default=0.2,
        gt=0,
        le=10,
        allow_inf_nan=False,
        description="Its part of the evidence, of the weights of all signals together.",
    )
    critical: bool = Field(
        default=False,
        description="Whether a release is healthy only with enough of it; while its source cannot be heard the verdict "
        "is blind.",
    )
    dry_run: bool = Field(default=False, description="Whether it is only shown, and decides nothing.")


class ErrorsSignal(OwnSignal):
    """Answers with a 5xx."""

    weight: float = Field(
        default=0.4,
        gt=0,
        le=10,
        allow_inf_nan=False,
        description="Its part of the evidence, of the weights of all signals together.",
    )
    critical: bool = Field(
        default=True,
        description="Whether a release is healthy only with enough of it; while its source cannot be heard the verdict "
        "is blind.",
    )


class ProbeSignal(OwnSignal):
    """Our own probes."""

    critical: bool = Field(
        default=True,
        description="Whether a release is healthy only with enough of it; while its source cannot be heard the verdict "
        "is blind.",
    )


class Signals(Section):
    """The signals that are always there."""

    errors: ErrorsSignal = Field(default=ErrorsSignal(), alias="5xx", description="Answers with a 5xx.")
    auth: OwnSignal = Field(default=OwnSignal(), description="Auth failures; [[watch.routes]] share its weight.")
    slow: OwnSignal = Field(default=OwnSignal(), description="Answers that take longer than was usual.")
    probe: ProbeSignal = Field(default=ProbeSignal(), description="Our own probes.")


class Limit(Section):
    """A plain rule beside the verdict: it cuts back by itself, whatever the odds, and knows nothing of what was usual.

    It stands outside of the bound on false cutbacks: one that is too tight cuts back good releases.
    """

    name: Name = Field(description="What it is called in verdicts.", examples=["errors"])
    signal: str = Field(
        description='The signal that it is about: "5xx", "auth", "slow", "probe", or one of those configured below '
        "[watch].",
        examples=["5xx"],
    )
    above: Bound | None = Field(
        default=None,
        description="Cut back where the share of bad events is above this percentage, or the value of a gauge above "
        "this number. Neither this nor `below`: events are looked at one by one.",
        examples=["2%"],
    )
    below: Bound | None = Field(
        default=None, description="The same, below; for what must not fall short.", examples=[10]
    )
    window: Duration = Field(
        default=as_written("30s"),
        description="The share is that of so much time up to now. Has no meaning for gauges.",
    )
    min_samples: int | None = Field(
        default=None,
        ge=1,
        description="Fewer events in the window than this never cut back. Not set: 50 where it is about a share, else "
        "1.",
        examples=[50],
    )
    in_a_row: int = Field(
        default=1,
        ge=1,
        le=100,
        description="So many windows back to back must be beyond it; of a gauge, so many samples. Without `above` and "
        "`below`: so many bad events after one another.",
    )
    each_service: bool = Field(
        default=False, description="Whether each service is looked at by itself, as probes and slow answers allow."
    )
    dry_run: bool = Field(default=False, description="Whether it is only shown, and decides nothing.")

    @property
    def bound(self) -> float | str | None:
        """What must not be passed, as it was written; None where events are looked at one by one."""
        return self.above if self.above is not None else self.below

    @property
    def is_share(self) -> bool:
        """Whether it is about a share of bad events."""
        return isinstance(self.bound, str)

    @property
    def value(self) -> float:
        """The bound as a share of 1, or as the number that it is."""
        if self.bound is None:
            return 0.0
        return units.parse_percent(self.bound) if isinstance(self.bound, str) else self.bound

    @property
    def direction(self) -> Direction:
        """On which side of the bound is bad."""
        return Direction.ABOVE if self.below is None else Direction.BELOW

    @property
    def enough(self) -> int:
        """Events below which nothing is cut."""
        return self.min_samples or (ENOUGH if self.is_share else 1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.above is not None and self.below is not None:
            raise ValueError("`above` and `below` are two rules: write one table for each")
        if self.bound is None and "window" not in self.model_fields_set and "in_a_row" not in self.model_fields_set:
            raise ValueError(
                'needs `above` or `below`, for example above = "2%", or `in_a_row`, so many bad events after one '
                "another"
            )
        if self.bound is None and "window" in self.model_fields_set:
            raise ValueError(
                "`window` needs `above` or `below`; without them, `in_a_row` bad events after one another cut back"
            )
        if self.is_share and self.window < 1:
            raise ValueError(f"window ({quoted(units.format_duration(self.window))}) is shorter than a second")
        return self
