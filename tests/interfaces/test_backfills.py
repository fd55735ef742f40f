"""`migrate backfill` and its routes against a real API on a real socket: what they ask, print and end with."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.app.requests import Caller
from bluegreen.app.upkeep_answers import MigrationsOf
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import BluegreenError, DeploymentInProgress, MigrationFailed, NotFound, WrongPhase
from bluegreen.domain.migrations import MigrationKind, MigrationPhase, MigrationState
from bluegreen.interfaces import models_backfill
from bluegreen.interfaces.backfill_lines import backfill_lines
from bluegreen.interfaces.cli import backfilling
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import BEGAN, ScriptedService, a_status
from tests.interfaces.test_cli import invoke

RUNNING = Progress(
    "app", "app", "0007_x", "public.users", BackfillState.RUNNING, 1_200_000, 5_000_000, 80_000.0, 47.5, 20_000,
    "web (99 % of requests) takes 80 ms, 12 ms before", ("how far replicas are behind",), 2, "d-1", BEGAN, BEGAN,
)  # fmt: skip
DONE = replace(RUNNING, state=BackfillState.DONE, rows_done=5_000_000, rate=0.0, seconds_left=None, brake="", unseen=())
PAUSED = replace(DONE, state=BackfillState.PAUSED, rows_done=1_200_000, passes=1)


class Filled(ScriptedService):
    """Answers for backfills what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.found: tuple[Progress, ...] = (DONE,)
        self.looked = asyncio.Event()
        self.until_looked = False

    async def status(self) -> Any:
        self.looked.set()
        return await super().status()

    async def migrations(self) -> tuple[MigrationsOf, ...]:
        state = MigrationState("app", "app", "0007_x", MigrationPhase.BACKFILL, MigrationKind.SQL, "interrupted")
        return (MigrationsOf("app", (state,), backfills=self.found),)

    async def backfills(self) -> tuple[Progress, ...]:
        return self.found

    async def backfill(self, caller: Caller, label: str = "", reason: str = "") -> tuple[Progress, ...]:
        return await self._answer("backfill", label, reason)

    async def pause_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        return await self._answer("pause", reason)

    async def resume_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        return await self._answer("resume", reason)

    async def cancel_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        return await self._answer("cancel", reason)

    async def _answer(self, *call: Any) -> tuple[Progress, ...]:
        self._called(*call)
        if self.until_looked:
            await self.looked.wait()
        return self.found


@pytest.fixture
def service() -> Filled:
    return Filled()


@pytest.fixture
def filled(served: Served) -> Filled:
    """The service behind `served`."""
    assert isinstance(served.service, Filled)
    return served.service


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (("--reason", "ahead of time"), ("backfill", "", "ahead of time")),
        (("app/0007_x.backfill",), ("backfill", "app/0007_x.backfill", "")),
        (("0007_x",), ("backfill", "0007_x", "")),
        (("pause", "--reason", "sale"), ("pause", "sale")),
        (("resume",), ("resume", "")),
        (("cancel",), ("cancel", "")),
    ],
)
def test_each_word_is_one_order(served: Served, filled: Filled, words: tuple[str, ...], call: tuple[str, ...]) -> None:
    result = invoke(served, "migrate", "backfill", *words)
    assert result.exit_code == 0, result.output
    assert filled.calls == [call]


def test_a_finished_one_says_what_it_did(served: Served) -> None:
    out = invoke(served, "migrate", "backfill").stdout
    assert out == "✔ app/0007_x.backfill done, pass 2: 5,000,000 of 5,000,000 rows\n"


def test_a_program_reads_it_all(served: Served, filled: Filled) -> None:
    filled.found = (RUNNING,)
    (item,) = json.loads(invoke(served, "-o", "json", "migrate", "backfill").stdout)["items"]
    assert item["label"] == "app/0007_x.backfill"
    assert (item["rows_done"], item["rows_total"], item["seconds_left"], item["batch"]) == (
        1_200_000,
        5_000_000,
        47.5,
        20_000,
    )
    assert item["brake"].startswith("web")
    assert set(item) == set(models_backfill.Backfill.model_fields)


