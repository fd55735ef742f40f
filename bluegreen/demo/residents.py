"""One service of one colour of the sample application: what runs there, since when, which release.

It is known from a file with pid and start time together, so a pid that was used again is never taken for
ours.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from bluegreen.demo.application import FAULT_VARIABLE
from bluegreen.demo.children import Child, EmbeddedFailed, spawn, tail
from bluegreen.demo.stack import Stack
from bluegreen.processes import environment

POLL = 0.03
"""Seconds between two looks at a service that starts; it is another process and tells nobody."""


PROBE = 1.0
"""Seconds for one look: a stranger on the port may never answer."""


class Resident(msgspec.Struct, frozen=True):
    """What was started: which process, which release, which fault over it."""

    pid: int
    started: int
    version: str
    fault: str | None

    @property
    def child(self) -> Child:
        """The process, running or not."""
        return Child(self.pid, self.started)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service of one colour runs."""

    state: Path
    colour: str
    service: str

    @property
    def log(self) -> Path:
        """What the service writes."""
        return self.state / f"{self.colour}-{self.service}.log"

    def resident(self) -> Resident | None:
        """What runs here now; None when nothing does."""
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=Resident)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return found if found.child.alive else None

    async def ensure(self, stack: Stack, version: str, fault: str | None) -> None:
        """This release is started here; what already runs it is left alone, another is stopped first."""
        running = self.resident()
        if running is None or (running.version, running.fault) != (version, fault):
            await self.clear()
            self._begin(stack, version, fault)

    async def clear(self) -> None:
        """Nothing runs here; harmless when nothing did."""
        running = self.resident()
        if running is not None:
            await running.child.stop()
        self._file.unlink(missing_ok=True)

    async def answering(self, stack: Stack, version: str, timeout: float) -> None:
        """Returns when this release answers here; EmbeddedFailed when it ended or takes too long."""
        url = f"http://{stack.address(self.colour, self.service)}/version"
        expected = {"version": version, "colour": self.colour, "service": self.service}
        what = f"{self.colour} {self.service} {version}"
        try:
            async with asyncio.timeout(timeout), aiohttp.ClientSession() as session:
                while await _json(session, url) != expected:
                    if self.resident() is None:
                        raise EmbeddedFailed(f"{what} ended; it said: {tail(self.log)}")
                    await asyncio.sleep(POLL)
        except TimeoutError as exc:
            raise EmbeddedFailed(f"{what} does not answer at {url} after {timeout:g} s") from exc

    @property
    def _file(self) -> Path:
        return self.state / f"{self.colour}-{self.service}.json"

    def _begin(self, stack: Stack, version: str, fault: str | None) -> None:
        argv = [sys.executable, "-m", "bluegreen.demo.application", "--colour", self.colour]
        argv += ["--service", self.service, "--version", version]
        argv += ["--port", str(stack.ports[self.colour][self.service])]
        argv += ["--host", stack.host(self.colour)]
        env = environment({"DATABASE_URL": stack.dsn, **({FAULT_VARIABLE: fault} if fault is not None else {})})
        child = spawn(argv, env=env, log=self.log)
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(Resident(child.pid, child.started, version, fault)))
        new.replace(self._file)


async def _json(session: aiohttp.ClientSession, url: str) -> object:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=PROBE)) as answer:
            return await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
