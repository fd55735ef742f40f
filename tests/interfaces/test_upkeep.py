"""The verbs of upkeep against a real API on a real socket: what they ask, print and end with."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bluegreen.app.requests import Alert, AlertEffect, Caller
from bluegreen.app.upkeep_answers import ByHand, Delivery, MigrationsOf, Repaired, SmokeAnswer
from bluegreen.domain import errors
from bluegreen.domain.checks import CheckResult
from bluegreen.domain.errors import NotFound, RequestRefused
from bluegreen.domain.flows import StepTaken
from bluegreen.domain.migrations import Backup, MigrationKind, MigrationPhase, MigrationState, SchemaDrift
from bluegreen.domain.records import AuditRow
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.api import ROUTES, make_api
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.interfaces.hook_door import HookDoor
from bluegreen.interfaces.hooks import HookRules, make_hooks
from bluegreen.interfaces.listening import serve_api, serve_hooks
from bluegreen.interfaces.peers import Access, Right
from tests.interfaces.conftest import CONFIGURATION, Served
from tests.interfaces.scripts import BEGAN, ScriptedService, a_status, refusal
from tests.interfaces.test_cli import invoke, orders

BACKUP = Backup(
    "olympus-app-20261120T200411Z-d-1", "app", "/var/backups/b.dump", 3_500_000, "ab" * 32, "restore", 12, 34_567,
    BEGAN, 2.5, "d-1", "1.1.0", "checksum",
)  # fmt: skip
DONE = MigrationState(
    "app", "app", "0001_a", MigrationPhase.EXPAND, MigrationKind.SQL, "done", "/m/0001_a.expand.sql", BEGAN, "d-1", 1, 1
)
PENDING = replace(DONE, version="0002_b", state="pending", at=None, deployment="", statements_done=0)
HALF = replace(DONE, version="0003_c", state="failed", error="lock timeout", statements_total=3)


class Tended(ScriptedService):
    """Answers for upkeep what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.databases: tuple[MigrationsOf, ...] = (MigrationsOf("app", (DONE, PENDING)),)
        self.kept: tuple[Backup, ...] = (BACKUP,)
        self.checks: tuple[CheckResult, ...] = (CheckResult("login", True, "HTTP 200", 0.01),)
        self.repaired: tuple[Repaired, ...] = (Repaired("app", ()),)
        self.told: list[Any] = []
        self.away: set[str] = set()
        self.rows = [
            AuditRow(BEGAN + timedelta(seconds=n), "uid 0 (root)", "socket", "promote", f"d-{n}", "", "a", "b", n)
            for n in range(1, 6)
        ]

    async def migrations(self) -> tuple[MigrationsOf, ...]:
        return self.databases

    async def repair(self, caller: Caller, reason: str = "", *, indexes: bool = False) -> tuple[Repaired, ...]:
        self._called("repair", caller, reason, indexes)
        return self.repaired

    async def settle(self, label: str, caller: Caller, reason: str = "", *, applied: bool) -> Repaired:
        self._called("settle", label, caller, reason, applied)
        return Repaired("app", (f"{label}: taken as applied, it will not run",))

    async def backups(self) -> tuple[Backup, ...]:
        return self.kept

    async def back_up(self, caller: Caller, reason: str = "") -> tuple[Backup, ...]:
        self._called("back_up", caller, reason)
        return self.kept

    async def verify_backup(self, id: str, caller: Caller) -> Backup:
        self._called("verify_backup", id, caller)
        return BACKUP

    async def start_colour(self, colour: Colour, name: str, caller: Caller, reason: str = "") -> ByHand:
        self._called("start_colour", colour, name, caller, reason)
        return ByHand(colour, name or "1.0.0", "started\x1b[2J")

    async def stop_colour(self, colour: Colour, caller: Caller, reason: str = "") -> ByHand:
        self._called("stop_colour", colour, caller, reason)
        return ByHand(colour, "", "")

    async def take_over(self, colour: Colour, caller: Caller, reason: str) -> ByHand:
        self._called("take_over", colour, caller, reason)
        return ByHand(colour, "1.0.0", "mailer could not be stopped on green")

    async def smoke_colour(self, colour: Colour, caller: Caller, *, with_continuity: bool = False) -> SmokeAnswer:
        self._called("smoke_colour", colour, caller, with_continuity)
        return SmokeAnswer(colour, "1.0.0", all(check.passed for check in self.checks), self.checks)

    def receivers(self) -> tuple[str, ...]:
        return ("chat", "mail")

    async def test_receiver(self, name: str, caller: Caller) -> Delivery:
        self._called("test_receiver", name, caller)
        if name in self.away:
            raise errors.NotifierFailed(f"notifier {name}: no answer within 10 s")
        if name not in self.receivers():
            raise NotFound(f"there is no receiver {name}", next=("bluegreen notify test",))
        return Delivery(name, "test:1", 0.1)

    async def record_test(self, name: str, caller: Caller) -> None:
        self._called("record_test", name, caller)

    def foresee(self, alert: Alert) -> tuple[AlertEffect, str]:
        return AlertEffect.CUTBACK, ""

    async def audit(self, limit: int, before: int = 0) -> tuple[AuditRow, ...]:
        return tuple(row for row in reversed(self.rows) if not before or row.seq < before)[:limit]


