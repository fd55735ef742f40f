"""The bench of mode "pointer": a real Caddy that follows a real file, and a rename that meets faults."""

import errno
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_pointer import CaddyPointer
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.adapters.balancers.snippets import line
from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports_traffic import Balancer
from tests.adapters.balancers import sites
from tests.adapters.balancers.benches import ROUTES, TIMEOUT
from tests.adapters.balancers.gate import Address, Gate

HANDLERS = {"kratos": f"{ROUTES['kratos']}/handle/0/routes/1/handle/0", "hera": f"{ROUTES['hera']}/handle/0"}
"""Where the operator's own handlers stand."""

STYLE = Style(shares=(0.05, 0.25))


class Disk:
    """Renames, and what may happen to one. It counts those of the pointer file that were made."""

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.made = 0
        self._held: list[tuple[threading.Event, threading.Event]] = []

    def __call__(self, source: str, target: str, directory: int) -> None:
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.REFUSED:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if fault is Fault.FOREIGN_CHANGE:
            os.unlink(source, dir_fd=directory)  # what any other writer does
        if fault is Fault.NO_EFFECT:
            return
        go, done = threading.Event(), threading.Event()
        if fault is Fault.LANDS_LATE:
            self._held.append((go, done))
            go.wait(60)
        try:
            os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
            self.made += target != "nonce"
        finally:
            done.set()

    def land(self) -> None:
        """Let what is held up go on, and wait for it."""
        held, self._held = self._held, []
        for go, done in held:
            go.set()
            assert done.wait(10)


class DiskPointer(CaddyPointer):
    """As in production, on another disk."""

    def use(self, disk: Disk) -> "DiskPointer":
        self._rename = disk
        return self


class PointerBench:
    """Armed already. The gate stands before the admin endpoint, the disk under the file."""

    def __init__(
        self,
        caddy: EmbeddedCaddy,
        outer: str,
        directory: Path,
        style: Style = STYLE,
        services: Sequence[Service] = sites.SERVICES,
    ) -> None:
        self.caddy, self._directory, self._stack = caddy, directory, AsyncExitStack()
        self.endpoint, self.file = outer, directory / "live"
        self.style = replace(style, pointer=self.file)
        self.gate, self.disk = Gate(Address(caddy.admin), Address(outer), self._meddle), Disk()
        self.balancer = self.made(services)

    @asynccontextmanager
    async def running(self, config: sites.Json = None, *, arm: bool = True) -> AsyncIterator["PointerBench"]:
        await self.caddy.start(config or sites.olympus())
        async with self._stack, self.gate, self.balancer:
            try:
                if arm:
                    await self.balancer.arm()
                self.disk.made = 0
                yield self
            finally:
                self.disk.land()

    def meet(self, *faults: Fault) -> None:
        if {Fault.LOST_WITH_EFFECT, Fault.LOST_WITHOUT_EFFECT, Fault.UNREACHABLE} & {*faults}:
            pytest.skip("no connection is there to be lost")
        if Fault.NO_EFFECT in faults:
            pytest.skip("a rename that did nothing is a foreign change: test_a_rename_without_effect_is_no_success")
        self.disk.faults.extend(faults)

    async def land(self) -> None:
        self.disk.land()

    def written(self) -> int:
        return self.disk.made

    async def point(self, service: str, *dials: str) -> None:
        await self.point_at(HANDLERS[service], *dials)

    async def point_at(self, path: str, *dials: str) -> None:
        """As a reload from a Caddyfile that knows nothing of arms."""
        status, said = await sites.patch(self.caddy.admin, path, sites.proxy(*dials))
        assert status == 200, said

    async def remove(self, service: str) -> None:
        status, said = await sites.patch(self.caddy.admin, ROUTES[service], {"handle": []})
        assert status == 200, said

    async def restart(self) -> None:
        await self.caddy.restart()

    async def unplug(self) -> None:
        pytest.skip("a switch goes without the endpoint: test_an_endpoint_that_is_gone_says_nothing_until_...")

    def keep_snippets(self, colour: Colour) -> None:
        for service in sites.SERVICES:
            (self._directory / f"{service.name}.caddy").write_text(line(service, colour))

    def reload_with(self, exit_code: int) -> Balancer:
        words = [str(caddy_binary()), "reload", "--config", str(self.caddy.directory / "caddy.json")]
        words += ["--address", self.caddy.admin.removeprefix("http://")]
        return self.made(sites.SERVICES, ["sh", "-c", f"exit {exit_code}"] if exit_code else words)

    def beside(self, *services: Service) -> Balancer:
        return self.made(services)

    async def wish_fallback(self) -> None:
        """As an operator who sets fallback_to_previous, and arms again."""
        self.style = replace(self.style, fallback=True)
        again = self.made(sites.SERVICES)
        await self.balancer.close()
        self.balancer = await self._stack.enter_async_context(again)
        await self.balancer.arm()
        self.disk.made = 0

    def made(self, services: Sequence[Service], reload: Sequence[str] = ()) -> DiskPointer:
        """One more balancer, not opened."""
        return DiskPointer(
            self.endpoint,
            services,
            timeout=TIMEOUT,
            clock=sites.StoppedClock(),
            directory=self._directory,
            reload=reload,
            style=self.style,
        ).use(self.disk)

    async def _meddle(self) -> None:
        """A foreign change that leaves our services alone: what we read is stale all the same."""
        path = "/config/apps/http/servers/srv0/idle_timeout"
        async with sites.admin_of(self.caddy.admin) as admin, admin.post(path, json=60_000_000_000) as answer:
            assert answer.status == 200, await answer.text()
