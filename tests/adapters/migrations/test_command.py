"""Migrations by a tool: once per release, told the database without its password being shown, never cut off."""

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres.ledger import Entry
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.errors import ConfigurationError, MigrationFailed
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from tests.adapters.sites import RELEASE, Site, command_lines
from tests.adapters.waiting import until

pytestmark = pytest.mark.real

SECRET = "pa:ss\\w/rd?"
QUOTED = "pa%3Ass%5Cw%2Frd%3F"


@pytest.fixture
def psql(site: Site) -> str:
    return shlex.quote(str(site.bin_dir / "psql"))


@pytest.fixture
async def secret(site: Site) -> Site:
    """The DSN has a password. (This server asks for none; what is tested is where it can be seen.)"""
    site.dsn = site.dsn.replace("postgres@", f"postgres:{QUOTED}@")
    return site


@pytest.fixture
def release_file(tmp_path: Path) -> Iterator[Path]:
    """While it is missing, tools that wait for it wait; afterwards none waits any more."""
    path = tmp_path / "go-on"
    yield path
    path.touch()


async def test_a_tool_runs_once_per_release(site: Site) -> None:
    site.tool(f'echo "$1" >> {site.home}/runs; echo done at last', up=(str(site.home / "tool"), "{release}"))
    for release in ("1.1.0", "1.1.0", "1.2.0"):
        await site.apply(release=Release(release))
    assert (site.home / "runs").read_text().split() == ["1.1.0", "1.2.0"]
    row = await site.ledger("1.1.0")
    assert (row["source"], row["mode"], row["state"], row["output"]) == ("tool", "command", "done", "done at last")


async def test_a_tool_has_nothing_to_do_in_the_contract_phase(site: Site) -> None:
    site.tool("exit 1")
    assert await site.database().pending(MigrationPhase.CONTRACT, RELEASE) == ()


async def test_the_last_line_of_a_tool_that_fails_is_the_reason(site: Site) -> None:
    site.tool("echo first; echo 'relation x does not exist' >&2; exit 3")
    with pytest.raises(MigrationFailed, match="ended with 3: relation x does not exist") as caught:
        await site.apply()
    assert "first" in str(caught.value.facts["output"])
    (row,) = await site.database().applied("d1")
    assert (row.state, row.label) == ("failed", "tool/1.1.0.expand")
    assert "relation x does not exist" in row.error


async def test_a_tool_that_failed_runs_again(site: Site) -> None:
    site.tool(f"test -e {site.home}/mended")
    with pytest.raises(MigrationFailed):
        await site.apply()
    (site.home / "mended").touch()
    await site.apply()
    row = await site.ledger("1.1.0")
    assert (row["state"], row["attempts"], row["error"]) == ("done", 2, "")


async def test_what_a_tool_left_that_half_failed_is_known_as_begun(site: Site, psql: str) -> None:
    site.tool(f'{psql} "$DATABASE_URL" -c "CREATE TABLE half (id int)" && exit 3')
    with pytest.raises(MigrationFailed):
        await site.apply()
    assert await site.value("SELECT to_regclass('half') IS NOT NULL")
    (row,) = await site.database().applied("d1")
    assert (row.state, row.begun) == ("failed", True)


async def test_a_tool_that_says_it_worked_is_asked_for_its_status(site: Site) -> None:
    site.tool("true", status=("sh", "-c", "echo 2 migrations pending; exit 1"))
    with pytest.raises(MigrationFailed, match="2 migrations pending"):
        await site.apply()


async def test_a_tool_that_cannot_be_started_is_named(site: Site) -> None:
    site.tool("true", up=("/nowhere/kratos",))
    with pytest.raises(MigrationFailed, match="/nowhere/kratos cannot be started"):
        await site.apply()


async def test_a_tool_reaches_the_database_by_the_variable_and_waits_only_shortly_for_locks(
    secret: Site, psql: str
) -> None:
    ask = "SELECT current_setting('application_name') || ' ' || current_setting('lock_timeout')"
    secret.tool(f'{psql} "$DATABASE_URL" -Atc "{ask}"')
    await secret.apply()
    assert (await secret.ledger("1.1.0"))["output"] == "bluegreen tool/1.1.0.expand 200ms"


async def test_a_dsn_in_argv_is_without_its_password_which_is_found_in_a_private_file(secret: Site, psql: str) -> None:
    seen = secret.home / "seen"
    secret.tool(
        f'echo "$1" > {seen}; stat -c %a "$PGPASSFILE" >> {seen}; cat "$PGPASSFILE" >> {seen};'
        f' {psql} "$1" -Atc "SELECT 1"; test -z "$PGPASSWORD"',
        up=(str(secret.home / "tool"), "{dsn}"),
        dsn_env="",
    )
    await secret.apply()
    dsn, mode, line = seen.read_text().splitlines()
    assert dsn == secret.dsn.replace(f":{QUOTED}", "")
    assert (mode, line) == ("600", "*:*:*:*:" + SECRET.replace("\\", "\\\\").replace(":", "\\:"))


