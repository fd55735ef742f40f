"""The daemon itself: where it keeps its state, who may ask it for what, and the Caddy it steers."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from bluegreen.settings.argv import Argv
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import FilePath, Grant, Period, is_loopback


def check_endpoint(value: str) -> str:
    """Caddy's admin endpoint as we can reach it. ValueError tells what to write."""
    if value.startswith("unix//") and len(value) > len("unix//"):
        return value
    url = urlsplit(value)
    if url.scheme == "http" and url.hostname and url.path in ("", "/") and not url.query:
        return value.rstrip("/")
    raise ValueError(
        f'{quoted(value)} is not an admin endpoint: write "unix//run/caddy/admin.sock" or "http://127.0.0.1:2019"'
    )


def check_front_door(value: str) -> str:
    """A scheme, a host and perhaps a port. ValueError tells what to write."""
    url = urlsplit(value)
    if url.scheme in ("http", "https") and url.hostname and url.path in ("", "/") and not url.query:
        return value.rstrip("/")
    raise ValueError(
        f'{quoted(value)} is not where a listener is: write "https://127.0.0.1" or "http://127.0.0.1:8080"'
    )


Endpoint = Annotated[str, AfterValidator(check_endpoint), Shape("admin endpoint", "unix//run/caddy/admin.sock")]
FrontDoor = Annotated[str, AfterValidator(check_front_door), Shape("URL without a path", "https://127.0.0.1")]


class Daemon(Section):
    """The daemon: its state, its socket, its log."""

    state_dir: FilePath = Field(
        default=as_written("/var/lib/bluegreen"),
        description="Directory of the journal (SQLite) and of the cutback card. It must be on a local disk and "
        "belong to the daemon's user: the way back must need neither Postgres nor a network.",
    )
    socket: FilePath = Field(
        default=as_written("/run/bluegreen/api.sock"),
        description="Unix socket of the operators' API, which `bluegreen status` and all other verbs use.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description='How log lines are written to stdout. "auto": readable on a terminal, JSON elsewhere (journald).',
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )
    keep_deployments: int = Field(
        default=200,
        ge=10,
        le=10_000,
        description="How many deployments the journal keeps, the latest, each with its events and what its commands "
        "printed (at most some 64 KiB each). Those before are forgotten when one ends; the audit is kept for ever.",
    )


class Access(Section):
    """Who may do what, by the kernel's word on who is at the other end of the socket. Each right includes those before
    it: read, cutback, operate, admin. root and the daemon's own user are admin; who is in no list is refused."""

    read: tuple[Grant, ...] = Field(
        default=(), description="Who may look: status, plans, history, logs, events. Empty: nobody by this list."
    )
    cutback: tuple[Grant, ...] = Field(
        default=(), description="Who may also send the traffic back, and nothing else. Empty: nobody by this list."
    )
    operate: tuple[Grant, ...] = Field(
        default=(),
        description="Who may also plan, deploy, promote, abort, roll back. Empty: nobody by this list.",
    )
    admin: tuple[Grant, ...] = Field(
        default=(),
        description="Who may also read the configuration (secrets are masked) and the audit, and reload the daemon. "
        "Empty: root and the daemon's own user alone.",
    )