@pytest.fixture
def service() -> Tended:
    return Tended()


@pytest.fixture
def tended(served: Served) -> Tended:
    """The service behind `served`."""
    assert isinstance(served.service, Tended)
    return served.service


# --- migrations and backups


def test_migrate_status_shows_every_migration_and_its_state(served: Served, tended: Tended) -> None:
    tended.databases = (MigrationsOf("app", (DONE, PENDING, HALF)),)
    out = invoke(served, "migrate", "status").stdout
    assert "app: 3 migrations, 1 pending" in out
    assert "app/0001_a.expand  done" in out
    assert "app/0002_b.expand  pending" in out
    assert "failed (1 of 3)" in out
    assert "lock timeout" in out


def test_migrate_status_tells_what_is_odd_and_what_to_type(served: Served, tended: Tended) -> None:
    odd = (
        replace(DONE, changed=True, reformatted=True),
        replace(PENDING, out_of_order=True),
        replace(DONE, version="0000_x", missing=True, file=""),
        replace(PENDING, phase=MigrationPhase.CONTRACT, held="its backfill must be done first"),
    )
    things = tuple(f"column public.t.c{n} is new" for n in range(12))
    tended.databases = (MigrationsOf("app", odd, SchemaDrift("app/0001_a.expand", BEGAN, things), ("public.odd",)),)
    out = invoke(served, "migrate", "status").stdout
    assert "app/0001_a.expand: its file was reformatted and says the same: bluegreen migrate repair" in out
    assert "app/0002_b.expand: one with a higher number was applied before it" in out
    assert "app/0000_x.expand: it was applied, and its file is gone" in out
    assert "pending, held back" in out
    assert "held back: its backfill must be done first" in out
    assert "somebody changed the schema past bluegreen since app/0001_a.expand" in out
    assert "column public.t.c9 is new" in out
    assert "and 2 more (-o json)" in out
    assert "INVALID, no use to readers and a burden to writers: public.odd" in out
    assert "bluegreen migrate repair --indexes" in out


def test_migrate_repair_says_what_it_did(served: Served, tended: Tended) -> None:
    assert invoke(served, "migrate", "repair", "--reason", "a hotfix").stdout == "There was nothing to repair.\n"
    tended.repaired = (Repaired("app", ("taken as it is: column public.t.c is new",)),)
    assert "app: taken as it is: column public.t.c is new" in invoke(served, "migrate", "repair", "--indexes").stdout
    assert [call[0] for call in tended.calls] == ["repair", "repair"]
    assert tended.calls[1][-1] is True


@pytest.mark.parametrize(("option", "applied"), [("--applied", True), ("--not-applied", False)])
def test_migrate_repair_settles_what_a_person_knows(served: Served, tended: Tended, option: str, applied: bool) -> None:
    out = invoke(served, "migrate", "repair", option, "app/0001_a.expand").stdout
    assert "app/0001_a.expand: taken as applied, it will not run" in out
    assert tended.calls[0][1] == "app/0001_a.expand"
    assert tended.calls[0][-1] is applied


