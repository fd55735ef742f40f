"""Mode "pointer" on a real Caddy, with users: what a switch costs, what others can do to it, and what it survives."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs

from bluegreen.adapters.balancers import caddy_armable
from bluegreen.adapters.balancers.caddy_arms import Style
from bluegreen.adapters.balancers.caddy_pointer import CaddyPointer
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.adapters.cards.memory import MemoryCards
from bluegreen.adapters.clock import SystemClock
from bluegreen.app.card_alone import End, Order, go_back
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.domain.errors import (
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConnectionLost,
    ForeignChange,
    MovedOutside,
    RouteNotFound,
)
from bluegreen.domain.traffic import Card, Colour, Split
from bluegreen.ports_traffic import Arming, Balancer, Costs, Shares
from tests.adapters.balancers import sites
from tests.adapters.balancers.bench_pointer import PointerBench
from tests.adapters.balancers.benches import outer_address
from tests.adapters.balancers.pointer_stand import SITES, PointerStand, pointer_stand

pytestmark = pytest.mark.real

BLUE, GREEN = Colour.BLUE, Colour.GREEN
STYLE = Style(shares=(0.05, 0.25))


@pytest.fixture
async def stand(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[PointerStand]:
    async with pointer_stand(caddy, short_directory, STYLE) as running:
        yield running


@pytest.fixture
def balancer(stand: PointerStand) -> CaddyPointer:
    return stand.bench.balancer


async def test_it_is_all_that_the_app_asks_for(balancer: CaddyPointer) -> None:
    ports: tuple[Balancer, Shares, Arming, Costs] = (balancer, balancer, balancer, balancer)
    assert await ports[3].costs() == ()


# --- what a switch costs


async def test_c20_switches_under_load_lose_nothing(stand: PointerStand, balancer: CaddyPointer) -> None:
    """100 switches and more requests: benchmarks."""
    await balancer.observe()
    generation = 0
    async with stand.load() as load:
        for _ in range(10):
            for colour in (GREEN, BLUE):
                generation += 1
                await balancer.switch(colour, generation, expected=colour.other)
                seen = len(load.colours)
                while len(load.colours) < seen + 12:
                    await asyncio.sleep(0.005)
    assert load.failed == []
    assert {"blue", "green"} <= set(load.colours)
    assert stand.bench.written() == 20
    assert stand.bench.gate.statuses == [200], "the one change was the arming"


async def test_c18_a_flow_over_two_sites_never_goes_back_to_the_old_colour(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    """Whoever met the new colour in one service meets it in the other one from then on."""
    await balancer.observe()
    for generation in range(1, 21):
        colour = GREEN if generation % 2 else BLUE
        async with asyncio.TaskGroup() as group:
            flow = group.create_task(_flow(stand, colour), name="flow")
            group.create_task(balancer.switch(colour, generation), name="switch")
        met = flow.result()
        assert met == sorted(met, key=lambda each: each == colour), f"{generation}: {met}"


async def _flow(stand: PointerStand, until: Colour) -> list[str]:
    """From site to site, until the new colour answers and a while longer."""
    met: list[str] = []
    async with asyncio.timeout(30.0):
        while met.count(until) < 6:
            met.append(await stand.ask(SITES[len(met) % 2]))
    return met


# --- arming


@pytest.fixture
async def bare(caddy: EmbeddedCaddy, short_directory: Path) -> AsyncIterator[PointerStand]:
    async with pointer_stand(caddy, short_directory, STYLE, arm=False) as running:
        yield running


async def whole(stand: PointerStand) -> sites.Json:
    _, found, _ = await sites.read(stand.bench.caddy.admin)
    return found


async def test_arming_and_disarming_move_nobody_and_leave_everything_as_it_was(bare: PointerStand) -> None:
    balancer, before = bare.bench.balancer, await whole(bare)
    assert [str(each.armed) for each in await balancer.arms()] == ["not armed", "not armed"]
    async with bare.load(users=2, pause=0.01) as load:
        assert [str(each.armed) for each in await balancer.arm()] == ["armed", "armed"]
        assert await bare.colours() == {"blue"}
        armed = await whole(bare)
        places = list(sites.paths_that_differ(before["apps"]["http"], armed["apps"]["http"]))
        assert places == [
            "/servers/srv0/routes/0/handle/0/routes/1/handle/0",
            "/servers/srv0/routes/1/handle/0",
        ], "our two handlers alone"
        await balancer.arm()
        assert bare.bench.gate.statuses == [200], "armed already: nothing is written"
        await balancer.disarm()
        assert await bare.colours() == {"blue"}
    assert set(load.colours) == {"blue"}
    assert await whole(bare) == before


async def test_the_file_names_who_serves_before_the_first_route_reads_it(bare: PointerStand) -> None:
    """A file of an earlier time says green; users are on blue, and stay there."""
    file = Path(bare.bench.balancer.file)
    file.write_text("green g41\n")
    async with bare.load(users=2, pause=0.005) as load:
        await bare.bench.balancer.arm()
        await bare.colours()
    assert set(load.colours) == {"blue"}
    assert file.read_text() == "blue g41\n", "under its stamp: no writer may find an old line again"


async def test_after_a_switch_disarming_lets_the_operators_route_dial_who_serves_now(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.switch(GREEN, 1, expected=BLUE)
    await balancer.disarm()
    assert await stand.colours() == {"green"}
    found = await whole(stand)
    assert list(sites.paths_that_differ(stand.whole["apps"]["http"], found["apps"]["http"])) == [
        "/servers/srv0/routes/0/handle/0/routes/1/handle/0/upstreams/0/dial",
        "/servers/srv0/routes/1/handle/0/upstreams/0/dial",
    ]


async def test_what_is_armed_for_other_steps_is_armed_anew_and_the_true_original_comes_back(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    bench = stand.bench
    bench.style = replace(bench.style, shares=(0.1,))
    async with bench.made(stand.services) as other:
        assert {str(each.armed) for each in await other.arms()} == {"armed for something else"}
        with pytest.raises(RouteNotFound, match=r"id, at .*armed for something else") as caught:
            await other.validate()
        assert caught.value.next == ("bluegreen caddy arm",)
        await other.observe()
        with pytest.raises(ChangeRefused, match="not armed for green-10") as refused:
            await other.split(Split(GREEN, 0.1), 1, expected=BLUE)
        assert refused.value.next == ("bluegreen caddy arm",)
        assert {str(each.armed) for each in await other.arm()} == {"armed"}
        await other.split(Split(GREEN, 0.1), 1, expected=BLUE)
        assert (await other.observe()).split == Split(GREEN, 0.1)
        await other.switch(BLUE, 2)
        await other.disarm()
    found = await whole(stand)
    assert found["apps"]["http"] == stand.whole["apps"]["http"]


async def test_nothing_is_armed_or_disarmed_while_not_one_colour_serves(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.split(Split(GREEN, 0.25), 1, expected=BLUE)
    for verb in (balancer.arm, balancer.disarm):
        with pytest.raises(MovedOutside, match="25 % of the users on green"):
            await verb()


async def test_a_service_that_is_not_armed_is_named_and_refused(bare: PointerStand) -> None:
    with pytest.raises(RouteNotFound, match=r"id, at /config/.*not armed") as caught:
        await bare.bench.balancer.validate()
    assert (caught.value.facts["service"], caught.value.next) == ("id", ("bluegreen caddy arm",))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.FOREIGN_CHANGE, ForeignChange),
        (Fault.REFUSED, ChangeRefused),
        (Fault.LANDS_LATE, ChangeUnknown),
        (Fault.LOST_WITHOUT_EFFECT, ConnectionLost),
        (Fault.LOST_WITH_EFFECT, ConnectionLost),
    ],
)
async def test_arming_that_fails_moves_nobody_and_can_be_tried_again(
    bare: PointerStand, fault: Fault, error: type[BalancerError]
) -> None:
    async with bare.load(users=2, pause=0.01) as load:
        bare.bench.gate.faults.append(fault)
        with pytest.raises(BalancerError) as caught:
            await bare.bench.balancer.arm()
        assert type(caught.value) is error
        assert {str(each.armed) for each in await bare.bench.balancer.arm()} == {"armed"}
        await bare.bench.gate.land()
        assert {str(each.armed) for each in await bare.bench.balancer.arms()} == {"armed"}
        await bare.colours()
    assert set(load.colours) == {"blue"}


async def test_c12_an_arm_that_somebody_edited_is_no_colour_and_the_way_back_does_not_need_it(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.switch(GREEN, 1, expected=BLUE)
    found = await whole(stand)
    routes = found["apps"]["http"]["servers"]["srv0"]["routes"]
    green = stand.services[1].addresses[GREEN][0]
    edited = json.loads(json.dumps(routes[1]).replace(f'"dial": "{green}"', '"dial": "127.0.0.1:notaport"'))
    status, said = await sites.patch(stand.bench.caddy.admin, "/config/apps/http/servers/srv0/routes/1", edited)
    assert status == 200, said
    traffic = await balancer.observe()
    assert [each.colour for each in traffic.services] == [GREEN, None]
    arms = await balancer.arms()
    assert [str(each.armed) for each in arms] == ["armed", "armed for something else"]
    assert "127.0.0.1:notaport" in arms[1].fault
    await balancer.switch(BLUE, 2)
    assert (await balancer.observe()).generation == 2
    assert await stand.colours() == {"blue"}
    await balancer.arm()
    await balancer.switch(GREEN, 3, expected=BLUE)
    assert await stand.colours() == {"green"}


async def test_armed_for_the_file_of_another_project_is_not_armed(stand: PointerStand, tmp_path: Path) -> None:
    bench = stand.bench
    bench.style = replace(bench.style, pointer=tmp_path / "live")
    async with bench.made(stand.services) as other:
        states = await other.arms()
        assert {str(each.armed) for each in states} == {"not armed"}
        assert str(bench.file) in states[0].fault
        assert (await other.observe()).colour is None, "nobody reads that other file here"


async def test_every_route_of_a_service_is_armed_and_one_that_lost_its_arms_is_seen(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    service = replace(sites.HERA, every_route=True)
    dials = service.addresses[BLUE]
    config = sites.config(
        srv0=sites.server(
            sites.route(sites.proxy(*dials), host="hera.example.org"),
            sites.route(sites.proxy(*dials, flush_interval=-1), host="hera.example.org"),
        )
    )
    outer = outer_address("unix", short_directory)
    bench = PointerBench(caddy, outer, short_directory, STYLE, (service,))
    async with bench.running(config):
        balancer = bench.balancer
        before = await balancer.observe()
        assert (before.colour, len(before.services[0].paths)) == (BLUE, 2)
        await balancer.switch(GREEN, 1, expected=BLUE)
        assert (await balancer.observe()).colour is GREEN
        await bench.point_at("/config/apps/http/servers/srv0/routes/0/handle/0", *dials)
        traffic = await balancer.observe()
        assert (traffic.colour, set(traffic.services[0].dials)) == (None, {*dials, *service.addresses[GREEN]})
        assert str((await balancer.arms())[0].armed) == "not armed"
        await balancer.switch(BLUE, 2)
        assert (await balancer.observe()).generation == 2
        await balancer.disarm()
        _, found, _ = await sites.read(caddy.admin)
        assert found["apps"]["http"] == config["apps"]["http"]


# --- others


@pytest.mark.parametrize("text", [None, "", "what\n", "green-7 g9\n"])
async def test_a_file_that_says_nothing_known_is_no_colour_and_users_are_served(
    stand: PointerStand, balancer: CaddyPointer, text: str | None
) -> None:
    stand.bench.file.unlink()
    if text is not None:
        stand.bench.file.write_text(text)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.split) == (None, None)
    assert await stand.colours() == {"blue"}, "the last arm: who was live when it was armed, while alive"
    await stand.applications["id blue"].stop()
    assert await stand.ask(SITES[0]) == "green"
    await balancer.switch(GREEN, 10)
    assert (await balancer.observe()).colour is GREEN
    assert await stand.colours() == {"green"}


async def test_what_a_person_writes_counts_and_the_next_forward_write_sees_it(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    stand.bench.file.write_text("green\n")
    assert await stand.colours() == {"green"}
    with pytest.raises(MovedOutside, match="not all on blue"):
        await balancer.switch(GREEN, 3, expected=BLUE)
    assert (await balancer.observe()).colour is GREEN


async def test_a_way_back_moves_the_users_of_a_route_that_lost_its_arms(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    """Somebody reloaded Caddy from a Caddyfile that knows nothing of arms and dials green."""
    await stand.bench.point_at("/config/apps/http/servers/srv0/routes/1/handle/0", *stand.services[1].addresses[GREEN])
    traffic = await balancer.observe()
    assert [each.colour for each in traffic.services] == [BLUE, GREEN]
    await balancer.switch(BLUE, 5)
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 5)
    assert await stand.colours() == {"blue"}
    assert {str(each.armed) for each in await balancer.arms()} == {"armed"}


async def test_a_way_back_that_did_not_know_of_lost_arms_finds_out_at_its_second_attempt(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.observe()
    await balancer.switch(GREEN, 4, expected=BLUE)
    await stand.bench.point_at("/config/apps/http/servers/srv0/routes/1/handle/0", *stand.services[1].addresses[GREEN])
    await balancer.switch(BLUE, 5)
    assert (await balancer.observe()).colour is None, "read back: not all of them moved"
    await balancer.switch(BLUE, 6)
    assert (await balancer.observe()).generation == 6
    assert await stand.colours() == {"blue"}


async def test_a_forward_switch_sets_up_again_what_lost_its_arms_on_the_right_colour(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.switch(BLUE, 4)
    await stand.bench.restart()
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, None)
    await balancer.switch(BLUE, 5, expected=BLUE)
    assert ((await balancer.observe()).generation, await stand.colours()) == (5, {"blue"})
    await balancer.switch(GREEN, 6, expected=BLUE)
    assert await stand.colours() == {"green"}


async def test_a_forward_switch_does_not_touch_routes_that_lost_their_arms_elsewhere(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.switch(GREEN, 4)
    await stand.bench.restart()
    assert (await balancer.observe()).colour is BLUE
    with pytest.raises(MovedOutside):
        await balancer.switch(GREEN, 5, expected=GREEN)
    assert stand.bench.gate.statuses == [200], "the first arming; nothing since"


# --- an admin endpoint that hangs, or is gone


async def test_c08_a_caddy_that_hangs_delays_no_switch_and_follows_it_when_it_goes_on(
    stand: PointerStand, balancer: CaddyPointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caddy_armable, "PATIENCE", 0.2)
    await balancer.observe()
    await balancer.switch(GREEN, 1, expected=BLUE)
    stand.bench.caddy.pause()
    try:
        with capture_logs() as told:
            began = monotonic()
            await balancer.switch(BLUE, 2)
            traffic = await balancer.observe()
            assert monotonic() - began < 2.0, "timeout is 2 s"
            assert (traffic.colour, traffic.generation) == (BLUE, 2)
            await balancer.split(Split(GREEN, 0.05), 3, expected=BLUE)
            assert (await balancer.observe()).split == Split(GREEN, 0.05)
            await balancer.switch(BLUE, 4)
            assert (await balancer.card(BLUE, 4)).pointer == str(stand.bench.file)
        assert [each["event"] for each in told].count("balancer.admin_silent") == 1
    finally:
        stand.bench.caddy.unpause()
    assert await stand.colours() == {"blue"}


async def test_c07_a_caddy_frozen_at_the_switch_brings_nothing_back(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    """Nothing of ours is under way to Caddy that could land late: what counts is in the file."""
    await balancer.observe()
    for generation in range(1, 11):
        stand.bench.caddy.pause()
        await balancer.switch(GREEN, 2 * generation - 1, expected=BLUE)
        await balancer.switch(BLUE, 2 * generation)
        stand.bench.caddy.unpause()
        assert await stand.colours() == {"blue"}


async def test_an_endpoint_that_is_gone_says_nothing_until_a_way_back_was_written(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.observe()
    await stand.bench.gate.close()
    for asked in (balancer.observe, balancer.validate, balancer.arms, balancer.arm, balancer.disarm):
        with pytest.raises(BalancerUnreachable):
            await asked()
    await balancer.switch(BLUE, 7)
    assert (await balancer.observe()).generation == 7
    assert await stand.colours() == {"blue"}


async def test_a_new_daemon_believes_an_open_card_of_this_file_while_caddy_hangs(
    stand: PointerStand, balancer: CaddyPointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caddy_armable, "PATIENCE", 0.2)
    card = await balancer.card(BLUE, 1)
    await balancer.switch(GREEN, 2, expected=BLUE)
    async with stand.bench.made(stand.services) as fresh, stand.bench.made(stand.services) as wrong:
        stand.bench.caddy.pause()
        try:
            wrong.believe(replace(card, pointer="/srv/another/live"))
            with pytest.raises(BalancerUnreachable):
                await wrong.observe()
            fresh.believe(card)
            assert (await fresh.observe()).generation == 2
            await fresh.switch(BLUE, 3)
            assert (await fresh.observe()).colour is BLUE
        finally:
            stand.bench.caddy.unpause()
        assert await stand.colours() == {"blue"}
        await stand.bench.point_at("/config/apps/http/servers/srv0/routes/1/handle/0", "127.0.0.1:9")
        with pytest.raises(RouteNotFound):
            await fresh.observe()
        await stand.bench.gate.close()
        with pytest.raises(BalancerUnreachable):
            await fresh.observe()


async def test_a_card_alone_leads_back_while_caddy_hangs_or_its_endpoint_is_gone(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    card = await balancer.card(BLUE, 1)
    assert card.pointer == str(stand.bench.file)
    await balancer.switch(GREEN, 2, expected=BLUE)
    await stand.bench.gate.close()
    async with CaddyPointer.of_card(card, sites.StoppedClock(), daemon_uid=os.geteuid()) as offline:
        traffic = await offline.observe()
        assert (traffic.colour, traffic.generation) == (GREEN, 2)
        await offline.switch(BLUE, 3)
        traffic = await offline.observe()
        assert (traffic.colour, traffic.generation) == (BLUE, 3)
        assert {each.service: each.paths for each in traffic.services} == card.paths
    assert await stand.colours() == {"blue"}


async def test_a_card_rewrites_the_routes_that_follow_the_file_no_more(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    card = await balancer.card(BLUE, 1)
    await balancer.switch(GREEN, 2, expected=BLUE)
    await stand.bench.point_at("/config/apps/http/servers/srv0/routes/1/handle/0", *stand.services[1].addresses[GREEN])
    async with CaddyPointer.of_card(card, sites.StoppedClock(), daemon_uid=os.geteuid()) as offline:
        assert (await offline.observe()).colour is GREEN
        await offline.switch(BLUE, 3)
        traffic = await offline.observe()
        assert (traffic.colour, traffic.generation) == (BLUE, 3)
    assert await stand.colours() == {"blue"}


async def test_a_card_alone_leads_back_past_a_file_that_cannot_even_be_read(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    """What `bluegreen cutback --offline` does: it looks first, and the look fails by the file alone."""
    card = replace(await balancer.card(BLUE, 1), open=True, deployment="d-1")
    await balancer.switch(GREEN, 2, expected=BLUE)
    stand.bench.file.unlink()
    stand.bench.file.mkdir()

    async def alive(card: Card) -> str:
        return ""

    async with CaddyPointer.of_card(card, SystemClock(), daemon_uid=os.geteuid()) as offline:
        with pytest.raises(BalancerUnreachable):
            await offline.observe()
        told = await go_back(card, offline, MemoryCards(), SystemClock(), Order("ann"), alive)
    assert (told.end, await stand.colours()) == (End.BACK, {"blue"}), told


# --- a disk that is full, or lies


async def test_a_disk_that_takes_no_writes_keeps_nobody_from_the_way_back(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.switch(GREEN, 1, expected=BLUE)
    stand.bench.meet(Fault.REFUSED, Fault.REFUSED)
    with pytest.raises(ChangeRefused, match="No space left on device") as caught:
        await balancer.switch(BLUE, 2, expected=GREEN)
    assert caught.value.next == (f"df {stand.bench.file.parent}",)
    assert await stand.colours() == {"green"}
    with capture_logs() as told:
        await balancer.switch(BLUE, 3)
    assert [each["event"] for each in told] == ["balancer.file_passed_by"]
    traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, 3)
    assert await stand.colours() == {"blue"}
    assert stand.bench.file.read_text() == "green g1\n"
    await balancer.arm()
    assert (await balancer.observe()).colour is BLUE
    assert await stand.colours() == {"blue"}


async def test_where_neither_way_is_open_both_reasons_are_told(stand: PointerStand, balancer: CaddyPointer) -> None:
    stand.bench.meet(Fault.REFUSED)
    await stand.bench.gate.close()
    with pytest.raises(ChangeRefused, match=r"No space left.*nor through the admin API.*cannot be used"):
        await balancer.switch(GREEN, 2)


async def test_a_rename_without_effect_is_no_success(stand: PointerStand, balancer: CaddyPointer) -> None:
    await balancer.observe()
    stand.bench.disk.faults.append(Fault.NO_EFFECT)
    with pytest.raises(ForeignChange):
        await balancer.switch(GREEN, 1, expected=BLUE)
    assert (await balancer.observe()).colour is BLUE


# --- what a restarted Caddy reads


async def test_arms_in_the_operators_own_file_survive_a_reload_and_are_what_is_persisted(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    async with pointer_stand(caddy, short_directory, STYLE, arm=False) as stand:
        balancer, bench = stand.bench.balancer, stand.bench
        caddyfile = short_directory / "Caddyfile"
        imports = "".join(
            f"http://{service.site}:{stand.front} {{\n\timport bluegreen_{service.name}\n}}\n"
            for service in stand.services
        )
        caddyfile.write_text("{\n\tauto_https off\n\tadmin " + caddy.admin + "\n}\n" + balancer.snippet() + imports)
        bench.file.write_text("green g7\n")
        await caddy.reload(caddyfile)
        assert {str(each.armed) for each in await balancer.arms()} == {"armed in its file"}
        await balancer.validate()
        assert (await balancer.observe()).generation == 7
        assert balancer.persisted() is GREEN
        await balancer.split(Split(GREEN, 0.25), 8, expected=GREEN)
        await caddy.reload(caddyfile)
        assert (await balancer.observe()).split == Split(GREEN, 0.25)
        await balancer.switch(BLUE, 9)
        await caddy.reload(caddyfile)
        assert await stand.colours() == {"blue"}
        assert await balancer.arm() == await balancer.arms()
        bench.style = replace(bench.style, shares=(0.5,))
        async with bench.made(stand.services) as other:
            with pytest.raises(ChangeRefused, match="stand in your Caddyfile") as caught:
                await other.arm()
            assert "bluegreen caddy snippet" in caught.value.next


async def test_armed_through_the_api_alone_nothing_is_persisted(balancer: CaddyPointer) -> None:
    await balancer.observe()
    assert balancer.persisted() is None


async def test_the_nonce_is_planted_beside_the_file_for_everybody_to_read(
    stand: PointerStand, balancer: CaddyPointer
) -> None:
    await balancer.plant("n1")
    await balancer.plant("n2")
    nonce = stand.bench.file.with_name("nonce")
    assert (nonce.read_text(), nonce.stat().st_mode & 0o777) == ("n2\n", 0o644)
    assert await balancer.pointed() == "blue"
    stand.bench.file.unlink()
    assert await balancer.pointed() is None
