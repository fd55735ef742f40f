"""`bluegreen site` with the whole daemon, on a Caddy with a TCP admin endpoint: a new host; a switch moves it, too."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports
from tests.e2e.yard import TWO, Yard


@pytest.fixture
async def yard(short_directory: Path) -> AsyncIterator[Yard]:
    """Two services in mode "rewrite"; Caddy's admin endpoint is a port of loopback."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    made = Yard(short_directory, sites=TWO)
    made.caddy = EmbeddedCaddy(short_directory / "caddy", f"http://127.0.0.1:{free_ports(1)[0]}")
    async with made.running():
        yield made


async def answered(yard: Yard, host: str) -> tuple[int, str]:
    """Status and body of what a user of this host gets."""
    url = f"http://127.0.0.1:{yard.port}/version"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": host}) as answer:
        return answer.status, await answer.text()


async def document(yard: Yard) -> object:
    """Caddy's whole configuration."""
    async with aiohttp.ClientSession(yard.caddy.admin) as session, session.get("/config/") as answer:
        return await answer.json(content_type=None)


async def test_a_site_comes_and_goes_without_a_trace_and_nobody_is_moved(yard: Yard) -> None:
    before = await document(yard)
    to = f"127.0.0.1:{yard.ports['blue']['shop']}"
    added = await yard.cli("site", "add", "new", "--host", "new.olympus.test", "--to", to, "-y")
    assert added.code == 0, added.output
    assert "new.olympus.test is added" in added.output
    assert (await answered(yard, "new.olympus.test"))[0] == 200
    assert to in (await yard.cli("site", "show", "new")).output
    removed = await yard.cli("site", "remove", "new", "-y")
    assert removed.code == 0, removed.output
    assert await document(yard) == before
    assert list((yard.directory / "state").glob("site-*")) == []
    audit = (await yard.cli("audit")).output
    assert re.search(r"site remove.*\n.*site add", audit), audit


async def test_a_service_that_caddy_does_not_know_yet_gets_its_site_and_a_switch_moves_it(yard: Yard) -> None:
    await yard.taken_back()
    text = yard.caddyfile.read_text()
    shop = text.index(f"http://{TWO['shop']}:")
    yard.caddyfile.write_text(text[:shop])
    await yard.caddy.reload(yard.caddyfile)
    assert "no reverse_proxy handler" in (await yard.cli("status")).output
    added = await yard.cli("site", "add", "shop", "--host", TWO["shop"], "--service", "shop", "-y")
    assert added.code == 0, added.output
    assert (await answered(yard, TWO["shop"]))[0] == 200
    refused = await yard.cli("site", "remove", "shop", "-y")
    assert (refused.code, "users of shop come by shop.olympus.test" in refused.output) == (5, True)
    id = await yard.deploy("1.1.2")
    await yard.reached(id, "WATCHING")
    status, body = await answered(yard, TWO["shop"])
    assert (status, "1.1.2" in body) == (200, True), body
    await yard.order("cutback", "enough")
    assert (await yard.ended(id)).phase == "REVERTED"


async def test_beside_a_deployment_nothing_is_added(yard: Yard) -> None:
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    before = await document(yard)
    refused = await yard.cli("site", "add", "new", "--host", "new.olympus.test", "--to", "127.0.0.1:1", "-y")
    assert (refused.code, id in refused.output) == (5, True)
    assert await document(yard) == before
