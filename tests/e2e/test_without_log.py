"""A real Caddy whose access log nobody reads: the switch is proved by the version of the answers, and so is the way
back. What could not be proved is refused before anything is done."""

import pytest

from tests.e2e.conftest import MakeYard
from tests.e2e.yard import TWO, Yard


async def unlogged(make_yard: MakeYard, version: str = 'version = "header:X-Version"', **more: str) -> Yard:
    """A yard where no access log is configured; probes ask for what users ask for."""
    yard = await make_yard(sites=TWO, **more)
    await yard.kill_daemon()
    lines = [line for line in yard.config.read_text().splitlines() if not line.startswith("access_log")]
    text = "\n".join(lines).replace('probe = "/"', f'probe = "/page"\n{version}')
    yard.config.write_text(f"{text}\n")
    await yard.start_daemon()
    return yard


async def test_a_good_release_goes_live_proved_by_its_version(make_yard: MakeYard) -> None:
    yard = await unlogged(make_yard, window="1s")
    live = await yard.ended(await yard.deploy())
    assert live.phase == "LIVE", live.reason
    assert await yard.colours() == {"green"}
    assert any("told by its version" in warning for warning in live.warnings)


async def test_a_release_whose_pages_fail_is_cut_back_by_probes_alone(make_yard: MakeYard) -> None:
    yard = await unlogged(make_yard)
    back = await yard.ended(await yard.deploy("1.1.0-bad"))
    assert (back.phase, back.cause) == ("REVERTED", "regressed"), back.reason
    assert await yard.colours() == {"blue"}
    assert "probe" in back.reason, "nobody else saw it"


@pytest.mark.parametrize(
    ("version", "release", "words"),
    [
        ("", "1.1.0", "the answers of id, shop do not say which version they are"),
        ('version = "header:X-Version"', "1.0.0", "nobody could tell by its version which colour answers"),
    ],
    ids=["no version", "one release on both"],
)
async def test_what_could_not_be_proved_is_refused(make_yard: MakeYard, version: str, release: str, words: str) -> None:
    yard = await unlogged(make_yard, version)
    refused = await yard.ended(await yard.deploy(release))
    assert refused.phase == "ABANDONED"
    assert words in (refused.reason or "")
    assert not [call for call in yard.calls() if call.startswith("up")], "nothing was started"
