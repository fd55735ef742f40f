"""What users bring along, on real parts: a login form is walked past Caddy, a release that forgets sessions or names
another version in its footer is given up before users meet it, and nobody's secret is told on the way."""

import asyncio
from pathlib import Path

import pytest

from bluegreen.app.upkeep_answers import SmokeAnswer
from bluegreen.demo.scenery import Pace
from bluegreen.demo.stage import Stage
from bluegreen.interfaces.client import Client
from tests.e2e.cast import colours_served, deploy, deployment, ended, events
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
    assert await colours_served(stage) == {"blue"}

    async with stage.client as client:
        await client.start_colour("green", "1.1.0-mislabelled")
        wrong = await _once_up(client)
        (flow,) = [check for check in wrong.checks if check.name == "login-form"]
        assert not flow.passed
        assert "step 1, GET /login: expected a body with 'olympus v1.1.0-mislabelled'" in flow.detail
        assert "<footer>olympus v0.0.1</footer>" in flow.detail, "what came instead is shown"
        assert 'name="csrf_token" value=(hidden)>' in flow.detail

        await client.stop_colour("green")
        await client.start_colour("green", "1.1.0")
        answer = await _once_up(client)
        assert answer.passed, [check.detail for check in answer.checks if not check.passed]
        (flow,) = [check for check in answer.checks if check.name == "login-form"]
        assert [step.title for step in flow.steps] == ["GET /login", "POST {action}", "GET {next}", "GET /orders"]
        assert [check.detail for check in answer.checks[-2:]] == [
            "a session of blue holds on green",
            "a session of green holds on blue",
        ]
        await client.stop_colour("green")
    told = repr([await deployment(stage, forgetful.id), await events(stage, forgetful.id), wrong, answer])
    log = await asyncio.to_thread(stage.daemon_log.read_text)
    journal = await asyncio.to_thread(_bytes_below, stage.directory / "state")
    for text in (told, log, journal):
        assert PASSWORD not in text


async def _once_up(client: Client) -> SmokeAnswer:
    """What the checks of green say once it is ready."""
    async with asyncio.timeout(30.0):
        while True:
            answer = (await client.smoke_colour("green", continuity=True)).value
            if answer.checks[0].passed and answer.checks[1].passed:
                return answer
            await asyncio.sleep(0.1)


def _bytes_below(directory: Path) -> str:
    return "".join(path.read_bytes().decode(errors="replace") for path in directory.rglob("*") if path.is_file())