def test_while_it_runs_people_see_how_far_it_is(
    served: Served, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfilling, "LOOK_EVERY", 0.01)
    filled.picture = replace(a_status(), backfill=RUNNING)
    filled.until_looked = True
    out = invoke(served, "migrate", "backfill").stdout
    assert (
        "app/0007_x.backfill running, pass 2: 1,200,000 of 5,000,000 rows, 80,000/s, 48 s left" in out.splitlines()[0]
    )
    assert "app/0007_x.backfill done" in out.splitlines()[-1]


def test_a_paused_one_names_both_ways_on(served: Served, filled: Filled) -> None:
    filled.found = (PAUSED,)
    out = invoke(served, "migrate", "backfill", "pause").stdout
    assert "app/0007_x.backfill paused: 1,200,000 of 5,000,000 rows" in out
    assert "bluegreen migrate backfill resume" in out
    assert "bluegreen migrate backfill cancel" in out


@pytest.mark.parametrize("state", [BackfillState.FAILED, BackfillState.INTERRUPTED])
def test_one_that_did_not_end_well_is_an_error(served: Served, filled: Filled, state: BackfillState) -> None:
    filled.found = (replace(PAUSED, state=state, error="a trigger keeps them"),)
    result = invoke(served, "migrate", "backfill")
    assert result.exit_code == 1
    assert ("a trigger keeps them" in result.stdout) is (state is BackfillState.FAILED)


@pytest.mark.parametrize(
    "refusal",
    [
        DeploymentInProgress("app/0007_x.backfill runs", next=("bluegreen migrate backfill pause",)),
        WrongPhase("no backfill runs", next=("bluegreen migrate status",)),
        NotFound("there is no backfill 0009", next=("bluegreen migrate status",)),
        MigrationFailed("0007_x.backfill.sql:2: users has no primary key"),
    ],
    ids=lambda refusal: refusal.code,
)
def test_a_refusal_says_why_and_what_to_type(served: Served, filled: Filled, refusal: BluegreenError) -> None:
    filled.refusal = refusal
    result = invoke(served, "migrate", "backfill", "0009")
    assert result.exit_code != 0
    assert str(refusal) in result.stderr
    assert all(command in result.stderr for command in refusal.next)


def test_nothing_to_fill_is_said(served: Served, filled: Filled) -> None:
    filled.found = ()
    assert "There is nothing to fill." in invoke(served, "migrate", "backfill").stdout


def test_a_label_with_control_characters_is_refused(served: Served, filled: Filled) -> None:
    assert invoke(served, "migrate", "backfill", "a\x1bb").exit_code == 2
    assert filled.calls == []


def test_migrate_status_and_status_show_how_far_it_is(served: Served, filled: Filled) -> None:
    filled.found = (RUNNING,)
    out = invoke(served, "migrate", "status").stdout
    assert "1,200,000 of 5,000,000 rows, 80,000/s, 48 s left (slowed down: web (99 % of requests) takes 80 ms" in out
    assert "not looked at: how far replicas are behind" in out
    assert "bluegreen migrate backfill pause" in out
    filled.found = (DONE,)
    assert "5,000,000" not in invoke(served, "migrate", "status").stdout, "one that is done needs no line"
    filled.picture = replace(a_status(), backfill=RUNNING)
    assert "1,200,000 of 5,000,000 rows" in invoke(served, "status").stdout
    assert json.loads(invoke(served, "-o", "json", "status").stdout)["backfill"]["rows_done"] == 1_200_000


def test_what_comes_from_the_database_is_harmless_to_a_terminal() -> None:
    lines = backfill_lines([replace(PAUSED, state=BackfillState.FAILED, error="\x1b[2Jgone", table="\x1b")])
    assert "\x1b[2J" not in "\n".join(lines)
