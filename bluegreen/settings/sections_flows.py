"""Flows: requests in order through the front door, such as a login, run again and again."""

from typing import Self

from pydantic import Field, model_validator

from bluegreen.domain.rules import SignalRule
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.sections_steps import MOST_STEPS, Step, Values, check_words
from bluegreen.settings.values import Name, Period


class Flow(Section):
    """Requests in order that only mean something together, run again and again as a user of its own: a login above all.
    Each run is one event of the signal flow:<name>. What a flow writes is written with every run."""

    name: Name = Field(description="What it is called; its signal is flow:<name>.", examples=["login"])
    service: Name = Field(description="The service that its steps ask, through the front door.", examples=["web"])
    every: Period = Field(default=as_written("30s"), description="Time from the start of a run to that of the next.")
    timeout: Period = Field(default=as_written("10s"), description="How long all steps of a run may take together.")
    values: Values = Field(
        default={},
        description='Values for all steps, as {name}. A value may be { credential = "NAME" }; none is ever shown.',
        examples=[{"user": "probe@example.org", "password": "text"}],
    )
    weight: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="How much it counts beside the others: the four signals of our own have 1 together.",
    )
    critical: bool = Field(
        default=False,
        description="true: without it no release is called healthy. It takes many runs, so rarely useful.",
    )
    dry_run: bool = Field(default=False, description="true: it is shown and never decides.")
    steps: tuple[Step, ...] = Field(
        min_length=1, max_length=MOST_STEPS, description="The requests, in order; the first that fails ends the run."
    )

    @property
    def rule(self) -> SignalRule:
        """How it counts; the weight as it is written."""
        return SignalRule(
            f"flow:{self.name}", self.weight, self.critical, synthetic=True, dry_run=self.dry_run, source="flows"
        )

    @model_validator(mode="after")
    def _words_are_known(self) -> Self:
        check_words(self.steps, set(self.values))
        return self

    @model_validator(mode="after")
    def _runs_do_not_overlap(self) -> Self:
        if self.every < self.timeout:
            raise ValueError("`every` must not be shorter than `timeout`: runs of a flow never overlap")
        return self
