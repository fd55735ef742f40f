"""Those who switch and are no Caddy, each as its manual tells, before the same two colours.

nginx (`-s reload` is a SIGHUP) and HAProxy (the runtime API's `set server ... addr`) are Debian's; where one is not
installed it is left out.
"""

import asyncio
import os
import shutil
import signal
from pathlib import Path

from benchmarks.switching_rivals import TIMEOUT, Rival
from bluegreen.adapters.balancers.traefik import TraefikBalancer
from bluegreen.adapters.clock import SystemClock
from bluegreen.demo.children import Child, dying_with_us, spawn
from bluegreen.demo.ports import free_ports
from bluegreen.demo.traefik import EmbeddedTraefik
from bluegreen.domain.traffic import Colour
from bluegreen.processes import environment

NGINX = """\
{user}
worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	client_body_temp_path {directory}/body;
	proxy_temp_path {directory}/proxy;
	fastcgi_temp_path {directory}/fastcgi;
	uwsgi_temp_path {directory}/uwsgi;
	scgi_temp_path {directory}/scgi;
{servers}}}
"""
NGINX_SERVER = """\
	upstream {name} {{ server {dial}; keepalive 32; }}
	server {{
		listen 127.0.0.1:{port};
		server_name {site};
		location / {{
			proxy_pass http://{name};
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
		}}
	}}
"""
HAPROXY = """\
global
	stats socket {directory}/haproxy.sock mode 600 level admin
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend front
	bind 127.0.0.1:{port}
{rules}
{backends}
"""


class Traefik(Rival):
    """Ours, by Traefik's file provider; its throttle set to 10 ms."""

    about = "ours: Traefik (one rename)"

    async def start(self) -> None:
        """A Traefik with a router for each service."""
        api = free_ports(1)[0]
        self._traefik = EmbeddedTraefik(self.directory, self.port, api)
        self._traefik.routes({service.name: str(service.site) for service in self.services})
        self._traefik.serve({service.name: service.addresses[Colour.BLUE][0] for service in self.services})
        await self._traefik.start()
        self._balancer = TraefikBalancer(self._traefik.file, self.services, timeout=TIMEOUT, clock=SystemClock())
        await self._serving()

    async def switch(self, colour: Colour) -> None:
        """One rename."""
        await self._balancer.switch(colour, self.next_generation(), expected=colour.other)

    async def stop(self) -> None:
        """End it at once."""
        await self._traefik.kill()


class Nginx(Rival):
    """nginx: the file written anew, and a reload."""

    about = "nginx reload"
    _child: Child | None = None

    @classmethod
    def installed(cls) -> bool:
        """Whether Debian's nginx is there."""
        return shutil.which("nginx", path="/usr/sbin:/usr/bin") is not None

    async def start(self) -> None:
        """A master with its workers."""
        config = str(self._written(Colour.BLUE))
        argv = ["/usr/sbin/nginx", "-p", str(self.directory), "-c", config, "-g", "daemon off;"]
        argv = [*dying_with_us(signal.SIGTERM), *argv]
        self._child = spawn(argv, env=environment(), log=self.directory / "nginx.log")
        await self._serving()

    async def switch(self, colour: Colour) -> None:
        """What `nginx -s reload` does."""
        self._written(colour)
        if self._child is not None:
            self._child.send(signal.SIGHUP)

    async def stop(self) -> None:
        """End the master; its workers go with it."""
        if self._child is not None:
            await self._child.stop()

    def _written(self, colour: Colour) -> Path:
        servers = [
            NGINX_SERVER.format(name=service.name, dial=service.addresses[colour][0], site=service.site, port=self.port)
            for service in self.services
        ]
        user = "user root;" if os.geteuid() == 0 else ""
        path = self.directory / "nginx.conf"
        path.write_text(NGINX.format(user=user, directory=self.directory, servers="".join(servers)))
        return path


class Haproxy(Rival):
    """HAProxy: the address of a running server is set."""

    about = "HAProxy runtime API"
    _child: Child | None = None

    @classmethod
    def installed(cls) -> bool:
        """Whether Debian's haproxy is there."""
        return shutil.which("haproxy", path="/usr/sbin:/usr/bin") is not None

    async def start(self) -> None:
        """One process."""
        rules = [f"\tuse_backend {each.name} if {{ req.hdr(host) -i {each.site} }}" for each in self.services]
        backends = [f"backend {each.name}\n\tserver only {each.addresses[Colour.BLUE][0]}\n" for each in self.services]
        path = self.directory / "haproxy.cfg"
        path.write_text(
            HAPROXY.format(
                directory=self.directory, port=self.port, rules="\n".join(rules), backends="\n".join(backends)
            )
        )
        argv = [*dying_with_us(signal.SIGTERM), "/usr/sbin/haproxy", "-db", "-f", str(path)]
        self._child = spawn(argv, env=environment(), log=self.directory / "haproxy.log")
        await self._serving()

    async def switch(self, colour: Colour) -> None:
        """`set server` for each service, in one line."""
        words = []
        for service in self.services:
            host, _, port = service.addresses[colour][0].rpartition(":")
            words.append(f"set server {service.name}/only addr {host} port {port}")
        reader, writer = await asyncio.open_unix_connection(str(self.directory / "haproxy.sock"))
        writer.write("; ".join(words).encode() + b"\n")
        await reader.read()
        writer.close()

    async def stop(self) -> None:
        """End it."""
        if self._child is not None:
            await self._child.stop()
