"""The stand of the benchmarks: two colours that answer with their name, a Caddy before them, and the real daemon.

The colours are sites of a second Caddy, so that nothing of theirs is touched when the first one reloads. They are
always up, and there is no database: a deployment takes as long as its switch and its proof.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.child import module
from bluegreen.app.requests import PlanRequest
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, EmbeddedFailed, tail
from bluegreen.demo.ports import free_ports
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour, Service
from bluegreen.interfaces.client import Client, ClientError

NAMES = ("accounts", "shop")
START = 20.0
"""Seconds for the daemon to answer."""

PATIENCE = 30.0
"""Seconds for a deployment to reach a phase."""

HEAD = """\
{{
	admin {admin}
	auto_https off
	persist_config off
}}
"""

COLOUR = """
http://:{port} {{
	bind 127.0.0.1
	{faults}
	respond "{colour}"
}}
"""

FAULTS = """root * {directory}
	@out file /{colour}.out
	respond @out "broken" 503
	@some {{
		file /{colour}.some
		expression `{{http.request.uuid}}.matches("^0[0-9a-c]")`
	}}
	respond @some "broken" 500
"""
"""While a file of that name stands there, every answer of a colour is an error, or 13 of 256 are (5.1 %)."""

SITE = """
http://{site}:{port} {{
	bind 127.0.0.1
	{log}
	log_append upstream {{http.reverse_proxy.upstream.hostport}}
	reverse_proxy {dial}
}}
"""

LOG = "log {{\n\t\toutput file {log} {{\n\t\t\tmode 0640\n\t\t\troll_disabled\n\t\t}}\n\t}}"

CONFIG = """\
project = "bench"

[daemon]
state_dir = "{directory}/state"
socket = "{directory}/api.sock"
log_format = "json"

[metrics]
listen = "{metrics}"

[caddy]
admin = "{admin}"
access_log = "{log}"
front_door = "{front}"
dir = "{directory}"

[environments.blue]
release = "1.0.0"
up = ["true"]
down = ["true"]

[environments.green]
up = ["true"]
down = ["true"]

[promotion]
auto = true

