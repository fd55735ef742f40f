"""`bluegreen doctor` on the real stage: all well at first, then broken one by one, and each named."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from bluegreen.demo.ports import free_ports
from bluegreen.demo.stack import Stack
from bluegreen.demo.stage import Stage
from tests.e2e.cast import caddy_config
from tests.e2e.conftest import MakeStage
from tests.e2e.test_operator import Typed, bluegreen

HERE = {"unit", "clock"}
"""What a machine without systemd, or a container, is warned about."""


@dataclass
class Found:
    """What the doctor said, by check."""

    typed: Typed
    failed: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)
    next: dict[str, list[str]] = field(default_factory=dict)


async def examined(stage: Stage) -> Found:
    """Have the stage looked at."""
    typed = await bluegreen(stage, "doctor", "--config", str(stage.config), "-o", "json")
    assert "Traceback" not in typed.text
    found = Found(typed)
    for check in typed.document["checks"]:
        kind = {"failed": found.failed, "warning": found.warned, "ok": {}}[check["level"]]
        kind[check["check"]] = f"{kind.get(check['check'], '')} {check['detail']}".strip()
        found.next.setdefault(check["check"], []).extend(check["next"])
    assert typed.code == (1 if found.failed else 0)
    assert typed.document["ok"] == (not found.failed)
    return found


def _extra() -> str:
    return f"""
[hooks]
listen = "127.0.0.1:{free_ports(1)[0]}"
[hooks.prom]
kind = "alertmanager"
token = "a-hook-token"

