"""A release that is worse is taken back by itself, and users keep their sessions."""

import asyncio
from typing import Any

import pytest

from bluegreen.demo.records import Tally
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.client import ClientError
from tests.e2e.cast import answers_at, baseline, colours_served, crowd, deploy, ended
from tests.e2e.conftest import MakeStage

WORSE = {
    "every answer an error": "1.1.0-errors-1.0",
    "one answer in twenty an error": "1.1.0-errors-0.05",
    "logins broken for some": "1.1.0-login-0.3",
    "three times slower": "1.1.0-slow-3.0",
    "hanging": "1.1.0-hang",
}


@pytest.mark.parametrize("release", WORSE.values(), ids=WORSE.keys())
async def test_it_is_cut_back(make_stage: MakeStage, release: str, record_property: Any) -> None:
    stage = make_stage(pace=Pace(window="20s", slow_factor="1.0"))
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage) as users:
        await baseline(stage, users)
        id = await deploy(stage, release)
        back = await ended(stage, id)
        assert await colours_served(stage) == {"blue"}
        records = await users.leave()
    assert back.phase == "REVERTED", back.reason
    assert back.cause == "regressed", back.reason
    assert back.moved
    bad = Tally.of(record for record in records if record.colour == "green" or record.status is None).bad
    record_property("bad_answers_before_the_cutback", bad)
    print(f"\n{release}: {bad} bad answers before the cutback; {back.reason}")
    assert "first: " in back.reason, "the first bad answer is named"
    await _is_quarantined(stage, release)


async def test_the_release_that_was_taken_back_is_left_running_for_inspection_and_then_stopped(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(pace=Pace(window="20s", inspect="3s"))
    await stage.set_up()
    await stage.start_daemon()
    async with crowd(stage) as users:
        await baseline(stage, users)
        id = await deploy(stage, "1.1.0-errors-1.0")
        assert (await ended(stage, id)).phase == "REVERTED"
        assert await answers_at(stage, "green")
        async with asyncio.timeout(30.0):
            while await answers_at(stage, "green"):
                await asyncio.sleep(0.2)
        assert await colours_served(stage) == {"blue"}


async def _is_quarantined(stage: Stage, release: str) -> None:
    with pytest.raises(ClientError, match="quarantined") as refused:
        await deploy(stage, release)
    assert refused.value.code == "gate-refused"
