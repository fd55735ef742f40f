"""What sharing users out means, on the balancer in memory: the contract of the port Shares."""

import pytest

from bluegreen.adapters.balancers.memory import Fault, MemoryBalancer
from bluegreen.domain.errors import ChangeRefused, ChangeUnknown, MovedOutside
from bluegreen.domain.traffic import Colour, Split
from bluegreen.ports_traffic import Shares
from tests.domain.examples import BLUE, GREEN, SERVICES
from tests.virtual_time import VirtualClock

FIVE, QUARTER = Split(GREEN, 0.05), Split(GREEN, 0.25)


@pytest.fixture
def balancer() -> MemoryBalancer:
    return MemoryBalancer(tuple(SERVICES.values()), clock=VirtualClock())


async def test_every_service_is_split_in_one_change_and_read_back_so(balancer: MemoryBalancer) -> None:
    shares: Shares = balancer
    await shares.split(FIVE, 1, expected=BLUE)
    traffic = await balancer.observe()
    assert (traffic.split, traffic.colour, traffic.generation) == (FIVE, None, 1)
    for service in traffic.services:
        addresses = SERVICES[service.service].addresses
        assert set(service.dials) == {*addresses[BLUE], *addresses[GREEN]}, (
            "both colours are dialled: none may be stopped"
        )


async def test_the_same_again_writes_nothing(balancer: MemoryBalancer) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await balancer.split(FIVE, 1, expected=BLUE)
    assert balancer.written == [(FIVE, 1)]


async def test_it_goes_from_share_to_share_to_all_and_from_any_share_back(balancer: MemoryBalancer) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await balancer.split(QUARTER, 2, expected=FIVE)
    await balancer.switch(GREEN, 3, expected=QUARTER)
    assert (await balancer.observe()).colour is GREEN
    await balancer.split(FIVE, 4, expected=GREEN)
    await balancer.switch(BLUE, 5)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.split) == (BLUE, None)


@pytest.mark.parametrize("expected", [GREEN, QUARTER])
async def test_nothing_is_written_where_users_are_elsewhere(balancer: MemoryBalancer, expected: Colour | Split) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    with pytest.raises(MovedOutside):
        await balancer.split(QUARTER, 2, expected=expected)
    with pytest.raises(MovedOutside):
        await balancer.switch(GREEN, 2, expected=expected)
    assert balancer.written == [(FIVE, 1)]


async def test_a_way_back_that_came_meanwhile_is_not_overtaken(balancer: MemoryBalancer) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    await balancer.split(FIVE, 9, expected=FIVE)
    with pytest.raises(MovedOutside, match="generation 9"):
        await balancer.split(QUARTER, 2, expected=FIVE)


async def test_it_meets_the_faults_of_any_write(balancer: MemoryBalancer) -> None:
    balancer.faults.extend([Fault.REFUSED, Fault.LANDS_LATE])
    with pytest.raises(ChangeRefused):
        await balancer.split(FIVE, 1, expected=BLUE)
    with pytest.raises(ChangeUnknown):
        await balancer.split(FIVE, 2, expected=BLUE)
    assert (await balancer.observe()).colour is BLUE
    balancer.land()
    assert (await balancer.observe()).split == FIVE
