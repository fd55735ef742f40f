"""Clients by number: stable, told apart, and never by their address."""

from collections import Counter
from pathlib import Path

import pytest

from bluegreen.adapters.signals.access_clients import KNOWN_CLIENTS, Clients, key_of
from bluegreen.domain.signals import CLIENT_BUCKETS

KEY = b"k" * 32


def number(address: str, key: bytes = KEY) -> int:
    return Clients(key).number(address)


def test_a_client_has_the_same_number_after_a_restart_and_another_one_elsewhere() -> None:
    assert number("203.0.113.7") == number("203.0.113.7") == 493861821938581159
    assert number("203.0.113.7") != number("203.0.113.8")
    assert number("203.0.113.7") != number("203.0.113.7", b"another")


def test_a_number_has_63_bits() -> None:
    assert all(0 <= number(f"10.0.0.{each}") < 1 << 63 for each in range(256))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("2001:DB8:1:2::1", "2001:db8:1:2::1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("not:an:address", "not:another", False),
        ("\udcff:x", "\udcff:x", True),
    ],
)
def test_a_network_of_ipv6_is_one_client(one: str, other: str, same: bool) -> None:
    assert (number(one) == number(other)) is same


def test_clients_spread_over_the_buckets() -> None:
    clients = Clients(KEY)
    buckets = Counter(clients.number(f"10.{n // 256}.{n % 256}.1") % CLIENT_BUCKETS for n in range(8000))
    assert len(buckets) == CLIENT_BUCKETS
    assert min(buckets.values()) > 800


def test_no_more_than_so_many_are_remembered() -> None:
    clients = Clients(KEY)
    first = clients.number("10.0.0.1")
    for each in range(KNOWN_CLIENTS + 5):
        clients.number(f"10.{each // 65536}.{each // 256 % 256}.{each % 256}")
    assert len(clients._known) <= KNOWN_CLIENTS
    assert clients.number("10.0.0.1") == first


def test_what_is_no_address_is_not_remembered() -> None:
    clients = Clients(KEY)
    assert clients.number("x" * 100_000) == clients.number("x" * 100_000) != clients.number("x" * 100_001)
    assert len(clients._known) == 0


def test_the_key_is_of_the_machine_and_the_project(tmp_path: Path) -> None:
    machine = tmp_path / "machine-id"
    machine.write_text("4c2f0c2e5f3b4b7e9d0b0a2f5f3c1d11\n")
    key = key_of("olympus", machine)
    assert key == key_of("olympus", machine)
    assert len({key, key_of("hera", machine), key_of("olympus", tmp_path / "none"), key_of("x" * 64, machine)}) == 4
    assert b"olympus" not in key
