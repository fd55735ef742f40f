"""A look at a catalogue: everything that a migration can change is in it, and the look leaves nothing behind."""

import asyncpg
import pytest

from bluegreen.adapters.postgres.catalogue import fingerprint, look
from bluegreen.domain.catalogue import Catalogue, changes
from tests.adapters.sites import Site

SCHEMA = """
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok');
CREATE TYPE app.pair AS (a integer, b text);
CREATE TYPE app.span AS RANGE (subtype = integer);
CREATE DOMAIN app.email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE app.users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email app.email NOT NULL UNIQUE,
    mood app.mood DEFAULT 'ok',
    "Weird.Name" text,
    size integer CHECK (size > 0),
    double integer GENERATED ALWAYS AS (size * 2) STORED
);
CREATE TABLE app.posts (id serial PRIMARY KEY, by bigint REFERENCES app.users, at date);
CREATE TABLE app.logs (id integer, at date) PARTITION BY RANGE (at);
CREATE TABLE app.logs_1 PARTITION OF app.logs FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX posts_at ON app.posts (at);
CREATE VIEW app.happy AS SELECT id FROM app.users WHERE mood = 'ok';
CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) AS n FROM app.users;
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touched BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE RULE kept AS ON DELETE TO app.posts DO INSTEAD NOTHING;
CREATE POLICY own_rows ON app.users FOR SELECT USING (id > 0);
CREATE AGGREGATE app.total (integer) (sfunc = int4pl, stype = integer);
CREATE STATISTICS app.together ON by, at FROM app.posts;
CREATE SEQUENCE app.numbers;
GRANT SELECT ON app.users TO PUBLIC;
"""


async def _open(site: Site) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await site.connect()
    await connection.execute(SCHEMA)
    return connection


def _named(catalogue: Catalogue, kind: str, name: str) -> dict[str, object]:
    (found,) = [thing for thing in catalogue.values() if (thing.kind, thing.name) == (kind, name)]
    return dict(found.facts)


