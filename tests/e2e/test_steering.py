"""An operator who steers: pauses, ends a watch by hand, deploys instead of what runs, or where nothing works."""

import asyncio
import json
import re
import shutil
from pathlib import Path

from bluegreen.demo import colour as colours
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import (
    baseline,
    colours_served,
    crowd,
    deploy,
    deployment,
    ended,
    events,
    eventually,
    reached,
)
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import bluegreen

LONG = Pace(window="120s", standby="120s")
BY_HAND = Pace(window="1s", standby="120s", auto="false")
PAGER = """
[[notify]]
name = "pager"
kind = "command"
command = ["sh", "-c", "cat >> {file}; echo >> {file}"]
"""


async def staged(make_stage: MakeStage, pace: Pace, extra: str = "") -> Stage:
    """A stage with its daemon, at this pace."""
    stage = make_stage(pace=pace, extra=extra)
    await stage.set_up()
    await stage.start_daemon()
    return stage


def pages(file: Path) -> list[str]:
    """What called people; a page that came twice under one key, since the daemon was killed right after it, is one."""
    notices = [json.loads(line) for line in file.read_text().splitlines() if line] if file.exists() else []
    return list({n["key"]: n["event"] for n in notices if n["severity"] == "critical"}.values())


async def test_a_bad_release_stays_while_it_is_paused_through_a_crash_and_goes_back_on_resume(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    paged = tmp_path / "pages.jsonl"
    stage = await staged(make_stage, LONG, PAGER.format(file=paged))
    async with crowd(stage) as users:
        await baseline(stage, users)
        paused = await bluegreen(stage, "pause", "--reason", "looking at it myself", "--for", "1h")
        assert paused.code == 0, paused.text
        id = await deploy(stage, "1.1.0-errors-0.1")
        await reached(stage, id, "AWAITING")
        assert (await bluegreen(stage, "promote", "--reason", "to see it")).code == 0
        await reached(stage, id, "WATCHING")
        await eventually(lambda: "cutback-withheld" in pages(paged), 20.0)
        while "cutback.withheld" not in [event.name for event in await events(stage, id)]:
            await asyncio.sleep(0.05)  # it is told right after the page, and the daemon is killed here
        card = json.loads((stage.directory / "state" / "cutback.json").read_text())
        assert (card["open"], card["failsafe"]) == (True, False)
        await stage.kill_daemon()
        await stage.start_daemon()
        status = await bluegreen(stage, "status")
        assert "paused    by uid 0 (root) since" in status.text.splitlines()[1], status.text
        assert "looking at it myself" in status.text.splitlines()[1]
        assert "would have cut back: green is worse" in " ".join(status.text.split())
        explained = await bluegreen(stage, "explain")
        assert "this cuts back" in explained.text, explained.text
        assert await colours_served(stage) == {"green"}
        resumed = await bluegreen(stage, "resume", "--reason", "seen enough")
        assert resumed.code == 0, resumed.text
        back = await ended(stage, id)
    assert (back.phase, back.cause) == ("REVERTED", "regressed")
    assert await colours_served(stage) == {"blue"}
    assert pages(paged).count("cutback-withheld") == 1
    told = [event.name for event in await events(stage, id)]
    assert told.count("cutback.withheld") == 1
    explained = await bluegreen(stage, "explain", id, "-o", "json")
    assert (explained.document["current"], explained.document["verdict"]) == (False, "regressed")


async def test_a_watch_and_a_standby_are_ended_by_hand(make_stage: MakeStage) -> None:
    stage = await staged(make_stage, LONG)
    id = await deploy(stage, "1.1.0")
    for phase in ("WATCHING", "STANDING_BY"):
        await reached(stage, id, phase)
        refused = await bluegreen(stage, "promote", "--full")
        assert refused.code == 2, refused.text
        promoted = await bluegreen(stage, "promote", "--full", "--reason", "it is well")
        assert promoted.code == 0, promoted.text
        assert f"{phase} of {id} is over" in promoted.text
    assert (await ended(stage, id)).phase == "LIVE"
    answers = [str(event.facts.get("answer")) for event in await events(stage, id)]
    assert sum("promoted by uid 0 (root): it is well" in answer for answer in answers) == 2


async def test_another_release_is_deployed_instead_of_the_one_that_runs(make_stage: MakeStage) -> None:
    stage = await staged(make_stage, BY_HAND)
    first = await deploy(stage, "1.1.0")
    await reached(stage, first, "AWAITING")
    refused = await bluegreen(stage, "deploy", "1.1.1", "-y")
    assert refused.code == 5, refused.text
    second = await bluegreen(stage, "deploy", "1.1.1", "-y", "--supersede", "--auto-promote")
    assert second.code == 0, second.text
    assert f"this supersedes {first}: 1.1.0, in AWAITING, is given up first" in " ".join(second.text.split())
    given_up = await deployment(stage, first)
    assert (given_up.phase, given_up.cause) == ("ABANDONED", "operator")
    standing = await deployment(stage, "current")
    assert standing.phase == "STANDING_BY"
    third = await bluegreen(stage, "deploy", "1.1.2", "-y", "--supersede", "--auto-promote")
    assert third.code == 0, third.text
    assert f"superseding {standing.id}, it is in" in third.text or standing.id in third.text
    assert (await deployment(stage, standing.id)).phase == "LIVE"
    assert await colours_served(stage) == {"blue"}
    history = (await bluegreen(stage, "history", "-o", "json")).document
    assert [item["plan"]["release"]["version"] for item in history] == ["1.1.2", "1.1.1", "1.1.0"]


async def test_on_a_fresh_host_the_first_release_is_brought_up_with_a_reason(make_stage: MakeStage) -> None:
    stage = await staged(make_stage, Pace(window="2s", standby="1s"))
    await colours.down(stage.sample, "blue")
    without = await bluegreen(stage, "deploy", "1.1.0", "-y")
    assert without.code == 20, without.text
    no_reason = await bluegreen(stage, "deploy", "1.1.0", "-y", "--live-is-down")
    assert no_reason.code == 2, no_reason.text
    done = await bluegreen(stage, "deploy", "1.1.0", "-y", "--live-is-down", "--reason", "a new host", "--wait-final")
    assert done.code == 0, done.text
    live = await deployment(stage, "current")
    assert (live.phase, live.plan.reason) == ("LIVE", "a new host")
    assert any("there is no automatic way back" in warning for warning in live.warnings)
    assert await colours_served(stage) == {"green"}


async def test_a_fix_that_is_bad_too_is_held_and_paged_and_never_flipped_to_what_is_dead(
    make_stage: MakeStage, tmp_path: Path
) -> None:
    paged = tmp_path / "pages.jsonl"
    stage = await staged(make_stage, LONG, PAGER.format(file=paged))
    await colours.down(stage.sample, "blue")
    async with crowd(stage):
        words = ("--live-is-down", "--reason", "blue broke", "--no-watch")
        typed = await bluegreen(stage, "deploy", "1.1.0", "-y", *words)
        assert typed.code == 0, typed.text
        await reached(stage, "current", "WATCHING")
        assert "regressed-held" not in pages(paged), "what serves is judged by itself, not by what was dead"
        await colours.down(stage.sample, "green")
        await eventually(lambda: "regressed-held" in pages(paged), 30.0)
        assert (await deployment(stage, "current")).phase == "WATCHING"
        card = json.loads((stage.directory / "state" / "cutback.json").read_text())
        assert (card["open"], card["failsafe"]) == (True, False)
        status = await bluegreen(stage, "status")
    assert re.search(r"held +blue was down when this began: there is no way back", status.text), status.text


async def test_a_plan_is_applied_exactly_or_refused(make_stage: MakeStage, tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(Stage.migrations, migrations)
    stage = make_stage(pace=Pace(window="1s", standby="1s"), migrations=migrations)
    await stage.set_up()
    await stage.start_daemon()
    first = (await bluegreen(stage, "plan", "1.1.0", "-o", "json")).document
    (migrations / "0002_notes.expand.sql").write_text("create table notes (id bigint primary key);\n")
    stale = await bluegreen(stage, "deploy", "--plan", first["id"], "-y")
    assert stale.code == 5, stale.text
    assert "the world changed since" in stale.text
    assert "next: bluegreen plan 1.1.0" in stale.text
    second = (await bluegreen(stage, "plan", "1.1.0", "-o", "json")).document
    done = await bluegreen(stage, "deploy", "--plan", second["id"], "-y", "--wait-final")
    assert done.code == 0, done.text
    applied = await deployment(stage, "current")
    assert (applied.plan.id, applied.plan.migrations) == (second["id"], tuple(second["migrations"]))
