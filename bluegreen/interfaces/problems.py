"""Every failure as RFC 9457 `application/problem+json`: a stable `code`, `detail`, `next`: what to type."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from bluegreen.domain.errors import (
    BluegreenError,
    ConfigurationError,
    LiveColourProtected,
    NotFound,
    NotPermitted,
    OutsideError,
    PlanStale,
    ReleaseInvalid,
    RequestRefused,
)
from bluegreen.interfaces.requests import PATTERNS

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

STATUS: tuple[tuple[type[BluegreenError], int], ...] = (
    (NotFound, 404),
    (NotPermitted, 403),
    (PlanStale, 412),
    (ReleaseInvalid, 422),
    (RequestRefused, 409),
    (LiveColourProtected, 409),
    (ConfigurationError, 422),
    (OutsideError, 503),
)
"""The first class that fits decides; any other part outside: 503; the rest: 500."""


class Problem(Exception):
    """What is answered instead: `commands` to type next, `facts` as further members. `close`: the connection
    cannot go on."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        commands: tuple[str, ...] = (),
        facts: Mapping[str, object] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.commands = status, code, detail, commands
        self.facts, self.close = facts or {}, close

    def response(self) -> web.Response:
        """The answer to send."""
        answer = web.Response(
            status=self.status,
            body=json.dumps(self._document(), default=str).encode(),
            content_type=CONTENT_TYPE,
        )
        if self.close:
            answer.force_close()
        return answer

    def _document(self) -> dict[str, Any]:
        return {
            **self.facts,
            "type": f"urn:bluegreen:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "next": list(self.commands),
        }


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every exception below into problem+json."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except BluegreenError as exc:
        return _of_domain(exc).response()
    except ValidationError as exc:
        return of_validation(exc).response()
    except web.HTTPException as exc:
        return _of_http(exc, request)
    except Exception:  # the supervisor of a request: a bug in one answer must not end the others
        log.exception("request.failed", method=request.method, path=request.path)
        detail = "The daemon has a bug or a broken part; its log says more."
        return Problem(500, "internal", detail, commands=("journalctl -u bluegreen -p warning",)).response()


def _of_domain(exc: BluegreenError) -> Problem:
    status = next((status for kind, status in STATUS if isinstance(exc, kind)), 500)
    return Problem(status, exc.code, exc.detail, commands=exc.next, facts=exc.facts)


def of_validation(exc: ValidationError) -> Problem:
    """Name each field and what is wrong with it, never its value."""
    errors = [
        {"field": ".".join(str(part) for part in error["loc"]) or "body", "message": _said(error)}
        for error in exc.errors(include_url=False, include_input=False)
    ]
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors[:5])
    return Problem(422, "validation", detail, facts={"errors": errors[:20]})


WORDS = {
    "string_too_short": "must not be empty",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "missing": "is missing",
    "extra_forbidden": "is unknown here",
}


def _said(error: Any) -> str:
    """What is wrong with a field, for people who read no pattern."""
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], str(error["msg"]))
    words = WORDS.get(error["type"])
    return words.format_map(context) if words else str(error["msg"])


def _of_http(exc: web.HTTPException, request: web.Request) -> web.StreamResponse:
    """What aiohttp itself refuses: unknown routes, wrong methods."""
    details: Mapping[int, tuple[str, str]] = {
        404: ("not-found", f"There is no {request.path} here."),
        405: ("method-not-allowed", f"{request.path} does not take {request.method}."),
    }
    code, detail = details.get(exc.status, ("http", exc.reason))
    answer = Problem(exc.status, code, detail).response()
    if "Allow" in exc.headers:
        answer.headers["Allow"] = exc.headers["Allow"]
    return answer
