"""The stack: two environments that can run it, and the services that Caddy routes to."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from bluegreen.domain.traffic import Colour
from bluegreen.settings.argv import ColourArgv, ReleaseArgv
from bluegreen.settings.credentials import SecretText
from bluegreen.settings.section import Section, as_written
from bluegreen.settings.sections_compose import Compose
from bluegreen.settings.sections_ssh import Login
from bluegreen.settings.sections_systemd import Systemd
from bluegreen.settings.values import (
    Address,
    FilePath,
    HostUrl,
    Name,
    Period,
    RequestPath,
    Site,
    Statuses,
    VariableName,
    same_place,
)
from bluegreen.settings.values_answers import VersionPlace


class Environment(Section):
    """One colour: how a release is brought up there and stopped. `up` returns once all is started, and what it starts
    runs under another supervisor or session: it must outlive the daemon."""

    runner: Literal["command", "compose", "systemd"] = Field(
        default="command",
        description='How the colour is run. "command": by the commands below. "compose": as a compose project, '
        "docker's or podman's. \"systemd\": as units.",
    )
    on: HostUrl | None = Field(
        default=None,
        description="The machine on which the colour runs, reached by the system's ssh without any question "
        "(BatchMode). All that is said here then holds on that machine: commands, files, units. Not set: this one.",
        examples=["ssh://deploy@blue-host"],
    )
    ssh: Login = Field(default=Login(), description="How that machine is logged in to.")
    release: Name | None = Field(
        default=None,
        description="The release that runs here before the daemon's first deployment. Not set: unknown, and the "
        "first plan says so. Once there is a journal, the journal decides.",
        examples=["1.0.0"],
    )
    up: ReleaseArgv | None = Field(
        default=None,
        description='runner "command": brings {release} up on {colour} and returns; does nothing when run again, and '
        "replaces another release that still runs there, as after a cutback. A list: no shell reads it.",
        examples=[["systemctl", "start", "app@{colour}"]],
    )
    down: ColourArgv | None = Field(
        default=None,
        description='runner "command": stops {colour}, all of it; does nothing when run again. Never called for the '
        "live colour.",
        examples=[["systemctl", "stop", "app@{colour}"]],
    )
    live_only_up: ReleaseArgv | None = Field(
        default=None,
        description='runner "command": starts the live-only services of {colour} ([[services]] role), which `up` must '
        "leave alone; does nothing when run again. Needed where there are some.",
        examples=[["systemctl", "start", "worker@{colour}"]],
    )
    live_only_down: ColourArgv | None = Field(
        default=None,
        description='runner "command": stops the live-only services of {colour}; does nothing when run again.',
        examples=[["systemctl", "stop", "worker@{colour}"]],
    )
    compose: Compose = Field(default=Compose(), description='runner "compose": the project.')
    systemd: Systemd = Field(default=Systemd(), description='runner "systemd": the units.')
    env_files: tuple[FilePath, ...] = Field(
        default=(),
        description="Files of NAME=value lines with the colour's variables, later ones over earlier ones; on the "
        "colour's host. The two colours and the release's example are compared by them, and runner \"compose\" passes "
        "them on. No value is ever shown.",
        examples=[["/srv/olympus/.env.blue"]],
    )
    slices: tuple[ColourArgv, ...] = Field(
        default=(),
        description="Commands that each stop a part of {colour}, while the others serve on: the old colour is stopped "
        "by them one after the other, [retire] slice_pause apart, so that the clients of its streams do not all come "
        "back at once; then by `down`. Empty: by `down` alone.",
        examples=[[["systemctl", "stop", "app-{colour}@1"], ["systemctl", "stop", "app-{colour}@2"]]],
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
        description="Working directory of the commands. The default is the directory of the configuration file; on "
        "another machine, where one is after logging in.",
    )

    @model_validator(mode="after")
    def _commands_are_there(self) -> Self:
        if self.runner == "command" and (self.up is None or self.down is None):
            raise ValueError('runner = "command" needs `up` and `down`, for example ["systemctl", "start", "app@blue"]')
        if self.runner == "systemd" and not self.systemd.units:
            raise ValueError('runner = "systemd" needs systemd.units, for example ["app@{colour}.service"]')
        return self


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
    role: Literal["both", "live-only"] = Field(
        default="both",
        description='"both": it runs in both colours. "live-only": a worker or scheduler that must not run twice; it '
        "is started in the new colour after the switch, once the old colour's is stopped, and the other way round at a "
        "cutback. It has no addresses, since nobody is routed to it.",
    )
    parts: tuple[str, ...] = Field(
        default=(),
        description="live-only: what runs it: services of the compose project, or units with {colour}. Empty: a "
        "compose service of this name, or the unit NAME@{colour}.service.",
        examples=[["worker", "scheduler"]],
    )
    scheme: Literal["http", "https"] = Field(
        default="http",
        description="How the service itself is spoken to, in both colours; it must fit the `transport` of Caddy's "
        "handler.",
    )
    blue: tuple[Address, ...] = Field(
        default=(), description="Where blue listens, as Caddy dials it. Needed.", examples=[["127.0.0.1:8001"]]
    )
    green: tuple[Address, ...] = Field(
        default=(), description="Where green listens, as Caddy dials it. Needed.", examples=[["127.0.0.1:9001"]]
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
        "at. Where no access log is read it tells which colour answered, and PREPARING refuses a service without it.",
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
    def _routed_or_live_only(self) -> Self:
        if self.role == "live-only":
            for key in ("site", "blue", "green", "ready", "probe", "version", "every_route"):
                if key in self.model_fields_set:
                    raise ValueError(f'role = "live-only" takes no `{key}`: nobody is routed to it')
        elif not self.blue or not self.green:
            raise ValueError('needs `blue` and `green`, for example ["127.0.0.1:8001"]: where each colour listens')
        elif self.parts:
            raise ValueError('`parts` is for role = "live-only"')
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        for colour, addresses in self.addresses.items():
            if len({same_place(address) for address in addresses}) < len(addresses):
                raise ValueError(f"`{colour}` lists an address twice")
        return self
