"""Killed (-9) and started again: what the live colour showed is known still, and a watch is recorded once."""

import asyncio
import sqlite3
import tempfile
from typing import IO

from bluegreen.app.replay import judge_samples
from bluegreen.app.replayed import Outcome
from bluegreen.app.requests import Explanation
from bluegreen.app.survey import Survey
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.recordings import Recording
from tests.e2e.cast import baseline, crowd, deploy, ended, eventually, reached
from tests.e2e.conftest import MakeStage


async def test_after_a_kill_the_history_is_there_and_what_is_cut_back_comes_out_the_same_when_judged_again(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(pace=Pace(window="30s"))
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage, seconds=180.0) as users:
        await baseline(stage, users, 600)
        await eventually(lambda: chunks(stage) >= 2, 60.0)
        await stage.kill_daemon()
        await stage.start_daemon()
        id = await deploy(stage, "1.1.0-errors-0.05")
        back = await ended(stage, id)
        explained, again = await explain(stage, id), await judged_again(stage, id)
    assert back.phase == "REVERTED", back.reason
    history = next(line for line in explained.signals if line.signal == "5xx").history
    assert history >= 500, "it was seen by the daemon that was killed"
    assert again.cut is not None
    assert back.reason.startswith(again.cut.reason), "the log's routes are not recorded"
    assert abs(again.cut.after - explained.watched) < 1.0


async def test_killed_during_the_watch_each_answer_is_recorded_once(make_stage: MakeStage) -> None:
    stage = make_stage(pace=Pace(window="12s", standby="1s"))
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage, seconds=180.0) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0")
        await reached(stage, id, "WATCHING")
        await asyncio.sleep(5.0)
        await stage.kill_daemon()
        await stage.start_daemon()
        live = await ended(stage, id)
        explained, again = await explain(stage, id), await judged_again(stage, id)
    assert live.phase == "LIVE", live.reason
    assert again.cut is None
    seen = {line.signal: (line.n, line.bad) for line in explained.signals}
    recorded = {evidence.signal: (evidence.n, evidence.bad) for evidence in again.last.signals}
    for signal in ("5xx", "auth", "slow"):
        few = abs(recorded[signal][0] - seen[signal][0])
        assert few <= 30, f"{signal}: what came in the moment of the end is on one side only"
    assert seen["5xx"][0] > 300


def chunks(stage: Stage) -> int:
    """How many chunks of the history are in the journal."""
    with sqlite3.connect(f"file:{stage.directory / 'state' / 'journal.sqlite'}?mode=ro", uri=True) as db:
        found = db.execute("SELECT count(*) FROM chunk WHERE kind = 'history'").fetchone()
    db.close()
    return int(found[0])


async def explain(stage: Stage, id: str) -> Explanation:
    async with stage.client as client:
        return (await client.explain(id)).value


async def judged_again(stage: Stage, id: str) -> Outcome:
    """As `bluegreen replay ID` does it."""
    with tempfile.TemporaryFile() as fetched:
        async with stage.client as client:
            await client.samples(id, fetched.write)
        fetched.seek(0)
        content = fetched.read()

    def fetch(file: IO[bytes]) -> None:
        file.write(content)

    with Recording(id, fetch) as recording:
        survey = Survey().look(recording.checked())
        terms, known = recording.settle(survey, None)
        return judge_samples(recording.samples(), survey, terms, known)