def test_migrate_repair_does_one_thing_at_a_time(served: Served, tended: Tended) -> None:
    result = invoke(served, "migrate", "repair", "--indexes", "--applied", "app/0001_a.expand")
    assert result.exit_code == 2
    assert "give one of" in result.stderr
    assert invoke(served, "migrate", "repair", "--applied", "no label").exit_code == 2
    assert tended.calls == []


def test_migrate_status_names_a_database_that_is_away_and_shows_the_others(served: Served, tended: Tended) -> None:
    tended.databases = (MigrationsOf("app", (DONE,)), MigrationsOf("shop", (), problem="shop does not answer"))
    result = invoke(served, "migrate", "status")
    assert result.exit_code == 1
    assert "✖ shop: shop does not answer" in result.stdout
    assert "app/0001_a.expand" in result.stdout
    document = json.loads(invoke(served, "-o", "json", "migrate", "status").stdout)
    assert document["items"][1]["problem"] == "shop does not answer"


def test_backups_are_listed(served: Served, tended: Tended) -> None:
    out = invoke(served, "backup", "list").stdout
    assert BACKUP.id in out
    assert "3.3 MiB" in out
    assert "34,567" in out
    tended.kept = ()
    assert "bluegreen backup now" in invoke(served, "backup", "list").stdout


def test_a_backup_is_taken_and_verified_by_hand(served: Served) -> None:
    taken = invoke(served, "backup", "now", "--reason", "before\tthe  holidays")
    assert taken.exit_code == 0
    assert f"✔ {BACKUP.id} is taken and verified" in taken.stdout
    assert invoke(served, "backup", "verify", BACKUP.id).exit_code == 0
    assert orders(served) == [("back_up", "before the holidays"), ("verify_backup", BACKUP.id)]


@pytest.mark.parametrize(
    ("kind", "code"),
    [(errors.DeploymentInProgress, 5), (errors.BackupFailed, 1), (NotFound, 1), (errors.LiveColourProtected, 5)],
)
def test_what_is_refused_ends_with_the_reason_and_a_command(
    served: Served, tended: Tended, kind: type[errors.BluegreenError], code: int
) -> None:
    tended.refusal = refusal(kind, "not now")
    for words in (["backup", "now"], ["backup", "verify", "b-1"], ["env", "up", "green"], ["env", "down", "green"]):
        result = invoke(served, *words)
        assert result.exit_code == code
        assert "✖ not now" in result.stderr
        assert "next: bluegreen status" in result.stderr


@pytest.mark.parametrize("words", [["backup", "verify", "../x"], ["hook", "test", "a/b"], ["notify", "test", "a b"]])
def test_a_name_that_could_not_be_one_is_not_asked_for(served: Served, words: list[str]) -> None:
    assert invoke(served, *words).exit_code == 2
    assert orders(served) == []


def test_status_says_first_what_is_being_done_by_hand(served: Served) -> None:
    served.service.picture = a_status(doing="a backup by hand is being taken (uid 0 (root))")
    first = invoke(served, "status").stdout.splitlines()[0]
    assert first == "● blue serves 1.0.0 (accounts, shop); a backup by hand is being taken (uid 0 (root))"


# --- colours by hand


def test_a_colour_is_started_and_stopped_by_hand(served: Served) -> None:
    started = invoke(served, "env", "up", "green", "1.1.0")
    assert "✔ green is started with 1.1.0; users are not on it" in started.stdout
    assert "\x1b" not in started.stdout
    assert "bluegreen env smoke green" in started.stdout
    assert invoke(served, "env", "down", "green").stdout.startswith("✔ green is stopped")
    assert invoke(served, "env", "up", "yellow").exit_code == 2
    assert orders(served) == [("start_colour", "green", "1.1.0", ""), ("stop_colour", "green", "")]


