"""Who listens at an address: the compose service that publishes it."""

import re
from dataclasses import dataclass

from bluegreen.domain.traffic import Colour
from bluegreen.init.found import Machine, Member, Published, Stack, colour_in, colourless

SHARED = re.compile(r"postgres|redis|valkey|minio|mysql|mariadb|rabbitmq|kafka|memcached|caddy|traefik|nginx")
"""Images that both colours share, or that stand before them: no part of a colour."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Owner:
    """A compose service and one port that it publishes."""

    stack: Stack
    member: Member
    port: Published

    @property
    def colour(self) -> Colour | None:
        """The colour that it is of; None where nothing tells."""
        return self.stack.colour or colour_in(self.member.name) or colour_in(self.member.container)

    @property
    def where(self) -> str:
        """Where it stands, for people."""
        return f"{self.stack.directory / self.stack.files[0]}: service {self.member.name}"

    def is_other_of(self, other: "Owner") -> bool:
        """Whether it is the same service in the other colour."""
        same = colourless(self.member.name) == colourless(other.member.name)
        return same and self.port.target == other.port.target and self.colour is not other.colour


def owners_of(machine: Machine) -> list[Owner]:
    """All that is published and may be part of a colour."""
    return [Owner(s, m, p) for s in machine.stacks for m in s.members for p in m.ports if not SHARED.search(m.image)]


def owner_of(dial: str, owners: list[Owner]) -> Owner | None:
    """Who listens at an address that Caddy dials, on this machine or in a network of containers."""
    host, port = dial.rpartition(":")[0], port_of(dial)
    here = host in LOOPBACK
    for each in owners:
        published = here and each.port.port == port
        inside = host in (each.member.name, each.member.container) and each.port.target == port
        if published or inside:
            return each
    return None


def port_of(dial: str) -> int:
    """The port of an address."""
    return int(dial.rpartition(":")[2])
