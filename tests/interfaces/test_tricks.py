"""Names and texts that try to steer a shell or a terminal: through every verb that prints, and every way in."""

import json
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from bluegreen.__main__ import bluegreen
from bluegreen.domain.errors import RequestRefused
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.domain.traffic import Colour
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import BEGAN, DONE, WORSE, ScriptedService, a_plan, a_status, at, then

TRICK = "1.0\x1b]0;owned\x07\x1b[2J\x9b31m\r\n● green serves 6.6.6\u202e\x00"

NAMES = [
    pytest.param(name, id=repr(name))
    for name in (
        "$(reboot)",
        "`reboot`",
        "1.1.0;reboot",
        "1.1.0|reboot",
        "1.1.0&",
        "1.1.0 --force",
        "--force",
        "-y",
        "../1.1.0",
        "/etc/passwd",
        "..",
        ".",
        "~root",
        "*",
        "1.1.0\n1.2.0",
        "1.1.0\x00",
        "\x1b[2J",
        "1.1.0\u202e",
        "\uff11.1.0",
        "é",
        "{release}",
        "%s%n",
        "1" * 65,
        "",
        " ",
    )
]


def tricked() -> ScriptedService:
    """A service whose every text from outside holds a trick."""
    service = ScriptedService()
    plan = a_plan(release=replace(a_plan().release, version=TRICK), live_release=TRICK, warnings=(TRICK,), reason=TRICK)
    bad = replace(then(at(Phase.WATCHING), WORSE, DONE), plan=plan, reason=TRICK, next=(TRICK,), warnings=(TRICK,))
    service.past = [bad]
    service.current = bad
    service.made = plan
    service.picture = a_status(
        traffic=None, traffic_error=TRICK, troubles=(TRICK,), releases={Colour.BLUE: TRICK}, doing=TRICK
    )
    facts = {TRICK: TRICK, "answer": TRICK, "output": TRICK, "previous": TRICK, "command": TRICK}
    service.told = [Event("trick.played", BEGAN, "d-1", TRICK, facts, seq=1)]
    return service


@pytest.fixture
def service() -> ScriptedService:
    return tricked()


def invoke(served: Served, *words: str) -> Any:
    return CliRunner().invoke(bluegreen, words, env={"BLUEGREEN_SOCKET": str(served.path)})


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "-v"],
        ["history"],
        ["show", "d-1"],
        ["logs", "d-1"],
        ["explain", "d-1"],
        ["plan", "1.1.0"],
        ["watch", "d-1"],
        ["abort"],
        ["resolve", "d-1", "--reason", "x"],
        ["cutback"],
        ["promote"],
    ],
    ids=" ".join,
)
def test_no_verb_lets_a_text_from_outside_steer_the_terminal(served: Served, words: list[str], output: str) -> None:
    for refuse in (False, True):
        served.service.refusal = RequestRefused(TRICK, next=(TRICK,)) if refuse else None
        result = invoke(served, *words, "-o", output)
        assert result.output, result.exception
        strange = {character for character in result.output if not character.isprintable() and character != "\n"}
        assert strange == set()
        assert "\n● green serves 6.6.6" not in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("name", NAMES)
def test_a_strange_release_is_refused_by_every_verb_that_takes_one(served: Served, name: str) -> None:
    ways = (["deploy", "-y", "--"], ["plan", "--"], ["rollback", "--"], ["env", "up", "green", "--"])
    for words in ([*way, name] for way in ways):
        result = invoke(served, *words)
        assert result.exit_code not in (0, 20), result.output
        assert isinstance(result.exception, SystemExit)
        assert all(character.isprintable() or character == "\n" for character in result.output)
    assert served.service.calls == []


@pytest.mark.parametrize("name", NAMES)
async def test_a_strange_name_is_refused_by_the_api(
    http: aiohttp.ClientSession, service: ScriptedService, name: str
) -> None:
    for path, body in (
        ("/v1/plans", {"release": name}),
        ("/v1/deployments", {"release": name}),
        ("/v1/rollback", {"release": name}),
        ("/v1/environments/green/up", {"release": name}),
    ):
        async with http.post(path, data=json.dumps(body), headers={"Content-Type": "application/json"}) as answer:
            document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["code"]) == (422, "validation"), (path, body)
    assert service.calls == []
