"""What may befall Caddy while a release is on its way, in both modes: C-01 to C-20, as docs/caddy.md lists them.

Here stand the rows that the other files leave open; which test holds which row is in that table, and test_every_row
keeps it true.
"""

import os
import re
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from bluegreen.app.requests import PlanRequest
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.interfaces.client import ClientError
from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.conftest import MakeYard
from tests.e2e.yard import FOUR, MODES, TWO, Yard, failed, until, until_async

REPOSITORY = Path(__file__).parents[2]
SWITCHES = int(os.environ.get("BLUEGREEN_SWITCHES", "6"))
"""Switches of C-20; 100 of them at 200 requests a second: BLUEGREEN_SWITCHES=100."""

RATE = 200.0 if SWITCHES > 20 else 100.0
SEEN_WITHIN = 8.0
"""Seconds; 2 on an idle machine, and printed."""


def test_every_row_has_its_tests_and_every_test_that_is_named_exists() -> None:
    table = re.findall(r"^\| (C-\d\d) \|[^|]+\| (.+) \|$", (REPOSITORY / "docs" / "caddy.md").read_text(), re.MULTILINE)
    assert [row for row, _ in table] == [f"C-{number:02}" for number in range(1, 21)]
    for row, cell in table:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
        assert named, f"{row} names no test"
        for file, test in named:
            assert f"def {test}(" in (REPOSITORY / "tests" / file).read_text(), f"{row}: {file}::{test}"


@pytest.mark.parametrize("mode", MODES)
async def test_c01_without_caddy_a_release_is_refused_before_anything_is_done(mode: str, make_yard: MakeYard) -> None:
    yard = await make_yard(mode=mode)
    plan = await yard.order("plan", PlanRequest(release="1.1.0"))
    await yard.caddy.kill()
    said = ""
    try:
        given_up = await yard.ended((await yard.order("deploy", plan.id)).id)
        said = f"{given_up.phase} {given_up.path}: {given_up.reason}"
        assert (given_up.phase, given_up.path) == ("ABANDONED", ("PREPARING", "ABANDONED")), said
    except ClientError as refused:
        said = f"{refused.code}: {refused.detail} {refused.next}"
    print(f"\n{mode}: {said}")
    assert "Caddy" in said
    assert yard.calls() == []


@pytest.mark.parametrize("mode", MODES)
async def test_c02_caddy_killed_before_the_switch_moves_nobody(mode: str, make_yard: MakeYard) -> None:
    yard = await make_yard(mode=mode, auto=False)
    id = await yard.deploy()
    await yard.reached(id, "AWAITING")
    await yard.caddy.kill()
    began = monotonic()
    await yard.order("promote", id)
    back = await yard.reached(id, "REVERTED", "REVERTING", "STRANDED")
    assert monotonic() - began < 30.0, "the wait is bounded"
    assert not back.moved, back.reason
    await yard.caddy.start(yard.caddyfile)
    back = await yard.ended(id)
    assert (back.phase, back.moved) == ("REVERTED", False), back.reason
    assert await yard.colours() == {"blue"}


@pytest.mark.parametrize("mode", MODES)
async def test_c03_killed_while_watching_and_up_again_with_the_snippets_it_is_where_it_was(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, window="4s")
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    await _snippets_name(yard, "green")
    await yard.caddy.kill()
    await yard.caddy.start(yard.caddyfile)

    async def all_on_green() -> bool:
        colours = await yard.colours()
        assert "blue" not in colours
        return colours == {"green"}

    await until_async(all_on_green, 10.0, "Caddy, just begun, serves green")
    live = await yard.ended(id)
    assert live.phase == "LIVE", f"{live.reason}\n{yard.said()}"
    assert await yard.colours() == {"green"}


async def test_c03_armed_through_the_api_alone_it_comes_up_on_the_old_colour_and_that_is_the_end(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="pointer", snippets=False)
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    await yard.caddy.kill()
    await yard.caddy.start(yard.caddyfile)
    up = monotonic()
    await yard.reached(id, "REVERTING", "REVERTED", seconds=SEEN_WITHIN)
    print(f"\nseen after {monotonic() - up:.2f} s")
    back = await yard.ended(id)
    assert (back.phase, back.cause) == ("REVERTED", "moved-outside"), back.reason
    assert await yard.colours() == {"blue"}


