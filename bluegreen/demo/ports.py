"""Free TCP ports on loopback for servers that are started, stopped and started again.

The kernel's own choice (`bind` to port 0) comes from the ephemeral range, out of which every outgoing
connection takes its source port too; a server that is restarted under load then finds its port taken (ip(7),
`ip_local_port_range`). Ports below that range stay free.
"""

import random
import socket
from collections import deque
from contextlib import ExitStack
from pathlib import Path

LOWEST = 15_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
DEFAULT_EPHEMERAL = 32_768
ATTEMPTS = 10_000
REMEMBERED = 500
"""Ports that are not given out a second time: who got one may not listen yet."""

turn, turns = 0, 1
"""Of `turns` processes that look for ports side by side, which one this is: none takes what another just found free."""

_given: deque[int] = deque(maxlen=REMEMBERED)


def free_ports(n: int) -> tuple[int, ...]:
    """`n` different TCP ports of 127.0.0.1 that nobody listens on now, and that were not given to another caller
    lately; OSError when there are too few."""
    with ExitStack() as held:
        ports: list[int] = []
        for _ in range(ATTEMPTS):
            if len(ports) == n:
                _given.extend(ports)
                return tuple(ports)
            port = random.randrange(LOWEST, _first_ephemeral())
            if port % turns == turn and port not in _given and _hold(port, held):
                ports.append(port)
    raise OSError(f"no {n} free TCP ports between {LOWEST} and {_first_ephemeral()} on 127.0.0.1")


def _hold(port: int, held: ExitStack) -> bool:
    sock = held.enter_context(socket.socket())
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def _first_ephemeral() -> int:
    try:
        first = int(RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return DEFAULT_EPHEMERAL
    return first if first > LOWEST + 1_000 else 65_536
