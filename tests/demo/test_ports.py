"""Free ports are different, free, and none that outgoing connections would take."""

import random
import socket
from pathlib import Path

import pytest

from bluegreen.demo import ports


def test_they_are_different_and_can_be_bound() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    for port in found:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))


def test_none_is_an_ephemeral_port() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first <= ports.LOWEST + 1_000:
        pytest.skip(f"the ephemeral ports of this machine begin at {first}: nothing is left below them")
    assert max(ports.free_ports(50)) < first


def test_a_port_that_is_taken_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free_ports(1)
    monkeypatch.setattr(ports, "_given", [])
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        monkeypatch.setattr(random, "randrange", lambda _lowest, _end: port)
        with pytest.raises(OSError, match="no 1 free TCP ports"):
            ports.free_ports(1)


def test_a_port_is_not_given_twice_while_nobody_listens_there_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free_ports(1)
    monkeypatch.setattr(random, "randrange", lambda _lowest, _end: port)
    with pytest.raises(OSError, match="no 1 free TCP ports"):
        ports.free_ports(1)
