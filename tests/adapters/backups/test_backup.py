"""Backups on a real Postgres: exact while users write, verified, and nothing left of those that fail."""

import asyncio
import hashlib
import json
import shlex
import stat
from dataclasses import replace
from pathlib import Path
from typing import Literal

import asyncpg
import pytest

from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.postgres import clients
from bluegreen.adapters.postgres.scratch import scratch_name
from bluegreen.demo.postgres import EmbeddedPostgres, bin_directory
from bluegreen.domain.errors import BackupFailed
from tests.adapters.backups.dumps import files, replace_pg_dump
from tests.adapters.sites import Site, command_lines, until_true
from tests.adapters.waiting import until
from tests.real_parts import execute

pytestmark = pytest.mark.real

ROWS = 500


@pytest.fixture
async def filled(site: Site) -> Site:
    await _fill(site)
    return site


async def _fill(site: Site) -> None:
    await site.execute(
        f"CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, {ROWS});"
        ' CREATE SCHEMA "Odd one"; CREATE TABLE "Odd one"."T" (id int); INSERT INTO "Odd one"."T" VALUES (1);'
        " CREATE TABLE parted (id int) PARTITION BY LIST (id);"
        " CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1), (1);"
        " CREATE TABLE empty (id int); CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t"
    )


def _psql(site: Site, sql: str) -> str:
    return f"{shlex.quote(str(site.bin_dir / 'psql'))} -qc {shlex.quote(sql)} {shlex.quote(site.dsn)}"


