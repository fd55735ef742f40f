"""Continuity: what one colour gives its users must hold on the other."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.domain.words import GIVEN
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.sections_steps import MOST_STEPS, DirectStep, Steps, Values, check_names, check_words
from bluegreen.settings.values import Duration, Name, Period


class MintStep(DirectStep):
    """One request by which something is had of a colour. Cookies are kept, and are sent by `use` too."""


class UseStep(DirectStep):
    """One request with what was had: with its cookies, and with its captured values as {name}."""


class AfterStep(DirectStep):
    """One request by which it is given back; a failure is told, and is no more than that."""


class Continuity(Section):
    """What one colour gives its users must hold on the other one: a session made on blue is good on green, and the
    reverse. It is tried before users are moved, each way, past Caddy; and what the live colour gave before the
    migrations must hold there after them."""

    name: Name = Field(description="What it is called in reports.", examples=["login"])
    kind: Literal["session", "token"] = Field(
        default="session", description="What users are given; it is named in reports."
    )
    service: Name | None = Field(
        default=None, description="The service that is asked by steps that name none.", examples=["identity"]
    )
    mint: tuple[MintStep, ...] = Field(
        min_length=1,
        max_length=MOST_STEPS,
        description="The requests by which it is had, in order, at the first address of a colour.",
    )
    use: tuple[UseStep, ...] = Field(
        min_length=1,
        max_length=MOST_STEPS,
        description="The requests that must go well with it, at each address of the other colour.",
    )
    after: tuple[AfterStep, ...] = Field(
        default=(),
        max_length=MOST_STEPS,
        description="The requests by which it is given back where it was had, a logout above all. Empty: it is left "
        "to expire.",
    )
    values: Values = Field(
        default={},
        description='Values for all steps, as {name}. A value may be { credential = "NAME" }; none is ever shown. '
        "{release} and {colour} are known by themselves: those of the colour that is asked.",
        examples=[{"user": "probe@example.org", "password": "text"}],
    )
    lasts: Period | None = Field(
        default=None,
        description="How long it holds at least. Where the migrations took longer, a new one is had after them. Not "
        "set: longer than any migration takes.",
        examples=["15m"],
    )
    step_timeout: Period = Field(default=as_written("5s"), description="How long one request may take.")
    timeout: Period = Field(
        default=as_written("30s"),
        description="How long all steps of `mint`, of `use` or of `after` may take together, at one address.",
    )
    retries: int = Field(default=2, ge=0, description="How many more tries `mint` and each `use` have.")
    retry_delay: Duration = Field(default=as_written("1s"), description="Time between two tries.")

    @property
    def parts(self) -> dict[str, Steps]:
        """The steps by their key."""
        return {"mint": self.mint, "use": self.use, "after": self.after}

    @model_validator(mode="after")
    def _words_are_known(self) -> Self:
        check_names(self.values, *self.parts.values())
        minted = check_words(self.mint, {*self.values, *GIVEN}, "mint: step")
        for key, steps in (("use", self.use), ("after", self.after)):
            check_words(steps, minted, f"{key}: step")
        return self

    @model_validator(mode="after")
    def _every_step_has_a_service(self) -> Self:
        if self.service is None and any(step.service is None for steps in self.parts.values() for step in steps):
            raise ValueError("needs `service`: the name of the service that is asked by steps that name none")
        return self