@pytest.mark.parametrize("on_drift", ["alert", "restore"])
async def test_c04_arms_that_a_reload_takes_away_are_told_or_restored(on_drift: str, make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", sites=TWO, caddy_keys=f'on_drift = "{on_drift}"')
    await yard.taken_back()
    await yard.caddy.reload(yard.stale("green"))
    if on_drift == "restore":
        await until_async(lambda: _served_by(yard, "blue"), SEEN_WITHIN, "users are back on blue")
        assert "bluegreen_arms" in str(await yard.caddy_says()), "and the routes are armed again"
    else:
        await until_async(lambda: _says(yard, "moved outside bluegreen"), SEEN_WITHIN, "people see it")
        assert await yard.colours() == {"green"}
    await until(lambda: "traffic.drifted" in str(yard.messages()), 10.0, "people are told")
    (told,) = [message for message in yard.messages() if message["event"] == "traffic.drifted"]
    assert "green" in told["text"], told
    if on_drift == "restore":
        await yard.reached(await yard.deploy("1.1.2"), "WATCHING")
        assert await yard.colours() == {"green"}, "after it a switch works as ever"


async def test_c07_a_caddy_that_is_frozen_at_the_switch_and_goes_on_later_serves_the_old_colour_by_pointer_too(
    make_yard: MakeYard,
) -> None:
    yard = await make_yard(mode="pointer", auto=False)
    id = await yard.deploy()
    await yard.reached(id, "AWAITING")
    yard.caddy.pause()
    try:
        await yard.order("promote", id)
        await yard.reached(id, "REVERTING", "REVERTED", "STRANDED")
    finally:
        yard.caddy.unpause()
    back = await yard.ended(id)
    assert back.phase == "REVERTED", back.reason
    assert await yard.colours() == {"blue"}


async def test_c08_by_pointer_users_go_forth_and_back_while_the_admin_endpoint_hangs(
    make_yard: MakeYard, proxy: AdminProxy
) -> None:
    yard = await make_yard(mode="pointer", admin=proxy.url, auto=False)
    id = await yard.deploy()
    await yard.reached(id, "AWAITING")
    proxy.mode = Mode.SWALLOW_ALL
    async with yard.users(50):
        await yard.order("promote", id)
        await yard.reached(id, "WATCHING")
        assert await yard.colours() == {"green"}
        ordered = monotonic()
        await yard.order("cutback", "looks odd")
        await until_async(lambda: _served_by(yard, "blue"), SEEN_WITHIN, "users are back")
        print(f"\nback after {monotonic() - ordered:.2f} s with the admin endpoint hanging")
        back = await yard.ended(id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert failed(yard.got) == []
    assert [message for message in yard.messages() if message["event"] == "cutback-stuck"] == []


@pytest.mark.parametrize("mode", MODES)
async def test_c12_a_nonsense_address_that_somebody_writes_while_watching_brings_users_back(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode)
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    async with yard.users(50):
        await yard.asked(20)
        await _spoil(yard, "green")
        spoilt = monotonic()
        await until(
            lambda: any(got.at > spoilt and got.good and got.colour == "blue" for got in yard.got[-3:]),
            SEEN_WITHIN,
            "users are back",
        )
        print(f"\n{mode}: back after {monotonic() - spoilt:.2f} s")
        back = await yard.ended(id)
        await yard.asked(20)
    assert back.phase == "REVERTED", back.reason
    assert failed(yard.got[-15:]) == []
    assert await yard.colours() == {"blue"}


async def test_c14_a_second_caddy_on_the_port_is_told_and_what_it_serves_is_no_proof(make_yard: MakeYard) -> None:
    """The kernel shares connections out between both, whatever either of them was told."""
    yard = await make_yard(auto=False)
    id = await yard.deploy()
    await yard.reached(id, "AWAITING")
    second = EmbeddedCaddy(yard.directory / "second", f"unix/{yard.directory}/second.sock")
    text = yard.stale("blue").read_text().replace(yard.caddy.admin, second.admin)
    (yard.directory / "Caddyfile.second").write_text(text)
    await second.start(yard.directory / "Caddyfile.second")
    try:
        await yard.order("promote", id)
        now = await yard.reached(id, "REVERTED", "STRANDED", "WATCHING")
        if now.phase == "WATCHING":  # by chance all answers of the proof came from the first one: then it shows later
            await until(lambda: any("second" in str(each) for each in yard.messages()), 30.0, "people are told")
            return
        assert await yard.colours() == {"blue"}
    finally:
        await second.kill()
    assert now.phase == "REVERTED"
    assert "second" in now.reason, now.reason


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
async def test_c20_switches_under_load_cost_nothing_by_pointer_and_no_more_than_caddys_own_by_rewrite(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=FOUR)
    async with yard.users(RATE, number=20) as got:
        for number in range(SWITCHES // 2):
            id = await yard.deploy(f"1.1.{number}")
            await yard.reached(id, "WATCHING")
            await yard.asked(20)
            await yard.order("cutback", "and back")
            back = await yard.ended(id)
            assert back.cause == "operator", back.reason
            await yard.asked(20)
        asked, lost = len(got), len(failed(got))
        if mode == "rewrite":
            for number in range(SWITCHES):
                await yard.caddy_says(
                    "/config/apps/http/servers/srv0/max_header_bytes", "POST", 2**20 + number
                )  # somebody's own change, which is a reload too
                await yard.asked(20)
        caddys = len(failed(got)) - lost
    print(f"\n{mode}: {lost} of {asked} lost in {SWITCHES} switches; Caddy's own reloads: {caddys} in as many")
    assert {each.colour for each in got} >= {"blue", "green"}
    if mode == "pointer":
        assert lost == 0, failed(got)[:3]
    else:
        assert lost <= 2 * caddys + 2 * SWITCHES


async def _served_by(yard: Yard, colour: str) -> bool:
    return await yard.colours() == {colour}


async def _says(yard: Yard, words: str) -> bool:
    return words in await yard.status()


async def _snippets_name(yard: Yard, colour: str) -> None:
    ports = {str(port) for port in yard.ports[colour].values()}

    def so() -> bool:
        said = {file.read_text().strip().rpartition(":")[2] for file in (yard.directory / "snippets").glob("*.caddy")}
        return said == ports

    await until(so, 10.0, f"the snippets name {colour}")


async def _spoil(yard: Yard, colour: str) -> None:
    """Somebody writes addresses of a colour that no dialler can read; Caddy takes them."""
    socket = yard.caddy.admin.removeprefix("unix/")
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session:
        async with session.get("http://localhost/config/") as answer:
            text = await answer.text()
        for port in yard.ports[colour].values():
            text = text.replace(f'"dial":"127.0.0.1:{port}"', '"dial":"127.0.0.1:notaport"')
        assert "notaport" in text
        headers = {"Content-Type": "application/json"}
        async with session.post("http://localhost/load", data=text, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
