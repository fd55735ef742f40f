"""What `GET /metrics` and the log say of a real deployment is what the journal and the users say."""

import asyncio
import json
import sqlite3
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bluegreen.demo.ports import free_ports
from bluegreen.demo.records import Tally
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import baseline, crowd, deploy, ended
from tests.e2e.conftest import MakeStage

Labels = tuple[tuple[str, str], ...]


async def scraped(address: str) -> dict[tuple[str, Labels], float]:
    """Every sample of the loopback listener, by name and sorted labels."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def logged(stage: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stage.daemon_log.read_text().splitlines()]


def in_the_journal(stage: Stage) -> list[tuple[str, str, dict[str, Any]]]:
    """(name, phase, facts) of every event, read past the daemon."""
    with sqlite3.connect(f"file:{stage.directory / 'state' / 'journal.sqlite'}?mode=ro", uri=True) as db:
        events = [json.loads(body) for (body,) in db.execute("SELECT body FROM event ORDER BY seq")]
    return [(event["name"], event["phase"], event["facts"]) for event in events]


async def test_after_a_cutback_and_a_restart_the_numbers_agree_with_the_journal_and_with_the_users(
    make_stage: MakeStage,
) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    stage = make_stage(pace=Pace(window="20s"), extra=f'\n[metrics]\nlisten = "{address}"\n')
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage) as users:
        await baseline(stage, users)
        back = await ended(stage, await deploy(stage, "1.1.0-errors-0.3"))
        assert (back.phase, back.cause) == ("REVERTED", "regressed")
        records = await users.leave()
    before = await scraped(address)
    await stage.kill_daemon()
    await stage.start_daemon()
    ended_total = ("bluegreen_deployments_total", (("cause", "regressed"), ("kind", "deploy"), ("outcome", "REVERTED")))
    assert before[ended_total] == 1.0
    kept = {key: value for key, value in before.items() if key[0].startswith(KEPT)}
    await eventually_kept(address, kept)

    journal = in_the_journal(stage)
    phases = [facts for name, _, facts in journal if name in ("phase.entered", "deployment.ended")]
    for facts in phases:
        labels = (("outcome", facts["outcome"]), ("phase", facts["previous"]))
        assert before["bluegreen_phase_duration_seconds_count", labels] == 1.0
        assert abs(before["bluegreen_phase_duration_seconds_sum", labels] - facts["seconds"]) < 1e-6
    (returned,) = [facts for name, _, facts in journal if name == "traffic.returned"]
    assert before["bluegreen_cutback_seconds_sum", ()] == returned["seconds"]
    assert before["bluegreen_detection_seconds_sum", ()] == returned["detect_seconds"]
    switched = [facts["failed"] for name, _, facts in journal if name == "traffic.switched"]
    assert before["bluegreen_switch_failed_requests_sum", ()] == sum(switched)
    assert before["bluegreen_switch_failed_requests_count", ()] == len(switched), "none where it was undone unproved"
    blue = (("colour", "blue"),)  # Caddy is looked at once a second, so that this may come a moment later
    stands: dict[tuple[str, Labels], float] = {("bluegreen_live", blue): 1.0, ("bluegreen_wanted", blue): 1.0}
    await eventually_kept(address, {**stands, ("bluegreen_drift", ()): 0.0})

    seen = Tally.of(record for record in records if record.colour == "green")
    assert 0 < returned["bad"]["5xx"] <= seen.bad, (
        "the daemon stops counting when it decides; users' last ones come after"
    )
    the_story_is_whole(logged(stage), back.id, [*back.path])


KEPT = (
    "bluegreen_deployments",
    "bluegreen_phase_duration",
    "bluegreen_cutback",
    "bluegreen_detection",
    "bluegreen_switch_failed",
)


async def eventually_kept(address: str, kept: dict[tuple[str, Labels], float]) -> None:
    """The new daemon counts what happened before it, as soon as it has read the journal."""
    found: dict[tuple[str, Labels], float] = {}
    for _ in range(100):
        found = await scraped(address)
        if kept.items() <= found.items():
            return
        await asyncio.sleep(0.1)
    assert {key: found.get(key) for key in kept} == kept


def the_story_is_whole(log: list[dict[str, Any]], id: str, path: list[str]) -> None:
    """Each phase has one line in the order of the path, and the last line sums it up; `-p warning` has what matters."""
    story = [line for line in log if line.get("deployment") == id]
    assert [line["phase"] for line in story if line["event"] == "phase.ended"] == path[:-1]
    assert [line["then"] for line in story if line["event"] == "phase.ended"] == path[1:]
    events = [line["event"] for line in story]
    assert events[0] == "deployment.started"
    assert events.index("traffic.switch_intended") < events.index("traffic.returned") < events.index("deployment.ended")
    assert events.count("deployment.ended") == 1
    (end,) = [line for line in story if line["event"] == "deployment.ended"]
    assert end["phase_seconds"].keys() == set(path[:-1])
    assert end["bad"]["5xx"] > 0
    warned = [line["event"] for line in story if line["level"] in ("warning", "critical")]
    assert warned[-3:] == ["phase.ended", "traffic.returned", "deployment.ended"]
