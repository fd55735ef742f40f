"""Who asked, as a number that says nothing else: the same client has the same number, also after a restart.

Addresses are never kept. The number is a keyed hash: without the key, all four billion IPv4 addresses could be tried.
Somebody with IPv6 has a whole /64 and counts as one (RFC 6177 gives a site at least that).
"""

from hashlib import blake2b
from ipaddress import IPv6Address
from pathlib import Path

KNOWN_CLIENTS = 50_000
"""Clients whose number is remembered."""

LONGEST = 64
"""Characters of an address that is remembered; IPv6 has 45 at most."""

MACHINE = Path("/etc/machine-id")
"""Secret enough, stable, and readable by all: machine-id(5) asks for it to be hashed with a key before it is used."""

POSITIVE = (1 << 63) - 1


def key_of(project: str, machine: Path = MACHINE) -> bytes:
    """The key of this machine for one project, the same after each start. Where a machine has no id it is the project's
    alone, which keeps clients apart and addresses from the eye, and from nobody who tries them all."""
    try:
        text = machine.read_bytes()
    except OSError:
        text = b""
    return blake2b(text, key=project.encode()[:64], person=b"bluegreen-client", digest_size=32).digest()


class Clients:
    """Numbers for clients, from addresses as Caddy logs them."""

    def __init__(self, key: bytes = b"") -> None:
        """`key` of at most 64 bytes."""
        self._key = key
        self._known: dict[str, int] = {}

    def number(self, address: str) -> int:
        """63 bits that stand for one client."""
        number = self._known.get(address)
        if number is None:
            number = self._hash(_network(address) if ":" in address else address)
            if len(self._known) >= KNOWN_CLIENTS:
                self._known.clear()
            if len(address) <= LONGEST:
                self._known[address] = number
        return number

    def _hash(self, text: str) -> int:
        digest = blake2b(text.encode(errors="replace"), key=self._key, digest_size=8).digest()
        return int.from_bytes(digest, "big") & POSITIVE


def _network(address: str) -> str:
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
