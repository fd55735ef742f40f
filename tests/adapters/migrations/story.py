"""A change in three phases with all that a migration can be, told by what it leaves: each effect exactly once."""

from bluegreen.adapters.database.postgres import PostgresDatabase
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.migrations import MigrationKind, MigrationPhase
from tests.adapters.sites import RELEASE, Site

BEFORE = """
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, touched int NOT NULL DEFAULT 0);
INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 700) AS g;
CREATE TABLE effects (what text NOT NULL);
CREATE FUNCTION count_touch() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION count_touch();
"""

FILES = {
    "0001_mail.expand.sql": "ALTER TABLE users ADD mail text;\nINSERT INTO effects VALUES ('expand');",
    "0001_mail.backfill.sql": (
        "-- bluegreen: backfill table=users key=id\nUPDATE users SET mail = name || '@example.org' WHERE mail IS NULL;"
    ),
    "0002_index.expand.sql": (
        "-- bluegreen: no-transaction\n"
        "CREATE INDEX CONCURRENTLY users_mail ON users (mail);\n"
        "INSERT INTO effects VALUES ('between');\n"
        "CREATE UNIQUE INDEX CONCURRENTLY users_name ON users (name);\n"
        "ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '') NOT VALID;\n"
        "ALTER TABLE users VALIDATE CONSTRAINT named;"
    ),
    "0001_mail.contract.sql": "ALTER TABLE users DROP name;\nINSERT INTO effects VALUES ('contract');",
}

TOOL = """
{psql} -Xqv ON_ERROR_STOP=1 "$DATABASE_URL" <<'SQL'
BEGIN;
CREATE TABLE IF NOT EXISTS tool_version (version text PRIMARY KEY);
INSERT INTO effects SELECT 'tool' WHERE NOT EXISTS (SELECT FROM tool_version WHERE version = '1');
INSERT INTO tool_version VALUES ('1') ON CONFLICT DO NOTHING;
COMMIT;
SQL
"""

HALF = """
SELECT count(*) FILTER (WHERE found) IN (0, 2) FROM (
    SELECT EXISTS (SELECT FROM effects WHERE what = 'expand')
    UNION ALL SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'mail')
) AS half (found)
"""
"""Whether the file in a transaction took effect whole or not at all, seen in one snapshot."""

END = """
SELECT jsonb_build_object(
    'columns', (SELECT jsonb_agg(attname ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped),
    'indexes', (SELECT jsonb_agg(jsonb_build_array(indexrelid::regclass, indisvalid)
        ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'users'::regclass),
    'constraints', (SELECT jsonb_agg(jsonb_build_array(conname, convalidated) ORDER BY conname)
        FROM pg_constraint WHERE conrelid = 'users'::regclass),
    'effects', (SELECT jsonb_agg(what ORDER BY what) FROM effects),
    'rows', (SELECT jsonb_build_array(count(*), count(mail), min(touched), max(touched)) FROM users),
    'ledger', (SELECT jsonb_agg(jsonb_build_array(source, version, phase, state, statements_done, in_flight)
        ORDER BY source, version, phase) FROM bluegreen.migration)
)::text
"""


def write(site: Site) -> None:
    """The files and the tool."""
    for name, sql in FILES.items():
        site.write(name, sql)
    path = site.home / "tool"
    path.write_text("#!/bin/sh" + TOOL.format(psql=site.bin_dir / "psql"))
    path.chmod(0o700)


def database(site: Site) -> PostgresDatabase:
    """The database with both sources."""
    tool = Source("tool", MigrationKind.COMMAND, up=(str(site.home / "tool"),), dsn_env="DATABASE_URL", timeout=60.0)
    return site.database(sources=[site.source, tool], lock_wait=30.0)


async def tell(site: Site) -> None:
    """All that is pending, as the app does it: the same call begins it and goes on with it."""
    here = database(site)
    async with here.locked():
        for migration in await here.pending(MigrationPhase.EXPAND, RELEASE):
            await here.apply(migration, "d1", RELEASE)
        for migration in await here.pending(MigrationPhase.BACKFILL, RELEASE):
            await here.backfill(migration, "d1", RELEASE, lambda: "", lambda _: None)
        for migration in await here.pending(MigrationPhase.CONTRACT, RELEASE):
            await here.apply(migration, "d1", RELEASE)
