"""How a sender of alerts proves who it is: by a token that it sends, or by a signature that it makes with it.

Outside facts: Alertmanager sends `Authorization: Bearer` or Basic, and cannot sign. Grafana (12.0 and newer, webhook
contact point, HMAC signature) sends the lower-case hex HMAC-SHA256 of TIMESTAMP:BODY in a header that is called
X-Grafana-Alerting-Signature by its manual and X-Grafana-Alert-Signature by its code (grafana/alerting, http/hmac.go)
where nothing is entered; the Unix time in seconds stands in the header that its timestamp field names, and without one
the body is signed alone. `hmac.compare_digest` raises TypeError for a non-ASCII str, so only bytes are compared.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

SIGNATURE = "X-Grafana-Alerting-Signature"
TIMESTAMP = "X-Grafana-Alerting-Timestamp"
SIGNATURES = (SIGNATURE.lower().encode(), b"x-grafana-alert-signature")

WINDOW = 300.0
"""Seconds that a signed message may be old, or ahead of our clock: after that it is taken for one that was recorded."""

HEX = re.compile(rb"[0-9a-f]{64}")
SECONDS = re.compile(rb"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class HookRules:
    """One hook: who may post (`token`), and which alerts count (every label of `match` equal)."""

    kind: Literal["alertmanager", "grafana", "generic"]
    token: str = field(repr=False)
    match: Mapping[str, str] = field(default_factory=dict)
    effect: Literal["cutback", "record"] = "cutback"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its own signature; nothing is proved yet. `timestamp` is empty where it names none."""

    signature: bytes
    timestamp: bytes

    def holds(self, hook: HookRules, body: bytes) -> bool:
        """Whether the hook's secret signed these very bytes."""
        return hook.kind == "grafana" and hmac.compare_digest(self.signature, _signed(hook.token, self.timestamp, body))

    def stale(self, now: float) -> str:
        """Why a message that was signed is not taken in at this time (Unix seconds); "" where it is."""
        if not self.timestamp:
            return (
                f"The message is signed without its time: enter {TIMESTAMP} as timestamp header of the contact point."
            )
        apart = now - int(self.timestamp)
        if abs(apart) <= WINDOW:
            return ""
        where = "behind" if apart > 0 else "ahead of"
        return (
            f"The message is signed, and its time is {abs(apart):.0f} s {where} ours: it was sent before, or the "
            "clocks of the two machines differ."
        )


def claim_of(request: web.Request) -> Claim | None:
    """What the request says of its signature; None where it is none that could hold."""
    signatures = _values(request, *SIGNATURES)
    timestamps = _values(request, TIMESTAMP.lower().encode())
    if len(signatures) != 1 or len(timestamps) > 1 or not HEX.fullmatch(signatures[0]):
        return None
    if timestamps and not SECONDS.fullmatch(timestamps[0]):
        return None
    return Claim(signatures[0], timestamps[0] if timestamps else b"")


def bears_token(hook: HookRules, request: web.Request) -> bool:
    """Whether exactly one Authorization header carries the hook's token; compared as raw bytes. Who signs sends
    none."""
    headers = _values(request, b"authorization")
    if len(headers) != 1 or hook.kind == "grafana":
        return False
    scheme, _, credentials = headers[0].partition(b" ")
    return hmac.compare_digest(_presented(hook, scheme.lower(), credentials.strip()), hook.token.encode())


def proof_of(hook: HookRules, body: bytes, now: float) -> dict[str, str]:
    """The headers by which a sender of this kind proves itself, at this time (Unix seconds)."""
    if hook.kind != "grafana":
        return {"Authorization": f"Bearer {hook.token}"}
    timestamp = str(int(now))
    return {TIMESTAMP: timestamp, SIGNATURE: _signed(hook.token, timestamp.encode(), body).decode()}


def _signed(secret: str, timestamp: bytes, body: bytes) -> bytes:
    signed = timestamp + b":" + body if timestamp else body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


def _values(request: web.Request, *names: bytes) -> list[bytes]:
    return [value.strip() for name, value in request.raw_headers if name.lower() in names]


def _presented(hook: HookRules, scheme: bytes, credentials: bytes) -> bytes:
    """The token that the header carries; nothing where it carries none."""
    if scheme == b"bearer":
        return credentials
    if scheme == b"basic" and hook.kind == "alertmanager":
        try:
            return base64.b64decode(credentials, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
