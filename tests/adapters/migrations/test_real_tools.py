"""Real migration tools as an operator has them: alembic (SQLAlchemy on asyncpg) and dbmate, applied and rehearsed.

alembic's driver reads neither PGAPPNAME nor PGOPTIONS; dbmate's (lib/pq) reads both.
"""

import sys
from pathlib import Path

import pytest

from bluegreen.adapters.postgres.catalogue import fingerprint
from bluegreen.domain.findings import Gate, Rehearsal
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from tests.adapters.sites import RELEASE, Site

pytest.importorskip("alembic")
DBMATE = Path(sys.executable).parent / "dbmate"

pytestmark = pytest.mark.real

ENVIRONMENT = """
import asyncio, os
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
                                 poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()

asyncio.run(main())
"""

REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = {revision!r}, {former!r}
def upgrade():
    op.{change}
"""

SAFE = 'add_column("users", sa.Column("mail", sa.Text))'
BREAKING = 'drop_column("users", "name")'


class Alembic:
    def __init__(self, site: Site) -> None:
        self.scripts = site.home / "alembic"
        (self.scripts / "versions").mkdir(parents=True)
        (self.scripts / "env.py").write_text(ENVIRONMENT)
        ini = site.home / "alembic.ini"
        ini.write_text(f"[alembic]\nscript_location = {self.scripts}\n")
        site.source = site.source.__class__(
            "tool",
            MigrationKind.COMMAND,
            up=(sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", "head"),
            status=(sys.executable, "-m", "alembic", "-c", str(ini), "current", "--check-heads"),
            dsn_env="DATABASE_URL",
        )
        self._former: str | None = None

    def add(self, *, breaking: bool) -> None:
        revision = f"r{len(list((self.scripts / 'versions').glob('*.py')))}"
        text = REVISION.format(revision=revision, former=self._former, change=BREAKING if breaking else SAFE)
        (self.scripts / "versions" / f"{revision}.py").write_text(text)
        self._former = revision


class Dbmate:
    def __init__(self, site: Site) -> None:
        if not DBMATE.is_file():
            pytest.skip("dbmate is not installed (dev extra)")
        self.files = site.home / "dbmate"
        self.files.mkdir()
        if "?" not in site.dsn:
            site.dsn += "?sslmode=disable"  # lib/pq insists on TLS otherwise, and this server has none
        words = (str(DBMATE), "--migrations-dir", str(self.files), "--no-dump-schema")
        site.source = site.source.__class__(
            "tool", MigrationKind.COMMAND, up=(*words, "migrate"), status=(*words, "status", "--exit-code"),
            dsn_env="DATABASE_URL",
        )  # fmt: skip

    def add(self, *, breaking: bool) -> None:
        change = "ALTER TABLE users DROP COLUMN name" if breaking else "ALTER TABLE users ADD COLUMN mail text"
        number = len(list(self.files.iterdir())) + 1
        (self.files / f"2026010100000{number}_change.sql").write_text(f"-- migrate:up\n{change};\n\n-- migrate:down\n")


Tool = Alembic | Dbmate


@pytest.fixture(params=[Alembic, Dbmate])
async def tool(request: pytest.FixtureRequest, site: Site) -> Tool:
    await site.execute("CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL); INSERT INTO users VALUES (1, 'a')")
    return request.param(site)  # type: ignore[no-any-return]


async def rehearsed(site: Site, release: Release = RELEASE) -> Rehearsal:
    return await site.database().rehearse(release, (MigrationPhase.EXPAND,), "test")


async def catalogue(site: Site) -> str:
    connection = await site.connect()
    try:
        return await fingerprint(connection)
    finally:
        await connection.close(timeout=10.0)


async def test_a_tool_is_applied_once_and_its_status_believed(site: Site, tool: Tool) -> None:
    tool.add(breaking=False)
    await site.apply()
    assert await site.value("SELECT count(mail) = 0 FROM users")
    assert await site.apply() == ()
    row = await site.ledger("1.1.0")
    assert (row["mode"], row["state"]) == ("command", "done")
    assert row["hash_before"] != row["hash_after"] != ""


async def test_a_safe_revision_is_allowed_and_production_is_as_it_was(site: Site, tool: Tool) -> None:
    tool.add(breaking=False)
    before = await catalogue(site)
    said = await rehearsed(site)
    assert said.gate in (Gate.ALLOW, Gate.WARN), said
    assert await catalogue(site) == before
    assert await site.scratch_databases() == []


async def test_a_revision_that_breaks_the_running_version_is_refused_and_production_is_as_it_was(
    site: Site, tool: Tool
) -> None:
    tool.add(breaking=False)
    await site.apply()
    tool.add(breaking=True)
    before = await catalogue(site)
    said = await rehearsed(site, Release("1.2.0"))
    assert said.gate is Gate.REFUSE, said
    assert any("name" in finding.object for file in said.files for finding in file.findings)
    assert await catalogue(site) == before
    assert await site.value("SELECT name FROM users") == "a"
