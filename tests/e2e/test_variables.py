"""The variables of the colours with the whole daemon: a cookie secret that would log everyone out is refused, and one
that is rotated logs out nobody, neither at the switch nor at the cutback."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from tests.e2e.yard import COLOURS, Loopback, Yard

OLD, NEW = "hunter2-the-old-one", "hunter3-the-new-one"


@dataclass
class Rotating(Yard):
    """A yard whose colours have an env file each."""

    def _write(self) -> None:
        super()._write()
        text = self.config.read_text()
        for colour in COLOURS:
            self.give(colour, OLD)
            section = f"[environments.{colour}]\n"
            text = text.replace(section, f'{section}env_files = ["{self.directory}/{colour}.env"]\n')
        self.config.write_text(text)

    def give(self, colour: str, secrets: str) -> None:
        """What stands in the file of a colour."""
        (self.directory / f"{colour}.env").write_text(f"SECRETS_COOKIE={secrets}\nHTTP_PORT={self.ports[colour]}\n")


@pytest.fixture
async def yard(short_directory: Path) -> AsyncIterator[Rotating]:
    """Blue is live; both colours sign with the old secret."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    async with Rotating(short_directory, window="1s", standby="200ms").running() as made:
        assert isinstance(made, Rotating)
        yield made


async def asked(yard: Yard, path: str, session: str = "") -> tuple[int, str]:
    """The status, and the session that was given, through the front door."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Loopback())) as user:
        cookies = {"cookie": f"session={session}"} if session else {}
        async with user.get(f"http://web.olympus.test:{yard.port}{path}", headers=cookies) as answer:
            given = answer.cookies.get("session")
            return answer.status, given.value if given else ""


async def test_a_rotated_secret_logs_out_nobody_also_at_a_cutback(yard: Rotating) -> None:
    _, before = await asked(yard, "/login")
    assert (await asked(yard, "/whoami", before))[0] == 200

    yard.give("green", NEW)
    refused = [await yard.cli("env", "check", "1.0.0"), await yard.cli("deploy", "1.0.0", "-y", "--no-watch")]
    assert [ran.code for ran in refused] == [6, 6], refused
    assert all("SECRETS_COOKIE would log everyone out" in ran.output for ran in refused)

    yard.give("green", f"{OLD},{NEW}")
    assert (await yard.cli("env", "check")).code == 0
    planned = await yard.cli("plan", "1.0.0")
    assert "configuration only: blue runs 1.0.0 already; other values on green: SECRETS_COOKIE" in planned.output
    assert "SECRETS_COOKIE accepts one more secret: sessions stay valid both ways" in planned.output
    assert (await yard.ended(await yard.deploy("1.0.0"))).phase == "LIVE"
    assert await yard.colours() == {"green"}
    assert (await asked(yard, "/whoami", before))[0] == 200

    yard.give("blue", f"{NEW},{OLD}")
    id = await yard.deploy("1.0.0")
    await yard.reached(id, "WATCHING")
    _, during = await asked(yard, "/login")
    assert during != before, "the new secret signs"
    await yard.order("cutback", "to see who is logged out")
    assert (await yard.ended(id)).phase == "REVERTED"
    assert await yard.colours() == {"green"}
    assert [(await asked(yard, "/whoami", session))[0] for session in (before, during)] == [200, 200]

    checked = await yard.cli("env", "check", "-o", "json")
    assert json.loads(checked.output)["counts"] == {"green": 2, "blue": 2}
    said = "".join(ran.output for ran in (*refused, planned, checked)) + yard.said()
    kept = b"".join(file.read_bytes() for file in (yard.directory / "state").iterdir() if file.is_file())
    assert "hunter" not in said
    assert b"hunter" not in kept
    assert (yard.directory / "state" / "variables.key").stat().st_mode & 0o777 == 0o600
