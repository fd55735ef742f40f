"""Caddy is restarted or reloaded from what is not so any more: while nothing runs, and while a release is watched."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import click

from bluegreen.demo import colour as colours
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.domain.records import Event
from bluegreen.interfaces.render import status_lines
from tests.e2e.alterations import (
    caddyfile_without_snippets,
    configure,
    messages_to,
    stopping_lasts,
    without_databases,
    without_snippets,
)
from tests.e2e.cast import caddy_config, colours_served, deploy, ended, reached
from tests.e2e.conftest import MakeStage

LONG = Pace(window="60s", inspect="1h")
SHORT = Pace(window="4s", standby="1s", inspect="1h")

SEEN_WITHIN = 10.0
"""Seconds; 2 on an idle machine, and printed."""


async def test_alert_tells_the_difference_and_what_to_type_and_leaves_it_to_people(make_stage: MakeStage) -> None:
    stage = await _idle_on_blue(make_stage, "alert")
    moved = await _reload(stage, "green")
    drifted = await _event(stage, "traffic.drifted", moved)
    said = "\n".join(drifted.facts["difference"])
    assert re.search(r"- accounts dials 127\.0\.0\.1:\d+ \(blue\)\n\+ accounts dials 127\.0\.0\.1:\d+ \(green\)", said)
    assert "accounts, at /config/apps/http/servers/srv0/routes/" in said
    async with asyncio.timeout(SEEN_WITHIN):  # it is told first, and what is done about it is decided then
        while "it is left to you" not in (await _status(stage))[1]:
            await asyncio.sleep(0.05)
    assert "moved outside bluegreen: blue is wanted" in (await _status(stage))[0]
    assert await colours_served(stage) == {"green"}

    async with stage.client as client:
        await client.resolve("current", "we want green")
    await _event(stage, "traffic.as_wanted", moved)
    assert "nothing is moving" in (await _status(stage))[0]


async def test_alert_restores_where_users_were_sent_to_a_colour_that_does_not_answer(make_stage: MakeStage) -> None:
    stage = await _idle_on_blue(make_stage, "alert")
    await colours.down(stage.sample, "green")
    moved = await _reload(stage, "green")
    restored = await _event(stage, "traffic.restored", moved)
    assert restored.facts["to"] == "blue"
    assert await colours_served(stage) == {"blue"}


async def test_restore_puts_users_back_proved_and_tells_it(make_stage: MakeStage) -> None:
    stage = await _idle_on_blue(make_stage, "restore")
    moved = await _reload(stage, "green")
    await _event(stage, "traffic.restored", moved)
    assert await colours_served(stage) == {"blue"}
    stamped = str(await caddy_config(stage))
    assert "bluegreen-accounts-1-g" in stamped
    messages = (stage.directory / "messages.jsonl").read_text()
    assert "traffic.drifted" in messages
    live = await _deploy_once_more(stage)
    assert live == {"green"}, "after it a switch works as ever"


async def test_a_restart_with_snippets_keeps_the_colour_and_gets_our_stamp_again_and_the_next_switch_works(
    make_stage: MakeStage,
) -> None:
    stage = await _idle_on_blue(make_stage, "alert")
    moved = datetime.now(UTC)
    await stage.caddy.restart()
    stamped = await _event(stage, "traffic.stamped", moved)
    assert stamped.facts["colour"] == "blue"
    assert f"bluegreen-shop-1-g{stamped.facts['generation']}" in str(await caddy_config(stage))
    assert [event.facts for event in await _events(stage) if event.name == "traffic.drifted"] == []
    assert await _deploy_once_more(stage) == {"green"}


async def test_while_watching_a_restart_with_snippets_stays_where_it_is(make_stage: MakeStage) -> None:
    stage = await _set_up(make_stage, "alert", pace=SHORT)
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    moved = datetime.now(UTC)
    await stage.caddy.restart()
    await _event(stage, "traffic.stamped", moved)
    live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason
    assert await colours_served(stage) == {"green"}


async def test_while_watching_a_restart_without_snippets_is_the_old_colour_and_the_end(make_stage: MakeStage) -> None:
    stage = make_stage(pace=LONG)
    await stage.set_up()
    without_databases(stage)
    stale = caddyfile_without_snippets(stage, "blue")
    without_snippets(stage)
    await stage.caddy.restart(stale)
    await stage.start_daemon()
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    moved = datetime.now(UTC)
    await stage.caddy.restart()
    back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "moved-outside"), back.reason
    _print("a restart without snippets", await _event(stage, "phase.entered", moved), moved)
    assert await colours_served(stage) == {"blue"}
    assert "bluegreen-accounts-1-g2" in str(await caddy_config(stage)), "the way back is a write, also to where it is"


async def test_with_the_old_colour_stopped_the_new_one_is_restored_and_people_are_called(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(window="1s", standby="0s"))
    await stage.set_up()
    without_databases(stage)
    slow = stopping_lasts(stage)
    messages = messages_to(stage)
    await stage.start_daemon()
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "RETIRING")
    async with asyncio.timeout(20.0):
        while not slow.exists():
            await asyncio.sleep(0.05)
    moved = await _reload(stage, "blue")
    await _event(stage, "traffic.restored", moved)
    slow.unlink()
    live = await ended(stage, id)
    assert live.phase == "LIVE", live.reason
    assert await colours_served(stage) == {"green"}
    assert messages.read_text().count('"restored"') == 1


async def _set_up(make_stage: MakeStage, on_drift: str, pace: Pace = LONG) -> Stage:
    stage = make_stage(pace=pace)
    await stage.set_up()
    without_databases(stage)
    configure(stage, "caddy", f'on_drift = "{on_drift}"')
    messages_to(stage)
    await stage.start_daemon()
    return stage


async def _idle_on_blue(make_stage: MakeStage, on_drift: str) -> Stage:
    """Nothing runs, blue is wanted, and green is still up: a release was taken back, and is left to be looked at."""
    stage = await _set_up(make_stage, on_drift)
    id = await deploy(stage, "1.0.1")
    await reached(stage, id, "WATCHING")
    async with stage.client as client:
        await client.cutback("to begin with")
    assert (await ended(stage, id)).phase == "REVERTED"
    return stage


async def _deploy_once_more(stage: Stage) -> set[str | None]:
    await reached(stage, await deploy(stage, "1.0.2"), "WATCHING")
    return await colours_served(stage)


async def _reload(stage: Stage, colour: str) -> datetime:
    """`caddy reload` from a Caddyfile that names a colour itself; when that was done."""
    await stage.caddy.reload(caddyfile_without_snippets(stage, colour))
    return datetime.now(UTC)


async def _event(stage: Stage, name: str, after: datetime) -> Event:
    """The first event of this name after a moment, with how long it took."""
    async with asyncio.timeout(SEEN_WITHIN + 20.0):
        while True:
            found = [event for event in await _events(stage) if event.name == name and event.at >= after]
            if found:
                _print(name, found[0], after)
                assert (found[0].at - after).total_seconds() < SEEN_WITHIN
                return found[0]
            await asyncio.sleep(0.05)


def _print(what: str, event: Event, after: datetime) -> None:
    print(f"\n{what}: {(event.at - after).total_seconds():.2f} s after Caddy had it")


async def _events(stage: Stage) -> list[Event]:
    """Everything that was told, as it stands in the journal's file."""
    with closing(sqlite3.connect(f"file:{stage.directory}/state/journal.sqlite?mode=ro", uri=True)) as journal:
        rows = [json.loads(body) for (body,) in journal.execute("SELECT body FROM event ORDER BY seq")]
    return [Event(row["name"], datetime.fromisoformat(row["at"]), facts=row["facts"]) for row in rows]


async def _status(stage: Stage) -> list[str]:
    async with stage.client as client:
        return [click.unstyle(line) for line in status_lines((await client.status()).value)]