[[notify]]
name = "file"
kind = "command"
command = ["true"]
"""


@pytest.fixture
async def well(make_stage: MakeStage) -> Stage:
    """A stage with everything that the doctor looks for."""
    stage = make_stage(extra=_extra())
    await stage.set_up()
    (stage.directory / "backups").mkdir(mode=0o700)
    await stage.start_daemon()
    return stage


async def test_where_all_is_well_nothing_fails_and_nothing_is_changed(well: Stage) -> None:
    config, files = await caddy_config(well), _files(well)
    found = await examined(well)
    assert found.failed == {}, found.typed.text
    assert set(found.warned) <= HERE
    assert await caddy_config(well) == config
    assert _files(well) == files
    shown = await bluegreen(well, "doctor", "--config", str(well.config))
    assert shown.code == 0
    assert "✔ no failure" in shown.text.splitlines()[-1]
    assert "a-hook-token" not in shown.text
    quiet = await bluegreen(well, "doctor", "-q", "--config", str(well.config))
    assert not any(line.startswith("✔ config") for line in quiet.text.splitlines())


def _files(stage: Stage) -> set[str]:
    """All files but those that the log, the journal and Caddy make by themselves."""
    return {
        str(path) for path in stage.directory.rglob("*") if "journal" not in path.name and "caddy" not in path.parts
    }


async def _log_unreadable(stage: Stage) -> None:
    _change(stage, f'access_log = "{stage.access_log}"', f'access_log = "{stage.sample}"')


async def _log_of_another_site(stage: Stage) -> None:
    other = stage.directory / "other.log"
    other.touch()
    _change(stage, str(stage.access_log), str(other))


async def _wrong_addresses(stage: Stage) -> None:
    stack = Stack.load(stage.sample)
    _change(stage, stack.address("blue", "shop"), f"127.0.0.1:{free_ports(1)[0]}")


async def _caddy_down(stage: Stage) -> None:
    await stage.caddy.kill()


async def _postgres_down(stage: Stage) -> None:
    _change(stage, stage.dsn, "postgresql://postgres@127.0.0.1:1/app")


async def _state_open_to_all(stage: Stage) -> None:
    (stage.directory / "state").chmod(0o777)


async def _state_newer(stage: Stage) -> None:
    with closing(sqlite3.connect(stage.directory / "state" / "journal.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA user_version = 99")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _state_damaged(stage: Stage) -> None:
    (stage.directory / "state" / "journal.sqlite").write_bytes(b"not a database at all" * 300)


async def _daemon_dead(stage: Stage) -> None:
    stage.socket.unlink()
    await stage.kill_daemon()


async def _socket_removed(stage: Stage) -> None:
    stage.socket.unlink()


async def _something_else_at_the_socket(stage: Stage) -> None:
    stage.socket.write_text("notes")


async def _no_snippets(stage: Stage) -> None:
    for path in stage.snippets.glob("*.caddy"):
        path.unlink()


async def _one_snippet_missing(stage: Stage) -> None:
    (stage.snippets / "shop.caddy").unlink()


async def _snippets_behind(stage: Stage) -> None:
    stack = Stack.load(stage.sample)
    for path in stage.snippets.glob("*.caddy"):
        path.write_text(f"to {stack.address('green', path.stem)}\n")


async def _not_imported(stage: Stage) -> None:
    text = stage.caddyfile.read_text().replace(f"import {stage.snippets}/", "to 127.0.0.1:1 #")
    stage.caddyfile.write_text(text)


async def _mixed_colours(stage: Stage) -> None:
    """One service is moved by hand."""
    stack = Stack.load(stage.sample)
    config: Any = await caddy_config(stage)
    text = str(config)
    assert stack.address("blue", "shop") in text
    socket = stage.caddy.admin.removeprefix("unix/")
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session:
        body = _replaced(config, stack.address("blue", "shop"), stack.address("green", "shop"))
        async with session.post("http://localhost/load", json=body) as answer:
            assert answer.status == 200, await answer.text()


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if value == old else value


async def _no_room_for_backups(stage: Stage) -> None:
    _change(stage, 'min_free = "16MiB"', 'min_free = "900TiB"')


async def _no_such_program(stage: Stage) -> None:
    _change(stage, 'command = ["true"]', 'command = ["/usr/bin/no-such-program"]')


async def _nobody_told(stage: Stage) -> None:
    text = stage.config.read_text()
    stage.config.write_text(text[: text.index("[[notify]]")])


async def _no_pg_dump(stage: Stage) -> None:
    empty = stage.directory / "empty"
    empty.mkdir()
    _change(stage, f'bin_dir = "{stage.bin_dir}"', f'bin_dir = "{empty}"')


async def _nothing_left_to_connect(stage: Stage) -> None:
    _change(stage, "connections = 10", "connections = 100000")


async def _hooks_closed(stage: Stage) -> None:
    _change(stage, stage.extra.split('"')[1], f"127.0.0.1:{free_ports(1)[0]}")


async def _config_wrong(stage: Stage) -> None:
    _change(stage, 'project = "olympus"', 'project = "olympus"\nprojetc = "x"')


def _change(stage: Stage, old: str, new: str) -> None:
    text = stage.config.read_text()
    assert old in text
    stage.config.write_text(text.replace(old, new))


@dataclass(frozen=True)
class Broken:
    """What is broken, and what the doctor says of it: the check, a word of its detail, a part of a command."""

    by: Callable[[Stage], Any]
    check: str
    says: str
    next: str
    warns: bool = False
    others: frozenset[str] = frozenset()
    """Checks that fail too, since they look through the same thing."""


THROUGH_CADDY = frozenset({"addresses", "snippets", "front door"})

CAN_BE_UNDONE = [
    Broken(_log_unreadable, "front door", "cannot be read", "ls -l"),
    Broken(_log_of_another_site, "front door", "no line of it with `upstream`", "tail -n 3"),
    Broken(_wrong_addresses, "caddy", "shop", "config check", others=THROUGH_CADDY),
    Broken(_postgres_down, "db olympus", "127.0.0.1:1", "systemctl status postgresql"),
    Broken(_no_pg_dump, "db olympus", "needs pg_dump", "apt-get install"),
    Broken(_nothing_left_to_connect, "db olympus", "may open 100000 connections", "max_connections"),
    Broken(_no_room_for_backups, "backups", "min_free", "df -h", others=frozenset({"db olympus"})),
    Broken(_no_such_program, "commands", "/usr/bin/no-such-program", "command -v"),
    Broken(_nobody_told, "notify", "nobody is told", "config docs notify", warns=True),
    Broken(_hooks_closed, "hooks", "nobody listens", "ss -ltnp"),
    Broken(_config_wrong, "config", "projetc", "config docs"),
    Broken(_state_open_to_all, "state", "mode 0777: others may change it", "chmod 0700"),
    Broken(_snippets_behind, "snippets", "the snippets say green, and Caddy serves blue", "status"),
    Broken(_not_imported, "snippets", "does not import", "grep import", warns=True),
    Broken(_one_snippet_missing, "snippets", "shop has no snippet", "ls -l"),
    Broken(_no_snippets, "snippets", "there are no snippets", "docs/caddy.md", warns=True),
]

ONE_AFTER_THE_OTHER = [
    Broken(_mixed_colours, "caddy", "different colours", "status", others=THROUGH_CADDY),
    Broken(_socket_removed, "daemon", "holds the daemon's lock", "systemctl restart", others=THROUGH_CADDY | {"caddy"}),
    Broken(_something_else_at_the_socket, "daemon", "is no socket", "ls -l", others=THROUGH_CADDY | {"caddy"}),
    Broken(_daemon_dead, "daemon", "does not run", "systemctl start", others=THROUGH_CADDY | {"caddy", "hooks"}),
    Broken(_caddy_down, "caddy", "admin.sock", "systemctl", others=THROUGH_CADDY | {"daemon", "hooks"}),
    Broken(_state_newer, "state", "version 99", "--version", others=THROUGH_CADDY | {"caddy", "daemon", "hooks"}),
    Broken(_state_damaged, "state", "damaged", "systemctl", others=THROUGH_CADDY | {"caddy", "daemon", "hooks"}),
]


async def test_what_is_broken_is_named_with_what_to_type(well: Stage) -> None:
    files = [well.config, well.caddyfile, *well.snippets.glob("*.caddy")]
    right = {file: file.read_text() for file in files}
    wrong = []
    for case in CAN_BE_UNDONE:
        await case.by(well)
        wrong += _not_said(await examined(well), case)
        for file, text in right.items():
            file.write_text(text)
        (well.directory / "state").chmod(0o700)
    assert wrong == []
    assert (await examined(well)).failed == {}, "all was put right again"


async def test_what_dies_one_after_the_other_is_named_with_what_to_type(well: Stage) -> None:
    wrong = []
    for case in ONE_AFTER_THE_OTHER:
        await case.by(well)
        wrong += _not_said(await examined(well), case)
    assert wrong == []


def _not_said(found: Found, case: Broken) -> list[str]:
    """What the doctor did not say of a case, or said and should not have."""
    name, wrong = case.by.__name__, []
    where = found.warned if case.warns else found.failed
    if case.says not in where.get(case.check, "(nothing)"):
        wrong.append(f"{name}: {case.check} says {where.get(case.check)!r}")
    if not any(case.next in command for command in found.next.get(case.check, [])):
        wrong.append(f"{name}: {case.check} offers {found.next.get(case.check)}")
    if more := set(found.failed) - {case.check, *case.others}:
        wrong.append(f"{name}: also fails {more}: {found.failed}")
    return wrong


async def test_as_root_it_becomes_the_user_who_owns_the_state(well: Stage) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    await well.stop_daemon()
    for path in (well.directory / "state", *(well.directory / "state").iterdir()):
        os.chown(path, 65534, 65534)
    well.directory.chmod(0o755)
    well.config.chmod(0o644)
    found = await examined(well)
    assert "from here on looked at as nobody" in str(found.typed.document)
    assert "state" not in found.failed, found.typed.text
    assert "user" not in found.failed, found.typed.text
    assert "uid 65534 may not write there" in found.failed["db olympus"], found.typed.text
    assert "cannot write in" in found.failed["backups"]
    assert "cannot be written by the daemon" in found.failed["snippets"]
    assert "Permission denied" in found.failed["front door"], "the log's mode is 0640, and nobody is in its group"
