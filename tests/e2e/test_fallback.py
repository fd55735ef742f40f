"""`fallback_to_previous`: Caddy itself lets the old colour answer while a release is watched; the daemon decides then.

Who is on the wire to a colour in the moment it is killed is lost to everybody; so what counts is what began after it.
"""

import asyncio
from time import monotonic

import pytest

from tests.e2e.conftest import MakeYard
from tests.e2e.yard import MODES, TWO, failed

FALLBACK = "fallback_to_previous = true"
FROZEN_TOO = f'{FALLBACK}\nresponse_header_timeout = "1s"'


@pytest.mark.parametrize("mode", MODES)
async def test_green_dies_with_the_daemon_dead_users_lose_nothing_and_the_next_daemon_decides_and_never_flaps(
    mode: str, make_yard: MakeYard
) -> None:
    yard = await make_yard(mode=mode, sites=TWO, caddy_keys=FALLBACK)
    async with yard.users(60) as got:
        await yard.heard()
        id = await yard.deploy()
        await yard.reached(id, "WATCHING")
        await yard.asked(60)
        assert {each.colour for each in got[-20:]} == {"green"}
        await yard.kill_daemon()
        await yard.apps["green"].kill()
        dead = monotonic()
        await yard.asked(150)
        since = [each for each in got if each.at > dead]
        assert failed(since) == []
        assert {each.colour for each in since} == {"blue"}
        await yard.start_daemon()
        back = await yard.ended(id)
        assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
        assert "Caddy itself fell back to blue" in back.reason
        await yard.application("green")
        comes_back = monotonic()
        await yard.asked(150)
        since = [each for each in got if each.at > comes_back]
    assert {each.colour for each in since} == {"blue"}, "a green that comes back takes nothing"
    # the way back is a reload in mode rewrite, and that has its price
    assert mode == "rewrite" or failed([each for each in got if each.at > dead]) == []


async def test_green_that_dies_under_the_daemons_eyes_is_left_and_users_lose_nothing(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", caddy_keys=FALLBACK)
    async with yard.users(60) as got:
        await yard.heard()
        id = await yard.deploy()
        await yard.reached(id, "WATCHING")
        await yard.asked(60)
        await yard.apps["green"].kill()
        dead = monotonic()
        back = await yard.ended(id)
        await yard.asked(60)
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    lost = failed([each for each in got if each.at > dead])
    print(f"\n{back.reason}; {len(lost)} lost")
    assert lost == []


async def test_a_green_that_freezes_with_the_daemon_dead_is_covered_by_the_timeout(make_yard: MakeYard) -> None:
    yard = await make_yard(mode="pointer", caddy_keys=FROZEN_TOO)
    await yard.reached(id := await yard.deploy(), "WATCHING")
    await yard.kill_daemon()
    yard.apps["green"].pause()
    async with yard.client() as session:
        waves = [await asyncio.gather(*(yard.ask(session, "web", "/page", "GET") for _ in range(10))) for _ in range(3)]
    got = [each for wave in waves for each in wave]
    assert failed(got) == []
    assert {each.colour for each in got} == {"blue"}
    assert max(each.seconds for each in waves[-1]) < 0.9, "later ones do not wait any more"
    await yard.start_daemon()
    back = await yard.ended(id)
    yard.apps["green"].unpause()
    assert back.phase == "REVERTED", back.reason
    assert await yard.colours() == {"blue"}


@pytest.mark.parametrize("mode", MODES)
async def test_once_the_release_is_live_nothing_falls_back_any_more(mode: str, make_yard: MakeYard) -> None:
    yard = await make_yard(mode=mode, caddy_keys=FALLBACK, window="1s")
    before = await yard.caddy_says()
    async with yard.users(60) as got:
        await yard.heard(60)
        live = await yard.ended(await yard.deploy())
        await yard.asked(30)
    assert live.phase == "LIVE", live.reason
    assert mode == "rewrite" or failed(got) == []
    if mode == "pointer":
        assert yard.pointer.read_text().split()[0] == "green"
        assert await yard.caddy_says() == before
    else:
        assert str(yard.ports["blue"]["web"]) not in str(await yard.caddy_says())
    await yard.apps["green"].kill()
    assert await yard.colours() == {None}, "a 502, and nobody of the old release answers"
