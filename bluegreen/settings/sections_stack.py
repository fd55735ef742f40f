"""The stack: two environments that can run it, the services that Caddy routes to, and the checks they must pass."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bluegreen.domain.traffic import Colour
from bluegreen.settings.argv import ColourArgv, ReleaseArgv
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import (
    Address,
    Duration,
    FilePath,
    Name,
    Period,
    RequestPath,
    Site,
    Statuses,
    VariableName,
    matching,
    same_place,
)

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HeaderName = Annotated[
    str,
    AfterValidator(matching(HEADER, "a header name", "it has no spaces and no colon")),
    Shape("header name", "content-type"),
]


def _pointer(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(
            f'{quoted(value)} is no JSON pointer (RFC 6901): it begins with "/", for example "/checks/0/status"'
        )
    return value


def _json_value(value: object) -> object:
    if not isinstance(value, str | int | float | list):
        raise ValueError("must be a text, a number, true, false or a list of these")  # noqa: TRY004 - pydantic's protocol
    return value


def _version_place(value: str) -> str:
    kind, _, where = value.partition(":")
    if value == "body" or (kind == "json" and where.startswith("/")) or (kind == "header" and HEADER.fullmatch(where)):
        return value
    if kind == "body" and where:
        return _with_regex(value, where)
    raise ValueError(
        f'{quoted(value)} is no place in an answer: write "json:/POINTER", "header:NAME", "body" or "body:REGEX", '
        'for example "json:/version"'
    )


def _with_regex(value: str, regex: str) -> str:
    try:
        re.compile(regex)
    except re.error as exc:
        raise ValueError(f"{quoted(regex)} is not a regular expression: {exc}") from exc
    return value


JsonPointer = Annotated[str, AfterValidator(_pointer), Shape("JSON pointer", "/status")]
JsonValue = Annotated[Any, AfterValidator(_json_value), Shape("JSON value", "ok")]
VersionPlace = Annotated[str, AfterValidator(_version_place), Shape("place", "json:/version")]
"""Where something stands in an answer, a version above all."""


class Environment(Section):
    """One colour: how a release is brought up there and stopped. `up` returns once all is started, and what it starts
    runs under another supervisor or session: it must outlive the daemon."""

    runner: Literal["command"] = Field(
        default="command", description='How the colour is run. "command": by the commands below.'
    )
    release: Name | None = Field(
        default=None,
        description="The release that runs here before the daemon's first deployment. Not set: unknown, and the "
        "first plan says so. Once there is a journal, the journal decides.",
        examples=["1.0.0"],
    )
    up: ReleaseArgv = Field(
        description="Brings {release} up on {colour} and returns; does nothing when run again. A list: no shell "
        "reads it.",
        examples=[["systemctl", "start", "app@{colour}"]],
    )
    down: ColourArgv = Field(
        description="Stops {colour}; does nothing when run again. Never called for the live colour.",
        examples=[["systemctl", "stop", "app@{colour}"]],
    )
    logs: ColourArgv | None = Field(
        default=None,
        description="Prints the latest log lines of {colour}; they are kept with a deployment that is given up. Not "
        "set: there are none.",
        examples=[["journalctl", "-u", "app@{colour}", "-n", "200"]],
    )
    follow: ColourArgv | None = Field(
        default=None,
        description="Prints the log lines of {colour} as they are written, from now on, until it is ended; it stays in "
        "the foreground. For [[watch.log_lines]]. Not set: nobody reads along.",
        examples=[["journalctl", "-f", "-n", "0", "-o", "cat", "-u", "app@{colour}"]],
    )
    timeout: Period = Field(
        default=as_written("10m"),
        description="How long each of these commands may take; then its whole process group is stopped.",
    )
    environment: dict[VariableName, SecretText] = Field(
        default={},
        description="Environment variables of the commands. For `up`, those of the release file come on top. A value "
        'may be { credential = "NAME" }.',
        examples=[{"COMPOSE_PROJECT_NAME": "app-blue"}],
    )
    passed: tuple[VariableName, ...] = Field(
        default=(),
        alias="pass",
        description="Names of the daemon's own environment variables that the commands may see too. Empty: only "
        "PATH, HOME, LANG, LC_ALL, TZ, TMPDIR, USER, LOGNAME and XDG_RUNTIME_DIR.",
        examples=[["DOCKER_HOST"]],
    )
    application_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        description="The application_name that this colour's sessions bear in the databases (* and ? as in a shell). "
        "While one of them is open on the idle colour, no contract migration runs. Not set: that no service of it "
        "answers is believed.",
        examples=["app-blue*"],
    )
    directory: FilePath = Field(
        default=as_written("."),
        description="Working directory of the commands. The default is the directory of the configuration file.",
    )


class Environments(Section):
    """The two places to run the stack. Both are needed; neither is the new one for ever."""

    blue: Environment = Field(description="The colour blue.")
    green: Environment = Field(description="The colour green.")

    def of(self, colour: Colour) -> Environment:
        """One colour's environment."""
        return self.blue if colour is Colour.BLUE else self.green