def test_the_end_of_a_colours_log_is_shown(served: Served) -> None:
    assert invoke(served, "env", "logs", "blue", "-n", "7").stdout == "the last 7 lines of blue\n"


def test_smoke_shows_each_check_and_ends_with_1_where_one_fails(served: Served, tended: Tended) -> None:
    good = invoke(served, "env", "smoke", "blue")
    assert (good.exit_code, good.stdout.splitlines()[0]) == (0, "✔ blue (1.0.0) passes all 1 checks")
    tended.checks = (*tended.checks, CheckResult("cart", False, "HTTP 500", 0.2))
    bad = invoke(served, "env", "smoke", "blue")
    assert bad.exit_code == 1
    assert bad.stdout.splitlines()[:3] == [
        "✖ blue (1.0.0) fails 1 of 2 checks",
        "  ✔ login: HTTP 200 (10ms)",
        "  ✖ cart: HTTP 500 (0.2s)",
    ]
    document = json.loads(invoke(served, "env", "smoke", "blue", "-o", "json").stdout)
    assert [check["passed"] for check in document["checks"]] == [True, False]


STEPS = (
    StepTaken(1, "GET /login", "web", "127.0.0.1:1", 0.01, "", "GET /login", "200; 'hi\x1b[2J'"),
    StepTaken(2, "POST {action}", "web", "127.0.0.1:1", 0.2, "expected status 303, got 401", "POST /x", "401"),
)


def test_a_flow_is_shown_step_by_step_and_its_exchange_where_asked(served: Served, tended: Tended) -> None:
    tended.checks = (CheckResult("form", False, "step 2 failed", 0.3, STEPS),)
    assert invoke(served, "env", "smoke", "blue").stdout.splitlines()[1:4] == [
        "  ✖ form: step 2 failed (0.3s)",
        "    ✔ 1. GET /login (10ms)",
        "    ✖ 2. POST {action} (0.2s)",
    ]
    assert invoke(served, "-v", "env", "smoke", "blue").stdout.splitlines()[2:9] == [
        "    ✔ 1. GET /login at 127.0.0.1:1 (10ms)",
        "        asked:    GET /login",
        "        answered: 200; 'hi\ufffd[2J'",
        "    ✖ 2. POST {action} at 127.0.0.1:1 (0.2s)",
        "        asked:    POST /x",
        "        answered: 401",
        "        expected status 303, got 401",
    ]
    document = json.loads(invoke(served, "env", "smoke", "blue", "-o", "json").stdout)
    assert document["checks"][0]["steps"][1]["failure"] == "expected status 303, got 401"


def test_continuity_is_asked_for_by_its_option(served: Served, tended: Tended) -> None:
    for words in ((), ("--continuity",)):
        assert invoke(served, "env", "smoke", "green", *words).exit_code == 0
    asked = [order for order in orders(served) if order[0] == "smoke_colour"]
    assert [order[-1] for order in asked] == [False, True]


# --- tests of receivers and hooks


def test_a_receiver_is_tested_by_name_or_all_of_them(served: Served, tended: Tended) -> None:
    assert "✔ chat took the test notice" in invoke(served, "notify", "test", "chat").stdout
    assert invoke(served, "notify", "test").exit_code == 0
    tended.away = {"chat"}
    one = invoke(served, "notify", "test", "chat")
    assert (one.exit_code, "no answer within 10 s" in one.stderr) == (1, True)
    both = invoke(served, "notify", "test")
    assert both.exit_code == 1
    assert both.stdout.splitlines()[0].startswith("✖ notifier chat: no answer")
    assert both.stdout.splitlines()[1].startswith("✔ mail took")
    documents = json.loads(invoke(served, "-o", "json", "notify", "test").stdout)
    assert [set(document) for document in documents] == [{"name", "problem"}, {"name", "key", "seconds"}]


