"""`backup restore` and `restore-command` against a real API on a real socket: it shows, asks, and says what it did."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bluegreen.app.requests import Caller
from bluegreen.app.upkeep_answers import ByHandCommands
from bluegreen.domain.errors import BackupFailed, NotFound, RequestRefused
from bluegreen.domain.migrations import Backup
from bluegreen.domain.restorations import Losses, Restored, Session, StartedAgain, TableLoss
from bluegreen.interfaces import restoring_lines, upkeep_lines
from bluegreen.interfaces.api import ROUTES
from bluegreen.interfaces.cli import bluegreen
from bluegreen.interfaces.cli import restoring as cli
from bluegreen.interfaces.cli.shell import Shell
from bluegreen.interfaces.peers import Right
from tests.interfaces.conftest import Served
from tests.interfaces.scripts import BEGAN, ScriptedService
from tests.interfaces.test_cli import invoke, orders

BACKUP = Backup(
    "olympus-app-20261120T200411Z-d-1", "app", "/var/backups/b.dump", 3_500_000, "ab" * 32, "restore", 12, 34_567,
    BEGAN, 2.5, "d-1", "1.1.0", "checksum", needed="d-1 made 1.1.0 live",
)  # fmt: skip
LOSSES = Losses(
    BACKUP, "olympus", (TableLoss("public.orders", 100, 142), TableLoss("public.\x1b[2J", None, 3)),
    ("public.huge",), ("app/0002_b.expand",), (), ("the database server needs room",),
)  # fmt: skip
RESTORED = Restored(BACKUP, "olympus", "olympus_broken_1", "olympus-app-before-restore", 12.0, 0.11, 2)
SESSION = Session(7, "blue", "app", "10.0.0.1", 60.0)


class Restoring(ScriptedService):
    """Answers what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: Losses | Exception = LOSSES
        self.restored: Restored | Exception = RESTORED

    async def backups(self) -> tuple[Backup, ...]:
        return (BACKUP,)

    async def restore_commands(self, id: str) -> ByHandCommands:
        if id != BACKUP.id:
            raise NotFound(f"there is no backup {id}", next=("bluegreen backup list",))
        return ByHandCommands(BACKUP, "app", ("# 1. first", "pg_restore --dbname=x /var/backups/b.dump"))

    async def losses(self, id: str) -> Losses:
        if isinstance(self.lost, Exception):
            raise self.lost
        return self.lost

    async def restore(self, id: str, caller: Caller, **wanted: Any) -> Restored:
        self._called("restore", id, caller, wanted["confirm"], wanted["stop_colours"], wanted["reason"])
        if isinstance(self.restored, Exception):
            raise self.restored
        return self.restored


@pytest.fixture
def service() -> Restoring:
    return Restoring()


@pytest.fixture
def restoring(served: Served) -> Restoring:
    assert isinstance(served.service, Restoring)
    return served.service


def test_the_commands_can_be_pasted_into_a_shell(served: Served) -> None:
    printed = invoke(served, "backup", "restore-command", BACKUP.id)
    assert printed.stdout == "# 1. first\npg_restore --dbname=x /var/backups/b.dump\n"
    assert invoke(served, "backup", "restore-command", "none").exit_code == 1


def test_without_the_daemon_they_are_made_by_the_program_itself(served: Served, tmp_path: Path) -> None:
    gone = CliRunner().invoke(
        bluegreen, ["--socket", str(tmp_path / "none"), "backup", "restore-command", BACKUP.id], obj=Shell()
    )
    assert gone.exit_code == 3
    assert f"bluegreen backup restore-command {BACKUP.id} --offline" in gone.stderr
    asked: list[tuple[Path, str]] = []
    shell = Shell(offline_commands=lambda _, file, backup: asked.append((file, backup)))
    words = ["backup", "restore-command", BACKUP.id, "--offline", "--config", str(tmp_path / "c.toml")]
    assert CliRunner().invoke(bluegreen, words, obj=shell).exit_code == 0
    assert asked == [(tmp_path / "c.toml", BACKUP.id)]
    assert CliRunner().invoke(bluegreen, words, obj=Shell()).exit_code == 2


def test_it_shows_what_is_lost_and_does_it_where_the_name_is_given(served: Served) -> None:
    done = invoke(served, "backup", "restore", BACKUP.id, "--yes", "app", "--reason", "the import")
    assert done.exit_code == 0, done.output
    assert "app goes back to" in done.stdout
    assert "public.orders: 100 rows then, 142 now" in done.stdout
    assert "is new, with 3 rows" in done.stdout
    assert "\x1b[2J" not in done.stdout
    assert "app/0002_b.expand was applied since: it will be pending again" in done.stdout
    assert "not compared row by row: public.huge" in done.stdout
    assert "nobody could connect for 0.11 s, 2 sessions were ended" in done.stdout
    assert 'DROP DATABASE "olympus_broken_1"' in done.stdout
    assert orders(served) == [("restore", BACKUP.id, "app", False, "the import")]