async def test_the_password_is_seen_nowhere(secret: Site, release_file: Path) -> None:
    started = secret.home / "started"
    secret.tool(
        f"touch {started}; while ! test -e {release_file}; do sleep 0.05; done\n"
        'echo "cannot log in with $DATABASE_URL"; exit 1',
        up=(str(secret.home / "tool"), "{dsn}"),
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_failure(secret), name="apply")
        await until(started.exists)
        seen = command_lines()
        release_file.touch()
    assert str(secret.home / "tool") in seen
    failure = task.result()
    row = await secret.ledger("1.1.0")
    for text in (seen, failure.detail, str(failure.facts), str(failure.__cause__), row["error"], row["output"]):
        assert QUOTED not in text
        assert SECRET not in text
    assert "cannot log in with postgresql://postgres:[hidden]@" in failure.detail


async def test_cancelled_the_tool_is_finished_first_and_the_ledger_says_so(site: Site, release_file: Path) -> None:
    started = site.home / "started"
    site.tool(f"touch {started}; while ! test -e {release_file}; do sleep 0.05; done; echo finished")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(site.apply(), name="apply")
        await until(started.exists)
        assert (await site.ledger("1.1.0"))["state"] == "running"
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        release_file.touch()
        with pytest.raises(asyncio.CancelledError):
            await task
    row = await site.ledger("1.1.0")
    assert (row["state"], row["output"]) == ("done", "finished")


async def test_cancelled_it_is_cancelled_also_where_the_ledger_cannot_be_written(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.tool(f"echo run >> {site.home}/runs; echo canceling statement due to lock timeout; exit 1")

    async def lost(job: Job, entry: Entry) -> bool:
        raise MigrationFailed("the ledger does not answer")

    monkeypatch.setattr(Job, "write_end", lost)
    async with asyncio.TaskGroup() as group:
        applying = group.create_task(site.apply(), name="applying")
        await until((site.home / "runs").exists)
        applying.cancel()
    assert applying.cancelled()


async def test_a_tool_that_does_not_end_is_stopped_after_its_timeout(site: Site) -> None:
    site.tool("sleep 600", timeout=0.5)
    with pytest.raises(MigrationFailed, match=r"tool did not end within 0\.5 s"):
        await site.apply()


async def test_no_tool_is_started_once_the_lock_is_lost(site: Site) -> None:
    site.tool(f"touch {site.home}/ran")
    database = site.database()
    (migration,) = await database.pending(MigrationPhase.EXPAND, RELEASE)
    async with database.locked():
        await site.break_the_lock()
        with pytest.raises(MigrationFailed, match="lock was lost"):
            await database.apply(migration, "d1", RELEASE)
    assert not (site.home / "ran").exists()


async def test_a_tool_that_a_killed_daemon_left_at_work_is_waited_for_and_not_doubled(site: Site) -> None:
    site.tool(f"touch {site.home}/ran", timeout=0.4)
    former = await site.connect()
    await former.execute("SET application_name = 'bluegreen tool/1.1.0.expand'")
    with pytest.raises(MigrationFailed, match=r"'bluegreen tool/1\.1\.0\.expand'\) still runs after 0\.4 s") as caught:
        await site.apply()
    assert caught.value.next == (f"SELECT pg_terminate_backend({former.get_server_pid()})",)
    assert not (site.home / "ran").exists()
    await former.close()
    site.gently(timeout=60.0)
    await site.apply()
    assert (site.home / "ran").exists()


async def test_the_environment_is_what_was_named_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    site.tool('echo "$GREETING ${SECRET_OF_THE_DAEMON:-nothing}"', environment={"GREETING": "hello {release}"})
    await site.apply()
    assert (await site.ledger("1.1.0"))["output"] == "hello 1.1.0 nothing"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"kind": MigrationKind.COMMAND, "up": ("kratos", "migrate")}, "must be told which database"),
        ({"kind": MigrationKind.COMMAND}, "the command to run"),
        ({"kind": MigrationKind.SQL}, "need a directory"),
        ({"kind": MigrationKind.SQL, "directory": Path("x"), "lock_timeout": 0.0}, "more than 0"),
    ],
    ids=["no dsn", "no command", "no directory", "waits for ever"],
)
def test_a_source_that_could_do_harm_is_refused(words: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Source("x", **words)  # type: ignore[arg-type]


async def _failure(site: Site) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as caught:
        await site.apply()
    return caught.value
