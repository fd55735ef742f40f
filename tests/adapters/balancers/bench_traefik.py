"""The bench of Traefik: the contract of a Balancer on a real one, with the faults that a file can have."""

import errno
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from threading import Event, Lock

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.adapters.balancers.traefik import TraefikBalancer
from bluegreen.adapters.balancers.traefik_document import parsed
from bluegreen.demo.ports import free_ports
from bluegreen.demo.traefik import EmbeddedTraefik
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports_traffic import Balancer
from tests.adapters.balancers import sites

TIMEOUT = 1.5
NO_CONNECTION = "a file is replaced, or it is not: there is no connection to lose, and no answer without effect"
REMEMBERS = "a restarted Traefik reads the file that was switched; it has no command to be reloaded"


def first_text(services: Sequence[Service] = sites.SERVICES, colour: Colour = Colour.BLUE) -> str:
    """Our file as an operator writes it at set-up, with a wish of his own."""
    entries = {
        service.name: {
            "loadBalancer": {
                "servers": [{"url": f"http://{dial}"} for dial in service.addresses[colour]],
                "passHostHeader": True,
            }
        }
        for service in services
    }
    return "# set up by hand\n" + json.dumps({"http": {"services": entries}})


class Renames:
    """What happens to the renames of the balancer: the next ones meet these faults; a late one waits to `land`."""

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.done = 0
        self._late: list[Event] = []
        self._landed: list[Event] = []
        self._lock = Lock()

    def __call__(self, source: str, target: str, directory: int) -> None:
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.REFUSED:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if fault is Fault.FOREIGN_CHANGE:
            os.unlink(source, dir_fd=directory)  # as any other writer does first
        if fault is Fault.LANDS_LATE:
            self._wait_and_rename(source, target, directory)
            return
        os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
        self.done += 1

    def _wait_and_rename(self, source: str, target: str, directory: int) -> None:
        late, landed = Event(), Event()
        with self._lock:
            self._late.append(late)
            self._landed.append(landed)
        try:
            assert late.wait(30)
            os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
            self.done += 1
        finally:
            landed.set()

    def land(self) -> None:
        """Let those go on that are held up, and wait for them."""
        with self._lock:
            late, self._late = self._late, []
            landed, self._landed = self._landed, []
        for each in late:
            each.set()
        for each in landed:
            assert each.wait(10)


class TraefikBench:
    def __init__(self, directory: Path, *, asked: bool) -> None:
        """`asked`: whether the balancer knows Traefik's API."""
        self._traefik = EmbeddedTraefik(directory, *free_ports(2))
        self._asked, self._stack, self.renames = asked, AsyncExitStack(), Renames()
        self.endpoint = f"traefik:{self._traefik.file}"
        self.balancer = self._balancer(sites.SERVICES)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["TraefikBench"]:
        self._traefik.routes({service.name: str(service.site) for service in sites.SERVICES})
        self._traefik.file.write_text(first_text())
        try:
            await self._traefik.start()
            async with self._stack, self.balancer:
                yield self
        finally:
            self.renames.land()
            await self._traefik.kill()

    def meet(self, *faults: Fault) -> None:
        if {Fault.LOST_WITH_EFFECT, Fault.LOST_WITHOUT_EFFECT, Fault.NO_EFFECT} & {*faults}:
            pytest.skip(NO_CONNECTION)
        self.renames.faults.extend(faults)

    async def land(self) -> None:
        self.renames.land()
        await self._loaded()

    def written(self) -> int:
        return self.renames.done

    async def point(self, service: str, *dials: str) -> None:
        value = self._value()
        value["http"]["services"][service]["loadBalancer"]["servers"] = [{"url": f"http://{dial}"} for dial in dials]
        await self._put(value)

    async def remove(self, service: str) -> None:
        value = self._value()
        del value["http"]["services"][service]
        await self._put(value)

    async def restart(self) -> None:
        pytest.skip(REMEMBERS)

    async def unplug(self) -> None:
        await self._traefik.kill()
        self._traefik.dynamic.rename(self._traefik.dynamic.with_name("away"))

    def keep_snippets(self, colour: Colour) -> None:
        pytest.skip(REMEMBERS)

    def reload_with(self, exit_code: int) -> Balancer:
        pytest.skip(REMEMBERS)

    def beside(self, *services: Service) -> Balancer:
        return self._balancer(services)

    def _balancer(self, services: Sequence[Service]) -> TraefikBalancer:
        return TraefikBalancer(
            self._traefik.file,
            services,
            timeout=TIMEOUT,
            clock=sites.StoppedClock(),
            api=self._traefik.api if self._asked else None,
            rename=self.renames,
        )

    def _value(self) -> dict[str, sites.Json]:
        return parsed(self._traefik.file.read_bytes())

    async def _put(self, value: sites.Json) -> None:
        """As an editor does it; returns when Traefik has loaded it, where that can be asked."""
        partial = self._traefik.dynamic / "new"
        partial.write_text(json.dumps(value))
        partial.replace(self._traefik.file)
        await self._loaded()

    async def _loaded(self) -> None:
        if self._asked:
            await self._traefik.follows()
