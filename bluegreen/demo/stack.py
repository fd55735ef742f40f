"""What both colours of the sample application share, as one file in the state directory: the database and the
ports.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports

COLOURS = ("blue", "green")
SERVICES = ("accounts", "shop")
FILE = "stack.json"


class Stack(msgspec.Struct, frozen=True):
    """The DSN, each colour's port per service, and each colour's address where that is not 127.0.0.1."""

    dsn: str
    ports: Mapping[str, Mapping[str, int]]
    hosts: Mapping[str, str] = {}

    @classmethod
    def on_free_ports(cls, dsn: str) -> Self:
        """A stack for this database, on ports that nobody uses now."""
        ports = iter(free_ports(len(COLOURS) * len(SERVICES)))
        return cls(dsn, {colour: {service: next(ports) for service in SERVICES} for colour in COLOURS})

    @classmethod
    def load(cls, state: Path) -> Self:
        """The stack of a state directory; EmbeddedFailed when there is none."""
        try:
            return msgspec.json.decode((state / FILE).read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError) as exc:
            raise EmbeddedFailed(f"{state / FILE} describes no sample application: {exc}") from exc

    def save(self, state: Path) -> None:
        """Write it for the commands of the colours; only for us to read, the DSN may hold a password."""
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = state / f"{FILE}.new"
        new.touch(mode=0o600)
        new.write_bytes(msgspec.json.encode(self))
        new.replace(state / FILE)

    def address(self, colour: str, service: str) -> str:
        """What Caddy dials."""
        return f"{self.host(colour)}:{self.ports[colour][service]}"

    def host(self, colour: str) -> str:
        """Where a colour listens."""
        return self.hosts.get(colour, "127.0.0.1")
