"""The fields of Caddy's access log that count, as typed structs: a line has about 1 kB, and the rest is skipped.

Measured with Caddy 2.11.7: `ts` is the moment at which the line was written, which is when the answer was complete (of
a stream, when it ended); `uri` is what the client asked for, whatever the site rewrites it to; `client_ip` is the
address that trusted proxies vouch for, `remote_ip` the one that connected. A `filter` of the log may put a text where
headers were: such a line is read all the same.
"""

from datetime import datetime

import msgspec

EVENTS = "text/event-stream"
SWITCHED = 101
OLDEST, NEWEST = 1e9, 1e11
"""Seconds since 1970 that a time may be: from 2001 on, and below what milliseconds would be."""

UNITS = (1.0, 1e3, 1e6, 1e9)
"""`time_format` may count seconds, milliseconds or nanoseconds."""


class RequestHeaders(msgspec.Struct):
    """The one header of a request that is looked at: `nonce` is there where the request is our own."""

    nonce: list[str] | None = None


class Request(msgspec.Struct):
    """What was asked, and by whom."""

    host: str = ""
    method: str = ""
    uri: str = ""
    client_ip: str = ""
    remote_ip: str = ""
    headers: RequestHeaders | str | None = None

    @property
    def nonce(self) -> list[str] | None:
        """Of a request of our own; None of others, and where headers are not in the log."""
        return self.headers.nonce if isinstance(self.headers, RequestHeaders) else None


class ResponseHeaders(msgspec.Struct):
    """What the answer said of itself."""

    content_type: list[str] | str | None = msgspec.field(name="Content-Type", default=None)


class Line(msgspec.Struct):
    """One line: `duration` in seconds; `tried` as `log_append upstream` adds it, null where Caddy answered itself;
    `bluegreen_preview` is there where the arms in Caddy sent somebody with the operator's secret to the other colour
    (adapters/balancers/caddy_previews.py)."""

    status: int
    duration: float
    request: Request
    ts: float | str | None = None
    tried: str | None = msgspec.field(name="upstream", default=None)
    bluegreen_preview: str | float | bool | None = None
    resp_headers: ResponseHeaders | str | None = None

    @property
    def upstream(self) -> str:
        """Who answered; empty where nobody was asked."""
        return self.tried or ""

    @property
    def streamed(self) -> bool:
        """True where the duration says how long a client stayed, not how long it waited."""
        said = self.resp_headers
        kinds = said.content_type if isinstance(said, ResponseHeaders) else None
        kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
        return self.status == SWITCHED or (EVENTS in kind if kind else False)

    @property
    def written(self) -> float | None:
        """When it was written, in seconds since 1970; None where it does not say."""
        return seconds_of(self.ts)


def decoder(probe_header: str) -> msgspec.json.Decoder[Line]:
    """Reads lines; the header of requests of our own is `probe_header`. (To search for it in the text of a line costs a
    third of reading all of it.)"""
    written = "-".join(part.capitalize() for part in probe_header.split("-"))  # as Go writes it
    nonce = ("nonce", list[str] | None, msgspec.field(name=written, default=None))
    headers = msgspec.defstruct("OurHeaders", [nonce], bases=(RequestHeaders,))
    asked = ("headers", headers | str | None, None)
    request = msgspec.defstruct("OurRequest", [asked], bases=(Request,))
    return msgspec.json.Decoder(msgspec.defstruct("OurLine", [("request", request)], bases=(Line,)))


def seconds_of(ts: float | str | None) -> float | None:
    """A time as Caddy's `time_format` may write it; None where it is none."""
    if isinstance(ts, float) and OLDEST <= ts < NEWEST:
        return ts
    if isinstance(ts, str):
        try:
            ts = datetime.fromisoformat(ts).timestamp()
        except ValueError:
            return None
    if ts is None:
        return None
    return next((ts / unit for unit in UNITS if OLDEST <= ts / unit < NEWEST), None)
