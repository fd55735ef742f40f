"""What a dial means: when two spellings are the same address, whose it is, and whether it can be dialled at
all.

Caddy accepts `dial: "127.0.0.1:notaport"` with 200 and then answers 502 to every user (pinned in
tests/adapters/balancers/test_caddy_facts.py), so addresses are judged before anything is written.
"""

import asyncio
import socket
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bluegreen.domain.errors import AddressInvalid, MovedOutside
from bluegreen.domain.traffic import Colour, Service, Split, Traffic, normal


def colour_of(service: Service, dials: Iterable[str]) -> Colour | None:
    """The colour to which all of these dials belong; None when they are of both, of neither, or none."""
    seen = {normal(dial) for dial in dials}
    for colour in Colour:
        if seen and seen <= {normal(dial) for dial in service.addresses[colour]}:
            return colour
    return None


def belongs(service: Service, dials: Iterable[str]) -> bool:
    """Whether there are dials and all of them are addresses of this service, in whichever colour."""
    known = {normal(dial) for colour in Colour for dial in service.addresses[colour]}
    seen = {normal(dial) for dial in dials}
    return bool(seen) and seen <= known


def refuse_overtaken(traffic: Traffic, colour: Colour, generation: int, expected: Colour | Split) -> None:
    """Raise MovedOutside unless all traffic is as `expected`, and nothing was written after this write was decided.

    A generation as high as ours is a way back (`cutback --offline`) that came while we were held up.
    """
    if (traffic.split if isinstance(expected, Split) else traffic.colour) != expected:
        raise MovedOutside(
            f"traffic is not all on {expected}, so it is not moved to {colour}: {traffic.describe()}",
            next=("bluegreen status",),
        )
    if traffic.highest_generation >= generation:
        raise MovedOutside(
            f"the balancer was written under generation {traffic.highest_generation} meanwhile, so it is not moved to"
            f" {colour} under {generation}",
            next=("bluegreen status",),
        )


def refuse_malformed(services: Sequence[Service]) -> None:
    """Raise AddressInvalid for an address without host or numeric port, a colour without any, or one used
    twice.
    """
    owners: dict[str, list[str]] = defaultdict(list)
    for service in services:
        for colour in Colour:
            _refuse_empty(service, colour)
            for address in service.addresses[colour]:
                _split(service, colour, address)
                owners[normal(address)].append(f"{colour} of {service.name}")
    for address, of in owners.items():
        if len(of) > 1:
            raise AddressInvalid(
                f"{address} stands for {' and '.join(of)}; each address belongs to one colour of one "
                "service, "
                "or nobody can tell where users are. Correct them under [[services]]",
                next=("bluegreen config check",),
                address=address,
            )


async def refuse_unresolvable(services: Sequence[Service], timeout: float) -> None:
    """Raise AddressInvalid for a host that has no address; `timeout` in seconds for all of them together."""
    deadline = asyncio.get_running_loop().time() + timeout
    asked: set[str] = set()
    for service in services:
        for colour in Colour:
            for address in service.addresses[colour]:
                host, _ = _split(service, colour, address)
                if host not in asked:
                    asked.add(host)
                    await _resolve(service, colour, address, host, deadline)


async def _resolve(service: Service, colour: Colour, address: str, host: str, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError as exc:
        raise _invalid(service, colour, address, f"its host {host!r} was not resolved in time") from exc
    except (OSError, UnicodeError) as exc:  # UnicodeError: a label that idna cannot encode
        raise _invalid(service, colour, address, f"its host {host!r} is not resolved here: {exc}") from exc


def _refuse_empty(service: Service, colour: Colour) -> None:
    if not service.addresses.get(colour):
        raise AddressInvalid(
            f'service {service.name} has no address for {colour}: add one under [[services]] name = "{service.name}"',
            next=("bluegreen config check",),
            service=service.name,
        )


def _split(service: Service, colour: Colour, address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if "/" in address:
        raise _invalid(service, colour, address, "write it as host:port; the scheme is a key of its own")
    if not host:
        raise _invalid(service, colour, address, "write it as host:port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _invalid(service, colour, address, "write an IPv6 address in brackets, as [::1]:8080")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise _invalid(service, colour, address, f"its port {port!r} is not a number from 1 to 65535")
    return host.strip("[]"), int(port)


def _invalid(service: Service, colour: Colour, address: str, why: str) -> AddressInvalid:
    return AddressInvalid(
        f"{address!r}, {colour} of service {service.name}, cannot be dialled: {why}",
        next=("bluegreen config check",),
        service=service.name,
        address=address,
    )