def test_without_a_terminal_and_a_name_it_is_not_done(served: Served) -> None:
    refused = invoke(served, "backup", "restore", BACKUP.id)
    assert refused.exit_code == 2
    assert "--yes DATABASE" in refused.stderr
    assert orders(served) == []


def test_while_somebody_is_in_it_it_is_refused_with_who(served: Served, restoring: Restoring) -> None:
    restoring.lost = replace(LOSSES, sessions=(SESSION,))
    refused = invoke(served, "backup", "restore", BACKUP.id, "--yes", "app")
    assert refused.exit_code == 5
    assert "in it now: pid 7 (blue, user app from 10.0.0.1)" in refused.stdout
    assert f"bluegreen backup restore {BACKUP.id} --stop-colours" in refused.stderr
    assert orders(served) == []
    restoring.restored = replace(
        RESTORED, colours=(StartedAgain("blue", "1.0.0"), StartedAgain("green", "1.1.0", "login fails"))
    )
    done = invoke(served, "backup", "restore", BACKUP.id, "--yes", "app", "--stop-colours")
    assert done.exit_code == 1, "a colour is not well"
    assert "blue runs 1.0.0 again" in done.stdout
    assert "green was started again with 1.1.0, and is not well: login fails" in done.stdout


def test_a_database_that_cannot_be_measured_can_be_given_up_all_the_same(served: Served, restoring: Restoring) -> None:
    restoring.lost = BackupFailed("database app: could not read block 7")
    done = invoke(served, "backup", "restore", BACKUP.id, "--yes", "app")
    assert done.exit_code == 0
    assert "cannot be measured: database app: could not read block 7" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"), [(RequestRefused("not now", next=("x",)), 5), (BackupFailed("public.t: 3, not 2"), 1)]
)
def test_what_is_refused_says_why(served: Served, restoring: Restoring, error: Exception, code: int) -> None:
    restoring.restored = error
    failed = invoke(served, "backup", "restore", BACKUP.id, "--yes", "app")
    assert failed.exit_code == code
    assert str(error) in failed.stderr


def test_at_a_terminal_the_name_is_typed(served: Served, restoring: Restoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "at_a_terminal", lambda: True)
    words, told = ["backup", "restore", BACKUP.id, "--stop-colours"], {"BLUEGREEN_SOCKET": str(served.path)}
    refused = CliRunner().invoke(bluegreen, words, env=told, input="yes\n")
    assert refused.exit_code == 1
    assert "Nothing was done" in refused.stderr
    assert orders(served) == []
    done = CliRunner().invoke(bluegreen, words, env=told, input="app\n")
    assert "users get errors until it is done" in done.stdout
    assert orders(served) == [("restore", BACKUP.id, "app", True, "")]


def test_json_is_what_the_daemon_said_and_words_go_aside(served: Served) -> None:
    done = invoke(served, "backup", "restore", BACKUP.id, "--yes", "app", "-o", "json")
    assert json.loads(done.stdout)["kept"] == "olympus_broken_1"
    assert "goes back to" in done.stderr


def test_each_route_needs_the_right_to_operate() -> None:
    rights = {(route.method, route.path): route.right for route in ROUTES if "{backup}/" in route.path}
    for path in ("restore-command", "losses"):
        assert rights["GET", f"/v1/backups/{{backup}}/{path}"] is Right.OPERATE
    assert rights["POST", "/v1/backups/{backup}/restore"] is Right.OPERATE


def test_the_list_says_how_old_a_backup_is_how_it_was_verified_and_what_needs_it() -> None:
    (head, line) = upkeep_lines.backup_lines((BACKUP,), BEGAN + timedelta(hours=3))
    assert head.split()[-2:] == ["VERIFIED", "NEEDED"]
    assert "3h" in line
    assert "restore, checksum" in line
    assert line.endswith("d-1 made 1.1.0 live")


def test_tables_are_told_apart() -> None:
    shown = "\n".join(
        restoring_lines.loss_lines(
            replace(
                LOSSES,
                tables=(
                    TableLoss("a", 5, 5),
                    TableLoss("bluegreen.migration", 6, 7),
                    TableLoss("b", 5, None),
                    TableLoss("c", 5, 9, exact=False),
                    *[TableLoss(f"t{n}", 1, 2) for n in range(18)],
                ),
            ),
            BEGAN,
        )
    )
    for words in ("a: 5 rows then and now, but not the same", "c: 5 rows then, about 9 now", "and 1 more (-o"):
        assert words in shown
    assert "bluegreen." not in shown
    empty = restoring_lines.loss_lines(replace(LOSSES, tables=()), BEGAN)
    assert "every row is as it was then" in "\n".join(empty)
