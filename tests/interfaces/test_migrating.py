"""Rehearsals and migrations by hand at the command line and over the API: texts, documents, exit codes."""

import io
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from bluegreen.__main__ import bluegreen
from bluegreen.app.requests import SchemaFit
from bluegreen.app.upkeep_answers import ContractPlan, Held, MigratedByHand
from bluegreen.domain.errors import GateRefused, RequestRefused
from bluegreen.domain.findings import Evidence, FileVerdict, Finding, Gate, Rehearsal
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces import rehearsal_lines, render
from tests.interfaces.conftest import Served, session


def invoke(served: Served, *words: str) -> Result:
    return CliRunner().invoke(bluegreen, words, env={"BLUEGREEN_SOCKET": str(served.path)})


def plain(lines: list[str]) -> list[str]:
    return [click.unstyle(line) for line in lines]


def verdict(version: str, *findings: Finding, phase: MigrationPhase = MigrationPhase.EXPAND) -> FileVerdict:
    file = f"/srv/app/migrations/{version}.{phase}.sql"
    return FileVerdict("main", "app", version, phase, MigrationKind.SQL, file, "c", findings)


DROPPED = Finding(
    "column-dropped",
    Gate.REFUSE,
    "column public.users.email is dropped",
    "drop it in a contract file:\nALTER TABLE users DROP COLUMN email;",
    3,
    "ALTER TABLE users DROP COLUMN email",
    "public.users.email",
    "ACCESS EXCLUSIVE",
    (0.013, 12.4),
    (Evidence("SELECT id,  email FROM users", "42703", 'column "email" does not exist', 1_204),) * 5,
    table="public.users",
)
LOCKED = Finding("strong-lock", Gate.WARN, "the table is locked", "", 1, "", "public.orders", "SHARE", (2.0, 5.0))
TAKEN = Finding("index-dropped", Gate.REFUSE, "index orders_a is dropped", line=2, accepted="nobody uses it")
REHEARSAL = Rehearsal(
    (verdict("0001_a"), verdict("0002_b", LOCKED, TAKEN), verdict("0003_c", DROPPED)),
    ("no pg_stat_statements",),
    "schema",
    0.4,
)


