"""Dials: two spellings of one address, whose it is, and what can be dialled at all."""

from dataclasses import replace

import pytest

from bluegreen.adapters.balancers.addresses import (
    belongs,
    colour_of,
    refuse_malformed,
    refuse_unresolvable,
)
from bluegreen.domain.errors import AddressInvalid
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.balancers.sites import HERA, KRATOS, SERVICES

BLUE, GREEN = Colour.BLUE, Colour.GREEN


@pytest.mark.parametrize(
    ("dials", "colour", "ours"),
    [
        (["127.0.0.1:18101"], BLUE, True),
        (["tcp/localhost:18101"], BLUE, True),
        (["127.0.0.1:18202", "127.0.0.1:18201"], GREEN, True),
        (["127.0.0.1:18201"], GREEN, True),
        (["127.0.0.1:18101", "127.0.0.1:18201"], None, True),
        (["127.0.0.1:18101", "127.0.0.1:9"], None, False),
        (["127.0.0.1:9"], None, False),
        ([], None, False),
    ],
    ids=["blue", "blue otherwise", "green", "some of green", "both", "blue and foreign", "foreign", "none"],
)
def test_dials_have_a_colour_only_when_all_of_them_are_of_it(
    dials: list[str], colour: Colour | None, ours: bool
) -> None:
    assert colour_of(KRATOS, dials) is colour
    assert belongs(KRATOS, dials) is ours


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ([replace(HERA, addresses={BLUE: ("127.0.0.1:notaport",), GREEN: ("127.0.0.1:2",)})], "'notaport'"),
        ([replace(HERA, addresses={BLUE: ("127.0.0.1:0",), GREEN: ("127.0.0.1:2",)})], "'0' is not a number"),
        ([replace(HERA, addresses={BLUE: ("127.0.0.1:65536",), GREEN: ("127.0.0.1:2",)})], "'65536'"),
        ([replace(HERA, addresses={BLUE: ("127.0.0.1:1",), GREEN: ("localhost:1",)})], "of hera and green of hera"),
        ([HERA, replace(HERA, name="zeus")], "blue of hera and blue of zeus"),
        ([replace(HERA, addresses={BLUE: ("127.0.0.1:1",), GREEN: ()})], "no address for green"),
        ([replace(HERA, addresses={BLUE: ("http://127.0.0.1:1",), GREEN: ("127.0.0.1:2",)})], "host:port"),
        ([replace(HERA, addresses={BLUE: ("8001",), GREEN: ("127.0.0.1:2",)})], "host:port"),
        ([replace(HERA, addresses={BLUE: ("::1:8001",), GREEN: ("127.0.0.1:2",)})], "in brackets"),
    ],
    ids=["no number", "zero", "too large", "both colours", "two services", "none", "a scheme", "no host", "bare v6"],
)  # fmt: skip
def test_addresses_that_could_not_be_dialled_are_refused(services: list[Service], says: str) -> None:
    with pytest.raises(AddressInvalid, match=says):
        refuse_malformed(services)


async def test_addresses_that_can_be_dialled_pass() -> None:
    refuse_malformed(SERVICES)
    await refuse_unresolvable(SERVICES, timeout=5.0)


@pytest.mark.parametrize("host", ["[fe80::1%nosuchlink]", "a" * 64], ids=["no such link", "too long a label"])
async def test_a_host_that_is_not_resolved_is_refused_by_name(host: str) -> None:
    nowhere = replace(HERA, addresses={BLUE: (f"{host}:80",), GREEN: ("127.0.0.1:2",)})
    with pytest.raises(AddressInvalid, match=r"blue of service hera, cannot be dialled: its host .* is not resolved"):
        await refuse_unresolvable([nowhere], timeout=20.0)


async def test_resolving_ends_with_its_budget() -> None:
    with pytest.raises(AddressInvalid, match="not resolved in time"):
        await refuse_unresolvable(SERVICES, timeout=0.0)
