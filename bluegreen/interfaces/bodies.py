"""Reads a request's body: bounded in size and time, and only JSON that means one thing.

Outside facts: a dripping body keeps an aiohttp handler for ever; the standard library accepts NaN, duplicate
keys, lone surrogates and numbers beyond a float, and raises RecursionError on deep nesting.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bluegreen.app.news import redacted
from bluegreen.interfaces.budgets import BODY_LIMIT, BUDGETS
from bluegreen.interfaces.problems import Problem

Redact = Callable[[str], str]

REDACT: web.AppKey[Redact] = web.AppKey("redact")
"""Blanks out secrets in what callers send: a password in a reason would stay in the audit for ever."""


async def read(request: web.Request, limit: int = BODY_LIMIT) -> bytes:
    """The body; Problem 413 where it is too large, 408 where it does not arrive in time."""
    budget = request.app[BUDGETS].body
    try:
        async with asyncio.timeout(budget):
            return await request.clone(client_max_size=limit).read()
    except TimeoutError as exc:
        detail = f"The body did not arrive within {budget:g} seconds."
        raise Problem(408, "body-timeout", detail, close=True) from exc
    except web.HTTPRequestEntityTooLarge as exc:
        detail = f"The body is larger than {limit // 1024} KiB."
        raise Problem(413, "body-too-large", detail, close=True) from exc
    except (web.RequestPayloadError, ConnectionError) as exc:
        raise Problem(400, "malformed", "The body broke off.", close=True) from exc


async def read_json(request: web.Request, limit: int = BODY_LIMIT) -> dict[str, Any]:
    """The body as a JSON object, secrets blanked out; no body at all is an empty object. Problem 400, 408, 413 or
    415."""
    body = await read(request, limit)
    if not body:
        return {}
    if request.content_type != "application/json":
        raise Problem(
            415,
            "not-json",
            f"The body must be application/json, not {request.content_type}.",
            commands=("curl -H 'Content-Type: application/json' ...",),
        )
    document: dict[str, Any] = redacted(parse(body), request.app[REDACT])
    return document


def parse(body: bytes) -> dict[str, Any]:
    """A JSON object without NaN, duplicate keys, lone surrogates or depth; else Problem 400."""
    try:
        document = json.loads(body.decode(), parse_constant=_no_constant, object_pairs_hook=_unique)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as exc:
        raise Problem(400, "malformed", "The body is nested too deeply.") from exc
    except ValueError as exc:
        raise Problem(400, "malformed", f"The body is not valid JSON: {_safe(exc)}.") from exc
    if not isinstance(document, dict):
        raise Problem(400, "malformed", "The body must be a JSON object.")
    return document


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands in it twice")
    return document


def _safe(exc: ValueError) -> str:
    """What is wrong, without a piece of the body: it may hold a secret."""
    if isinstance(exc, json.JSONDecodeError):
        return f"{exc.msg} at character {exc.pos}"
    return "it is not UTF-8" if isinstance(exc, UnicodeError) else str(exc)
