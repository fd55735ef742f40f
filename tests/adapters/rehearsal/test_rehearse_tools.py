"""Tools on the copy: whom they run as, what is seen of them, and what happens where they do not keep to their DSN."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.errors import RehearsalFailed
from bluegreen.domain.findings import Gate
from tests.adapters.rehearsal.stages import PHASES, kinds, leftovers, owned, rehearse
from tests.adapters.sites import RELEASE, Site
from tests.debian_postgres import DebianPostgres, debian_postgres
from tests.real_parts import execute

SCHEMA = "CREATE TABLE users (id bigint PRIMARY KEY, email text); CREATE TABLE posts (id int);"

RIGHTS = "CREATEDB CREATEROLE"

SERVERS = ["debian", "postgres", "postgres18"]
"""15, 16 and 18: what CREATEROLE may do differs from version to version."""

PRODUCTION = '"${DATABASE_URL%/*}/$PRODUCTION"'
"""Where the tool gets by the user and the server of its DSN, and a database of its own choice."""


@pytest.fixture(scope="module")
def debian() -> Iterator[DebianPostgres]:
    with debian_postgres() as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    """Postgres 16, or what a test asks for."""
    found = request.getfixturevalue(getattr(request, "param", "postgres"))
    assert isinstance(found, EmbeddedPostgres)
    return found


@pytest.fixture
async def mine(server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Site]:
    """A database of a role that is no superuser, and may make databases and roles."""
    name = f"test_{uuid4().hex[:12]}"
    await execute(server.dsn(), f'CREATE DATABASE "{name}"')
    site = await owned(Site(server.dsn(name), tmp_path, server.bin_dir), server, RIGHTS)
    await site.execute(SCHEMA)
    yield site
    await execute(server.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')


def _psql(site: Site, *statements: str, dsn: str = '"$DATABASE_URL"') -> str:
    said = " ".join(f'-c "{statement}"' for statement in statements)
    return f"{site.bin_dir}/psql -X -q -t -v ON_ERROR_STOP=1 {dsn} {said}"


def _tool(site: Site, script: str) -> None:
    site.tool(script, timeout=60.0, environment={"PRODUCTION": site.dsn.rpartition("/")[2]})


@pytest.mark.parametrize("server", SERVERS, indirect=True)
async def test_a_tool_that_adds_is_allowed_and_runs_as_a_role_of_the_copy_only(mine: Site) -> None:
    out = mine.home / "out"
    _tool(mine, f"({_psql(mine, 'ALTER TABLE users ADD COLUMN name text', 'SELECT current_user')}) >{out} || exit 1")
    said = await rehearse(mine)
    assert (said.files[0].gate, said.copied) == (Gate.ALLOW, "schema"), said.files
    assert out.read_text().strip().startswith("bluegreen_rehearsal_")


async def test_a_tool_that_drops_is_refused_and_so_is_what_fails_in_the_middle(mine: Site) -> None:
    _tool(mine, _psql(mine, "ALTER TABLE users DROP COLUMN email"))
    assert kinds((await rehearse(mine)).files[0]) == {"column-dropped"}
    _tool(mine, f"{_psql(mine, 'CREATE TABLE first (id int)')}; echo no more >&2; exit 3")
    (failed,) = (await rehearse(mine)).files
    (error,) = [finding for finding in failed.findings if finding.kind == "error"]
    assert ("no more" in error.message, "half-done" in kinds(failed)) == (True, True)


async def test_the_temporary_role_changes_nothing_on_production(mine: Site, server: EmbeddedPostgres) -> None:
    await execute(server.dsn(mine.dsn.rpartition("/")[2]), "GRANT ALL ON SCHEMA public TO PUBLIC")  # as before 15
    tries = ("CREATE TABLE leak (id int)", "DROP TABLE users", "ALTER TABLE users ADD COLUMN y int")
    _tool(
        mine, "; ".join(f"{_psql(mine, text, dsn=PRODUCTION)} && touch {mine.home}/done" for text in tries) + "; true"
    )
    said = await rehearse(mine)
    assert not (mine.home / "done").exists()
    assert kinds(said.files[0]) == set()


async def test_what_a_tool_leaves_outside_of_its_copy_is_told_with_what_to_type(mine: Site) -> None:
    """It has to switch off the read-only that its role has there, and PUBLIC must be allowed to make tables."""
    await mine.execute("CREATE SCHEMA everybodys; GRANT ALL ON SCHEMA everybodys TO PUBLIC")
    leak = ("SET default_transaction_read_only = off", "CREATE TABLE everybodys.leak (id int)")
    _tool(mine, _psql(mine, *leak, dsn=PRODUCTION))
    database = mine.database(rehearsal=RehearsalRules())
    with pytest.raises(RehearsalFailed, match="left things outside of its copy") as caught:
        await database.rehearse(RELEASE, PHASES, "test")
    role = await leftovers(mine)
    assert caught.value.next == (f'in each database named: DROP OWNED BY "{role[0]}"', f'DROP ROLE "{role[0]}"')
    with pytest.raises(RehearsalFailed, match="could not all be dropped") as again:
        await database.sweep()
    assert again.value.next == (f'as a superuser: DROP ROLE "{role[0]}"',)
    await mine.execute(f'DROP OWNED BY "{role[0]}"; DROP ROLE "{role[0]}"')
    assert await database.sweep() == ()


async def test_a_tool_with_a_dsn_of_its_own_is_found_out(site: Site) -> None:
    """What cannot be kept from production (a password of its own, a server that trusts) is at least seen."""
    await site.execute(SCHEMA)
    site.tool(_psql(site, "ALTER TABLE users ADD COLUMN y int", dsn=site.dsn), timeout=60.0)
    said = await site.database(rehearsal=RehearsalRules()).rehearse(RELEASE, PHASES, "test")
    (finding,) = [finding for finding in said.files[0].findings if finding.kind == "production-changed"]
    assert finding.gate is Gate.REFUSE
    assert "column public.users.y is new" in finding.message
    assert "a tool did not keep to the DSN" in finding.message


async def test_a_superuser_sees_the_locks_of_a_tool(site: Site) -> None:
    await site.execute(SCHEMA)
    _tool(site, _psql(site, "BEGIN", "ALTER TABLE users ADD COLUMN name text", "COMMIT"))
    said = await rehearse(site)
    (lock,) = [finding for finding in said.files[0].findings if finding.kind == "lock"]
    assert (lock.object, lock.lock) == ("public.users", "ACCESS EXCLUSIVE")
    assert not any("superuser" in text for text in said.not_seen)


async def test_a_table_that_a_tool_writes_anew_is_seen(site: Site) -> None:
    await site.execute(SCHEMA)
    _tool(site, _psql(site, "ALTER TABLE users ADD COLUMN at timestamptz DEFAULT clock_timestamp()"))
    assert "rewrite" in kinds((await rehearse(site)).files[0])


async def test_without_the_right_to_make_roles_a_tool_runs_as_ourselves_and_that_is_told(
    site: Site, postgres: EmbeddedPostgres
) -> None:
    ours = await owned(site, postgres, "CREATEDB")
    await ours.execute(SCHEMA)
    _tool(ours, _psql(ours, "ALTER TABLE users ADD COLUMN name text"))
    said = await rehearse(ours)
    assert said.files[0].gate is Gate.ALLOW
    assert any("no CREATEROLE" in text for text in said.not_seen)


async def test_a_tool_that_needs_a_superuser_hears_of_the_setting(site: Site) -> None:
    await site.execute(SCHEMA)
    _tool(site, _psql(site, "ALTER SYSTEM RESET work_mem"))
    (refused,) = (await rehearse(site)).files
    (error,) = [finding for finding in refused.findings if finding.kind == "error"]
    assert 'tool_role = "own"' in error.message
    (allowed,) = (await rehearse(site, tool_role="own")).files
    assert kinds(allowed) == set()


async def test_sql_files_and_a_tool_see_what_the_other_made(mine: Site) -> None:
    mine.write("0001_tags.expand.sql", "CREATE TABLE tags (id int);")
    files = mine.source
    _tool(mine, _psql(mine, "ALTER TABLE tags ADD COLUMN word text"))
    database = mine.database(sources=[files, mine.source], rehearsal=RehearsalRules())
    said = await database.rehearse(RELEASE, PHASES, "test")
    assert [kinds(file) for file in said.files] == [set(), set()]


async def test_the_status_command_is_asked_too(site: Site) -> None:
    await site.execute(SCHEMA)
    site.tool("test $1 = up || exit 4", timeout=60.0)
    tool = site.source.up[0]
    site.gently(up=(tool, "up"), status=(tool, "status"))
    assert "error" in kinds((await rehearse(site)).files[0])
