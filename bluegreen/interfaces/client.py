"""The API's routes, called over the Unix socket.

A reply keeps the document as it came (for `-o json`) and reads it into the domain's dataclasses on demand.
msgspec does that, not pydantic: a verb must start fast.
"""

import asyncio
import errno
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any, Generic, Self, TypeVar
from uuid import uuid4

import aiohttp
import msgspec

from bluegreen.app.requests import PlanRequest, Status
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.plans import Plan
from bluegreen.domain.records import Event

BUDGET = 60.0
"""Seconds that one answer may take; a plan looks at Postgres and Caddy."""

CONNECT_BUDGET = 5.0

STREAM_SILENCE = 40.0
"""Seconds without even a heartbeat after which a stream is opened anew."""

PATIENCE = 60.0
"""Seconds for which a stream waits for a daemon that restarts."""

LONGEST_LINE = 1024 * 1024
"""Bytes of one event: it may hold what a command printed."""

T = TypeVar("T")


class ClientError(Exception):
    """The daemon did not do what was asked. `code` is the problem's, `next` are commands to type."""

    def __init__(self, detail: str, *, code: str = "error", status: int = 0, next: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.detail, self.code, self.status, self.next = detail, code, status, next


class Unreachable(ClientError):
    """No answer came: nobody listens, or the connection broke."""


class SocketDenied(ClientError):
    """The kernel does not let us connect."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """An answer: the document as it came, and as an object."""

    document: Any
    kind: type[T]

    @property
    def value(self) -> T:
        """The document as an object; ClientError where the daemon is of another version."""
        try:
            return msgspec.convert(self.document, self.kind, strict=False)
        except msgspec.ValidationError as exc:
            detail = f"The daemon answers in a way that this program does not know: {exc}."
            raise ClientError(detail, code="version", next=("bluegreen --version",)) from exc


@dataclass(frozen=True, slots=True)
class Page:
    """One page of deployments; `cursor` leads to the next."""

    items: tuple[Deployment, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """Events in order; `after` leads to the next ones."""

    items: tuple[Event, ...]
    after: int


class Client:
    """The daemon behind a socket. Use as `async with Client(path) as client`."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            "http://localhost",
            connector=aiohttp.UnixConnector(str(self.socket)),
            read_bufsize=LONGEST_LINE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    # --- reading

    async def status(self) -> Reply[Status]:
        """Where the traffic is, and whether anything moves."""
        return await self._get("/v1/status", Status)

    async def deployment(self, id: str = "current") -> Reply[Deployment]:
        """One deployment."""
        return await self._get(f"/v1/deployments/{id}", Deployment)

    async def deployments(self, limit: int, cursor: str = "") -> Reply[Page]:
        """Deployments, the latest first."""
        return await self._get("/v1/deployments", Page, limit=limit, cursor=cursor)

    async def logs(self, id: str, after: int = 0, phase: str = "") -> Reply[Story]:
        """What happened in a deployment, a bounded number of events."""
        query = {"phase": phase} if phase else {}
        return await self._get(f"/v1/deployments/{id}/logs", Story, after=after, **query)

    async def stored_plan(self, id: str) -> Reply[Plan]:
        """A plan that was made."""
        return await self._get(f"/v1/plans/{id}", Plan)

    async def configuration(self) -> Reply[dict[str, Any]]:
        """The configuration in force, secrets masked."""
        return await self._get("/v1/config", dict[str, Any])

    # --- ordering

    async def plan(self, request: PlanRequest) -> Reply[Plan]:
        """Ask what a deployment would do."""
        return await self._post("/v1/plans", Plan, msgspec.to_builtins(request))

    async def deploy(self, plan: str) -> Reply[Deployment]:
        """Start the deployment of a plan; asked again with the same key where the connection breaks."""
        key = {"Idempotency-Key": uuid4().hex}
        try:
            return await self._post("/v1/deployments", Deployment, {"plan": plan}, key)
        except Unreachable:
            await asyncio.sleep(1.0)
            return await self._post("/v1/deployments", Deployment, {"plan": plan}, key)

    async def promote(self, id: str, reason: str = "") -> Reply[Deployment]:
        """Pass the gate."""
        return await self._post(f"/v1/deployments/{id}/promote", Deployment, {"reason": reason})

    async def abort(self, id: str, reason: str = "") -> Reply[Deployment]:
        """Give up, or cut back."""
        return await self._post(f"/v1/deployments/{id}/abort", Deployment, {"reason": reason})

    async def cutback(self, reason: str = "", *, force: bool = False) -> Reply[Deployment]:
        """Send the traffic back."""
        return await self._post("/v1/cutback", Deployment, {"reason": reason, "force": force})

    async def rollback(self, release: str = "", reason: str = "") -> Reply[Deployment]:
        """Return to an earlier release."""
        named = {"release": release} if release else {}
        return await self._post("/v1/rollback", Deployment, {"reason": reason, **named})

    async def retry(self, id: str) -> Reply[Deployment]:
        """Try again what was given up or stranded."""
        return await self._post(f"/v1/deployments/{id}/retry", Deployment, {})

    async def resolve(self, id: str, reason: str) -> Reply[Deployment]:
        """Say that a STRANDED deployment was settled by hand."""
        return await self._post(f"/v1/deployments/{id}/resolve", Deployment, {"reason": reason})

    # --- following

    async def follow(self, id: str, after: int = 0) -> AsyncGenerator[Reply[Event], None]:
        """Events of a deployment above `after`, as they come; never ends by itself.

        A daemon that restarts is waited for; Unreachable after PATIENCE seconds without one.
        """
        delay, lost_at = 0.1, monotonic()
        while True:
            try:
                async with aclosing(self._stream(f"/v1/deployments/{id}/events", after)) as events:
                    async for event in events:
                        after, delay = event.document["seq"], 0.1
                        yield event
                        lost_at = monotonic()
            except Unreachable:
                if monotonic() - lost_at > PATIENCE:
                    raise
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    async def _stream(self, path: str, after: int) -> AsyncGenerator[Reply[Event], None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_BUDGET, sock_read=STREAM_SILENCE)
        try:
            async with self._open.get(path, headers={"Last-Event-ID": str(after)}, timeout=timeout) as answer:
                await _refuse_problem(answer)
                async for document in _documents(answer.content):
                    yield Reply(document, Event)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise _unanswered(exc, self.socket) from exc

    async def _get(self, path: str, kind: type[T], **query: str | int) -> Reply[T]:
        return await self._ask("GET", path, kind, params=query)

    async def _post(self, path: str, kind: type[T], body: Any, headers: Mapping[str, str] | None = None) -> Reply[T]:
        return await self._ask("POST", path, kind, json=body, headers=headers)

    async def _ask(self, method: str, path: str, kind: type[T], **request: Any) -> Reply[T]:
        timeout = aiohttp.ClientTimeout(total=BUDGET, sock_connect=CONNECT_BUDGET)
        try:
            async with self._open.request(method, path, timeout=timeout, **request) as answer:
                await _refuse_problem(answer)
                return Reply(_decode(await answer.read()), kind)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise _unanswered(exc, self.socket) from exc

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use `async with Client(...)`")
        return self._session


async def _documents(content: aiohttp.StreamReader) -> AsyncIterator[Any]:
    """The data of each server-sent event."""
    data: list[bytes] = []
    async for raw in content:
        line = raw.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield _decode(b"\n".join(data))
            data = []


async def _refuse_problem(answer: aiohttp.ClientResponse) -> None:
    """Raise the problem that an answer tells."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return
    problem = _decode(await answer.read())
    raise ClientError(
        str(problem.get("detail", answer.reason)),
        code=str(problem.get("code", "error")),
        status=answer.status,
        next=tuple(str(command) for command in problem.get("next", ())),
    )


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ClientError("What answers at this socket is not bluegreen.", code="version") from exc


def _unanswered(exc: Exception, socket: Path) -> ClientError:
    """Why no answer came, in words."""
    reason = exc.errno if isinstance(exc, OSError) else None
    if reason in (errno.EACCES, errno.EPERM):
        return SocketDenied(f"You may not connect to {socket}.", code="denied", next=(f"ls -l {socket}", "id"))
    if isinstance(exc, aiohttp.ClientConnectorError):
        detail = f"The daemon does not run: nobody listens on {socket}."
        commands = ("systemctl status bluegreen", "bluegreen --socket PATH status")
        return Unreachable(detail, code="not-running", next=commands)
    if isinstance(exc, TimeoutError):
        detail = "The daemon did not answer in time; what was asked may still happen."
    else:
        detail = "The daemon went away before it answered; what was asked may still happen."
    return Unreachable(detail, code="no-answer", next=("systemctl status bluegreen", "bluegreen status"))
