"""What users bring along, on real parts: a login form is walked past Caddy, a release that forgets sessions or names
another version in its footer is given up before users meet it, and nobody's secret is told on the way."""

import asyncio
from pathlib import Path

import pytest

from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from tests.e2e.cast import colours_served, deploy, deployment, ended, events, reached
from tests.e2e.conftest import MakeStage

PASSWORD = "a-staff-of-gold"

EXTRA = """
[[smoke]]
name = "login-form"
service = "accounts"
retries = 0

[smoke.flow]
values = { user = "hermes", password = "a-staff-of-gold" }

[[smoke.flow.steps]]
path = "/login"
expect = { body = "olympus v{release}", version = "body:olympus v([^<]+)" }
capture = { action = "form-action", csrf = "form:csrf_token" }

[[smoke.flow.steps]]
method = "POST"
path = "{action}"
form = { user = "{user}", password = "{password}", csrf_token = "{csrf}" }
expect = { status = 303 }
capture = { next = "redirect", session = "cookie:session" }

[[smoke.flow.steps]]
path = "{next}"
expect = { json = { "/user" = "{user}" } }

[[smoke.flow.steps]]
service = "shop"
path = "/orders"
headers = { cookie = "session={session}" }

[[continuity]]
name = "login"
service = "accounts"
retries = 0
values = { user = "hermes", password = "a-staff-of-gold" }

[[continuity.mint]]
method = "POST"
path = "/login"
json = { user = "{user}", password = "{password}" }

[[continuity.use]]
path = "/whoami"
expect = { json = { "/user" = "{user}" } }

[[continuity.after]]
method = "POST"
path = "/logout"
"""


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    stage = make_stage(pace=Pace(auto="false", proving="0s", inspect="0s"), extra=EXTRA)
    await stage.set_up()
    await stage.start_daemon()
    return stage


async def test_what_users_bring_along_is_tried_before_they_are_moved(stage: Stage) -> None:
    forgetful = await ended(stage, await deploy(stage, "1.1.0-forgetful"))
    assert forgetful.phase == "ABANDONED", forgetful.reason
    assert "a session created on blue is not valid on green: everyone would be logged out" in forgetful.reason
    assert "bluegreen env check" in forgetful.reason
    assert "step 1, GET /whoami: expected status 200, got 401" in forgetful.reason
    assert not forgetful.moved

    mislabelled = await ended(stage, await deploy(stage, "1.1.0-mislabelled"))
    assert mislabelled.phase == "ABANDONED", mislabelled.reason
    assert "step 1, GET /login: expected a body with 'olympus v1.1.0-mislabelled'" in mislabelled.reason
    assert "<footer>olympus v0.0.1</footer>" in mislabelled.reason, "what came instead is shown"

    id = await deploy(stage, "1.1.0")
    await reached(stage, id, "AWAITING")
    assert await colours_served(stage) == {"blue"}
    async with stage.client as client:
        answer = (await client.smoke_colour("green", continuity=True)).value
        assert answer.passed, [check.detail for check in answer.checks if not check.passed]
        flow = next(check for check in answer.checks if check.name == "login-form")
        assert [step.title for step in flow.steps] == ["GET /login", "POST {action}", "GET {next}", "GET /orders"]
        assert [check.detail for check in answer.checks[-2:]] == [
            "a session of blue holds on green",
            "a session of green holds on blue",
        ]
        await client.abort(id)
    await ended(stage, id)
    told = [repr([await deployment(stage, each.id), await events(stage, each.id)]) for each in (forgetful, mislabelled)]
    log = await asyncio.to_thread(stage.daemon_log.read_text)
    journal = await asyncio.to_thread(_bytes_below, stage.directory / "state")
    for text in (*told, repr(answer), log, journal):
        assert PASSWORD not in text
    assert 'name="csrf_token" value=(hidden)>' in mislabelled.reason


def _bytes_below(directory: Path) -> str:
    return "".join(path.read_bytes().decode(errors="replace") for path in directory.rglob("*") if path.is_file())
