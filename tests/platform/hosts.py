"""Other machines: network namespaces, each with a link to ours and an sshd of its own, that can freeze or be cut off.

The files are those of this machine. The database listens on our loopback; the others reach it through a relay on our
end of a link, and lose it with that.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow, token_hex
from urllib.parse import urlsplit

from msgspec.structs import replace

from bluegreen.demo.stack import Stack
from bluegreen.demo.stage import Stage
from tests.platform import parts
from tests.sshd import Sshd, why_not

NAME = re.compile(r"bgt(\d+)-[0-9a-f]+-\w+")
RULES = {
    "cut": 'iifname != "lo" drop',
    "refuse": 'iifname != "lo" meta l4proto tcp reject with tcp reset',
}


@dataclass
class Machine:
    """A machine by the name of its namespace; we reach it at `address`."""

    name: str
    address: str
    gateway: str
    sshd: Sshd

    def cut(self) -> None:
        """Nothing comes through any more, in either direction, and nobody is told."""
        self._deny(RULES["cut"])
        _nft(self.name, "add chain inet test out { type filter hook output priority 0; }")
        _nft(self.name, 'add rule inet test out oifname != "lo" drop')

    def refuse(self) -> None:
        """Every connection is refused."""
        self._deny(RULES["refuse"])

    def heal(self) -> None:
        """The link is as before; harmless where it is."""
        with suppress(subprocess.CalledProcessError):
            _nft(self.name, "delete table inet test")

    def freeze(self) -> None:
        """Everything on it stands still, as on a machine that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it stood."""
        self._signal(signal.SIGCONT)

    def _deny(self, rule: str) -> None:
        self.heal()
        _nft(self.name, "add table inet test")
        _nft(self.name, "add chain inet test in { type filter hook input priority 0; }")
        _nft(self.name, f"add rule inet test in {rule}")

    def _signal(self, number: signal.Signals) -> None:
        for pid in _ip("netns", "pids", self.name).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)


@asynccontextmanager
async def machine(directory: Path, name: str) -> AsyncIterator[Machine]:
    """One machine while this lasts."""
    parts.ip()
    parts.nft()
    parts.sshd()
    parts.need("sshd", why_not())
    _sweep()
    tag, net = token_hex(2), f"10.{100 + randbelow(100)}.{randbelow(256)}"
    made = Machine(
        f"bgt{os.getpid()}-{tag}-{name}",
        f"{net}.2",
        f"{net}.1",
        Sshd(directory / name, f"{net}.2", 2222, ["ip", "netns", "exec", f"bgt{os.getpid()}-{tag}-{name}"]),
    )
    ours, theirs = f"bg{tag}{name[0]}0", f"bg{tag}{name[0]}1"
    try:
        _ip("netns", "add", made.name)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        _ip("link", "set", theirs, "netns", made.name)
        _ip("addr", "add", f"{net}.1/30", "dev", ours)
        _ip("link", "set", ours, "up")
        theirs_up = (f"addr add {net}.2/30 dev {theirs}", f"link set {theirs} up", "link set lo up")
        for words in (*theirs_up, f"route add default via {net}.1"):
            _ip("-n", made.name, *words.split())
        await made.sshd.start()
        yield made
    finally:
        _remove(made.name)


@asynccontextmanager
async def relay(dsn: str, address: str) -> AsyncIterator[str]:
    """The DSN by which a database of our loopback is reached at one of our addresses, while this lasts."""
    url = urlsplit(dsn)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(url.hostname, url.port)
        await asyncio.gather(_pass(reader, to_writer), _pass(to_reader, writer))

    async with await asyncio.start_server(serve, address, url.port):
        yield dsn.replace(f"{url.hostname}:{url.port}", f"{address}:{url.port}")


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    writer.close()


class SpreadStage(Stage):
    """The stage whose colours each have a machine; Caddy, the daemon and the users are on ours."""

    machines: dict[str, Machine]
    relayed: str
    """The database as the colours reach it."""

    def _stack(self) -> Stack:
        alone = Stack.on_free_ports(self.dsn)
        return Stack(self.relayed, alone.ports, {colour: machine.address for colour, machine in self.machines.items()})

    async def _bring_up_live(self) -> None:
        argv = [
            sys.executable,
            "-m",
            "bluegreen.demo.colour",
            "up",
            "--state",
            str(self.sample),
            "--colour",
            "blue",
            "--version",
            self.live,
        ]
        ran = await self.machines["blue"].sshd.ssh().run(argv, timeout=30.0, leave_children=True)
        assert ran.code == 0, ran.output

    def _write_files(self, stack: Stack) -> None:
        super()._write_files(replace(stack, dsn=self.dsn))
        text = self.config.read_text()
        for colour, machine in self.machines.items():
            section = f"[environments.{colour}]\n"
            assert section in text
            text = text.replace(section, section + machine.sshd.toml())
        self.config.write_text(text)


def _ip(*words: str) -> str:
    return _run([str(parts.program("ip", "iproute2")), *words])


def _nft(namespace: str, rule: str) -> None:
    _run([str(parts.program("ip", "iproute2")), "netns", "exec", namespace, str(parts.nft()), rule])


def _run(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30.0, stdin=subprocess.DEVNULL)
    return done.stdout


def _remove(name: str) -> None:
    with suppress(subprocess.CalledProcessError):
        for pid in _ip("netns", "pids", name).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "del", name)  # with its end of the link goes ours


def _sweep() -> None:
    """Remove what a run that was killed left behind."""
    for name in _ip("netns", "list").split():
        found = NAME.fullmatch(name)
        if found and not Path(f"/proc/{found[1]}").exists():
            _remove(name)