async def test_a_backup_is_named_private_and_described_by_its_manifest(filled: Site) -> None:
    filled.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    await filled.apply()
    backup = await filled.database().back_up("d1", "1.1.0")
    file = Path(backup.file)
    assert file.name == f"test-main-{backup.taken_at:%Y%m%dT%H%M%SZ}-d1.dump"
    assert backup.id == file.stem
    assert files(filled) == [file.name, f"{file.name}.globals.sql", f"{file.name}.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in filled.backups.iterdir()} == {0o600}
    assert stat.S_IMODE(filled.backups.stat().st_mode) == 0o700
    assert (backup.size, backup.sha256) == (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    manifest = json.loads(Path(f"{file}.json").read_text())
    rows, checksums = manifest.pop("rows"), manifest.pop("checksums")
    assert checksums.keys() == rows.keys()
    assert (checksums["public.empty"], manifest.pop("large_objects")) == ("0", {"count": 0, "checksum": "0"})
    assert manifest.pop("sequences") == {"bluegreen.migration_id_seq": [2, 2]}
    roles = Path(f"{file}.globals.sql")
    assert "CREATE ROLE postgres" in roles.read_text()
    assert manifest.pop("globals") == {
        "file": roles.name,
        "sha256": hashlib.sha256(roles.read_bytes()).hexdigest(),
        "size": roles.stat().st_size,
        "role_passwords": True,
    }
    assert 0 < manifest.pop("seconds") <= backup.seconds
    version = manifest.pop("client_version")
    assert version.startswith("pg_dump (PostgreSQL) 16")
    assert manifest == {
        "project": "test",
        "database": "main",
        "dbname": filled.dsn.rpartition("/")[2],
        "deployment": "d1",
        "release": "1.1.0",
        "taken_at": backup.taken_at.isoformat(),
        "sha256": backup.sha256,
        "size": backup.size,
        "verified": "restore",
        "compare": "checksum",
        "server_version": (await filled.database().facts()).server_version,
        "ledger_head": "app/0001_a.expand",
    }
    assert rows["bluegreen.migration"] == 1
    assert {name: count for name, count in rows.items() if not name.startswith("bluegreen.")} == {
        "public.t": ROWS,
        '"Odd one"."T"': 1,
        "public.part_1": 2,
        "public.empty": 0,
        "public.a": 0,
    }
    assert (backup.tables, backup.rows) == (len(rows), sum(rows.values()))
    assert await filled.scratch_databases() == []


async def test_rows_that_come_while_it_is_taken_are_not_in_it_and_do_not_disturb_it(filled: Site) -> None:
    replace_pg_dump(filled, f'{_psql(filled, "INSERT INTO t SELECT 1 FROM generate_series(1, 10)")}; exec "$REAL" "$@"')
    backup = await filled.database().back_up("d1", "1.1.0")
    assert backup.rows == ROWS + 3
    assert await filled.value("SELECT count(*) FROM t") == ROWS + 10


async def test_rows_that_come_while_it_counts_are_not_counted(filled: Site) -> None:
    locker = await filled.connect()
    await locker.execute("BEGIN; LOCK TABLE empty")  # counted before t
    async with asyncio.TaskGroup() as group:
        task = group.create_task(filled.database().back_up("d1", "1.1.0"), name="backup")
        await until_true(filled, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
        await filled.execute("INSERT INTO t VALUES (0)")
        await locker.close()
    assert task.result().rows == ROWS + 3


async def test_a_dump_of_another_moment_is_noticed(filled: Site) -> None:
    replace_pg_dump(
        filled,
        f"{_psql(filled, 'INSERT INTO t VALUES (0)')}\n"
        'for word in "$@"; do case "$word" in --snapshot=*) ;; *) kept+=("$word");; esac; done\n'
        'exec "$REAL" "${kept[@]}"',
    )
    with pytest.raises(BackupFailed, match=rf"public\.t: {ROWS} in the database, {ROWS + 1} in the dump"):
        await filled.database().back_up("d1", "1.1.0")
    assert files(filled) == []


async def test_a_dump_that_lacks_a_table_is_noticed(filled: Site) -> None:
    replace_pg_dump(filled, 'exec "$REAL" "$@" --exclude-table=t --exclude-table=v')
    with pytest.raises(BackupFailed, match=rf"public\.t: {ROWS} in the database, no table in the dump"):
        await filled.database().back_up("d1", "1.1.0")


@pytest.mark.parametrize("verify", ["restore", "decode"])
async def test_a_truncated_dump_is_noticed_and_nothing_of_it_stays(
    filled: Site, verify: Literal["restore", "decode"]
) -> None:
    replace_pg_dump(filled, '"$REAL" "$@" && truncate -s -200 "$FILE"')
    filled.rules = replace(filled.rules, verify=verify)
    with pytest.raises(BackupFailed, match="pg_restore ended with 1"):
        await filled.database().back_up("d1", "1.1.0")
    assert files(filled) == []
    assert await filled.scratch_databases() == []


async def test_a_dump_can_be_verified_by_decoding_alone(filled: Site) -> None:
    filled.rules = replace(filled.rules, verify="decode")
    backup = await filled.database().back_up("d1", "1.1.0")
    assert (backup.verified, backup.rows) == ("decode", ROWS + 3)


async def test_a_pg_dump_that_fails_gives_the_reason(filled: Site) -> None:
    replace_pg_dump(filled, "echo 'pg_dump: error: out of luck' >&2; exit 1")
    with pytest.raises(BackupFailed, match=r"pg_dump ended with 1: pg_dump: error: out of luck"):
        await filled.database().back_up("d1", "1.1.0")
    assert files(filled) == []


async def test_postgres_18_is_backed_up_by_its_own_clients(site18: Site) -> None:
    await _fill(site18)
    assert await site18.database().check_backup_possible() == ()
    backup = await site18.database().back_up("d1", "1.1.0")
    assert backup.rows == ROWS + 3
    assert await site18.scratch_databases() == []


@pytest.fixture(params=[16, 18])
def mismatch(request: pytest.FixtureRequest) -> tuple[Site, int, int]:
    """A server of one major version, and the other one that there are clients of."""
    site: Site = request.getfixturevalue("site" if request.param == 16 else "site18")
    other: Literal[16, 18] = 18 if request.param == 16 else 16
    site.rules = replace(site.rules, bin_dir=bin_directory(other))
    return site, request.param, other


async def test_clients_of_another_version_are_refused(
    mismatch: tuple[Site, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, mine, other = mismatch
    monkeypatch.setattr(clients, "PACKAGED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    reason = rf"server is Postgres {mine}.*has pg_dump \(PostgreSQL\) {other}"
    for call in (site.database().check_backup_possible(), site.database().back_up("d1", "1.1.0")):
        with pytest.raises(BackupFailed, match=reason) as caught:
            await call
        assert caught.value.next[0] == f"apt-get install postgresql-client-{mine}"


async def test_clients_are_found_on_path(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "PACKAGED", ())
    monkeypatch.setenv("PATH", f"{site.bin_dir}:/usr/bin:/bin")
    site.rules = replace(site.rules, bin_dir=None)
    assert await site.database().check_backup_possible() == ()


async def test_a_scratch_database_that_a_killed_daemon_left_is_dropped(filled: Site) -> None:
    for deployment in ("d1", "an older one"):
        await filled.execute(f'CREATE DATABASE "{scratch_name("test", "main", deployment)}"')
    await filled.database().back_up("d1", "1.1.0")
    assert await filled.scratch_databases() == []


async def test_a_scratch_database_of_somebody_else_is_not_touched(filled: Site, postgres: EmbeddedPostgres) -> None:
    theirs = [scratch_name("test", "other", "d1"), scratch_name("test", "main", "in use")]
    owner = await asyncpg.connect(postgres.dsn())
    try:
        await owner.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", theirs[1])
        for name in theirs:
            await owner.execute(f'CREATE DATABASE "{name}"')
        await filled.database().back_up("d1", "1.1.0")
        assert sorted(await filled.scratch_databases()) == sorted(theirs)
    finally:
        for name in theirs:
            await owner.execute(f'DROP DATABASE "{name}"')
        await owner.close()


def test_the_name_of_a_scratch_database_fits_and_tells_databases_apart() -> None:
    name = scratch_name("a project", "main", "Deployment/with: 'strange' \"things\" and no end " * 3)
    assert len(name.encode()) == 63
    assert name.startswith("bluegreen_scratch_")
    assert name.replace("_", "").isalnum()
    assert len({scratch_name("p", "a", "d"), scratch_name("p", "b", "d"), scratch_name("q", "a", "d")}) == 3


async def test_the_copy_has_the_encoding_and_locale_of_the_original(site18: Site) -> None:
    for settings in ("ENCODING 'LATIN1' LOCALE 'C'", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"):
        name = f"{site18.dsn.rpartition('/')[2]}_x"
        await site18.execute(f"CREATE DATABASE {name} TEMPLATE template0 {settings}")
        original, site18.dsn = site18.dsn, site18.dsn.rpartition("/")[0] + "/" + name
        try:
            await site18.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('grün')")
            assert (await site18.database().back_up("d1", "1.1.0")).rows == 1
        finally:
            site18.dsn = original
            await site18.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_cancelled_it_leaves_no_file_no_database_and_no_child(filled: Site) -> None:
    started = filled.home / "started"
    replace_pg_dump(filled, f"touch {started}; sleep 600")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(filled.database().back_up("d1", "1.1.0"), name="backup")
        await until(started.exists)
        assert len(files(filled)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert files(filled) == []
    assert str(filled.home / "bin") not in command_lines()
    await until_true(filled, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()")


async def test_cancelled_while_it_verifies_it_drops_the_copy(filled: Site) -> None:
    await filled.execute(
        "CREATE FUNCTION slow_copy(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_database() LIKE 'bluegreen_scratch_%' THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$;"
        " CREATE TABLE slow (id int CHECK (slow_copy(id))); INSERT INTO slow VALUES (0)"
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(filled.database().back_up("d1", "1.1.0"), name="backup")
        asleep = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        await until_true(filled, asleep + " AND datname LIKE 'bluegreen_scratch_%'")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await filled.scratch_databases() == []
    assert files(filled) == []


async def test_a_pg_dump_of_a_killed_daemon_is_ended(filled: Site) -> None:
    former = await filled.connect()
    await former.execute("SET application_name = 'bluegreen backup d1'")
    await filled.database().back_up("d1", "1.1.0")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await former.fetchval("SELECT 1")
    former.terminate()


async def test_it_ends_when_its_time_is_up(filled: Site) -> None:
    filled.backups.mkdir()
    replace_pg_dump(filled, "sleep 600")
    filled.rules = replace(filled.rules, timeout=1.0)
    with pytest.raises(BackupFailed, match=r"longer than 1 s|did not end within 1 s"):
        await filled.database().back_up("d1", "1.1.0")
    assert files(filled) == []


async def test_too_little_space_is_said_before_anything_is_written(filled: Site) -> None:
    filled.rules = replace(filled.rules, min_free=1024**6)
    for call in (filled.database().check_backup_possible(), filled.database().back_up("d1", "1.1.0")):
        with pytest.raises(BackupFailed, match="GiB free, and a backup of main needs") as caught:
            await call
        assert caught.value.next
    assert files(filled) == []


async def test_the_newest_are_kept_and_other_databases_are_not_touched(filled: Site) -> None:
    filled.backups.mkdir()
    for day, project in ((1, "test"), (2, "test"), (3, "test"), (4, "another")):
        _old_dump(filled, f"test-main-2020010{day}T000000Z-d0.dump", project)
    _old_dump(filled, "test-main-2-20200101T000000Z-d0.dump", "test")
    filled.rules = replace(filled.rules, keep=2)
    backup = await filled.database().back_up("d1", "1.1.0")
    assert [name for name in files(filled) if name.endswith(".dump")] == [
        "test-main-2-20200101T000000Z-d0.dump",
        "test-main-20200103T000000Z-d0.dump",
        "test-main-20200104T000000Z-d0.dump",
        Path(backup.file).name,
    ]
    assert len(files(filled)) == 9


async def test_a_backup_that_fails_removes_none_of_the_older_ones_but_what_killed_ones_left(filled: Site) -> None:
    filled.backups.mkdir()
    _old_dump(filled, "test-main-20200101T000000Z-d0.dump", "test")
    for left in (
        "20200102T000000Z-d0.dump.partial",
        "20200103T000000Z-d0.dump.json",
        "20200103T000000Z-d0.dump.json.partial",
    ):
        (filled.backups / f"test-main-{left}").touch()
    (filled.backups / "test-other-20200102T000000Z-d0.dump.partial").touch()
    filled.rules = replace(filled.rules, keep=1)
    replace_pg_dump(filled, "exit 1")
    with pytest.raises(BackupFailed):
        await filled.database().back_up("d1", "1.1.0")
    assert files(filled) == [
        "test-main-20200101T000000Z-d0.dump",
        "test-main-20200101T000000Z-d0.dump.json",
        "test-other-20200102T000000Z-d0.dump.partial",
    ]


async def test_the_command_after_it_gets_the_file(filled: Site) -> None:
    away = filled.home / "away"
    away.mkdir()
    filled.rules = replace(filled.rules, after=("sh", "-c", f"cp {{file}} {{file}}.json {away}"))
    backup = await filled.database().back_up("d1", "1.1.0")
    assert hashlib.sha256((away / Path(backup.file).name).read_bytes()).hexdigest() == backup.sha256


async def test_when_the_command_after_it_fails_so_does_the_backup_and_the_dump_stays(filled: Site) -> None:
    filled.rules = replace(filled.rules, after=("sh", "-c", "echo no route to host; exit 1"))
    with pytest.raises(BackupFailed, match=r"taken and verified and stays.*no route to host"):
        await filled.database().back_up("d1", "1.1.0")
    assert len(files(filled)) == 3


async def test_a_role_that_may_not_make_databases_is_told_so_beforehand(filled: Site) -> None:
    role = f"plain_{filled.dsn.rpartition('_')[2]}"
    await filled.execute(f"CREATE ROLE {role} LOGIN")
    plain = filled.database()
    try:
        plain = PostgresDatabase(
            "main", filled.dsn.replace("postgres@", f"{role}@"), project="test", sources=[], backup=filled.rules
        )
        with pytest.raises(BackupFailed, match="right to make a scratch database") as caught:
            await plain.check_backup_possible()
        assert 'verify = "decode"' in caught.value.next[1]
    finally:
        await filled.execute(f"DROP ROLE {role}")


async def test_a_directory_that_cannot_be_used_is_named(filled: Site) -> None:
    filled.backups.write_text("a file")
    with pytest.raises(BackupFailed, match="backups cannot be used: File exists"):
        await filled.database().check_backup_possible()


async def test_with_a_real_password_everything_works_and_it_is_seen_nowhere(site: Site, short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory / "pg")
    await server.start()
    try:
        await execute(server.dsn(), "ALTER ROLE postgres PASSWORD 'hunter:2\\/ü'")
        await execute(server.dsn(), "CREATE DATABASE app")
        (server.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        await execute(server.dsn(), "SELECT pg_reload_conf()")
        site.dsn = server.dsn("app").replace("postgres@", "postgres:hunter%3A2%5C%2F%C3%BC@")
        seen = site.home / "argv"
        replace_pg_dump(site, f'echo "$@" > {seen}; env | grep -v PGPASSFILE >> {seen}; exec "$REAL" "$@"')
        site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
        await site.apply()
        backup = await site.database().back_up("d1", "1.1.0")
        assert backup.tables > 1
        assert f"--dbname={server.dsn('app')}" in seen.read_text()
        assert "hunter" not in seen.read_text()
        site.dsn = site.dsn.replace("hunter", "wrong")
        with pytest.raises(BackupFailed, match="password authentication failed") as caught:
            await site.database().back_up("d2", "1.1.0")
        assert "wrong" not in f"{caught.value.detail} {caught.value.facts}"
    finally:
        await server.stop()


def _old_dump(site: Site, name: str, project: str) -> None:
    (site.backups / name).touch()
    (site.backups / f"{name}.json").write_text(json.dumps({"project": project, "database": "main"}))


async def test_a_kept_backup_is_verified_again_without_being_touched(filled: Site) -> None:
    backup = await filled.database().back_up("d1", "1.1.0")
    await filled.execute("INSERT INTO t SELECT generate_series(1, 7)")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in filled.backups.iterdir()}
    again = await filled.database().verify(backup)
    assert (again.rows, again.tables) == (backup.rows, backup.tables), "what was dumped counts, not what is there now"
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in filled.backups.iterdir()} == before
    assert await filled.scratch_databases() == []


async def test_a_dump_whose_rows_are_not_those_of_its_manifest_is_refuted(filled: Site) -> None:
    backup = await filled.database().back_up("d1", "1.1.0")
    manifest = Path(f"{backup.file}.json")
    said = json.loads(manifest.read_text())
    said["rows"]["public.t"] = 1
    manifest.write_text(json.dumps(said))
    with pytest.raises(BackupFailed, match=r"does not hold what was measured.*public\.t"):
        await filled.database().verify(backup)
    assert await filled.scratch_databases() == []


async def test_a_backup_that_is_only_to_be_read_is_read_again(filled: Site) -> None:
    filled.rules = replace(filled.rules, verify="decode")
    backup = await filled.database().back_up("d1", "1.1.0")
    assert (await filled.database().verify(backup)).verified == "decode"


async def test_what_is_no_backup_of_ours_is_not_listed(filled: Site) -> None:
    assert await filled.database().backups() == ()
    assert not filled.backups.exists(), "looking makes nothing"
    backup = await filled.database().back_up("d1", "1.1.0")
    (filled.backups / "test-main-20200101T000000Z-d0.dump").touch()
    (filled.backups / "test-main-20200102T000000Z-d0.dump").touch()
    (filled.backups / "test-main-20200102T000000Z-d0.dump.json").write_text('{"project": "test", "database": "main"}')
    assert [each.id for each in await filled.database().backups()] == [backup.id]


async def test_a_migration_whose_file_is_gone_or_changed_is_told(site: Site) -> None:
    site.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    kept = site.write("0002_b.expand.sql", "CREATE TABLE b (id int)")
    await site.apply()
    (site.migrations / "0001_a.expand.sql").unlink()
    kept.write_text("CREATE TABLE b (id bigint)")
    states = (await site.database().schema()).migrations
    assert [(each.label, each.state, bool(each.file), each.changed) for each in states] == [
        ("app/0001_a.expand", "done", False, False),
        ("app/0002_b.expand", "done", True, True),
    ]


async def test_a_tool_is_told_release_by_release(site: Site) -> None:
    site.tool("exit 0")
    (state,) = (await site.database().schema()).migrations
    assert (state.label, state.kind, state.state) == ("tool/(next release).expand", "command", "pending")
    await site.apply()
    (state,) = (await site.database().schema()).migrations
    assert (state.label, state.kind, state.state) == ("tool/1.1.0.expand", "command", "done")


async def test_what_a_killed_daemon_left_of_a_backup_by_hand_is_tidied_away(filled: Site) -> None:
    filled.backups.mkdir()
    partial = filled.backups / "test-main-20200101T000000Z-by-hand.dump.partial"
    partial.touch()
    name = scratch_name("test", "main", "by-hand")
    await execute(filled.dsn, f'CREATE DATABASE "{name}"')
    await filled.database().tidy("by-hand")
    assert not partial.exists()
    assert await filled.scratch_databases() == []