[watch.advanced]
slow_floor = "250ms"
"""
"""`slow_floor`: everything plays on one machine, and its hiccups would count as a slow release."""

SERVICE = """
[[services]]
name = "{service.name}"
site = "{service.site}"
blue = ["{blue}"]
green = ["{green}"]
ready = {{ path = "/", consecutive = 1, interval = "20ms" }}
"""


class Stand:
    """One directory with everything in it. `log` is the access log, if `logged`; the colours of a `breakable` one can
    `fail`."""

    def __init__(self, directory: Path, *, logged: bool, breakable: bool = False) -> None:
        self.directory, self._logged, self._breakable = directory, logged, breakable
        self.log = directory / "access.log"
        self.socket = directory / "api.sock"
        self.caddy = EmbeddedCaddy(directory / "front")
        self._colours = EmbeddedCaddy(directory / "colours")
        self._daemon: Child | None = None
        self.port, metrics, *ports = free_ports(2 + len(Colour) * len(NAMES))
        self.metrics = f"127.0.0.1:{metrics}"
        dials = iter(f"127.0.0.1:{port}" for port in ports)
        self.services: Mapping[str, Service] = {
            name: Service(name, {colour: (next(dials),) for colour in Colour}, site=f"{name}.localhost")
            for name in NAMES
        }

    @property
    def admin_socket(self) -> Path:
        """Where Caddy's admin API listens."""
        return Path(self.caddy.admin.removeprefix("unix/"))

    @property
    def pid(self) -> int:
        """The daemon's; RuntimeError while it does not run."""
        if self._daemon is None or self._daemon.pid is None:
            raise RuntimeError("the daemon does not run")
        return self._daemon.pid

    @property
    def client(self) -> Client:
        """The operator's client of the daemon; open it with `async with`."""
        return Client(self.socket)

    def caddyfile(self, colour: Colour) -> Path:
        """The Caddyfile that sends every service to a colour."""
        log = LOG.format(log=self.log) if self._logged else ""
        sites = [
            SITE.format(site=service.site, port=self.port, log=log, dial=service.addresses[colour][0])
            for service in self.services.values()
        ]
        return self._written(f"{colour}.caddyfile", HEAD.format(admin=self.caddy.admin) + "".join(sites))

    async def start(self) -> None:
        """Both Caddys, blue live."""
        self.log.touch(mode=0o640)  # a log that is there already is opened for appending: others write to it, too
        sites = [
            COLOUR.format(port=address.rpartition(":")[2], colour=colour, faults=self._faults(colour))
            for service in self.services.values()
            for colour in Colour
            for address in service.addresses[colour]
        ]
        text = HEAD.format(admin=self._colours.admin) + "".join(sites)
        await self._colours.start(self._written("colours.caddyfile", text))
        await self.caddy.start(self.caddyfile(Colour.BLUE))

    def fail(self, colour: Colour, how: str) -> None:
        """From now on a colour fails: "out", all of its answers, or "some", one in twenty."""
        (self.directory / f"{colour}.{how}").touch()

    def recover(self, colour: Colour) -> None:
        """From now on a colour is well again."""
        for how in ("out", "some"):
            (self.directory / f"{colour}.{how}").unlink(missing_ok=True)

    async def start_daemon(self, admin: Path) -> None:
        """The real daemon, which finds Caddy's admin API at the socket `admin`; returns when it answers."""
        log = self.directory / "daemon.log"
        self._daemon = module("bluegreen", "serve", "--config", str(self._config(admin)), log=log)
        for _ in range(int(START / 0.1)):
            try:
                async with self.client as client:
                    await client.status()
            except ClientError:
                if await self._daemon.ended(0.1):
                    break
            else:
                return
        raise EmbeddedFailed(f"the daemon ended, or did not answer within {START:g} s; it said: {tail(log)}")

    async def deploy(self, release: str) -> str:
        """Start a deployment as the CLI does; its id."""
        async with self.client as client:
            plan = (await client.plan(PlanRequest(release=release))).value
            return (await client.deploy(plan.id)).value.id

    async def reached(self, id: str, phase: Phase) -> Deployment:
        """The deployment when it is in a phase; RuntimeError where it ended before, TimeoutError after PATIENCE."""
        async with asyncio.timeout(PATIENCE), self.client as client:
            while (now := (await client.deployment(id)).value).phase is not phase:
                if now.phase.final:
                    raise RuntimeError(f"{id} ended in {now.phase} before {phase}: {now.reason}")
                await asyncio.sleep(0.02)
        return now

    async def stop_daemon(self) -> None:
        """Stop the daemon as systemd would; harmless when it is down."""
        if self._daemon is not None:
            await self._daemon.stop()

    async def tear_down(self) -> None:
        """End everything that was started here."""
        await self.stop_daemon()
        await self.caddy.kill()
        await self._colours.kill()

    def _faults(self, colour: Colour) -> str:
        return FAULTS.format(directory=self.directory, colour=colour) if self._breakable else ""

    def _config(self, admin: Path) -> Path:
        head = CONFIG.format(
            directory=self.directory,
            admin=f"unix/{admin}",
            log=self.log,
            front=f"http://127.0.0.1:{self.port}",
            metrics=self.metrics,
        )
        services = [
            SERVICE.format(
                service=service, blue=service.addresses[Colour.BLUE][0], green=service.addresses[Colour.GREEN][0]
            )
            for service in self.services.values()
        ]
        return self._written("bluegreen.toml", head + "".join(services))

    def _written(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path


@asynccontextmanager
async def standing(*, logged: bool, breakable: bool = False) -> AsyncIterator[Stand]:
    """A stand with both Caddys running; taken down and removed whatever happens."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-bench-") as name:
        stand = Stand(Path(name), logged=logged, breakable=breakable)
        try:
            await stand.start()
            yield stand
        finally:
            await stand.tear_down()
