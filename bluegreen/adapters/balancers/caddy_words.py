"""What went wrong with Caddy's admin API, in words."""

import aiohttp
import msgspec

LONGEST_MESSAGE = 400
"""Characters of Caddy's own message that are kept: its end says what is wrong, its beginning only where."""


def message(body: bytes) -> str:
    """What Caddy said, shortened."""
    try:
        text = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, TypeError, KeyError):
        text = body.decode(errors="replace")
    text = " ".join(str(text).split())
    return text if len(text) <= LONGEST_MESSAGE else f"... {text[-LONGEST_MESSAGE:]}"


def reason(exc: Exception, timeout: float) -> str:
    """Why nothing came within `timeout` seconds."""
    if isinstance(exc, TimeoutError):
        return f"no answer within {timeout:g} s"
    cause = exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc
    if isinstance(cause, PermissionError):
        return "permission denied; Caddy's socket is 0200 for its own user unless its `admin` ends in a mode, say |0220"
    return said(cause)


def said(exc: Exception) -> str:
    """An error's own words."""
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
