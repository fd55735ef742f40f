"""A connection to the daemon's socket: questions, answers, streams, and failures in words.

A reply keeps the document as it came (for `-o json`) and reads it into the domain's dataclasses on demand.
msgspec does that, not pydantic: a verb must start fast.
"""

import errno
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import aiohttp
import msgspec

BUDGET = 60.0
"""Seconds that one answer may take; a plan looks at Postgres and Caddy."""

CONNECT_BUDGET = 5.0

STREAM_SILENCE = 40.0
"""Seconds without even a heartbeat after which a stream is opened anew."""

LONGEST_LINE = 1024 * 1024
"""Bytes of one event: it may hold what a command printed."""

T = TypeVar("T")


class ClientError(Exception):
    """The daemon did not do what was asked. `code` is the problem's, `next` are commands to type, `facts` its further
    members."""

    def __init__(
        self,
        detail: str,
        *,
        code: str = "error",
        status: int = 0,
        next: tuple[str, ...] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail, self.code, self.status, self.next = detail, code, status, next
        self.facts: Mapping[str, Any] = facts or {}


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


class Connection:
    """The daemon behind a socket. Use as `async with Connection(path)`."""

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

    async def _stream(self, path: str, kind: type[T], after: int) -> AsyncGenerator[Reply[T], None]:
        """The documents of a stream of events above `after`, as they come."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_BUDGET, sock_read=STREAM_SILENCE)
        try:
            async with self._open.get(path, headers={"Last-Event-ID": str(after)}, timeout=timeout) as answer:
                await refuse_problem(answer)
                async for document in _documents(answer.content):
                    yield Reply(document, kind)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise unanswered(exc, self.socket) from exc

    async def _get(self, path: str, kind: type[T], **query: str | int) -> Reply[T]:
        return await self._ask("GET", path, kind, params=query)

    async def _post(
        self,
        path: str,
        kind: type[T],
        body: Any,
        headers: Mapping[str, str] | None = None,
        *,
        budget: float | None = BUDGET,
    ) -> Reply[T]:
        return await self._ask("POST", path, kind, budget, json=body, headers=headers)

    async def _ask(
        self, method: str, path: str, kind: type[T], budget: float | None = BUDGET, **request: Any
    ) -> Reply[T]:
        """One question; `budget` in seconds for the answer, None where the daemon itself bounds it."""
        timeout = aiohttp.ClientTimeout(total=budget, sock_connect=CONNECT_BUDGET)
        try:
            async with self._open.request(method, path, timeout=timeout, **request) as answer:
                await refuse_problem(answer)
                return Reply(_decode(await answer.read()), kind)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise unanswered(exc, self.socket) from exc

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


async def refuse_problem(answer: aiohttp.ClientResponse) -> None:
    """Raise the problem that an answer tells, as ClientError."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return
    problem = _decode(await answer.read())
    raise ClientError(
        str(problem.get("detail", answer.reason)),
        code=str(problem.get("code", "error")),
        status=answer.status,
        next=tuple(str(command) for command in problem.get("next", ())),
        facts=problem,
    )


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ClientError("What answers at this socket is not bluegreen.", code="version") from exc


def unanswered(exc: Exception, socket: Path) -> ClientError:
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
