"""What sharing users out means: the contract of the port Shares, in memory and on a real Caddy."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol, cast

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    MovedOutside,
)
from bluegreen.domain.traffic import Colour, Split
from bluegreen.ports_traffic import Balancer, Shares
from tests.adapters.balancers.bench_cloudflare import CloudflareBench
from tests.adapters.balancers.bench_pointer import PointerBench
from tests.adapters.balancers.benches import Bench, CaddyBench, MemoryBench, outer_address
from tests.adapters.balancers.sites import KRATOS, SERVICES

BLUE, GREEN = Colour.BLUE, Colour.GREEN
FIVE, QUARTER = Split(GREEN, 0.05), Split(GREEN, 0.25)


class Sharing(Balancer, Shares, Protocol):
    """A balancer that can share users out."""


@pytest.fixture(
    params=[
        "memory",
        "cloudflare",
        pytest.param("rewrite", marks=pytest.mark.real),
        pytest.param("pointer", marks=pytest.mark.real),
    ]
)
async def bench(request: pytest.FixtureRequest, caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield MemoryBench()
        return
    if request.param == "cloudflare":
        async with CloudflareBench().running() as cloudflare:
            yield cloudflare
        return
    made = PointerBench if request.param == "pointer" else CaddyBench
    async with made(caddy, outer_address("unix", short_directory), short_directory).running() as running:
        yield running


@pytest.fixture
def balancer(bench: Bench) -> Sharing:
    return cast("Sharing", bench.balancer)


async def test_every_service_is_split_in_one_change_and_read_back_so(bench: Bench, balancer: Sharing) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    traffic = await balancer.observe()
    assert (traffic.split, traffic.colour, traffic.generation) == (FIVE, None, 1)
    for service, seen in zip(SERVICES, traffic.services, strict=True):
        both = {*service.addresses[BLUE], *service.addresses[GREEN]}
        assert set(seen.dials) == both, "both colours are dialled: none may be stopped"
    assert bench.written() == 1


async def test_the_same_again_writes_nothing(bench: Bench, balancer: Sharing) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await balancer.split(FIVE, 1, expected=BLUE)
    assert bench.written() == 1


async def test_it_goes_from_share_to_share_to_all_and_from_any_share_back(balancer: Sharing) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await balancer.split(QUARTER, 2, expected=FIVE)
    assert (await balancer.observe()).split == QUARTER
    await balancer.switch(GREEN, 3, expected=QUARTER)
    assert (await balancer.observe()).colour is GREEN
    await balancer.split(FIVE, 4, expected=GREEN)
    await balancer.switch(BLUE, 5)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.split, traffic.generation) == (BLUE, None, 5)


@pytest.mark.parametrize("expected", [GREEN, QUARTER])
async def test_nothing_is_written_where_users_are_elsewhere(
    bench: Bench, balancer: Sharing, expected: Colour | Split
) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    with pytest.raises(MovedOutside):
        await balancer.split(QUARTER, 2, expected=expected)
    with pytest.raises(MovedOutside):
        await balancer.switch(GREEN, 2, expected=expected)
    assert bench.written() == 1


async def test_a_way_back_that_came_meanwhile_is_not_overtaken(balancer: Sharing) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await balancer.split(FIVE, 9, expected=FIVE)
    with pytest.raises(MovedOutside, match="generation 9"):
        await balancer.split(QUARTER, 2, expected=FIVE)


async def test_the_card_that_is_written_before_a_share_leads_back_from_it(balancer: Sharing) -> None:
    card = await balancer.card(BLUE, 1)
    await balancer.split(FIVE, 2, expected=BLUE)
    assert card.paths == {each.service: each.paths for each in (await balancer.observe()).services}


async def test_somebody_who_points_one_service_elsewhere_ends_the_split(bench: Bench, balancer: Sharing) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await bench.restart()
    traffic = await balancer.observe()
    assert (traffic.split, traffic.colour, traffic.generation) == (None, BLUE, None)
    await bench.point("kratos", *KRATOS.addresses[GREEN])
    assert (await balancer.observe()).colour is None


@pytest.mark.parametrize(
    ("fault", "error", "lands"),
    [
        (Fault.LANDS_LATE, ChangeUnknown, False),
        (Fault.LOST_WITH_EFFECT, ConnectionLost, True),
        (Fault.LOST_WITHOUT_EFFECT, ConnectionLost, False),
        (Fault.REFUSED, ChangeRefused, False),
        (Fault.FOREIGN_CHANGE, ForeignChange, False),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
async def test_it_meets_the_faults_of_any_write(
    bench: Bench, balancer: Sharing, fault: Fault, error: type[BalancerError], lands: bool
) -> None:
    bench.meet(fault)
    with pytest.raises(BalancerError) as caught:
        await balancer.split(FIVE, 1, expected=BLUE)
    assert type(caught.value) is error
    traffic = await balancer.observe()
    assert (traffic.split, traffic.colour) == ((FIVE, None) if lands else (None, BLUE))


async def test_a_share_that_lands_late_is_there_unless_a_fence_came_before_it(bench: Bench, balancer: Sharing) -> None:
    bench.meet(Fault.LANDS_LATE, Fault.LANDS_LATE)
    with pytest.raises(ChangeUnknown):
        await balancer.split(FIVE, 1, expected=BLUE)
    await bench.land()
    assert (await balancer.observe()).split == FIVE
    with pytest.raises(ChangeUnknown):
        await balancer.split(QUARTER, 2, expected=FIVE)
    await balancer.switch(BLUE, 3)
    await bench.land()
    assert (await balancer.observe()).colour is BLUE


async def test_nothing_is_sent_while_it_is_unreachable(bench: Bench, balancer: Sharing) -> None:
    await bench.unplug()
    with pytest.raises(BalancerUnreachable):
        await balancer.split(FIVE, 1, expected=BLUE)
