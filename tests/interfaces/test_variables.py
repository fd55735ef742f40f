"""`env check`, and what plan and status say of variables and connections: names and counts, never values."""

import json
from dataclasses import replace

import click
import pytest

from bluegreen.app.requests import Caller
from bluegreen.app.room import Counted
from bluegreen.app.upkeep_answers import VariableCheck
from bluegreen.domain.budget import Connections
from bluegreen.domain.errors import NotFound, VariablesUnreadable
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variables import Finding, Kind, Level
from bluegreen.interfaces.render import plan_lines, status_lines
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import BEGAN, ScriptedService, a_plan, a_status
from tests.interfaces.test_cli import invoke, orders

BLUE, GREEN = Colour
REFUSAL = Finding(
    Kind.SESSION, Level.REFUSED, ("SECRETS_COOKIE",), "SECRETS_COOKIE would log everyone out: it is not accepted"
)
LACKING = Finding(Kind.MISSING, Level.WARNING, ("SMTP_URL",), "new in the example of 1.1.0 and not set: SMTP_URL")
OTHER = Finding(Kind.CHANGED, Level.NOTE, ("LOG",), "another value on green than on blue: LOG\x1b[2J")
GOOD = VariableCheck("1.1.0", BLUE, GREEN, True, (LACKING, OTHER), (), ("LOG",), {"example": 9, "blue": 8, "green": 9})
COUNTED = Counted({"olympus": Connections(100, 3, 3, {BLUE: 7, GREEN: 5}), "hydra": None}, 3.0)


class Checked(ScriptedService):
    """A service that compared."""

    found: VariableCheck | Exception = GOOD

    async def check_variables(self, name: str, caller: Caller) -> VariableCheck:
        self._called("check_variables", name, caller)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def service() -> Checked:
    return Checked()


@pytest.fixture
def scripted(served: Served) -> Checked:
    """The service behind `served`."""
    assert isinstance(served.service, Checked)
    return served.service


def test_what_is_not_refused_ends_with_0(served: Served) -> None:
    checked = invoke(served, "env", "check", "1.1.0")
    assert checked.exit_code == 0
    assert checked.stdout.splitlines() == [
        "✔ nothing is refused: the variables of green for 1.1.0, against blue",
        "  names compared: the example 9, blue 8, green 9",
        "  ! look      new in the example of 1.1.0 and not set: SMTP_URL",
        "  · note      another value on green than on blue: LOG\ufffd[2J",
    ]
    assert orders(served) == [("check_variables", "1.1.0")]


def test_what_is_refused_ends_with_6_and_what_to_type(served: Served, scripted: Checked) -> None:
    scripted.found = replace(GOOD, passed=False, findings=(REFUSAL,), doubts=("the example is not compared: away",))
    checked = invoke(served, "env", "check")
    assert checked.exit_code == 6
    assert "✖ refused: the variables of green for 1.1.0" in checked.stdout
    assert "SECRETS_COOKIE would log everyone out" in checked.stdout
    assert "bluegreen deploy 1.1.0 --force --reason" in checked.stdout
    assert orders(served) == [("check_variables", "")]


def test_programs_get_names_and_kinds(served: Served, scripted: Checked) -> None:
    scripted.found = replace(GOOD, passed=False, findings=(REFUSAL,))
    checked = invoke(served, "env", "check", "-o", "json")
    document = json.loads(checked.stdout)
    assert checked.exit_code == 6
    assert document["findings"][0] == {
        "kind": "session",
        "level": "refused",
        "keys": ["SECRETS_COOKIE"],
        "text": REFUSAL.text,
    }
    assert (document["passed"], document["changed"], document["counts"]["blue"]) == (False, ["LOG"], 8)


def test_what_cannot_be_compared_is_said(served: Served, scripted: Checked) -> None:
    scripted.found = VariablesUnreadable("/srv/.env.green does not exist", next=("ls -l /srv",))
    checked = invoke(served, "env", "check")
    assert (checked.exit_code, "/srv/.env.green does not exist" in checked.stderr) == (1, True)
    scripted.found = NotFound("no files of variables are configured for green")
    assert invoke(served, "env", "check").exit_code != 0


def test_a_plan_shows_notes_and_connections_and_says_warnings_once() -> None:
    plan = a_plan(
        variables=(LACKING, OTHER),
        warnings=(f"variables: {LACKING.text}",),
        connections=("olympus: blue 7, green 5, others 3; 82 of 97 free", "hydra: open 2; 95 of 97 free"),
    )
    lines = [click.unstyle(line) for line in plan_lines(plan, BEGAN)]
    assert "  variables      another value on green than on blue: LOG\ufffd[2J" in lines
    assert "  connections    olympus: blue 7, green 5, others 3; 82 of 97 free" in lines
    assert "                 hydra: open 2; 95 of 97 free" in lines
    assert sum("SMTP_URL" in line for line in lines) == 1


def test_a_status_shows_the_connections_of_each_database() -> None:
    lines = [click.unstyle(line) for line in status_lines(a_status(connections=COUNTED))]
    assert "  database    olympus: blue 7, green 5, others 3; 82 of 97 free connections" in lines
    assert "  database    hydra: connections unknown" in lines
    old = [click.unstyle(line) for line in status_lines(a_status(connections=replace(COUNTED, age=42.0)))]
    assert any(line.endswith("free connections (42s ago)") for line in old)


def test_programs_get_the_connections_too(served: Served) -> None:
    served.service.picture = a_status(connections=COUNTED)
    document = json.loads(invoke(served, "status", "-o", "json").stdout)
    assert document["connections"]["by_database"]["hydra"] is None
    assert document["connections"]["by_database"]["olympus"] == {
        "limit": 100,
        "reserved": 3,
        "others": 3,
        "open": {"blue": 7, "green": 5},
        "used": 15,
        "free": 82,
    }
    assert "blue 7, green 5" in invoke(served, "status").stdout
