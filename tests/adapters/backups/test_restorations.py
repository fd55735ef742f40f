"""A backup put into service on a real Postgres: all of it or nothing, in a moment, and the former database is kept."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from bluegreen.adapters.backups.restorations import Restorations
from bluegreen.domain.errors import BackupFailed
from bluegreen.domain.migrations import Backup
from bluegreen.domain.restorations import Standing, TableLoss
from tests.adapters.sites import Site, until_true
from tests.real_parts import execute

pytestmark = pytest.mark.real

A = "20261121t171500"
TABLE = "CREATE TABLE t (id serial PRIMARY KEY, a text); INSERT INTO t (a) VALUES ('one'), ('two')"


def admin(site: Site) -> str:
    return f"{site.dsn.rpartition('/')[0]}/postgres"


def name_of(site: Site) -> str:
    return site.dsn.rpartition("/")[2]


async def databases(site: Site) -> list[str]:
    """Those of this test."""
    connection = await asyncpg.connect(admin(site))
    try:
        found = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", name_of(site))
    finally:
        await connection.close()
    return sorted(record["datname"].removeprefix(name_of(site)) for record in found)


async def clear(site: Site) -> None:
    for ending in await databases(site):
        if ending:
            await execute(admin(site), f'DROP DATABASE "{name_of(site)}{ending}" WITH (FORCE)')


@pytest.fixture(params=[16, 18])
def version(request: pytest.FixtureRequest) -> Site:
    """An empty site on one of both versions."""
    found: Site = request.getfixturevalue("site" if request.param == 16 else "site18")
    return found


@pytest.fixture
async def either(version: Site) -> AsyncIterator[Site]:
    """A site with one table, on one of both versions; what restorations leave is dropped."""
    await version.execute(TABLE)
    yield version
    await clear(version)


@pytest.fixture
async def filled(site: Site) -> AsyncIterator[Site]:
    await site.execute(TABLE)
    yield site
    await clear(site)


async def taken(site: Site) -> tuple[Restorations, Backup]:
    database = site.database()
    return database.restorations, await database.back_up("d1", "1.1.0")


async def test_it_comes_into_service_with_everything_and_the_former_one_is_kept(either: Site) -> None:
    name, role = name_of(either), f"reader_{name_of(either)}"
    await either.execute(
        f'CREATE ROLE {role} LOGIN; GRANT SELECT ON t TO {role}; REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;'
        f" GRANT CONNECT ON DATABASE \"{name}\" TO {role} WITH GRANT OPTION; COMMENT ON DATABASE \"{name}\" IS 'it''s';"
        f' ALTER DATABASE "{name}" SET search_path = "$user", public, \'\';'
        f" ALTER DATABASE \"{name}\" SET app.x = 'a=b';"
        f' ALTER ROLE {role} IN DATABASE "{name}" SET work_mem = \'7MB\'; ALTER DATABASE "{name}" CONNECTION LIMIT 50'
    )
    try:
        restorations, backup = await taken(either)
        before = await _likeness(either)
        await either.execute("UPDATE t SET a = 'broken'; DROP TABLE IF EXISTS gone; CREATE TABLE later (a int)")
        assert await restorations.standing(A) is Standing.NOTHING
        warnings = await restorations.check(backup)
        assert [warning for warning in warnings if "needs room" not in warning] == []
        present = await restorations.keep_present("1.1.0", {backup.id})
        assert (present.deployment, present.verified) == ("before-restore", "decode")
        await restorations.restore_beside(backup, A)
        assert await restorations.standing(A) is Standing.BESIDE
        with pytest.raises(asyncpg.PostgresError, match="permission denied"):
            await asyncpg.connect(f"{either.dsn}_restore_{A}".replace("postgres@", f"{role}@"))
        swapped = await restorations.swap(A, end_sessions=False)
        assert (swapped.database, swapped.kept, swapped.ended, swapped.warnings) == (name, f"{name}_broken_{A}", 0, ())
        assert 0.0 < swapped.seconds < 30.0
        assert await databases(either) == ["", f"_broken_{A}"]
        assert await either.value("SELECT string_agg(a, ',' ORDER BY id) FROM t") == "one,two"
        assert await either.value("SELECT to_regclass('later') IS NULL")
        assert await either.value("INSERT INTO t (a) VALUES ('three') RETURNING id") == 3
        assert await either.value("SELECT reltuples FROM pg_class WHERE relname = 't'") == 2, "it was analysed"
        assert await _likeness(either) == before
        reader = replace(either, dsn=either.dsn.replace("postgres@", f"{role}@"))
        assert await reader.value("SELECT current_setting('work_mem') || count(*) FROM public.t") == "7MB3"
        kept = replace(either, dsn=f"{either.dsn}_broken_{A}")
        assert await kept.value("SELECT count(*) FROM t WHERE a = 'broken'") == 2
        again = await restorations.swap(A, end_sessions=True)
        assert again.kept == swapped.kept, "what is swapped is not swapped back"
        assert await restorations.standing(A) is Standing.SWAPPED
    finally:
        await clear(either)
        await either.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def _likeness(site: Site) -> asyncpg.Record:
    connection = await site.connect()
    try:
        row = await connection.fetchrow(
            "SELECT datdba, datacl::text, datconnlimit, shobj_description(oid, 'pg_database') AS comment, encoding,"
            " datcollate, (SELECT array_agg(setrole || setconfig::text ORDER BY setrole) FROM pg_db_role_setting"
            " WHERE setdatabase = d.oid) FROM pg_database AS d WHERE datname = current_database()"
        )
    finally:
        await connection.close()
    assert row is not None
    return row


async def test_whoever_connects_all_the_time_is_shut_out_for_a_moment(either: Site) -> None:
    restorations, backup = await taken(either)
    await either.execute("INSERT INTO t (a) VALUES ('lost')")
    seen: list[tuple[float, int]] = []

    async def knock() -> None:
        while True:
            try:
                connection = await asyncpg.connect(either.dsn, timeout=10.0)
                try:
                    seen.append((monotonic(), await connection.fetchval("SELECT count(*) FROM t")))
                finally:
                    connection.terminate()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                pass  # that is what is measured
            await asyncio.sleep(0.005)

    there: list[bool] = []

    async def look() -> None:
        connection = await asyncpg.connect(admin(either))
        try:
            while True:
                named = await connection.fetchval(
                    "SELECT count(*) FROM pg_database WHERE datname = $1", name_of(either)
                )
                there.append(named == 1)
                await asyncio.sleep(0.002)
        finally:
            connection.terminate()

    sitting = await either.connect()
    await restorations.restore_beside(backup, A)
    async with asyncio.TaskGroup() as group:
        users = [group.create_task(look(), name="look")]
        users += [group.create_task(knock(), name=f"user {number}") for number in range(4)]
        while len(seen) < 20:
            await asyncio.sleep(0.01)
        with pytest.raises(BackupFailed, match="somebody is in it"):
            await restorations.swap(A, end_sessions=False)
        assert await restorations.standing(A) is Standing.BESIDE
        swapped = await restorations.swap(A, end_sessions=True)
        after = len(seen) + 20
        while len(seen) < after:
            await asyncio.sleep(0.01)
        for user in users:
            user.cancel()
    counts = [count for _, count in sorted(seen)]
    assert counts == sorted(counts, reverse=True), "the former, then the new one, and never anything else"
    assert set(counts) == {3, 2}
    last = max(at for at, count in seen if count == 3)
    gap = min(at for at, count in seen if count == 2) - last
    print(f"\nshut out for {gap:.3f} s, renamed in {swapped.seconds:.3f} s, {swapped.ended} sessions ended")
    assert gap < 10.0
    assert len(there) > 10
    assert all(there), "at every moment one of both has the name"
    assert swapped.ended >= 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await sitting.fetchval("SELECT 1")


async def test_a_former_try_is_dropped_and_one_that_does_not_fit_its_manifest_never_comes_into_service(
    filled: Site,
) -> None:
    restorations, backup = await taken(filled)
    await restorations.restore_beside(backup, A)
    beside = replace(filled, dsn=f"{filled.dsn}_restore_{A}")
    await beside.execute("INSERT INTO t (a) VALUES ('of a former try')")
    await restorations.restore_beside(backup, A)
    assert await beside.value("SELECT count(*) FROM t") == 2
    manifest = Path(f"{backup.file}.json")
    manifest.write_text(manifest.read_text().replace('"public.t": 2', '"public.t": 3'))
    with pytest.raises(BackupFailed, match=r"public\.t: 3 in the database, 2 in the dump"):
        await restorations.restore_beside(backup, A)
    await restorations.drop_beside(A)
    await restorations.drop_beside(A)
    assert await databases(filled) == [""]


async def test_losses_are_counted_and_who_is_there_is_named(filled: Site) -> None:
    await filled.execute("CREATE TABLE same AS SELECT 1 AS a; CREATE TABLE dropped (a int)")
    filled.write("0000_before.expand.sql", "CREATE TABLE before (id int)")
    await filled.apply()  # within the second of the backup
    restorations, backup = await taken(filled)
    await filled.execute(
        "INSERT INTO t (a) VALUES ('three'); CREATE TABLE new AS SELECT 1 AS a; DROP TABLE dropped;"
        " UPDATE same SET a = 2"
    )
    filled.write("0001_a.expand.sql", "CREATE TABLE a (id int)")
    await filled.apply()
    user = await filled.connect()
    await user.execute("SET application_name = 'blue'")
    try:
        losses = await restorations.losses(backup)
    finally:
        await user.close()
    tables = [loss for loss in losses.tables if not loss.table.startswith("bluegreen.")]
    assert tables == [
        TableLoss("public.a", None, 0),
        TableLoss("public.dropped", 0, None),
        TableLoss("public.new", None, 1),
        TableLoss("public.same", 1, 1),
        TableLoss("public.t", 2, 3),
    ]
    assert (losses.unseen, losses.migrations) == ((), ("app/0001_a.expand",))
    assert [(session.application, session.user) for session in losses.sessions] == [("blue", "postgres")]


async def test_a_table_that_cannot_be_counted_in_time_is_estimated(
    filled: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorations, backup = await taken(filled)
    await filled.execute("INSERT INTO t (a) SELECT 'x' FROM generate_series(1, 98); ANALYZE t")
    monkeypatch.setattr("bluegreen.adapters.backups.losses.BUDGET", 0.0)
    losses = await restorations.losses(backup)
    assert losses.tables == (TableLoss("public.t", 2, 100, exact=False),)
    assert losses.unseen == ("public.t",)


async def test_what_keeps_the_name_is_said_before_anything_is_done(filled: Site) -> None:
    _, backup = await taken(filled)
    name, role = name_of(filled), f"plain_{name_of(filled)}"
    await filled.execute(f'CREATE ROLE {role} LOGIN; GRANT ALL ON DATABASE "{name}" TO {role}')
    plain = replace(filled, dsn=filled.dsn.replace("postgres@", f"{role}@"))
    try:
        with pytest.raises(BackupFailed, match="needs CREATEDB, and to be its owner postgres") as caught:
            await plain.database().restorations.check(backup)
        assert caught.value.next[0] == "ALTER ROLE the_role_of_the_dsn CREATEDB"
    finally:
        await filled.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    with pytest.raises(BackupFailed, match="cannot be renamed by sessions in itself"):
        await filled.database(admin_database=name).restorations.check(backup)
    gone = replace(filled, dsn=f"{filled.dsn}_gone").database().restorations
    with pytest.raises(BackupFailed, match="there is no database"):
        await gone.check(backup)


async def test_a_database_that_nobody_can_enter_any_more_is_replaced_all_the_same(filled: Site) -> None:
    restorations, backup = await taken(filled)
    await execute(admin(filled), f'ALTER DATABASE "{name_of(filled)}" ALLOW_CONNECTIONS false')
    await restorations.check(backup)
    await restorations.restore_beside(backup, A)
    await restorations.swap(A, end_sessions=False)
    assert await filled.value("SELECT count(*) FROM t") == 2


async def test_an_owner_who_is_no_superuser_can_do_it_too(filled: Site) -> None:
    name, role = name_of(filled), f"owner_{name_of(filled)}"
    await filled.execute(
        f'CREATE ROLE {role} LOGIN CREATEDB; ALTER DATABASE "{name}" OWNER TO {role}; ALTER TABLE t OWNER TO {role};'
        f" ALTER SCHEMA public OWNER TO {role}"
    )
    owners = replace(filled, dsn=filled.dsn.replace("postgres@", f"{role}@"))
    try:
        restorations, backup = await taken(owners)
        await filled.execute("DELETE FROM t")
        await restorations.restore_beside(backup, A)
        await restorations.swap(A, end_sessions=False)
        assert await owners.value("SELECT count(*) FROM t") == 2
        assert await filled.value("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == role
    finally:
        await filled.execute(f'ALTER DATABASE "{name}" OWNER TO postgres; REASSIGN OWNED BY {role} TO postgres')
        await clear(filled)
        await filled.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_commands_for_a_person_do_it_without_the_daemon(either: Site) -> None:
    restorations, backup = await taken(either)
    await either.execute("DELETE FROM t")
    lines = await restorations.commands(backup)
    assert not any("password=" in line for line in lines)
    script = either.home / "by-hand.sh"
    script.write_text("set -e\n" + "\n".join(lines) + "\n")
    ran = await asyncio.create_subprocess_exec(
        "bash", str(script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await ran.communicate()
    assert ran.returncode == 0, output.decode()
    assert await either.value("SELECT count(*) FROM t") == 2
    assert len(await databases(either)) == 2
    assert len(list(either.backups.glob("*broken*.dump"))) == 1
    await until_true(either, "SELECT true")
