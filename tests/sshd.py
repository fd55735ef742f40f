"""A real sshd with keys of its own, on loopback or in a network namespace, into which we log in as ourselves."""

import asyncio
import getpass
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen.demo.children import Child, spawn, tail
from bluegreen.demo.ports import free_ports
from bluegreen.hosts import HostUnreachable
from bluegreen.processes import environment
from bluegreen.ssh import Ssh
from tests.platform.parts import found

CONFIG = """\
ListenAddress {address}
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserEnvironment yes
LogLevel ERROR
MaxStartups 50
{extra}
"""

READY = 10.0
"""Seconds for sshd to listen."""


@dataclass
class Sshd:
    """One server. `prefix` runs before it (the words that enter a namespace); `extra`: further lines of its
    configuration."""

    directory: Path
    address: str = "127.0.0.1"
    port: int = 0
    prefix: Sequence[str] = ()
    extra: str = ""
    child: Child | None = field(default=None, init=False)

    @property
    def known_hosts(self) -> Path:
        """The file that knows its key."""
        return self.directory / "known_hosts"

    @property
    def identity(self) -> Path:
        """The key that it lets in."""
        return self.directory / "identity"

    @property
    def log(self) -> Path:
        """What it said."""
        return self.directory / "sshd.log"

    def ssh(self, **wishes: object) -> Ssh:
        """The host as the daemon reaches it."""
        arguments = {"identity": self.identity, "known_hosts": self.known_hosts} | wishes
        return Ssh(self.address, user=getpass.getuser(), port=self.port, **arguments)  # type: ignore[arg-type]

    def toml(self) -> str:
        """The same as lines of [environments.X]."""
        return (
            f'on = "ssh://{getpass.getuser()}@{self.address}:{self.port}"\n'
            f'ssh = {{ identity = "{self.identity}", known_hosts = "{self.known_hosts}" }}\n'
        )

    async def start(self, env: Mapping[str, str] | None = None) -> None:
        """Make its keys where there are none, start it, and return once it listens."""
        if not self.identity.exists():
            self._make_keys()
        config = self.directory / "sshd_config"
        config.write_text(
            CONFIG.format(address=self.address, port=self.port, directory=self.directory, extra=self.extra)
        )
        argv = [*self.prefix, str(found("sshd")), "-D", "-e", "-f", str(config)]
        self.child = spawn(argv, env=environment(env), log=self.log)
        async with asyncio.timeout(READY):
            while not await self._answers():
                assert self.child.alive, self.said
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        try:
            return (await self.ssh().run(["true"], timeout=READY)).code == 0
        except HostUnreachable:
            return False

    def _make_keys(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for name in ("host_key", "identity"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / name)]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30.0)
        public = (self.directory / "host_key.pub").read_text().split()[:2]
        where = self.address if self.port == 22 else f"[{self.address}]:{self.port}"
        self.known_hosts.write_text(" ".join([where, *public]) + "\n")
        (self.directory / "authorized_keys").write_text((self.directory / "identity.pub").read_text())

    async def stop(self) -> None:
        """End it with all its sessions; harmless when it is down."""
        if self.child is not None:
            for child in descendants(self.child):
                await child.kill()
            await self.child.kill()

    @property
    def said(self) -> str:
        """Its last words."""
        return tail(self.log)


def descendants(child: Child) -> list[Child]:
    """Its children, theirs, and so on."""
    found = child.offspring()
    return found + [each for one in found for each in descendants(one)]


def why_not() -> str:
    """Why no sshd can be started here; empty where one can."""
    for program in ("sshd", "ssh", "ssh-keygen"):
        if found(program) is None:
            return f"{program} is not installed: apt-get install openssh-server"
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return ""


@asynccontextmanager
async def loopback(directory: Path, **wishes: str) -> AsyncIterator[Sshd]:
    """A server on loopback while this lasts."""
    server = Sshd(directory, port=free_ports(1)[0], **wishes)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
