"""From nothing to the first deployment, on a real Caddy: init writes the configuration, the daemon observes what people
do by hand and changes nothing, and is then told to act."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from tests.e2e.yard import Yard, until_async


@pytest.fixture
async def yard(short_directory: Path) -> AsyncIterator[Yard]:
    """Caddy and the colours; no daemon, and no configuration of ours."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    made = Yard(short_directory)
    try:
        await made.built()
        made.config.unlink()
        yield made
    finally:
        await made.cleared()


def changes(yard: Yard) -> list[str]:
    """What Caddy was told to change, by its own log."""
    lines = (json.loads(line) for line in yard.caddy.log.read_text().splitlines() if line.startswith("{"))
    asked = [line.get("method") for line in lines if line.get("logger") == "admin.api"]
    return [method for method in asked if method not in (None, "GET")]


def completed(yard: Yard, text: str) -> str:
    """What an operator corrects in the draft: the marked guesses; and where this test's files are."""
    script = f'["sh", "{yard.directory}/colour.sh", "%s", "{{colour}}"%s]'
    text = text.replace('["systemctl", "start", "app@{colour}"]', script % ("up", ', "{release}"'))
    text = text.replace('["systemctl", "stop", "app@{colour}"]', script % ("down", ""))
    guessed = f'green = ["127.0.0.1:{yard.ports["blue"]["web"] + 1000}"]'
    assert guessed in text
    text = text.replace(guessed, f'green = ["127.0.0.1:{yard.ports["green"]["web"]}"]')
    text = text.replace('ready.path = "/"', 'ready = { path = "/health/ready", consecutive = 2, interval = "50ms" }')
    text = text.replace("[caddy]\n", f'[caddy]\ndir = "{yard.directory}/snippets"\n').replace(
        '#release = "1.0.0"', 'release = "1.0.0"'
    )
    return (
        f'{text}\n[daemon]\nstate_dir = "{yard.directory}/state"\nsocket = "{yard.directory}/api.sock"\n'
        '[watch]\nwindow = "3s"\nstandby = "1s"\nprobes.interval = "200ms"\nadvanced.slow_factor = 20.0\n'
        '[retire]\ndrain = "0s"\n[promotion]\nauto = true\n'
    )


async def observed(yard: Yard) -> dict[str, Any]:
    """What the status says of the move by hand."""
    ran = await yard.cli("status", "-o", "json")
    assert ran.code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.output)["observing"]
    return found


async def said(yard: Yard, words: str) -> None:
    async def so() -> bool:
        return words in (await observed(yard))["said"]

    await until_async(so, 60.0, f"the status says {words!r}")


async def test_init_observe_plan_a_move_by_hand_and_act(yard: Yard) -> None:
    ran = await yard.cli(
        "init", "--to", str(yard.config), "--caddy", yard.caddy.admin, "--directory", str(yard.directory)
    )
    assert ran.code == 0, ran.output
    checked = await yard.cli("config", "check")
    assert checked.code == 0, checked.output
    yard.config.write_text(completed(yard, yard.config.read_text()))
    before = await yard.caddy_says()
    kept = {path.name: path.read_text() for path in (yard.directory / "snippets").iterdir()}
    await yard.start_daemon()

    planned = await yard.cli("plan", "1.1.0")
    assert planned.code in (0, 10), planned.output
    assert "this is what would be done, and nothing is done" in planned.output
    refused = await yard.cli("deploy", "1.1.0", "--yes")
    assert refused.code == 5, refused.output
    assert 'automation is "observe"' in refused.output
    assert (await yard.cli("caddy", "arm", "-y")).code == 5
    assert "OBSERVING" in await yard.status()

    async with yard.users(rate=100):
        await yard.heard(300)
        assert await yard.caddy_says() == before
        assert changes(yard) == []

        (yard.directory / "green").write_text("1.1.0-bad")
        await yard.caddy.reload(yard.stale("green"))
        moved = await yard.caddy_says()
        await said(yard, "would have cut back to blue: 5xx")
        await yard.asked(100)
        assert "would have cut back to blue" in await yard.status()
        assert (await yard.cli("cutback", "--reason", "it is bad")).code == 5
        assert await yard.caddy_says() == moved
        assert await yard.colours() == {"green"}

        await yard.caddy.reload(yard.caddyfile)
        await said(yard, "users were taken back to blue by hand")
        assert await yard.caddy_says() == before
    assert changes(yard) == ["POST", "POST"], "the two reloads of the operator, and nothing of ours"
    assert {path.name: path.read_text() for path in (yard.directory / "snippets").iterdir()} == kept
    assert yard.calls() == []

    yard.config.write_text(yard.config.read_text().replace('automation = "observe"', 'automation = "act"'))
    again = await yard.cli("reload")
    assert again.code == 0, again.output

    async def acts() -> bool:
        ran = await yard.cli("status", "-o", "json")
        return ran.code == 0 and json.loads(ran.output)["observing"] is None

    await until_async(acts, 60.0, "the daemon acts")
    await yard.arm()
    (yard.directory / "green").unlink()
    async with yard.users(rate=100):
        await yard.heard(100)
        live = await yard.ended(await yard.deploy("1.1.0"))
    assert live.phase == "LIVE", live.reason
    assert await yard.colours() == {"green"}