@pytest.fixture(params=["site", "site18"])
def any_site(request: pytest.FixtureRequest) -> Site:
    """The same on both embedded versions."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Site)
    return found


async def test_everything_has_its_kind_and_what_is_the_systems_is_left_out(any_site: Site) -> None:
    connection = await _open(any_site)
    try:
        seen = await look(connection, positions=True)
    finally:
        await connection.close()
    assert {thing.kind for thing in seen.values()} >= {
        "schema", "table", "view", "matview", "sequence", "column", "constraint", "index", "trigger", "rule", "policy",
        "function", "enum", "domain", "composite", "range", "grant", "extension", "aggregate", "statistics",
    }  # fmt: skip
    assert not [thing for thing in seen.values() if "pg_catalog" in thing.name or thing.name.startswith("pg_")]
    assert all(thing.of in seen for thing in seen.values() if thing.of)
    column = _named(seen, "column", 'app.users."Weird.Name"')
    assert (column["type"], column["not_null"], column["default"]) == ("text", False, None)
    assert _named(seen, "column", "app.users.double")["generated"] == "stored: (size * 2)"
    assert _named(seen, "column", "app.users.id")["identity"] == "always"
    assert _named(seen, "column", "app.posts.id")["default"] == "nextval('app.posts_id_seq'::regclass)"
    assert _named(seen, "enum", "app.mood")["labels"] == "sad\nok"
    assert "email_check CHECK" in str(_named(seen, "domain", "app.email")["checks"])
    assert _named(seen, "table", "app.logs_1")["partition_of"] == "app.logs"
    assert _named(seen, "constraint", "posts_by_fkey on app.posts")["references"] == "app.users"
    assert _named(seen, "index", "app.users_email_key")["constraint"] == "users_email_key"
    assert _named(seen, "sequence", "app.posts_id_seq")["owned_by"] == "app.posts.id"
    assert _named(seen, "grant", "grant on app.users to public")["privileges"] == "SELECT"


CHANGES = {
    "a renamed table": ("ALTER TABLE app.posts RENAME TO notes", "changed table app.notes name"),
    "a renamed column": ("ALTER TABLE app.users RENAME size TO height", "changed column app.users.height name"),
    "a dropped column": ("ALTER TABLE app.users DROP COLUMN double", "removed column app.users.double "),
    "a type": ("ALTER TABLE app.posts ALTER at TYPE timestamptz", "changed column app.posts.at type"),
    "NOT NULL": ("ALTER TABLE app.posts ALTER at SET NOT NULL", "changed column app.posts.at not_null"),
    "a default": ("ALTER TABLE app.posts ALTER at SET DEFAULT now()", "changed column app.posts.at default"),
    "an enum's label": ("ALTER TYPE app.mood ADD VALUE 'glad'", "changed enum app.mood labels"),
    "a domain's check": (
        "ALTER DOMAIN app.email ADD CHECK (VALUE <> '')",
        "changed domain app.email checks",
    ),
    "a function's body": (
        "CREATE OR REPLACE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "changed function app.touch() source",
    ),
    "a switched off trigger": (
        "ALTER TABLE app.users DISABLE TRIGGER touched",
        "changed trigger touched on app.users enabled",
    ),
    "row security": ("ALTER TABLE app.users ENABLE ROW LEVEL SECURITY", "changed table app.users row_security"),
    "a policy": ("ALTER POLICY own_rows ON app.users USING (id > 1)", "changed policy own_rows on app.users"),
    "a revoked right": ("REVOKE SELECT ON app.users FROM PUBLIC", "removed grant grant on app.users to public "),
    "a detached partition": ("ALTER TABLE app.logs DETACH PARTITION app.logs_1", "changed table app.logs_1 bound"),
    "a rewritten table": ("ALTER TABLE app.posts ALTER id TYPE bigint", "changed table app.posts filenode"),
    "an unlogged table": ("ALTER TABLE app.posts SET UNLOGGED", "changed table app.posts filenode,persistence"),
    "a moved sequence": ("SELECT setval('app.numbers', 7)", "changed sequence app.numbers position"),
    "a not validated constraint": (
        "ALTER TABLE app.posts ADD CONSTRAINT small CHECK (id < 9) NOT VALID",
        "added constraint small on app.posts ",
    ),
}


async def test_a_change_is_seen_as_what_it_is(site: Site) -> None:
    connection = await _open(site)
    wrong = []
    try:
        before = await look(connection, positions=True)
        for name, (statement, said) in CHANGES.items():
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(statement)
            seen = changes(before, await look(connection, positions=True))
            await transaction.rollback()
            lines = [f"{one.how} {one.thing.kind} {one.thing.name} {','.join(one.fields)}" for one in seen]
            if not any(line.startswith(said) for line in lines):
                wrong.append((name, lines))
            await connection.execute("SELECT setval('app.numbers', 1, false)")  # no rollback takes it back
    finally:
        await connection.close()
    assert wrong == []


async def test_the_look_leaves_neither_a_lock_nor_a_setting_in_the_transaction(site: Site) -> None:
    connection = await _open(site)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL search_path = app")
            await look(connection)
            held = await connection.fetch(
                "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384"
            )
            path = await connection.fetchval("SHOW search_path")
    finally:
        await connection.close()
    assert ([record[0] for record in held], path) == ([], "app")


async def test_a_fingerprint_knows_no_oids_and_is_the_same_after_an_undone_change(site: Site) -> None:
    connection = await _open(site)
    try:
        first = await fingerprint(connection)
        await connection.execute("DROP INDEX app.posts_at")
        without = await fingerprint(connection)
        await connection.execute("CREATE INDEX posts_at ON app.posts (at)")
        again = await fingerprint(connection)
        await connection.execute("INSERT INTO app.posts (at) VALUES (now()); SELECT setval('app.numbers', 40)")
        rows = await fingerprint(connection)
    finally:
        await connection.close()
    assert first == again == rows
    assert without != first


async def test_the_ledger_is_no_part_of_the_catalogue(site: Site) -> None:
    connection = await _open(site)
    try:
        before = await fingerprint(connection)
        await connection.execute("CREATE SCHEMA bluegreen; CREATE TABLE bluegreen.meta (version integer)")
        assert await fingerprint(connection) == before
    finally:
        await connection.close()
