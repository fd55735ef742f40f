"""What every Balancer does, in memory and on a real Caddy behind a Unix socket and behind TCP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.memory import Fault
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import (
    AddressInvalid,
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    MovedOutside,
    RouteNotFound,
)
from bluegreen.domain.traffic import Colour
from bluegreen.ports_traffic import Balancer
from tests.adapters.balancers.bench_cloudflare import CloudflareBench
from tests.adapters.balancers.bench_pointer import PointerBench
from tests.adapters.balancers.bench_traefik import TraefikBench
from tests.adapters.balancers.benches import Bench, CaddyBench, MemoryBench, PreviewedBench, outer_address
from tests.adapters.balancers.sites import HERA, KRATOS, NOON, SERVICES

BLUE, GREEN = Colour.BLUE, Colour.GREEN


@pytest.fixture(
    params=[
        "memory",
        "cloudflare",
        pytest.param("traefik", marks=pytest.mark.real),
        pytest.param("traefik-unasked", marks=pytest.mark.real),
        pytest.param("unix", marks=pytest.mark.real),
        pytest.param("tcp", marks=pytest.mark.real),
        pytest.param("previewed", marks=pytest.mark.real),
        pytest.param("pointer", marks=pytest.mark.real),
    ]
)
async def bench(request: pytest.FixtureRequest, caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[Bench]:
    kind = request.param
    if kind == "memory":
        yield MemoryBench()
        return
    if kind == "cloudflare":
        async with CloudflareBench().running() as running:
            yield running
        return
    if kind.startswith("traefik"):
        async with TraefikBench(short_directory, asked=kind == "traefik").running() as running:
            yield running
        return
    if kind == "tcp":
        caddy = EmbeddedCaddy(caddy.directory, f"http://127.0.0.1:{free_ports(1)[0]}")
    snippets = short_directory / "snippets"
    snippets.mkdir()
    made = {"pointer": PointerBench, "previewed": PreviewedBench}.get(kind, CaddyBench)
    outer = outer_address("tcp" if kind == "tcp" else "unix", short_directory)
    try:
        async with made(caddy, outer, snippets).running() as running:
            yield running
    finally:
        await caddy.kill()


async def test_it_sees_the_colour_that_serves_before_it_ever_wrote(bench: Bench) -> None:
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation, traffic.highest_generation) == (BLUE, None, 0)
    assert [(each.service, each.dials) for each in traffic.services] == [
        (service.name, service.addresses[BLUE]) for service in SERVICES
    ]
    assert all(len(each.paths) == 1 for each in traffic.services)


async def test_a_switch_moves_every_service_in_one_write_and_stamps_it(bench: Bench) -> None:
    await bench.balancer.switch(GREEN, 7, expected=BLUE)
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (GREEN, 7)
    assert [each.dials for each in traffic.services] == [service.addresses[GREEN] for service in SERVICES]
    assert bench.written() == 1


async def test_there_and_back_again_is_the_first_dials_under_a_later_stamp(bench: Bench) -> None:
    before = await bench.balancer.observe()
    await bench.balancer.switch(GREEN, 7)
    await bench.balancer.switch(BLUE, 8)
    after = await bench.balancer.observe()
    assert [each.dials for each in after.services] == [each.dials for each in before.services]
    assert [each.paths for each in after.services] == [each.paths for each in before.services]
    assert after.generation == 8


async def test_what_is_so_already_is_not_written_again(bench: Bench) -> None:
    await bench.balancer.switch(GREEN, 7, expected=BLUE)
    await bench.balancer.switch(GREEN, 7, expected=BLUE)
    await bench.balancer.switch(GREEN, 7)
    assert bench.written() == 1


async def test_the_same_colour_under_a_later_stamp_is_a_write(bench: Bench) -> None:
    await bench.balancer.switch(BLUE, 3)
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation, bench.written()) == (BLUE, 3, 1)


async def test_nothing_is_written_when_traffic_is_not_where_it_is_expected(bench: Bench) -> None:
    with pytest.raises(MovedOutside, match=r"kratos -> 127\.0\.0\.1:18101"):
        await bench.balancer.switch(BLUE, 7, expected=GREEN)
    assert bench.written() == 0


async def test_services_on_different_colours_have_none_and_are_no_expected_state(bench: Bench) -> None:
    await bench.point("kratos", *KRATOS.addresses[GREEN])
    traffic = await bench.balancer.observe()
    assert [each.colour for each in traffic.services] == [GREEN, BLUE]
    assert traffic.colour is None
    with pytest.raises(MovedOutside):
        await bench.balancer.switch(GREEN, 7, expected=BLUE)
    assert bench.written() == 0


@pytest.mark.parametrize("ours", [6, 7])
async def test_a_way_back_that_came_meanwhile_is_not_overtaken(ours: int, bench: Bench) -> None:
    """A daemon that hung before its switch finds `cutback --offline` done: the colour as expected, the stamp later."""
    await bench.balancer.switch(BLUE, 7)
    with pytest.raises(MovedOutside, match="generation 7 meanwhile"):
        await bench.balancer.switch(GREEN, ours, expected=BLUE)
    assert (await bench.balancer.observe()).colour is BLUE
    assert bench.written() == 1


async def test_the_way_back_overwrites_whatever_is_there(bench: Bench) -> None:
    await bench.point("kratos", *KRATOS.addresses[BLUE], *KRATOS.addresses[GREEN])
    assert (await bench.balancer.observe()).colour is None
    await bench.balancer.switch(BLUE, 9)
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 9)


async def test_some_of_a_colours_addresses_are_that_colour_and_a_switch_restores_them_all(bench: Bench) -> None:
    await bench.balancer.switch(GREEN, 7)
    await bench.point("kratos", KRATOS.addresses[GREEN][0])
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (GREEN, None)
    await bench.balancer.switch(GREEN, 7)
    assert (await bench.balancer.observe()).services[0].dials == KRATOS.addresses[GREEN]


async def test_addresses_that_are_not_ours_are_no_route_of_ours(bench: Bench) -> None:
    await bench.point("hera", "127.0.0.1:9")
    with pytest.raises(RouteNotFound, match=r"hera.*127\.0\.0\.1:9\b"):
        await bench.balancer.observe()
    if isinstance(bench, TraefikBench):  # found by its name, in a file of ours: whatever stands there is overwritten
        await bench.balancer.switch(BLUE, 9)
        assert (await bench.balancer.observe()).colour is BLUE
        return
    with pytest.raises(RouteNotFound):
        await bench.balancer.switch(BLUE, 9)
    first = isinstance(bench, PointerBench)  # who follows the file goes back, whatever became of another
    assert bench.written() == first


async def test_a_route_that_is_gone_is_named(bench: Bench) -> None:
    await bench.remove("kratos")
    with pytest.raises(RouteNotFound, match="kratos") as caught:
        await bench.balancer.observe()
    assert caught.value.facts["service"] == "kratos"


async def test_a_restart_takes_it_back_to_where_it_started_without_our_stamp(bench: Bench) -> None:
    await bench.balancer.switch(GREEN, 7)
    await bench.restart()
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, None)
    await bench.balancer.switch(GREEN, 8, expected=BLUE)
    assert (await bench.balancer.observe()).generation == 8


async def test_nothing_is_known_and_nothing_sent_while_it_is_unreachable(bench: Bench) -> None:
    await bench.unplug()
    with pytest.raises(BalancerUnreachable):
        await bench.balancer.observe()
    with pytest.raises(BalancerUnreachable):
        await bench.balancer.switch(GREEN, 7)
    with pytest.raises(BalancerUnreachable):
        await bench.balancer.card(BLUE, 8)
    with pytest.raises(BalancerUnreachable):
        await bench.balancer.validate()


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
async def test_a_write_that_fails_says_what_may_have_happened(
    bench: Bench, fault: Fault, error: type[BalancerError], lands: bool
) -> None:
    bench.meet(fault)
    with pytest.raises(BalancerError) as caught:
        await bench.balancer.switch(GREEN, 7, expected=BLUE)
    assert type(caught.value) is error
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == ((GREEN, 7) if lands else (BLUE, None))


async def test_a_success_without_effect_is_seen_when_read_back(bench: Bench) -> None:
    bench.meet(Fault.NO_EFFECT)
    await bench.balancer.switch(GREEN, 7, expected=BLUE)
    assert (await bench.balancer.observe()).colour is BLUE


async def test_a_change_that_was_foreign_once_succeeds_on_a_fresh_read(bench: Bench) -> None:
    bench.meet(Fault.FOREIGN_CHANGE)
    with pytest.raises(ForeignChange):
        await bench.balancer.switch(GREEN, 7, expected=BLUE)
    await bench.balancer.switch(GREEN, 7, expected=BLUE)
    assert (await bench.balancer.observe()).colour is GREEN


async def test_a_late_write_lands_where_nothing_was_written_since(bench: Bench) -> None:
    bench.meet(Fault.LANDS_LATE)
    with pytest.raises(ChangeUnknown):
        await bench.balancer.switch(GREEN, 7, expected=BLUE)
    assert (await bench.balancer.observe()).colour is BLUE
    await bench.land()
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (GREEN, 7)


async def test_a_fence_keeps_a_late_write_out_although_the_colour_is_the_same(bench: Bench) -> None:
    await bench.balancer.switch(BLUE, 6)
    bench.meet(Fault.LANDS_LATE)
    with pytest.raises(ChangeUnknown):
        await bench.balancer.switch(GREEN, 7, expected=BLUE)
    await bench.balancer.switch(BLUE, 8)
    await bench.land()
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 8)
    assert bench.written() == 2


async def with_fallback(bench: Bench) -> Balancer:
    if isinstance(bench, PointerBench):
        await bench.wish_fallback()
    return bench.balancer


async def test_the_other_colour_behind_is_seen_and_ends_with_the_next_switch(bench: Bench) -> None:
    balancer = await with_fallback(bench)
    try:
        await balancer.switch(GREEN, 7, expected=BLUE, fallback=True)
    except ChangeRefused as exc:
        pytest.skip(exc.detail)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.fallback, traffic.generation) == (GREEN, True, 7)
    assert [each.dials for each in traffic.services] == [
        service.addresses[GREEN] + service.addresses[BLUE] for service in SERVICES
    ]
    await balancer.switch(GREEN, 7, expected=BLUE, fallback=True)
    assert bench.written() == 1, "it is so already"
    await balancer.switch(GREEN, 8, expected=GREEN)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.fallback, traffic.generation) == (GREEN, False, 8)
    assert [each.dials for each in traffic.services] == [service.addresses[GREEN] for service in SERVICES]


async def test_the_way_back_leads_out_of_a_fallback(bench: Bench) -> None:
    balancer = await with_fallback(bench)
    try:
        await balancer.switch(GREEN, 7, expected=BLUE, fallback=True)
    except ChangeRefused as exc:
        pytest.skip(exc.detail)
    await balancer.switch(BLUE, 8)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.fallback, traffic.generation) == (BLUE, False, 8)


async def test_good_addresses_pass(bench: Bench) -> None:
    await bench.balancer.validate()


async def test_addresses_that_could_not_be_dialled_are_refused(bench: Bench) -> None:
    nonsense = replace(HERA, addresses={BLUE: ("127.0.0.1:notaport",), GREEN: ("127.0.0.1:2",)})
    with pytest.raises(AddressInvalid, match="'notaport' is not a number") as caught:
        await bench.beside(nonsense).validate()
    assert caught.value.facts["service"] == "hera"


async def test_the_card_holds_all_that_the_way_back_needs(bench: Bench) -> None:
    card = await bench.balancer.card(BLUE, 8)
    paths = {each.service: each.paths for each in (await bench.balancer.observe()).services}
    assert (card.colour, card.generation, card.services, card.paths) == (BLUE, 8, SERVICES, paths)
    assert (card.endpoint, card.deployment, card.open, card.written_at) == (bench.endpoint, "", False, NOON)


async def test_where_no_snippet_is_kept_none_is_made(bench: Bench) -> None:
    await bench.balancer.persist(GREEN)
    assert bench.balancer.persisted() is None


async def test_the_snippets_are_brought_to_a_colour_and_traffic_stays(bench: Bench) -> None:
    bench.keep_snippets(BLUE)
    assert bench.balancer.persisted() is BLUE
    await bench.balancer.persist(GREEN)
    assert bench.balancer.persisted() is GREEN
    assert (await bench.balancer.observe()).colour is BLUE
    assert bench.written() == 0


async def test_a_reload_goes_past_us_and_comes_up_from_its_own_files(bench: Bench) -> None:
    balancer = bench.reload_with(0)
    await bench.balancer.switch(GREEN, 7)
    await balancer.reload()
    traffic = await bench.balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, None)


async def test_a_reload_that_fails_or_is_not_configured_says_so(bench: Bench) -> None:
    with pytest.raises(BalancerError, match="configured"):
        await bench.balancer.reload()
    with pytest.raises(BalancerError, match="failed with 3"):
        await bench.reload_with(3).reload()
