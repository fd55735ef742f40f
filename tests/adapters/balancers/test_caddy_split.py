"""Shares and a fallback on a real Caddy in mode "rewrite", and that the operator's own handler comes back whole."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style, pointer_arms
from bluegreen.adapters.balancers.caddy_parts import ABOUT
from bluegreen.adapters.balancers.caddy_pointer import CaddyPointer
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.arming import Armed
from bluegreen.domain.errors import AddressInvalid, ChangeUnknown, MovedOutside, RouteAmbiguous, RouteNotFound
from bluegreen.domain.traffic import Colour, Service, Split
from tests.adapters.balancers.gate import Address, Gate
from tests.adapters.balancers.sites import (
    HERA,
    KRATOS,
    SERVICES,
    Json,
    StoppedClock,
    admin_of,
    config,
    olympus,
    patch,
    paths_that_differ,
    proxy,
    read,
    route,
    server,
)

pytestmark = pytest.mark.real

BLUE, GREEN = Colour.BLUE, Colour.GREEN
FIVE, QUARTER = Split(GREEN, 0.05), Split(GREEN, 0.25)
SPLITS = {"5": FIVE, "25": QUARTER, "blue": Split(BLUE, 0.05)}
LONELY = replace(KRATOS, addresses={BLUE: ("127.0.0.1:18101",), GREEN: ("127.0.0.1:18201",)})
"""kratos with one address for each colour, as a fallback needs it."""

ROUTES = "/apps/http/servers/srv0/routes"
OURS = (f"{ROUTES}/1/handle/0/routes/1/handle/0", f"{ROUTES}/2/handle/0")
"""The handlers of kratos and hera."""


def balancer_at(admin: str, *services: Service, style: Style = Style()) -> CaddyBalancer:  # noqa: B008 - frozen
    return CaddyBalancer(admin, services or SERVICES, timeout=5.0, clock=StoppedClock(), style=style)


def without_ids(node: Json) -> Json:
    """The same without ids of ours."""
    if isinstance(node, dict):
        return {
            key: without_ids(value)
            for key, value in node.items()
            if key != "@id" or not str(value).startswith("bluegreen-")
        }
    return [without_ids(each) for each in node] if isinstance(node, list) else node


async def whole(caddy: EmbeddedCaddy) -> Json:
    return (await read(caddy.admin))[1]


# --- shares


async def test_a_split_is_one_write_of_every_service_and_read_back_exactly(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with Gate(Address(caddy.admin), Address(outer), asyncio.Event().wait) as gate, balancer_at(outer) as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
        traffic = await balancer.observe()
        assert (traffic.split, traffic.colour, traffic.fallback, traffic.generation) == (FIVE, None, False, 1)
        assert [set(each.dials) for each in traffic.services] == [
            {*service.addresses[BLUE], *service.addresses[GREEN]} for service in SERVICES
        ]
        await balancer.split(FIVE, 1, expected=BLUE)
        assert gate.statuses == [200], "the same again writes nothing"
        await balancer.split(QUARTER, 2, expected=FIVE)
        assert (await balancer.observe()).split == QUARTER


async def test_nothing_else_is_touched_by_a_split(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    async with balancer_at(caddy.admin) as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
    assert tuple(paths_that_differ(before, await whole(caddy))) == OURS


@pytest.mark.parametrize(
    "way",
    [
        ["split 5", "switch blue"],
        ["split 5", "split 25", "switch green", "switch blue"],
        ["switch green", "split blue", "switch blue"],
        ["fallback green", "switch green", "switch blue"],
        ["fallback green", "switch blue"],
        ["split 5", "fallback green", "split blue", "fallback blue", "fallback green", "switch blue"],
    ],
    ids=" > ".join,
)
async def test_whatever_stood_there_the_way_back_is_the_operators_own_handler(
    way: list[str], caddy: EmbeddedCaddy
) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    style = Style(preview="s3cret", cookie_domain="example.org", response_header_timeout=3.0)
    async with balancer_at(caddy.admin, LONELY, HERA, style=style) as balancer:
        for generation, step in enumerate(way, 1):
            verb, _, what = step.partition(" ")
            to = SPLITS[what] if verb == "split" else Colour(what)
            if isinstance(to, Split):
                traffic = await balancer.observe()
                await balancer.split(to, generation, expected=traffic.split or traffic.colour or GREEN)
            else:
                await balancer.switch(to, generation, fallback=verb == "fallback")
            traffic = await balancer.observe()
            assert (traffic.split or traffic.colour, traffic.generation) == (to, generation)
            assert traffic.fallback is (verb == "fallback")
    assert without_ids(await whole(caddy)) == before


async def test_all_routes_of_a_service_are_split_under_ids_of_their_own(caddy: EmbeddedCaddy) -> None:
    every = replace(KRATOS, site=None, every_route=True)
    routes = [route(proxy(*KRATOS.addresses[BLUE]), host=host) for host in ("a.example.org", "b.example.org")]
    await caddy.start(config(srv0=server(*routes)))
    before = await whole(caddy)
    async with balancer_at(caddy.admin, every, style=Style(preview="s3cret")) as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
        traffic = await balancer.observe()
        assert (traffic.split, traffic.generation, len(traffic.services[0].paths)) == (FIVE, 1, 2)
        await balancer.switch(BLUE, 2)
    assert without_ids(await whole(caddy)) == before


async def test_one_route_that_others_put_back_is_no_split_and_no_colour(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
        await patch(caddy.admin, f"/config{OURS[1]}", proxy(*HERA.addresses[BLUE]))
        traffic = await balancer.observe()
        assert (traffic.split, traffic.colour, traffic.generation) == (None, None, None)
        for expected in (FIVE, BLUE):
            with pytest.raises(MovedOutside):
                await balancer.split(QUARTER, 2, expected=expected)
        await balancer.switch(BLUE, 2)
        assert (await balancer.observe()).colour is BLUE


async def test_a_way_back_that_came_meanwhile_is_not_overtaken_by_a_share(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(BLUE, 9)
        with pytest.raises(MovedOutside, match="generation 9"):
            await balancer.split(FIVE, 8, expected=BLUE)
        assert (await balancer.observe()).colour is BLUE


async def test_c07_a_share_that_arrives_after_the_way_back_fits_nothing_any_more(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    hasty = CaddyBalancer(outer, SERVICES, timeout=1.0, clock=StoppedClock())
    async with Gate(Address(caddy.admin), Address(outer), asyncio.Event().wait) as gate, hasty as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
        gate.faults.append(Fault.LANDS_LATE)
        with pytest.raises(ChangeUnknown):
            await balancer.split(QUARTER, 2, expected=FIVE)
        await balancer.switch(BLUE, 3)
        await gate.land()
        assert gate.statuses == [200, 200, 412]
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.generation) == (BLUE, 3)


# --- a fallback


async def test_a_fallback_is_read_back_as_its_colour_and_dials_both(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin, LONELY, HERA) as balancer:
        await balancer.switch(GREEN, 1, expected=BLUE, fallback=True)
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.fallback, traffic.generation) == (GREEN, True, 1)
        assert traffic.services[1].dials == ("127.0.0.1:18401", "127.0.0.1:18301")
        await balancer.switch(GREEN, 2, expected=GREEN)
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.fallback, traffic.generation) == (GREEN, False, 2)


async def test_a_dial_that_others_wrote_into_the_fallback_is_no_colour(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin, LONELY, HERA) as balancer:
        await balancer.switch(GREEN, 1, expected=BLUE, fallback=True)
        _, arms, _ = await read(caddy.admin, f"/config{OURS[1]}")
        edited = json.loads(json.dumps(arms).replace('"dial": "127.0.0.1:18401"', '"dial": "127.0.0.1:1"'))
        assert edited != arms
        await patch(caddy.admin, f"/config{OURS[1]}", edited)
        assert (await balancer.observe()).colour is None
        await balancer.switch(BLUE, 2)
        assert (await balancer.observe()).colour is BLUE


async def test_a_fallback_with_several_addresses_of_a_colour_is_refused_at_once(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin, style=Style(fallback=True)) as balancer:
        with pytest.raises(AddressInvalid, match="green of service kratos has 2"):
            await balancer.validate()
    async with balancer_at(caddy.admin, LONELY, HERA, style=Style(fallback=True)) as balancer:
        await balancer.validate()


async def test_a_route_inside_another_one_of_ours_cannot_be_shared_out(caddy: EmbeddedCaddy) -> None:
    inner = {"routes": [route(proxy(*KRATOS.addresses[BLUE]))]}
    await caddy.start(config(srv0=server(route(proxy(*HERA.addresses[BLUE], handle_response=[inner])))))
    services = (replace(LONELY, site=None), replace(HERA, site=None))
    async with balancer_at(caddy.admin, *services, style=Style(shares=(0.05,))) as balancer:
        with pytest.raises(RouteAmbiguous, match=r"kratos at .* stands inside the one of hera"):
            await balancer.validate()


async def test_a_route_that_stands_inside_another_one_moves_with_it_also_where_a_delay_is_written(
    caddy: EmbeddedCaddy,
) -> None:
    inner = {"routes": [route(proxy(*KRATOS.addresses[BLUE]))]}
    await caddy.start(config(srv0=server(route(proxy(*HERA.addresses[BLUE], handle_response=[inner])))))
    services = (replace(LONELY, site=None), replace(HERA, site=None))
    async with balancer_at(caddy.admin, *services, style=Style(stream_close_delay=60.0)) as balancer:
        await balancer.switch(GREEN, 1, expected=BLUE)
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.generation) == (GREEN, 1)
        before = await _raw(caddy)
        await balancer.switch(GREEN, 1)
        assert await _raw(caddy) == before
        with pytest.raises(RouteAmbiguous):
            await balancer.split(QUARTER, 2, expected=GREEN)
        with pytest.raises(RouteAmbiguous):
            await balancer.switch(BLUE, 2, fallback=True)
        assert await _raw(caddy) == before


# --- arms that are not as we left them, or of the other mode


async def test_where_somebody_took_away_what_we_wrote_down_users_come_back_all_the_same(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    async with balancer_at(caddy.admin) as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
        for place in OURS:
            _, arms, _ = await read(caddy.admin, f"/config{place}")
            routes = [each for each in arms["routes"] if ABOUT not in each["handle"][0]]
            assert len(routes) == len(arms["routes"]) - 1
            assert (await patch(caddy.admin, f"/config{place}/routes", routes))[0] == 200
        assert (await balancer.observe()).split == FIVE
        await balancer.switch(BLUE, 2)
        assert (await balancer.observe()).colour is BLUE
    assert without_ids(await whole(caddy)) == before


async def test_routes_that_follow_a_file_are_refused_with_what_to_type_and_come_back_by_the_way_back(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    style = Style(pointer=short_directory / "live")
    for service, place in zip(SERVICES, OURS, strict=True):
        _, original, _ = await read(caddy.admin, f"/config{place}")
        arms = pointer_arms(service, original, style, BLUE)
        assert (await patch(caddy.admin, f"/config{place}", arms))[0] == 200
    async with balancer_at(caddy.admin) as balancer:
        for refused in (balancer.observe(), balancer.validate(), balancer.switch(GREEN, 1, expected=BLUE)):
            with pytest.raises(RouteNotFound, match=r'was set up for mode = "pointer": it follows .*/live') as caught:
                await refused
            assert "bluegreen caddy disarm" in caught.value.next
        await balancer.switch(BLUE, 2)
        assert (await balancer.observe()).colour is BLUE
    assert without_ids(await whole(caddy)) == before


@pytest.mark.parametrize("state", ["a fallback", "a split"])
async def test_a_card_that_was_written_before_leads_back_without_knowing_of_it(
    state: str, caddy: EmbeddedCaddy
) -> None:
    """`cutback --offline` has the card alone: neither shares nor cookies nor delays stand there."""
    await caddy.start(olympus())
    before = await whole(caddy)
    async with balancer_at(caddy.admin, LONELY, HERA, style=Style(preview="s3cret")) as balancer:
        card = await balancer.card(BLUE, 1)
        if state == "a split":
            await balancer.split(FIVE, 2, expected=BLUE)
        else:
            await balancer.switch(GREEN, 2, expected=BLUE, fallback=True)
    async with CaddyBalancer.of_card(card, StoppedClock(), daemon_uid=os.geteuid()) as alone:
        await alone.switch(BLUE, 3)
        assert (await alone.observe()).colour is BLUE
    assert without_ids(await whole(caddy)) == before


@pytest.mark.parametrize("state", ["one colour", "a fallback", "a split"])
async def test_a_change_of_mode_and_back_in_any_state_keeps_the_operators_handler(
    state: str, caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    style = Style(pointer=short_directory / "live", fallback=True)
    rewriting = balancer_at(caddy.admin, LONELY, HERA)
    pointing = CaddyPointer(caddy.admin, (LONELY, HERA), timeout=5.0, clock=StoppedClock(), style=style)
    async with rewriting, pointing:
        if state == "a split":
            await rewriting.split(FIVE, 1, expected=BLUE)
        else:
            await rewriting.switch(GREEN, 1, fallback=state == "a fallback")
        await pointing.switch(BLUE, 2)
        traffic = await pointing.observe()
        assert (traffic.colour, traffic.generation, traffic.fallback) == (BLUE, 2, False)
        assert all(each.armed is Armed.OURS for each in await pointing.arms())
        await rewriting.switch(BLUE, 3)
        assert (await rewriting.observe()).colour is BLUE
    assert without_ids(await whole(caddy)) == before


async def test_what_a_switch_alters_is_compared_byte_by_byte_after_a_split(caddy: EmbeddedCaddy) -> None:
    """Caddy keeps the JSON that it was sent: the order of keys in an operator's handler is kept, too."""
    await caddy.start(olympus())
    before = await _raw(caddy)
    async with balancer_at(caddy.admin) as balancer:
        await balancer.split(FIVE, 1, expected=BLUE)
        await balancer.switch(BLUE, 2)
    after = await _raw(caddy)
    for name in ("kratos", "hera"):
        after = after.replace(f'"@id":"bluegreen-{name}-1-g2",'.encode(), b"")
    assert after == before


async def _raw(caddy: EmbeddedCaddy) -> bytes:
    async with admin_of(caddy.admin) as session, session.get("/config/") as answer:
        return await answer.read()
