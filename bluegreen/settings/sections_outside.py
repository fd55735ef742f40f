"""The world beside operators: alerts that come in, and messages that go out."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bluegreen.settings.argv import Argv
from bluegreen.settings.credentials import Token, WebAddress
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import EventPattern, Name, Period, check_address, is_loopback


def _listener(value: str) -> str:
    return check_address(value) if value else value


def _loopback_listener(value: str) -> str:
    if value and not is_loopback(check_address(value).rpartition(":")[0]):
        raise ValueError(
            f"{quoted(value)} is not on loopback, and whoever reaches it may read it: write an address such as "
            '"127.0.0.1:9191", and let a proxy with authentication or the Prometheus agent of this machine pass it on'
        )
    return value


LoopbackListener = Annotated[
    str, AfterValidator(_loopback_listener), Shape('loopback address, or "" for off', "127.0.0.1:9191")
]
Listener = Annotated[str, AfterValidator(_listener), Shape('address, or "" for off', "127.0.0.1:9119")]


class Hook(Section):
    """One sender of alerts, at POST /v1/hooks/<name>. It can send traffic back, never forward."""

    kind: Literal["alertmanager", "grafana", "generic"] = Field(
        description='What it sends. "alertmanager": Prometheus Alertmanager\'s webhook. "grafana": that of a contact '
        'point of Grafana with an HMAC signature. "generic": one JSON object per alert, with status, labels, startsAt, '
        "id and summary, all optional.",
        examples=["alertmanager"],
    )
    token: Token = Field(
        description='What it must send as "Authorization: Bearer TOKEN"; an Alertmanager may also send it as the '
        "password of Basic. A Grafana sends it never: it is the secret with which it signs.",
        examples=[{"credential": "alertmanager-token"}],
    )
    match: dict[str, str] = Field(
        default={},
        description="Labels, all of which a firing alert must carry to have its effect. Empty: every alert that it "
        "sends.",
        examples=[{"severity": "critical", "service": "web"}],
    )
    effect: Literal["cutback", "record"] = Field(
        default="cutback",
        description="What a matching alert does while a new release is watched and it began after the switch did. "
        '"cutback": traffic goes back. "record": it is only written down.',
    )


class Hooks(Section):
    """Alerts from outside: a listener of its own, with rights of its own. Each sender is a table [hooks.<name>]."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Hook] = Field(init=False)

    listen: Listener = Field(
        default="",
        description='TCP address of the listener (Alertmanager cannot speak to a Unix socket). "": off. It speaks '
        "plain HTTP: beyond loopback the tokens go over the wire as they are.",
        examples=["127.0.0.1:9119"],
    )

    @property
    def named(self) -> dict[str, Hook]:
        """The senders by their name."""
        return dict(self.__pydantic_extra__)


class Metrics(Section):
    """Numbers for Prometheus: always at GET /metrics on the socket, and where this listens."""

    listen: LoopbackListener = Field(
        default="",
        description='TCP address of a listener that answers GET /metrics and GET /healthz and nothing else. "": off, '
        "they are on the socket alone. It asks nobody who they are, so it must be on loopback.",
        examples=["127.0.0.1:9191"],
    )


class Notify(Section):
    """A receiver of messages. A receiver that hangs delays nothing and nobody."""

    name: Name = Field(description="What it is called in the log.", examples=["team-chat"])
    kind: Literal["webhook", "command"] = Field(
        description='"webhook": the message is POSTed as JSON to `url`. "command": `command` gets it as JSON on its '
        "standard input.",
        examples=["webhook"],
    )
    url: WebAddress | None = Field(
        default=None,
        description="kind webhook: where to. It mostly holds a token, so it is treated as a secret.",
        examples=[{"credential": "chat-webhook"}],
    )
    command: Argv | None = Field(
        default=None, description="kind command: what to run.", examples=[["/usr/local/bin/page-the-on-call"]]
    )
    events: tuple[EventPattern, ...] = Field(
        default=(),
        description='Which events, by name or pattern ("deployment.*", "gate"). Empty: all that are told to people.',
        examples=[["deployment.*"]],
    )
    severity: Literal["info", "warning", "critical"] = Field(
        default="info", description='The least severity. "critical" alone is what should wake somebody.'
    )
    timeout: Period = Field(
        default=as_written("10s"),
        description="How long one delivery may take; it is tried again a few times.",
    )

    @model_validator(mode="after")
    def _kind_has_its_key(self) -> Self:
        needed, other = ("url", "command") if self.kind == "webhook" else ("command", "url")
        if getattr(self, needed) is None:
            raise ValueError(f'kind = "{self.kind}" needs `{needed}`')
        if getattr(self, other) is not None:
            raise ValueError(f'`{other}` is not for kind = "{self.kind}"')
        return self
