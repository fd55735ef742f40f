"""The checks that a colour must pass."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.domain.words import GIVEN
from bluegreen.settings.argv import ReleaseArgv
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.sections_answers import Answer as Answer
from bluegreen.settings.sections_answers import Expectation
from bluegreen.settings.sections_steps import MOST_STEPS, Steps, Values, check_names, check_words
from bluegreen.settings.values import Duration, Name, Period, RequestPath
from bluegreen.settings.values_answers import HeaderName


class Request(Section):
    """The request of a smoke check."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="Its method. Redirects are not followed: a 302 is an answer."
    )
    path: RequestPath = Field(default="/", description="Its path, with a query if needed.")
    headers: dict[HeaderName, SecretText] = Field(
        default={},
        description='Its headers beside Host (the service\'s site). A value may be { credential = "NAME" }.',
        examples=[{"accept": "application/json"}],
    )
    body: str = Field(default="", description="Its body. Empty: none.", examples=['{"name": "smoke"}'])


class SmokeFlow(Section):
    """Requests in order that only mean something together, as a user makes them: a login above all. They are made at
    each address of the colour, past Caddy; the first that fails ends the run."""

    steps: Steps = Field(min_length=1, max_length=MOST_STEPS, description="The requests, in order.")
    values: Values = Field(
        default={},
        description='Values for all steps, as {name}. A value may be { credential = "NAME" }; none is ever shown. '
        "{release} and {colour} are known by themselves.",
        examples=[{"user": "probe@example.org", "password": "text"}],
    )
    timeout: Period = Field(
        default=as_written("30s"), description="How long all steps of a run may take together, at one address."
    )

    @model_validator(mode="after")
    def _words_are_known(self) -> Self:
        check_names(self.values, self.steps)
        check_words(self.steps, {*self.values, *GIVEN})
        return self


class Smoke(Section):
    """A check that the idle colour must pass before users meet it, and the live one before and after the migrations."""

    name: Name = Field(description="What it is called in reports.", examples=["front-page"])
    service: Name | None = Field(
        default=None,
        description="http: the name of the service that is asked, at each of its addresses. flow: the one that steps "
        "without a service ask.",
        examples=["web"],
    )
    http: Request | None = Field(default=None, description="A request to the colour, past Caddy.")
    command: ReleaseArgv | None = Field(
        default=None,
        description="Instead of `http`: a command that ends with 0 when all is well. {release} and {colour} are "
        "filled in.",
        examples=[["/usr/local/bin/smoke", "{colour}", "{release}"]],
    )
    flow: SmokeFlow | None = Field(default=None, description="Instead of `http`: several requests in order.")
    expect: Expectation = Field(default=Expectation(), description="http: what the answer must be.")
    timeout: Period = Field(
        default=as_written("5s"),
        description="How long one try may take (http: at one address; flow: one step; command: all of it, then "
        "everything that it started is ended).",
    )
    retries: int = Field(default=2, ge=0, description="How many more tries a check has before it counts as failed.")
    retry_delay: Duration = Field(default=as_written("1s"), description="Time between two tries.")

    @model_validator(mode="after")
    def _one_kind_with_its_keys(self) -> Self:
        if sum(kind is not None for kind in (self.http, self.command, self.flow)) != 1:
            raise ValueError('needs one of `http`, `flow` and `command`, for example http = { path = "/healthz" }')
        if self.http is not None and self.service is None:
            raise ValueError("`http` needs `service`: the name of the service to ask")
        for key in ("service", "expect"):
            if self.command is not None and key in self.model_fields_set:
                raise ValueError(f"`{key}` is for `http`; a command is told {{colour}} and judged by its exit code")
        if self.flow is not None:
            self._flow_is_whole(self.flow)
        return self

    def _flow_is_whole(self, flow: SmokeFlow) -> None:
        if "expect" in self.model_fields_set:
            raise ValueError("`expect` is for `http`; in a flow each step has its own")
        if self.service is None and any(step.service is None for step in flow.steps):
            raise ValueError("`flow` needs `service`: the name of the service that is asked by steps that name none")
