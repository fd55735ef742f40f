"""Simulated users in front of Caddy: an open model, every request recorded.

Request i is due at t0 + i/rate whatever happened before it, and its latency counts from then: a closed loop
would send less while the server is slow, and so hide what users suffer (coordinated omission). No request is
sent a second time: aiohttp quietly repeats a GET whose connection was lost, and a proxy's reload loses just
these.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import time
from typing import IO

import aiohttp
import click
import msgspec

from bluegreen.demo.records import Record

TURNS = (
    ("accounts", "GET", "/whoami"),
    ("shop", "GET", "/"),
    ("shop", "POST", "/orders"),
    ("accounts", "GET", "/whoami"),
    ("shop", "GET", "/orders"),
)
"""What a user who is logged in does, again and again."""

LOG_IN = ("accounts", "POST", "/login")
NEEDS_SESSION = {"/whoami", "/orders"}
COOKIE = "session"


class LostConnection(aiohttp.ClientError):
    """The connection was lost before the answer."""


@dataclass(slots=True)
class User:
    """One simulated user: a connection of their own and, once logged in, a session they keep."""

    name: str
    http: aiohttp.ClientSession
    session: str | None = None


class Load:
    """`requests` requests of `users` users to `front`, `rate` a second; `records` grows while it runs.

    `hosts` says which Host header reaches which service. `sink` gets each record when it is complete. No more
    than `in_flight` requests at once: what is due then is recorded as not sent.
    """

    def __init__(
        self,
        front: str,
        hosts: Mapping[str, str],
        *,
        rate: float,
        users: int,
        requests: int,
        timeout: float = 10.0,
        in_flight: int = 1000,
        sink: Callable[[Record], None] | None = None,
    ) -> None:
        self.front = front
        self.hosts = hosts
        self.rate = rate
        self.users = users
        self.requests = requests
        self.timeout = timeout
        self.in_flight = in_flight
        self.records: list[Record] = []
        self._sink = sink
        self._stopped = asyncio.Event()
        self._open = 0

    async def run(self) -> None:
        """Returns when all requests have ended, at the latest `timeout` seconds after the last was due."""
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(self.http()) for _ in range(self.users)]
            users = [User(f"user-{number}", http) for number, http in enumerate(crowd)]
            began, wall = loop.time(), time() - loop.time()
            async with asyncio.TaskGroup() as group:
                for number in range(self.requests):
                    due = began + number / self.rate
                    if await self._stopped_before(due):
                        break
                    asked = self.request(number, users[number % self.users], due, wall)
                    group.create_task(asked, name=f"load request {number}")

    def stop(self) -> None:
        """No further request; `run` returns when those in flight have ended."""
        self._stopped.set()

    async def _stopped_before(self, due: float) -> bool:
        try:
            async with asyncio.timeout_at(due):
                return await self._stopped.wait()
        except TimeoutError:
            return False

    async def request(self, number: int, user: User, due: float, wall: float) -> None:
        """One request, recorded; `due` in seconds of the loop's clock, which `wall` turns into Unix time."""
        clock = asyncio.get_running_loop().time
        start, turn = clock(), TURNS[number // self.users % len(TURNS)]
        service, method, path = turn if user.session is not None else LOG_IN
        got = await self.ask(user, service, method, path)
        self._record(
            Record(
                number=number, due=due + wall, start=start + wall, latency=clock() - due,
                user=user.name, service=service, method=method, path=path,
                status=got.status, error=got.error, colour=got.colour, version=got.version,
                session_works=_session_works(path, got.status),
            )
        )  # fmt: skip

    async def ask(self, user: User, service: str, method: str, path: str) -> "Got":
        """One request of one user; what went wrong is in the answer, nothing is raised."""
        if self._open >= self.in_flight:
            return Got(error=f"not sent: {self._open} requests are in flight")
        self._open += 1
        headers = {"Host": self.hosts[service], "Cookie": f"{COOKIE}={user.session or ''}"}
        body = {"user": user.name, "password": f"{user.name}'s own"} if path == "/login" else None
        try:
            async with user.http.request(method, f"{self.front}{path}", headers=headers, json=body) as answer:
                await answer.read()
                if path == "/login" and answer.status == 200:
                    user.session = answer.cookies[COOKIE].value
                return Got(answer.status, None, answer.headers.get("X-Colour"), answer.headers.get("X-Version"))
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            return Got(error=f"{type(exc).__name__}: {exc}")
        finally:
            self._open -= 1

    def _record(self, record: Record) -> None:
        self.records.append(record)
        if self._sink is not None:
            self._sink(record)

    def http(self) -> aiohttp.ClientSession:
        """A client for one user: kept connections, no cookies by itself, and no second try."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self.timeout),
            middlewares=(_only_once,),
        )


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    status: int | None = None
    error: str | None = None
    colour: str | None = None
    version: str | None = None


async def _only_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise LostConnection(f"{type(exc).__name__}: {exc}") from exc


def _session_works(path: str, status: int | None) -> bool | None:
    if path not in NEEDS_SESSION or status is None or status >= 500:
        return None
    return status not in (401, 403)


def _hosts(_context: click.Context, _option: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    hosts = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    missing = {service for service, *_ in TURNS} - hosts.keys()
    if missing:
        raise click.BadParameter(f"say --host SERVICE=HOST for {', '.join(sorted(missing))}")
    return hosts


@click.command()
@click.option("--front", required=True, help="Caddy's front door, http://127.0.0.1:PORT")
@click.option("--host", "hosts", multiple=True, callback=_hosts, help="SERVICE=HOST, once per service")
@click.option("--rate", default=50.0, show_default=True, help="requests a second")
@click.option("--users", default=20, show_default=True)
@click.option("--seconds", default=30.0, show_default=True, help="for how long requests are due")
@click.option("--timeout", default=10.0, show_default=True, help="of a request, in seconds")
@click.option("--output", type=click.File("wb", lazy=False), default="-", help="one JSON object a line")
def main(
    front: str,
    hosts: dict[str, str],
    rate: float,
    users: int,
    seconds: float,
    timeout: float,
    output: IO[bytes],
) -> None:
    """Send requests and write what became of each; SIGTERM and SIGINT end it early and cleanly."""

    def write(record: Record) -> None:
        output.write(msgspec.json.encode(record) + b"\n")
        output.flush()

    async def story() -> None:
        requests = int(rate * seconds)
        load = Load(front, hosts, rate=rate, users=users, requests=requests, timeout=timeout, sink=write)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, load.stop)
        await load.run()

    asyncio.run(story())


if __name__ == "__main__":
    main()
