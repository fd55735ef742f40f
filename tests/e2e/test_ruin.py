"""Users go back although something else is broken; and people are called with the command to type."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.render import status_lines
from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.alterations import configure, messages_to, without_databases
from tests.e2e.cast import baseline, caddy_config, colours_served, crowd, deploy, deployment, ended, eventually, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="60s", inspect="1h", caddy_timeout="500ms")


async def test_a_bad_release_goes_back_by_snippet_and_reload_where_only_our_way_to_caddy_hangs(
    make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage = make_stage(pace=LONG, admin=proxy.url)
    await stage.set_up()
    without_databases(stage)
    _with_reload(stage)
    messages = messages_to(stage)
    await stage.start_daemon()
    async with crowd(stage) as users:
        await baseline(stage, users)
        proxy.meet(Mode.PASS, 1, then=Mode.SWALLOW)
        id = await deploy(stage, "1.0.1-errors-1.0")
        await reached(stage, id, "REVERTING")
        await _until(lambda: colours_served(stage), {"blue"})
    await _paged(messages, "the front door shows that users are on blue already")
    going_back = await deployment(stage, id)
    assert (going_back.phase, going_back.cause) == ("REVERTING", "regressed"), "only a write of ours ends it"
    assert "users are on blue already" in await _status(stage)
    proxy.mode = Mode.PASS
    await _is_taken_back(stage, id)


@pytest.mark.parametrize("reload", [True, False], ids=["with a reload command", "without one"])
async def test_an_admin_endpoint_that_hangs_for_everything_does_not_keep_an_operator_from_going_back(
    reload: bool, make_stage: MakeStage, proxy: AdminProxy
) -> None:
    stage = make_stage(pace=LONG, admin=proxy.url)
    await stage.set_up()
    without_databases(stage)
    if reload:
        _with_reload(stage)
    messages = messages_to(stage)
    await stage.start_daemon()
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    proxy.mode = Mode.SWALLOW_ALL
    await _order_cutback(stage)
    if reload:
        await _until(lambda: colours_served(stage), {"blue"})
        await _paged(messages, "the front door shows that users are on blue already")
    else:
        await _paged(messages, "no command to reload Caddy is configured")
        assert await colours_served(stage) == {"green"}
        await stage.caddy.restart()  # what the page says; Caddy comes up from the snippets
        assert await colours_served(stage) == {"blue"}
    proxy.mode = Mode.PASS
    await _is_taken_back(stage, id)


async def test_a_reload_that_fails_is_told(make_stage: MakeStage, proxy: AdminProxy) -> None:
    stage = make_stage(pace=LONG, admin=proxy.url)
    await stage.set_up()
    without_databases(stage)
    configure(stage, "caddy", 'reload = ["sh", "-c", "echo access denied by polkit >&2; exit 4"]')
    messages = messages_to(stage)
    await stage.start_daemon()
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    proxy.mode = Mode.SWALLOW
    await _order_cutback(stage)
    await _paged(messages, "access denied by polkit")
    proxy.mode = Mode.PASS
    await _is_taken_back(stage, id)


async def test_a_frozen_caddy_that_people_restart_ends_the_way_back_by_itself(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    without_databases(stage)
    messages = messages_to(stage)
    await stage.start_daemon()
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    stage.caddy.pause()
    await _order_cutback(stage)
    await _paged(messages, "no answer")
    await stage.caddy.kill()
    await stage.caddy.start(stage.caddyfile)
    await _is_taken_back(stage, id)


async def test_a_receiver_that_never_answers_delays_nothing(make_stage: MakeStage) -> None:
    async with _never_answering() as (url, asked):
        receiver = f'\n[[notify]]\nname = "team"\nkind = "webhook"\nurl = "{url}"\ntimeout = "30s"\n'
        stage = make_stage(pace=LONG, extra=receiver)
        await stage.set_up()
        without_databases(stage)
        await stage.start_daemon()
        id = await deploy(stage, "1.0.1-errors-1.0")
        async with crowd(stage):
            back = await ended(stage, id)
        assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
        assert await colours_served(stage) == {"blue"}
        await eventually(lambda: len(asked) == 1, 10.0)  # it hangs on the first message, and all went on
        id = await deploy(stage, "1.0.2")
        await reached(stage, id, "WATCHING")
        began = monotonic()
        await _order_cutback(stage)
        await ended(stage, id)
        print(f"\nback after {monotonic() - began:.2f} s while a receiver hangs")
        assert len(asked) == 1


@asynccontextmanager
async def _never_answering() -> AsyncIterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def hang(request: web.Request) -> web.Response:
        asked.append(await request.text())
        await asyncio.sleep(120)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", asked
    finally:
        await runner.cleanup()


def _with_reload(stage: Stage) -> None:
    """What an operator types, on the real admin socket: just our own way to it is broken."""
    words = [str(caddy_binary()), "reload", "--config", str(stage.caddyfile), "--adapter", "caddyfile"]
    words += ["--address", stage.caddy.admin]
    configure(stage, "caddy", f"reload = {json.dumps(words)}")


async def _order_cutback(stage: Stage) -> None:
    async with stage.client as client:
        await client.cutback("looks odd")


async def _until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(40.0):
        while await ask() != wanted:
            await asyncio.sleep(0.1)


async def _paged(messages: Path, words: str) -> None:
    """One page, with the command and these words; and nobody is called twice."""
    await eventually(lambda: "cutback-stuck" in messages.read_text(), 40.0)
    lines = [json.loads(line) for line in messages.read_text().splitlines() if line.strip()]
    (page,) = [line for line in lines if line["event"] == "cutback-stuck"]
    assert (page["severity"], page["facts"]["next"]) == ("critical", "systemctl restart caddy")
    assert words in page["text"], page["text"]


async def _is_taken_back(stage: Stage, id: str) -> None:
    back = await ended(stage, id)
    assert back.phase == "REVERTED", back.reason
    assert await colours_served(stage) == {"blue"}
    assert "bluegreen-accounts-1-g" in str(await caddy_config(stage)), "and shut out what may land late"


async def _status(stage: Stage) -> str:
    async with stage.client as client:
        return "\n".join(status_lines((await client.status()).value))
