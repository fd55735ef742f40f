"""The checks that a colour must pass."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.settings.argv import ReleaseArgv
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.values import Duration, Name, Period, RequestPath, Statuses
from bluegreen.settings.values_answers import HeaderName, JsonPointer, JsonValue, VersionPlace


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


class Answer(Section):
    """What an answer must be; every condition given must hold."""

    status: Statuses = Field(default=(200,), description="Its status, or a list of allowed ones.")
    header: dict[HeaderName, str] = Field(
        default={},
        description='Headers and the text that each must contain; "" means that it must be there.',
        examples=[{"content-type": "text/html"}],
    )
    body: str = Field(default="", description="Text that the body must contain. Empty: any body.", examples=["Sign in"])
    json_: dict[JsonPointer, JsonValue] = Field(
        default={},
        alias="json",
        description="Values in a JSON body by their JSON pointer (RFC 6901), which must be equal. A pointer begins "
        'with "/": "/checks/0/status".',
        examples=[{"/checks/database": "up"}],
    )


class Expectation(Answer):
    """What the answer of a smoke check must be; every condition given must hold."""

    version: VersionPlace | None = Field(
        default=None,
        description='Where the answer tells its version, which must be that of the release: "json:/POINTER", '
        '"header:NAME", "body" for the whole of it, "body:REGEX" for its first group. Not set: not checked. It '
        "catches a colour that still runs the old release.",
        examples=["json:/version"],
    )


class Smoke(Section):
    """A check that the idle colour must pass before users meet it, and the live one before and after the migrations."""

    name: Name = Field(description="What it is called in reports.", examples=["front-page"])
    service: Name | None = Field(
        default=None,
        description="http: the name of the service that is asked, at each of its addresses.",
        examples=["web"],
    )
    http: Request | None = Field(default=None, description="A request to the colour, past Caddy.")
    command: ReleaseArgv | None = Field(
        default=None,
        description="Instead of `http`: a command that ends with 0 when all is well. {release} and {colour} are "
        "filled in.",
        examples=[["/usr/local/bin/smoke", "{colour}", "{release}"]],
    )
    expect: Expectation = Field(default=Expectation(), description="http: what the answer must be.")
    timeout: Period = Field(default=as_written("5s"), description="How long one try may take (http: at one address).")
    retries: int = Field(default=2, ge=0, description="How many more tries a check has before it counts as failed.")
    retry_delay: Duration = Field(default=as_written("1s"), description="Time between two tries.")

    @model_validator(mode="after")
    def _one_kind_with_its_keys(self) -> Self:
        if (self.http is None) == (self.command is None):
            raise ValueError('needs one of `http` and `command`, for example http = { path = "/healthz" }')
        if self.http is not None and self.service is None:
            raise ValueError("`http` needs `service`: the name of the service to ask")
        for key in ("service", "expect"):
            if self.command is not None and key in self.model_fields_set:
                raise ValueError(f"`{key}` is for `http`; a command is told {{colour}} and judged by its exit code")
        return self
