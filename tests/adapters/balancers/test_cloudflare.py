"""What is Cloudflare's own: its keys, its limits, its cookie, and what its API cannot promise. On a stand-in."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from bluegreen.adapters.balancers.cloudflare import CloudflareBalancer
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.domain.errors import (
    AddressInvalid,
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    MovedOutside,
    RouteAmbiguous,
    RouteNotFound,
)
from bluegreen.domain.traffic import Colour, Split
from bluegreen.ports_traffic import Balancer, Costs, Shares
from tests.adapters.balancers.bench_cloudflare import balancer_at, dials, stand_in
from tests.adapters.balancers.cloudflare_stand_in import (
    BLUE_POOL,
    GREEN_POOL,
    OTHER_POOL,
    TOKEN,
    CloudflareStandIn,
    Json,
    pool,
)
from tests.adapters.balancers.sites import HERA, KRATOS, StoppedClock

BLUE, GREEN = Colour.BLUE, Colour.GREEN
FIVE, QUARTER = Split(GREEN, 0.05), Split(GREEN, 0.25)


@pytest.fixture
async def server() -> AsyncIterator[CloudflareStandIn]:
    async with stand_in() as running:
        yield running


@pytest.fixture
async def balancer(server: CloudflareStandIn) -> AsyncIterator[CloudflareBalancer]:
    async with balancer_at(server) as opened:
        yield opened


class HandClock(StoppedClock):
    at = 0.0

    def monotonic(self) -> float:
        return self.at


REFUSED = {"success": False, "errors": [{"code": 1002, "message": "not so"}]}


def changed(server: CloudflareStandIn, before: dict[str, Json]) -> set[str]:
    return {key for key, value in server.balancer.items() if value != before[key]} - {"modified_on"}


async def test_it_is_a_balancer_that_shares_out_and_says_what_it_costs(balancer: CloudflareBalancer) -> None:
    ports: tuple[Balancer, Shares, Costs] = (balancer, balancer, balancer)
    assert ports


async def test_a_switch_changes_the_pools_and_our_stamp_and_nothing_else(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    before = dict(server.balancer)
    await balancer.switch(GREEN, 7, expected=BLUE)
    assert changed(server, before) == {"default_pools", "fallback_pool", "description"}
    assert server.balancer["default_pools"] == [GREEN_POOL]
    assert server.balancer["fallback_pool"] == GREEN_POOL, "where the pool is called critical users stay where they are"
    assert server.balancer["description"] == "Load Balancer for www.example.org [bluegreen g7]"
    await balancer.switch(BLUE, 12)
    assert server.balancer["description"] == "Load Balancer for www.example.org [bluegreen g12]"


async def test_what_others_change_meanwhile_in_other_keys_stays(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    await balancer.switch(GREEN, 7, expected=BLUE)
    server.balancer["ttl"] = 60
    await balancer.switch(BLUE, 8)
    assert server.balancer["ttl"] == 60


async def test_a_fallback_is_the_order_of_the_pools(server: CloudflareStandIn, balancer: CloudflareBalancer) -> None:
    await balancer.switch(GREEN, 7, expected=BLUE, fallback=True)
    assert server.balancer["default_pools"] == [GREEN_POOL, BLUE_POOL]
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.fallback, traffic.generation) == (GREEN, True, 7)
    assert set(traffic.services[0].dials) == {*KRATOS.addresses[BLUE], *KRATOS.addresses[GREEN]}, (
        "both may be dialled: neither may be stopped"
    )
    await balancer.switch(GREEN, 8, expected=GREEN)
    assert (await balancer.observe()).fallback is False


async def test_users_are_shared_out_by_weights_and_a_cookie_that_the_switch_ends(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    await balancer.split(FIVE, 7, expected=BLUE)
    assert server.balancer["random_steering"]["pool_weights"] == {GREEN_POOL: 0.05, BLUE_POOL: 0.95}
    assert (server.balancer["steering_policy"], server.balancer["session_affinity"]) == ("random", "cookie")
    traffic = await balancer.observe()
    assert (traffic.split, traffic.colour, traffic.generation) == (FIVE, None, 7)
    await balancer.split(QUARTER, 8, expected=FIVE)
    assert (await balancer.observe()).split == QUARTER
    await balancer.switch(GREEN, 9, expected=QUARTER)
    assert (server.balancer["steering_policy"], server.balancer["session_affinity"]) == ("off", "none")
    assert (await balancer.observe()).colour is GREEN


async def test_the_same_share_again_writes_nothing(server: CloudflareStandIn, balancer: CloudflareBalancer) -> None:
    await balancer.split(FIVE, 7, expected=BLUE)
    await balancer.split(FIVE, 7, expected=BLUE)
    assert server.landed == 1


@pytest.mark.parametrize("expected", [GREEN, QUARTER])
async def test_no_share_is_set_where_users_are_elsewhere(
    balancer: CloudflareBalancer, expected: Colour | Split
) -> None:
    await balancer.split(FIVE, 1, expected=BLUE)
    with pytest.raises(MovedOutside):
        await balancer.split(Split(GREEN, 0.5), 2, expected=expected)


async def test_users_who_hold_a_cookie_of_the_operators_own_are_not_shared_out(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    server.balancer["session_affinity"] = "cookie"
    with pytest.raises(ChangeRefused, match="session_affinity = 'cookie' of its own"):
        await balancer.split(FIVE, 7, expected=BLUE)
    assert server.landed == 0
    await balancer.switch(GREEN, 8, expected=BLUE)
    assert server.balancer["session_affinity"] == "cookie", "what is the operator's stays"


async def test_a_share_finer_than_cloudflares_weights_is_refused(balancer: CloudflareBalancer) -> None:
    with pytest.raises(ChangeRefused, match=r"0\.5 % of the users.*whole percentage"):
        await balancer.split(Split(GREEN, 0.005), 7, expected=BLUE)


async def test_weights_that_others_set_are_no_split_of_ours(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    await balancer.split(FIVE, 7, expected=BLUE)
    server.balancer["random_steering"] = {"default_weight": 1, "pool_weights": {GREEN_POOL: 0.5, BLUE_POOL: 0.3}}
    traffic = await balancer.observe()
    assert (traffic.split, traffic.colour) == (None, None)


async def test_a_late_write_lands_over_a_fence_and_the_next_look_tells_it_by_its_lower_stamp(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    """What no client of this API can prevent: docs/cloudflare.md says so, and what to set."""
    server.faults.append(Fault.LANDS_LATE)
    with pytest.raises(ChangeUnknown, match="may still take effect"):
        await balancer.switch(GREEN, 7, expected=BLUE)
    await balancer.switch(BLUE, 8)
    server.land()
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == (GREEN, 7)
    await balancer.switch(BLUE, 9)
    assert (await balancer.observe()).colour is BLUE


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (web.Response(status=500, text="oops"), ChangeUnknown, "HTTP 500: it may still take effect"),
        (web.Response(status=520, text="oops"), ChangeUnknown, "HTTP 520"),
        (web.Response(text="<html>"), ChangeUnknown, "cannot be read"),
        (
            web.json_response({"success": False, "errors": [{"code": 1002, "message": "no"}]}),
            ChangeRefused,
            r"no \(1002\)",
        ),
        (web.Response(status=403, text="{}"), ChangeRefused, "Load Balancers: Edit"),
        (web.Response(status=302, headers={"Location": "https://example.org"}), ChangeRefused, "HTTP 302"),
        (web.Response(status=429, headers={"Retry-After": "9"}), BalancerUnreachable, "asked too often.*again in 9 s"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, web.Response) else "",
)
async def test_an_answer_to_a_change_means_what_may_have_happened(
    server: CloudflareStandIn,
    balancer: CloudflareBalancer,
    answer: web.Response,
    error: type[BalancerError],
    words: str,
) -> None:
    server.answers.extend([web.json_response({"success": True, "result": dict(server.balancer)}), answer])
    with pytest.raises(error, match=words) as caught:
        await balancer.switch(GREEN, 7, expected=BLUE)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web.Response(status=429, headers={"Retry-After": "247"}), "asked too often.*again in 247 s"),
        (web.Response(status=503, text="sorry"), "HTTP 503: sorry"),
        (web.Response(text="<html>a portal</html>"), "is not its API"),
        (web.json_response({"success": True, "result": None}), "is not its API"),
    ],
    ids=["429", "503", "no envelope", "no result"],
)
async def test_a_look_that_fails_says_why(
    server: CloudflareStandIn, balancer: CloudflareBalancer, answer: web.Response, words: str
) -> None:
    server.answers.append(answer)
    with pytest.raises(BalancerUnreachable, match=words):
        await balancer.observe()


async def test_a_token_that_is_refused_is_named_by_its_rights_and_never_shown(server: CloudflareStandIn) -> None:
    async with balancer_at(server, token="wrong-and-secret") as stranger:
        with pytest.raises(BalancerUnreachable, match=r"Authentication error \(10000\)\. The token needs") as caught:
            await stranger.observe()
    assert "wrong-and-secret" not in f"{caught.value!r} {caught.value.next} {caught.value.facts}"


async def test_a_load_balancer_that_is_not_there_is_named(server: CloudflareStandIn) -> None:
    server.answers.append(
        web.json_response({"success": False, "errors": [{"code": 1001, "message": "not found"}]}, status=404)
    )
    async with balancer_at(server) as balancer:
        with pytest.raises(RouteNotFound, match=r"load_balancers.*not found"):
            await balancer.observe()


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({"default_pools": [OTHER_POOL]}, RouteNotFound, f"the pool {OTHER_POOL}, which is neither colour's"),
        ({"default_pools": []}, RouteNotFound, "no pool at all"),
        ({"enabled": False}, RouteNotFound, "switched off"),
        ({"region_pools": {"WNAM": [GREEN_POOL]}}, RouteAmbiguous, "region_pools"),
        ({"country_pools": {"GB": [GREEN_POOL]}, "pop_pools": {"LAX": []}}, RouteAmbiguous, "country_pools and pop"),
        ({"rules": [{"name": "r", "overrides": {"default_pools": [BLUE_POOL]}}]}, RouteAmbiguous, "rules"),
    ],
    ids=["foreign pool", "no pool", "off", "regions", "countries", "rules"],
)
async def test_a_load_balancer_that_sends_users_past_us_is_refused(
    server: CloudflareStandIn,
    balancer: CloudflareBalancer,
    keys: dict[str, Json],
    error: type[BalancerError],
    words: str,
) -> None:
    server.balancer |= keys
    with pytest.raises(error, match=words):
        await balancer.observe()


async def test_a_rule_that_is_off_or_does_something_else_is_no_hindrance(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    server.balancer["rules"] = [{"disabled": True, "overrides": {"default_pools": []}}, {"terminates": True}]
    assert (await balancer.observe()).colour is BLUE


async def test_the_way_back_overwrites_a_pool_of_somebody_elses(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    server.balancer["default_pools"] = [OTHER_POOL]
    await balancer.switch(BLUE, 9)
    assert (await balancer.observe()).colour is BLUE


async def test_pools_of_both_colours_that_others_set_are_refused_beforehand(
    server: CloudflareStandIn, balancer: CloudflareBalancer
) -> None:
    server.balancer["default_pools"] = [BLUE_POOL, GREEN_POOL]
    assert (await balancer.observe()).colour is BLUE, "the first takes all, until its monitor fails"
    with pytest.raises(RouteAmbiguous, match="may send users to either"):
        await balancer.validate()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (pool(GREEN_POOL, "green", "203.0.113.1:443", enabled=False), "green, of green, is switched off"),
        (pool(GREEN_POOL, "green"), "has no origin that is on"),
        (pool(GREEN_POOL, "green", *dials(GREEN), monitor=""), "has no monitor"),
        (pool(GREEN_POOL, "green", "127.0.0.1:18101"), r"127\.0\.0\.1:18101, which \[\[services\]\] names for blue"),
    ],
    ids=["off", "empty", "no monitor", "of the other colour"],
)
async def test_a_pool_that_cannot_serve_its_colour_is_refused_beforehand(
    server: CloudflareStandIn, broken: dict[str, Json], words: str
) -> None:
    server.pools[GREEN_POOL] = broken
    async with balancer_at(server, fallback=True) as balancer:
        with pytest.raises(AddressInvalid, match=words):
            await balancer.validate()


async def test_two_pools_with_one_origin_are_refused_beforehand(server: CloudflareStandIn) -> None:
    for id, name in ((BLUE_POOL, "blue"), (GREEN_POOL, "green")):
        server.pools[id] = pool(id, name, "tunnel.example.org:0")
    async with balancer_at(server) as balancer:
        with pytest.raises(AddressInvalid, match="and so has the pool of blue"):
            await balancer.validate()


async def test_a_grey_cloud_is_refused_beforehand(server: CloudflareStandIn, balancer: CloudflareBalancer) -> None:
    server.balancer["proxied"] = False
    with pytest.raises(AddressInvalid, match="DNS-only"):
        await balancer.validate()


async def test_what_is_looked_at_all_the_time_is_asked_for_seldom(server: CloudflareStandIn) -> None:
    clock = HandClock()
    async with balancer_at(server, clock=clock, glance_every=5.0) as balancer:
        for _ in range(10):
            assert (await balancer.glance()).colour is BLUE
        assert len(server.asked) == 1
        server.balancer["default_pools"] = [GREEN_POOL]
        assert (await balancer.glance()).colour is BLUE, "drift is seen when the time is over"
        assert (await balancer.observe()).colour is GREEN, "what decides anything asks anew"
        clock.at = 5.0
        assert (await balancer.glance()).colour is GREEN


async def test_after_a_change_of_ours_a_glance_asks_anew(server: CloudflareStandIn) -> None:
    async with balancer_at(server, clock=StoppedClock(), glance_every=60.0) as balancer:
        await balancer.glance()
        await balancer.switch(GREEN, 7, expected=BLUE)
        assert (await balancer.glance()).colour is GREEN


async def test_an_api_that_refuses_us_is_not_asked_every_second(server: CloudflareStandIn) -> None:
    clock = HandClock()
    server.blocked = True
    async with balancer_at(server, clock=clock, glance_every=5.0) as balancer:
        for _ in range(10):
            with pytest.raises(BalancerUnreachable, match="asked too often"):
                await balancer.glance()
        assert len(server.asked) == 1


async def test_the_card_holds_no_secret(balancer: CloudflareBalancer) -> None:
    assert TOKEN not in repr(await balancer.card(BLUE, 8))


async def test_the_plan_says_what_a_switch_costs(server: CloudflareStandIn) -> None:
    server.balancer |= {"session_affinity": "ip_cookie", "session_affinity_ttl": 7200}
    async with balancer_at(server, fallback=True, canary=True) as balancer:
        told = "\n".join(await balancer.costs())
    assert "each on its own" in told
    assert "session_affinity is 'ip_cookie'" in told
    assert "up to 2 h after the switch (drain_duration: 100 s)" in told
    assert "Cloudflare itself moves users to the old colour" in told
    assert "a share counts new sessions" in told


async def test_services_that_share_an_address_are_refused(server: CloudflareStandIn) -> None:
    async with balancer_at(server, (KRATOS, replace(HERA, addresses=KRATOS.addresses))) as balancer:
        with pytest.raises(AddressInvalid, match="stands for"):
            await balancer.validate()
