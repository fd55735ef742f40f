"""What users get, from Traefik's access log.

It needs `accessLog` with `format: json`, a `filePath`, no filters, and `fields.headers.names.X-Bluegreen-Probe: keep`;
`Content-Type: keep` beside it tells event streams from slow answers. Measured with Traefik 3.7.15 (tests/adapters/
signals/test_traefik_log.py): a line is written when the answer is complete; `Duration` counts nanoseconds;
`ServiceAddr` is the server that was asked, also where it did not answer (502); a client that gave up is logged as 499,
an upgraded connection with status 0 when it ends; `ClientHost` is whoever connected, whatever X-Forwarded-For says.
"""

import msgspec

from bluegreen.adapters.signals.access_fields import EVENTS, SWITCHED, seconds_of
from bluegreen.adapters.signals.access_line import AskedDecoder, Decoder, Format
from bluegreen.adapters.signals.access_log import AccessLog

NANOSECOND = 1e-9


class Line(msgspec.Struct):
    """One line, flat as it is written; the request stands in it, too."""

    status: int = msgspec.field(name="DownstreamStatus")
    nanoseconds: int = msgspec.field(name="Duration")
    upstream: str = msgspec.field(name="ServiceAddr", default="")
    host: str = msgspec.field(name="RequestHost", default="")
    method: str = msgspec.field(name="RequestMethod", default="")
    uri: str = msgspec.field(name="RequestPath", default="")
    client_ip: str = msgspec.field(name="ClientHost", default="")
    started: str | None = msgspec.field(name="StartUTC", default=None)
    content_type: str = msgspec.field(name="downstream_Content-Type", default="")
    probe: str = ""

    @property
    def request(self) -> "Line":
        """What was asked, and by whom."""
        return self

    @property
    def remote_ip(self) -> str:
        """Not told apart from `client_ip`."""
        return ""

    @property
    def nonce(self) -> list[str] | None:
        """Of a request of our own; None of others."""
        return [self.probe] if self.probe else None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.nanoseconds * NANOSECOND

    @property
    def bluegreen_preview(self) -> None:
        """There is no preview."""
        return

    @property
    def streamed(self) -> bool:
        """True where the duration says how long a client stayed, not how long it waited."""
        return self.status == SWITCHED or EVENTS in self.content_type

    @property
    def written(self) -> float | None:
        """When it was written, in seconds since 1970: the end of the answer; None where it does not say."""
        started = seconds_of(self.started)
        return None if started is None else started + self.duration


class Asked(msgspec.Struct):
    """Who asked, as a line tells."""

    client: str = msgspec.field(name="ClientHost", default="")
    upstream: str = msgspec.field(name="ServiceAddr", default="")
    via: str = msgspec.field(name="request_X-Forwarded-For", default="")

    @property
    def forwarded(self) -> bool:
        """Whether a proxy stands before Traefik, as far as that header is kept in the log."""
        return bool(self.via)


ASKED: AskedDecoder = msgspec.json.Decoder(Asked)


def decoder(probe_header: str) -> Decoder:
    """Reads lines; the header of requests of our own is `probe_header`."""
    written = "-".join(part.capitalize() for part in probe_header.split("-"))  # as Go writes it
    probe = ("probe", str, msgspec.field(name=f"request_{written}", default=""))
    return msgspec.json.Decoder(msgspec.defstruct("OurLine", [probe], bases=(Line,)))


class TraefikLog(AccessLog):
    """The SignalSource port on Traefik's access log."""

    format = Format(decoder, ASKED, "let its group read it, and put us in that group")