@asynccontextmanager
async def _with_hooks(service: Tended, path: Path, kind: Any, token: str = "right") -> AsyncIterator[Client]:
    """The API and the hooks; `token` is the one that the API believes in."""
    rules = {"prom": HookRules(kind, "right", {"team": "shop"})}
    async with serve_hooks(make_hooks(service, rules), "127.0.0.1:0") as (host, port):
        door = HookDoor(f"{host}:{port}", {"prom": replace(rules["prom"], token=token)})
        app = make_api(service, access=Access(), configuration=CONFIGURATION, door=door)
        async with serve_api(app, path), Client(path) as client:
            yield client


@pytest.mark.parametrize("kind", ["alertmanager", "generic"])
async def test_a_hook_is_tested_by_a_real_request_that_never_fires(
    service: Tended, socket_path: Path, kind: str
) -> None:
    async with _with_hooks(service, socket_path, kind) as client:
        tested = (await client.test_hook("prom")).value
        assert (await client.test_hook("prom")).value.event, "a second test is no copy of the first"
    assert (tested.hook, tested.effect, tested.firing) == ("prom", AlertEffect.RECORDED, AlertEffect.CUTBACK)
    first, second = service.alerts
    assert (first.firing, first.matches, first.hook) == (False, True, "prom")
    assert first.labels["team"] == "shop"
    assert first.fingerprint != second.fingerprint
    assert [call[0] for call in service.calls] == ["record_test", "record_test"]


async def test_a_hook_that_does_not_take_the_test_is_told_with_the_reason(service: Tended, socket_path: Path) -> None:
    async with _with_hooks(service, socket_path, "generic", token="wrong") as client:
        with pytest.raises(ClientError, match="HTTP 401") as refused:
            await client.test_hook("prom")
        assert (refused.value.code, refused.value.status) == ("hook-failed", 503)
        assert "wrong" not in refused.value.detail.replace("missing or wrong", "")
        with pytest.raises(ClientError, match="there is no hook nagios"):
            await client.test_hook("nagios")


@pytest.mark.parametrize(
    ("door", "error", "match"),
    [
        (HookDoor("", {"prom": HookRules("generic", "t")}), RequestRefused, "listen is not set"),
        (HookDoor("127.0.0.1:1", {"prom": HookRules("generic", "t")}), errors.HookFailed, "does not answer"),
        (HookDoor("127.0.0.1:1"), NotFound, "there is no hook"),
    ],
)
async def test_a_hook_without_a_listener_is_told(
    service: Tended, door: HookDoor, error: type[errors.BluegreenError], match: str
) -> None:
    with pytest.raises(error, match=match) as refused:
        await door.test("prom", Caller("uid 0", "socket"), service)
    assert refused.value.next


# --- the audit


def test_the_audit_is_shown_page_by_page(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.interfaces.cli.shell.PAGE", 2)
    lines = invoke(served, "audit", "-n", "5").stdout.splitlines()
    assert [line.split()[-4] for line in lines[1:]] == ["d-5", "d-4", "d-3", "d-2", "d-1"]
    assert [row["seq"] for row in json.loads(invoke(served, "audit", "-n", "3", "-o", "json").stdout)] == [5, 4, 3]


def test_who_reads_sees_the_lists_and_only_admins_the_audit() -> None:
    rights = {
        (route.method, route.path): route.right for route in ROUTES if route.handler.__module__.endswith("upkeep")
    }
    assert {path for (_, path), right in rights.items() if right is Right.READ} == {
        "/v1/migrations",
        "/v1/backups",
        "/v1/notify",
    }
    assert {path for (_, path), right in rights.items() if right is Right.ADMIN} == {"/v1/audit"}
    assert all(right is Right.OPERATE for (method, _), right in rights.items() if method == "POST")


# --- live-only services


def test_env_takeover_needs_a_reason_and_says_what_runs(served: Served, tended: Tended) -> None:
    assert invoke(served, "env", "takeover", "blue").exit_code == 2
    assert tended.calls == []
    out = invoke(served, "env", "takeover", "blue", "--reason", "green-host is off").stdout
    assert "the live-only services of 1.0.0 run on blue" in out
    assert "mailer could not be stopped on green" in out
    assert tended.calls[0][0] == "take_over"
    assert tended.calls[0][-1] == "green-host is off"
