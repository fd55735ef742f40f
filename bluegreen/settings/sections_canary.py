"""The canary: which shares of the users meet a new release before all do, and how a person may see it before that."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from bluegreen.domain.plans import CanaryStep
from bluegreen.settings import units
from bluegreen.settings.credentials import Token
from bluegreen.settings.section import Section, Shape
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import HOST_NAME

LEAST = 8
"""Letters of a preview secret: it is asked for at the front door, where everybody may guess."""

FINEST = 0.01
"""Percent: a share is written with at most two decimals."""


def _parse_step(value: object) -> CanaryStep:
    if isinstance(value, CanaryStep):
        return value
    share, _, seconds = value.strip().partition(" ") if isinstance(value, str) else ("", "", "")
    try:
        step = CanaryStep(units.parse_percent(share), units.parse_duration(seconds.strip()))
    except ValueError as exc:
        raise ValueError(f'{quoted(value)} is not a step: write a share and for how long, as "5% 2m"') from exc
    if not 0 < step.share < 1 or step.seconds <= 0:
        raise ValueError(f"{quoted(value)}: a step is of more than 0% and less than 100%, and lasts a while")
    if abs(100 * step.share - round(100 * step.share, 2)) > FINEST / 1000:
        raise ValueError(f"{quoted(value)}: write the share with at most two decimals")
    return step


def _format_step(step: CanaryStep) -> str:
    return f"{units.format_percent(step.share)} {units.format_duration(step.seconds)}"


def _domain(value: str) -> str:
    name = value.removeprefix(".")
    if "." not in name or not re.fullmatch(HOST_NAME, name):
        raise ValueError(f'{quoted(value)} is not a domain that hosts share: write it as "example.org"')
    return name


def _long_enough(secret: Any) -> Any:
    if len(secret.get_secret_value()) < LEAST:
        raise ValueError(f"is shorter than {LEAST} letters: whoever guesses it sees a release that is not out yet")
    if not re.fullmatch(r"[A-Za-z0-9._~-]+", secret.get_secret_value()):
        raise ValueError("must be of letters, digits and . _ ~ - alone: it is also the value of a cookie")
    return secret


Step = Annotated[
    CanaryStep,
    BeforeValidator(_parse_step),
    PlainSerializer(_format_step, return_type=str, when_used="json"),
    Shape("share and duration", "5% 2m"),
]
Domain = Annotated[str, AfterValidator(_domain), Shape("domain", "example.org")]
Preview = Annotated[Token, AfterValidator(_long_enough)]


class Canary(Section):
    """Shares of the users that meet a new release before all do. Who they are is decided once, by a cookie of ours; one
    user meets the same colour in every service, and whoever met the new one in a step meets it in the next ones."""

    steps: tuple[Step, ...] = Field(
        default=(),
        description="Shares in growing order, each with the longest time it serves: a step ends before it, once enough "
        "answers were seen that speak for the release. Empty: no canary, all users are switched at once.",
        examples=[["5% 2m", "25% 5m"]],
    )
    cookie_domain: Domain | None = Field(
        default=None,
        description="The domain that the sites of all services share; the cookie `bluegreen` is set for it. Needed for "
        "steps where services have different sites. Not set: the cookie is each host's own.",
        examples=["example.org"],
    )
    preview: Preview | None = Field(
        default=None,
        description="A secret that leads to the idle colour, before a release is promoted: in the header "
        "`Bluegreen-Preview` or the cookie `bluegreen_preview`. In mode rewrite the first gate costs one more load of "
        "Caddy's configuration for it. It stands in that configuration. Not set: nobody meets a release before the "
        "canary or the switch.",
        examples=[{"credential": "preview"}],
    )

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares alone."""
        return tuple(step.share for step in self.steps)

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if any(later <= former for former, later in zip(self.shares, self.shares[1:], strict=False)):
            raise ValueError(f"`steps` must grow: {', '.join(_format_step(step) for step in self.steps)}")
        return self


def longest(steps: Sequence[CanaryStep]) -> float:
    """Seconds that all steps may take together."""
    return sum(step.seconds for step in steps)