class Caddy(Section):
    """The Caddy that users come through, and how we reach it."""

    admin: Endpoint = Field(
        default="http://127.0.0.1:2019",
        description="Caddy's admin endpoint; the default is Caddy's own. A Unix socket is better, since the TCP "
        "endpoint has no authentication: every user of the machine may change it.",
    )
    timeout: Period = Field(
        default=as_written("2s"),
        description="How long one request to the admin endpoint may take. A write that got no answer by then counts "
        "as failed and is fenced off. Measured with 1,000 routes: 55 ms, with 5,000: 245 ms.",
    )
    access_log: FilePath | None = Field(
        default=None,
        description="Caddy's access log (JSON, with the appended field `upstream`, see Caddyfile.example): it tells "
        "which colour served each request, and how well. Not set: the version of the answers tells the colour "
        "(`version` of each service; without it PREPARING refuses), and users are not watched.",
        examples=["/var/log/caddy/access.log"],
    )
    front_door: FrontDoor = Field(
        default="https://127.0.0.1",
        description="Where Caddy's listener for users is, as seen from here. Probes and the proof after a switch "
        "connect there and send each service's `site` as Host and SNI.",
    )
    front_door_verify: bool | None = Field(
        default=None,
        description="Whether the certificate at the front door must be valid for the site. Not set: it must, unless "
        "the front door is on loopback.",
        examples=[False],
    )
    dir: FilePath = Field(
        default=as_written("/etc/caddy/bluegreen"),
        description="Directory of the snippets <service>.caddy that the Caddyfile imports, so that a restarted Caddy "
        "comes up with the colour that is live. A snippet that does not exist is not made up; one that does is "
        "kept in step. Writable by the daemon, readable by Caddy.",
    )
    allow_remote_admin: bool = Field(
        default=False,
        description="Whether `admin` may be a TCP address of another machine. It is plain HTTP without "
        "authentication; an ssh-forwarded socket is the better way. true is warned about at every start.",
    )
    on_drift: Literal["alert", "restore"] = Field(
        default="alert",
        description="What to do when nothing is deployed and somebody else moves the traffic. "
        '"alert": people are told, with the difference and what to type. "restore": it is moved back at once, where '
        "the colour that should serve is ready. Traffic that was moved to a colour that does not answer is moved back "
        "in either case.",
    )
    reload: Argv | None = Field(
        default=None,
        description="Makes Caddy read its Caddyfile, and so the snippets, again. It is run when a cutback failed three "
        "times through `admin`, after the snippets were brought to the old colour, and gets 5 s. Not set: nothing is "
        "run, and people are called.",
        examples=[["systemctl", "reload", "caddy.service"]],
    )

    mode: Literal["rewrite", "pointer"] = Field(
        default="rewrite",
        description='How users are moved. "rewrite": the upstreams are rewritten through `admin`; each switch makes '
        "Caddy load its configuration again, which closes connections that are kept alive, and requests just under "
        'way on them are lost. "pointer": a file in `dir` is replaced, and nothing is lost; Caddy must run on this '
        "host, and `bluegreen caddy arm` sets it up once.",
    )
    stream_close_delay: Period | None = Field(
        default=None,
        description="How long WebSockets live on when Caddy loads its configuration again; without it they are closed "
        "at every switch in mode rewrite. Not set: as the Caddyfile has it.",
        examples=["10m"],
    )
    fallback_to_previous: bool = Field(
        default=False,
        description="Whether Caddy itself lets the old colour answer, while a release is watched, where the new one "
        "does not accept connections: users are served also while this daemon is dead. The daemon takes it for a "
        "regression. Only with one address per colour and service.",
    )
    response_header_timeout: Period | None = Field(
        default=None,
        description="With `fallback_to_previous`: how long the new colour may take to begin an answer before Caddy "
        "asks the old one, so that a frozen colour is covered too. Who is alone with it waits three times as long, "
        "since one failure moves nobody. It ends long polls. Not set: it waits.",
        examples=["30s"],
    )

    @property
    def remote(self) -> bool:
        """Whether the admin endpoint is on another machine."""
        host = urlsplit(self.admin).hostname if self.admin.startswith("http") else None
        return host is not None and not is_loopback(host)

    @model_validator(mode="after")
    def _point_on_this_machine(self) -> Self:
        if self.mode == "pointer" and self.remote:
            raise ValueError(
                f'mode = "pointer" replaces a file that Caddy reads, and admin = {quoted(self.admin)} is another '
                'machine: write mode = "rewrite"'
            )
        return self

    @model_validator(mode="after")
    def _stay_on_this_machine(self) -> Self:
        if self.remote and not self.allow_remote_admin:
            raise ValueError(
                f"admin = {quoted(self.admin)} is not on this machine and has no authentication: "
                "use an ssh-forwarded Unix socket, or set allow_remote_admin = true"
            )
        return self
