"""The preview on a real Caddy in mode "rewrite": the secret leads to the idle colour, and all else is as without it."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import ChangeUnknown, MovedOutside, RouteAmbiguous
from bluegreen.domain.traffic import Colour, Service, Split
from tests.adapters.balancers.armed_stand import ArmedStand, armed_stand
from tests.adapters.balancers.gate import Address, Gate
from tests.adapters.balancers.sites import (
    HERA,
    KRATOS,
    SERVICES,
    Json,
    StoppedClock,
    config,
    olympus,
    patch,
    proxy,
    read,
    route,
    server,
)
from tests.adapters.balancers.test_caddy_split import LONELY, balancer_at, whole, without_ids

pytestmark = pytest.mark.real

BLUE, GREEN = Colour.BLUE, Colour.GREEN
FIVE = Split(GREEN, 0.05)
SECRET = "s3cret+{of}.the*operator"
WITH = Style(preview=SECRET)


@pytest.fixture
async def stand(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[ArmedStand]:
    async with armed_stand(caddy, short_directory / "bg") as stand:
        await stand.serve(proxy(*stand.service.addresses[BLUE]))
        yield stand


async def met(stand: ArmedStand) -> tuple[str, str, str]:
    """The colours that a user meets, who sends the secret as a header, and who sends it as a cookie."""
    previews = [
        await stand.ask(Cookie="bluegreen=fff", Bluegreen_Preview=SECRET),
        await stand.ask(Cookie=f"bluegreen=fff; bluegreen_preview={SECRET}"),
    ]
    for wrong in ("", SECRET + "x", "s3cret"):
        assert (await stand.ask(Cookie="bluegreen=fff", Bluegreen_Preview=wrong)).headers.get(
            "Bluegreen-Answered-By"
        ) is None
    return (await stand.ask(Cookie="bluegreen=fff")).colour, previews[0].colour, previews[1].colour


async def test_every_write_leaves_a_way_to_the_colour_that_nobody_is_sent_to_but_the_way_back(
    stand: ArmedStand,
) -> None:
    async with balancer_at(stand.caddy.admin, stand.service, style=WITH) as balancer:
        assert await met(stand) == (BLUE, BLUE, BLUE)
        assert not await balancer.previews()
        await balancer.switch(BLUE, 1, expected=BLUE)
        assert await met(stand) == (BLUE, GREEN, GREEN)
        assert await balancer.previews()
        await balancer.split(FIVE, 2, expected=BLUE)
        assert await met(stand) == (BLUE, GREEN, GREEN)
        await balancer.switch(GREEN, 3, expected=FIVE, fallback=True)
        assert await met(stand) == (GREEN, BLUE, BLUE)
        assert await balancer.previews()
        await balancer.switch(GREEN, 4, expected=GREEN)
        assert await met(stand) == (GREEN, BLUE, BLUE)
        assert await balancer.previews()
        await stand.blue.stop()
        assert await met(stand) == (GREEN, GREEN, GREEN)
        await balancer.switch(GREEN, 5)
        assert await met(stand) == (GREEN, GREEN, GREEN)
        assert not await balancer.previews()


async def test_the_fallback_still_takes_users_where_a_preview_stands_beside_it(stand: ArmedStand) -> None:
    async with balancer_at(stand.caddy.admin, stand.service, style=WITH) as balancer:
        await balancer.switch(GREEN, 1, expected=BLUE, fallback=True)
        await stand.green.stop()
        assert await stand.colours() == {"blue"}
        await balancer.switch(BLUE, 2)
        assert await stand.colours() == {"blue"}


async def test_it_stands_no_more_after_a_reload_and_for_another_secret(stand: ArmedStand) -> None:
    async with balancer_at(stand.caddy.admin, stand.service, style=WITH) as balancer:
        await balancer.switch(BLUE, 1, expected=BLUE)
        async with balancer_at(stand.caddy.admin, stand.service, style=Style(preview="another")) as changed:
            assert not await changed.previews()
            await changed.switch(BLUE, 2, expected=BLUE)
            assert await changed.previews()
        assert not await balancer.previews()
        await stand.caddy.restart()
        assert not await balancer.previews()
        await balancer.switch(BLUE, 3, expected=BLUE)
        assert await balancer.previews()


@pytest.mark.parametrize(
    "way",
    [
        ["stay blue", "back blue"],
        ["stay blue", "without blue"],
        ["go green", "go blue", "fallback green", "without green", "back blue"],
        ["stay blue", "split 5", "fallback green", "go green", "split 5", "back blue"],
        ["fallback green", "without green", "stay green", "back blue"],
    ],
    ids=" > ".join,
)
async def test_whatever_stood_there_the_operators_own_handler_comes_back(way: list[str], caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    previewing = balancer_at(caddy.admin, LONELY, HERA, style=replace(WITH, stream_close_delay=None))
    plain = balancer_at(caddy.admin, LONELY, HERA)
    async with previewing, plain:
        for generation, step in enumerate(way, 1):
            verb, _, what = step.partition(" ")
            here = await previewing.observe()
            expected = here.split or here.colour
            assert expected is not None
            if verb == "split":
                await previewing.split(
                    Split(here.colour.other if here.colour else GREEN, 0.05), generation, expected=expected
                )
                continue
            balancer = plain if verb == "without" else previewing
            wished = None if verb == "back" else expected
            await balancer.switch(Colour(what), generation, expected=wished, fallback=verb == "fallback")
            traffic = await balancer.observe()
            assert (traffic.colour, traffic.generation, traffic.split) == (what, generation, None)
            assert traffic.fallback is (verb == "fallback")
            assert await previewing.previews() is (verb not in ("back", "without"))
    assert without_ids(await whole(caddy)) == before


async def test_nothing_else_is_touched_and_the_same_again_writes_nothing(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    style = replace(WITH, stream_close_delay=60.0)
    gate = Gate(Address(caddy.admin), Address(outer), asyncio.Event().wait)
    async with gate, balancer_at(outer, style=style) as balancer:
        await balancer.switch(BLUE, 1, expected=BLUE)
        raw = await whole(caddy)
        await balancer.switch(BLUE, 1, expected=BLUE)
        await balancer.switch(GREEN, 2, expected=BLUE)
        await balancer.switch(GREEN, 2, expected=GREEN)
        with pytest.raises(MovedOutside, match="generation 2"):
            await balancer.switch(BLUE, 2, expected=GREEN)
    assert gate.statuses == [200, 200]
    arms = raw["apps"]["http"]["servers"]["srv0"]["routes"][2]["handle"][0]
    assert {each["stream_close_delay"] for each in proxies(arms)} == {60_000_000_000}


async def test_all_routes_of_a_service_are_previewed_under_ids_of_their_own(caddy: EmbeddedCaddy) -> None:
    every = replace(KRATOS, site=None, every_route=True)
    routes = [route(proxy(*KRATOS.addresses[BLUE]), host=host) for host in ("a.example.org", "b.example.org")]
    await caddy.start(config(srv0=server(*routes)))
    before = await whole(caddy)
    async with balancer_at(caddy.admin, every, style=WITH) as balancer:
        for generation, fallback in enumerate((False, True), 1):
            await balancer.switch(BLUE, generation, expected=BLUE, fallback=fallback)
            traffic = await balancer.observe()
            assert (traffic.colour, traffic.generation, len(traffic.services[0].paths)) == (BLUE, generation, 2)
            assert await balancer.previews()
        await balancer.switch(BLUE, 3)
    assert without_ids(await whole(caddy)) == before


async def test_a_preview_that_lands_late_fits_nothing_any_more(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    hasty = CaddyBalancer(outer, SERVICES, timeout=1.0, clock=StoppedClock(), style=WITH)
    async with Gate(Address(caddy.admin), Address(outer), asyncio.Event().wait) as gate, hasty as balancer:
        gate.faults.append(Fault.LANDS_LATE)
        with pytest.raises(ChangeUnknown):
            await balancer.switch(BLUE, 1, expected=BLUE)
        await balancer.switch(GREEN, 2, expected=BLUE)
        await gate.land()
        assert gate.statuses == [200, 412]
        traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == (GREEN, 2)


async def test_a_route_inside_another_one_is_refused_beforehand_and_never_on_the_way_back(caddy: EmbeddedCaddy) -> None:
    inner = {"routes": [route(proxy(*KRATOS.addresses[BLUE]))]}
    await caddy.start(config(srv0=server(route(proxy(*HERA.addresses[BLUE], handle_response=[inner])))))
    services: tuple[Service, ...] = (replace(LONELY, site=None), replace(HERA, site=None))
    async with balancer_at(caddy.admin, *services, style=WITH) as balancer:
        for refused in (balancer.validate(), balancer.switch(GREEN, 1, expected=BLUE)):
            with pytest.raises(RouteAmbiguous, match=r"kratos at .* stands inside the one of hera"):
                await refused
        await balancer.switch(GREEN, 1)
        assert (await balancer.observe()).colour is GREEN


async def test_a_card_leads_back_without_knowing_the_secret_and_holds_none(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    before = await whole(caddy)
    async with balancer_at(caddy.admin, LONELY, HERA, style=WITH) as balancer:
        await balancer.switch(BLUE, 1, expected=BLUE)
        card = await balancer.card(BLUE, 2)
        await balancer.switch(GREEN, 2, expected=BLUE, fallback=True)
    assert SECRET not in repr(card)
    async with CaddyBalancer.of_card(card, StoppedClock(), daemon_uid=os.geteuid()) as alone:
        await alone.switch(BLUE, 3)
        assert (await alone.observe()).colour is BLUE
    assert without_ids(await whole(caddy)) == before


async def test_arms_that_somebody_edited_are_no_preview(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    place = "/config/apps/http/servers/srv0/routes/2/handle/0"
    async with balancer_at(caddy.admin, style=WITH) as balancer:
        await balancer.switch(BLUE, 1, expected=BLUE)
        _, arms, _ = await read(caddy.admin, place)
        kept = [each for each in arms["routes"] if "header_regexp" not in str(each)]
        assert len(kept) == len(arms["routes"]) - 1
        assert (await patch(caddy.admin, f"{place}/routes", kept))[0] == 200
        assert (await balancer.observe()).colour is BLUE
        assert not await balancer.previews()
        await balancer.switch(BLUE, 2, expected=BLUE)
        assert await balancer.previews()


def proxies(node: Json) -> list[Json]:
    """The proxies at and below a node."""
    if isinstance(node, dict):
        own = [node] if node.get("handler") == "reverse_proxy" else []
        return own + [each for value in node.values() for each in proxies(value)]
    return [each for item in node for each in proxies(item)] if isinstance(node, list) else []