@pytest.fixture
def app(served: Served, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the use cases answer, and what they were asked."""
    asked: dict[str, Any] = {"rehearsal": REHEARSAL, "calls": []}

    def answer(name: str, key: str) -> Any:
        async def use_case(*words: Any) -> Any:
            asked["calls"].append((name, *(word for word in words if not hasattr(word, "origin"))))
            if isinstance(asked[key], Exception):
                raise asked[key]
            return asked[key]

        return use_case

    asked["plan"] = ContractPlan("1.2.0", Colour.BLUE, ("app/0001_a.contract",), (), ("1.0.0", "1.1.0"))
    asked["done"] = MigratedByHand(("app/0001_a.contract",), proved="green passes its checks on it")
    for name, key in (
        ("rehearse", "rehearsal"),
        ("migrate_up", "done"),
        ("contract_plan", "plan"),
        ("migrate_contract", "done"),
    ):
        monkeypatch.setattr(served.service, name, answer(name, key), raising=False)
    return asked


def test_a_rehearsal_reads_from_the_verdict_to_what_to_write_instead() -> None:
    assert plain(rehearsal_lines.rehearsal_lines(REHEARSAL)) == [
        f"✖ refuse: {rehearsal_lines.VERDICTS[Gate.REFUSE]}  3 migrations on a copy of the schema, 0.4s",
        "✔ allow   0001_a.expand.sql",
        "! warn    0002_b.expand.sql",
        "    ! 0002_b.expand.sql:1  the table is locked  strong-lock",
        "        locks       SHARE on public.orders, for 2s to 5s",
        "    ! 0002_b.expand.sql:2  index orders_a is dropped  index-dropped",
        "        accepted    nobody uses it",
        "✖ refuse  0003_c.expand.sql",
        "    ✖ 0003_c.expand.sql:3  column public.users.email is dropped  column-dropped",
        "        locks       ACCESS EXCLUSIVE on public.users, for up to 12s",
        *['        breaks      SELECT id, email FROM users  42703 column "email" does not exist, called 1,204 times']
        * 3,
        "        breaks      2 more queries of the version that runs",
        "        write instead: drop it in a contract file:",
        "            ALTER TABLE users DROP COLUMN email;",
        "  ! not seen: no pg_stat_statements",
    ]


def test_where_nothing_is_pending_or_nothing_could_be_run_that_is_said() -> None:
    (line,) = plain(rehearsal_lines.rehearsal_lines(Rehearsal()))
    assert line == "· no migration is pending: there is nothing to rehearse"
    unread = Rehearsal((verdict("0001_a"),), ("no CREATEDB: nothing was run",), "")
    assert "1 migration read, not run" in plain(rehearsal_lines.rehearsal_lines(unread))[0]


@pytest.mark.parametrize(
    ("rehearsal", "code"),
    [(REHEARSAL, 6), (Rehearsal((verdict("0002_b", LOCKED),)), 0), (Rehearsal(), 0)],
    ids=["refuse", "warn", "nothing pending"],
)
def test_the_exit_code_is_the_gate(rehearsal: Rehearsal, code: int, served: Served, app: dict[str, Any]) -> None:
    app["rehearsal"] = rehearsal
    assert invoke(served, "migrate", "plan").exit_code == code
    result = invoke(served, "migrate", "plan", "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)["gate"]) == (code, rehearsal.gate)


def test_the_document_has_the_shape_that_was_promised(served: Served, app: dict[str, Any]) -> None:
    document = json.loads(invoke(served, "migrate", "plan", "-o", "json").stdout)
    assert set(document) >= {"gate", "files", "not_seen"}
    file = document["files"][2]
    assert (file["phase"], file["gate"]) == ("expand", "refuse")
    assert file["file"].endswith("0003_c.expand.sql")
    finding = file["findings"][0]
    assert {"kind", "line", "object", "lock", "estimate_s", "message", "remedy"} <= set(finding)
    assert (finding["line"], finding["estimate_s"]) == (3, [0.013, 12.4])
    assert finding["evidence"][0]["calls"] == 1_204


def test_the_files_of_a_directory_are_sent_and_nothing_else_of_it(
    served: Served, app: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "0001_a.expand.sql").write_text("\ufeffSELECT 1;\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("no")
    (tmp_path / ".hidden.sql").write_text("no")
    invoke(served, "migrate", "plan", "--directory", str(tmp_path), "--source", "app")
    assert app["calls"] == [("rehearse", {"0001_a.expand.sql": "SELECT 1;\n"}, "app")]


def test_a_directory_without_a_migration_or_with_what_is_no_text_is_refused_here(
    served: Served, app: dict[str, Any], tmp_path: Path
) -> None:
    result = invoke(served, "migrate", "plan", "--directory", str(tmp_path))
    assert (result.exit_code, "there is no *.sql file" in result.stderr) == (2, True)
    (tmp_path / "0001_a.expand.sql").write_bytes(b"\xff\xfe")
    result = invoke(served, "migrate", "plan", "--directory", str(tmp_path))
    assert (result.exit_code, "is not UTF-8" in result.stderr) == (2, True)
    assert app["calls"] == []


def test_files_beyond_a_mebibyte_are_refused(served: Served, app: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "0001_a.expand.sql").write_text("-- " + "x" * 600_000)
    assert invoke(served, "migrate", "plan", "--directory", str(tmp_path)).exit_code == 6  # more than other bodies
    (tmp_path / "0002_b.expand.sql").write_text("-- " + "x" * 600_000)
    result = invoke(served, "migrate", "plan", "--directory", str(tmp_path))
    assert (result.exit_code, "1023 KiB are taken at a time" in result.stderr) == (2, True), result.stderr


async def test_a_body_beyond_a_mebibyte_is_refused_by_the_daemon_too(served: Served, app: dict[str, Any]) -> None:
    body = io.BytesIO(json.dumps({"files": {"0001_a.expand.sql": "x" * (1 << 20)}}).encode())
    as_json = {"Content-Type": "application/json"}
    async with session(served.path) as client, client.post("/v1/migrations/plan", data=body, headers=as_json) as answer:
        assert (answer.status, (await answer.json())["detail"]) == (413, "The body is larger than 1024 KiB.")
    assert app["calls"] == []


@pytest.mark.parametrize("name", ["../0001_a.expand.sql", "a/b.sql", "", "-x.sql", "a\nb.sql"])
async def test_names_of_files_never_lead_anywhere(name: str, served: Served, app: dict[str, Any]) -> None:
    body = {"files": {name: "SELECT 1;"}}
    async with session(served.path) as client, client.post("/v1/migrations/plan", json=body) as answer:
        assert answer.status == 422
    assert app["calls"] == []


def test_a_database_at_work_is_exit_code_5(served: Served, app: dict[str, Any]) -> None:
    app["rehearsal"] = RequestRefused("not while a database is at work: a backup", next=("bluegreen status",))
    result = invoke(served, "migrate", "plan")
    assert (result.exit_code, "not while a database is at work" in result.stderr) == (5, True)


def test_migrate_up_that_a_gate_refuses_is_exit_code_6(served: Served, app: dict[str, Any]) -> None:
    app["done"] = GateRefused("the rehearsal refuses 0003_c", next=("bluegreen migrate plan",))
    result = invoke(served, "migrate", "up")
    assert (result.exit_code, "next: bluegreen migrate plan" in result.stderr) == (6, True)


def test_a_contract_shows_the_point_of_no_return_and_asks(served: Served, app: dict[str, Any]) -> None:
    result = invoke(served, "migrate", "contract")
    assert result.exit_code == 2, "there is no terminal to ask on"
    assert "the point of no return: 1.0.0, 1.1.0 cannot serve again on this schema" in result.stdout
    assert [call[0] for call in app["calls"]] == ["contract_plan"]
    result = invoke(served, "migrate", "contract", "-y", "--reason", "tidy")
    assert result.exit_code == 0
    assert app["calls"][-1] == ("migrate_contract", "tidy", ("app/0001_a.contract",))
    assert "✔ app/0001_a.contract is applied" in result.stdout


def test_where_no_contract_is_due_nothing_is_asked_and_what_is_held_is_named(
    served: Served, app: dict[str, Any]
) -> None:
    held = (Held("app/0002_b.contract", "its backfill was never applied"),)
    app["plan"] = ContractPlan("1.2.0", Colour.BLUE, (), held, ())
    result = invoke(served, "migrate", "contract")
    assert result.exit_code == 0
    assert "app/0002_b.contract stays pending: its backfill was never applied" in result.stdout
    assert "next: bluegreen migrate backfill" in result.stdout


def test_a_contract_without_an_expand_of_its_own_makes_one_think() -> None:
    plan = ContractPlan("1.2.0", Colour.BLUE, ("app/1_x.contract",), (), (), ("app/1_x.contract",))
    lines = plain(rehearsal_lines.contract_plan_lines(plan))
    assert "  ! app/1_x.contract has no expand of its own: does 1.2.0 do without what it drops?" in lines


@pytest.mark.parametrize(
    ("fit", "line"),
    [
        (SchemaFit("1.0.0", True), "  rollback    1.0.0 may serve again, as far as the schema goes"),
        (
            SchemaFit("1.0.0", False, "app/1_x.contract", "1.1.0", "main-1"),
            "  ! rollback  1.0.0 cannot serve again since app/1_x.contract; the backup from before it is main-1",
        ),
        (
            SchemaFit("1.0.0", False, "app/1_x.contract", "1.1.0"),
            "  ! rollback  1.0.0 cannot serve again since app/1_x.contract; no backup from before it is kept",
        ),
        (
            SchemaFit("1.0.0", True, doubts=("kratos/1.1.0.expand",)),
            "  ! rollback  whether 1.0.0 may serve again is not known since kratos/1.1.0.expand",
        ),
    ],
)
def test_the_status_says_whether_the_way_back_is_open(fit: SchemaFit, line: str) -> None:
    assert plain([render.fit_line(fit)]) == [line]
