"""What is done once users have arrived at a colour."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.settings.argv import ReleaseArgv
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import Duration, Name, Period, RequestPath, Statuses
from bluegreen.settings.values_answers import HeaderName


class Call(Section):
    """A request to every address of a service in the colour that serves, past Caddy."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="POST", description="Its method. Redirects are not followed: a 302 is an answer."
    )
    path: RequestPath = Field(default="/", description="Its path, with a query if needed.", examples=["/admin/flush"])
    headers: dict[HeaderName, SecretText] = Field(
        default={},
        description='Its headers beside Host (the service\'s site). A value may be { credential = "NAME" }.',
        examples=[{"authorization": {"credential": "flush-token"}}],
    )
    body: str = Field(default="", description="Its body. Empty: none.")
    status: Statuses = Field(
        default=(200, 201, 202, 204), description="Answers that count as done, from each of the addresses."
    )


class AfterSwitch(Section):
    """Something to do once users have arrived at a colour, as flushing a cache: after the switch for the new colour,
    and after a cutback for the old one again. Nobody waits for it, and what fails is told and no more. After a crash it
    may be done twice. A cache that nobody can flush needs a bounded TTL."""

    name: Name = Field(description="What it is called in reports.", examples=["flush-cache"])
    command: ReleaseArgv | None = Field(
        default=None,
        description="A command that ends with 0 when it is done, run on the daemon's machine. {release} and {colour} "
        "are those that serve now.",
        examples=[["/usr/local/bin/flush-cache", "{colour}"]],
    )
    http: Call | None = Field(default=None, description="Instead of `command`: a request to the colour that serves.")
    service: Name | None = Field(
        default=None,
        description="http: the name of the service that is asked, at each of its addresses.",
        examples=["web"],
    )
    timeout: Period = Field(default=as_written("30s"), description="How long one try may take (http: at one address).")
    retries: int = Field(default=2, ge=0, le=20, description="How many more tries it has before it counts as failed.")
    retry_delay: Duration = Field(default=as_written("2s"), description="Time between two tries.")

    @model_validator(mode="after")
    def _one_kind_with_its_keys(self) -> Self:
        if (self.http is None) == (self.command is None):
            raise ValueError('needs one of `command` and `http`, for example http = { path = "/admin/flush" }')
        if self.http is not None and self.service is None:
            raise ValueError("`http` needs `service`: the name of the service to ask")
        if self.command is not None and self.service is not None:
            raise ValueError("`service` is for `http`; a command is told {colour}")
        return self