class Ready(Section):
    """When a service of the idle colour counts as ready: asked at each of its addresses, past Caddy."""

    path: RequestPath = Field(default="/", description="Path of the readiness check.")
    status: Statuses = Field(default=(200,), description="Answers that count as ready.")
    consecutive: int = Field(default=3, ge=1, description="How many in a row each address must give.")
    interval: Period = Field(default=as_written("1s"), description="Time between two questions.")
    timeout: Period = Field(default=as_written("2s"), description="How long one answer may take.")


class Service(Section):
    """One routed part of the stack. All services move together, in one change of Caddy's configuration."""

    name: Name = Field(description="What it is called, also in <caddy.dir>/<name>.caddy.", examples=["web"])
    site: Site | None = Field(
        default=None,
        description="Host of the Caddy site that routes to it; probes send it as Host and SNI. Not set: the route is "
        "found by the addresses alone, and probes send no site of their own.",
        examples=["app.example.org"],
    )
    scheme: Literal["http", "https"] = Field(
        default="http",
        description="How the service itself is spoken to, in both colours; it must fit the `transport` of Caddy's "
        "handler.",
    )
    blue: tuple[Address, ...] = Field(
        min_length=1, description="Where blue listens, as Caddy dials it.", examples=[["127.0.0.1:8001"]]
    )
    green: tuple[Address, ...] = Field(
        min_length=1, description="Where green listens, as Caddy dials it.", examples=[["127.0.0.1:9001"]]
    )
    ready: Ready = Field(default=Ready(), description="When it counts as ready.")
    probe: RequestPath | None = Field(
        default=None,
        description="Path that is asked through the front door twice a second, always. Not set: `ready.path`.",
        examples=["/healthz"],
    )
    version: VersionPlace | None = Field(
        default=None,
        description="Where the answers to probes tell their version, which must be that of the release: "
        '"json:/POINTER", "header:NAME", "body" for the whole of it, "body:REGEX" for its first group. An answer of '
        "another version counts as a bad probe: it comes from a process that should not be there. Not set: not looked "
        "at.",
        examples=["header:X-Version"],
    )
    every_route: bool = Field(
        default=False,
        description="Whether all routes that dial this service are switched. false: exactly one must be found, and "
        "more are listed and refused.",
    )

    @property
    def addresses(self) -> Mapping[Colour, tuple[str, ...]]:
        """Where each colour listens."""
        return {Colour.BLUE: self.blue, Colour.GREEN: self.green}

    @property
    def probe_path(self) -> str:
        """The path that probes ask for."""
        return self.probe or self.ready.path

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        for colour, addresses in self.addresses.items():
            if len({same_place(address) for address in addresses}) < len(addresses):
                raise ValueError(f"`{colour}` lists an address twice")
        return self


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
