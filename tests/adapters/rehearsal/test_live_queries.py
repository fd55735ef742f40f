"""The running version's own queries, on a copy before and after a migration: what breaks is found, nothing else is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from uuid import uuid4

import asyncpg
import pytest

from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.rehearsal.live_queries import LiveQueries, collect
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.seen import QuerySeen
from tests.adapters.rehearsal.asked import ASKED, SCHEMA
from tests.adapters.sites import Site
from tests.debian_postgres import DebianPostgres, debian_postgres
from tests.real_parts import execute


@pytest.fixture(scope="module")
def counting() -> Iterator[DebianPostgres]:
    """A server that counts its statements, from Debian: the embedded ones cannot."""
    with debian_postgres() as server:
        yield server


@pytest.fixture
async def counted(counting: DebianPostgres) -> AsyncIterator[str]:
    """The DSN of a production whose statements are counted from now on."""
    name = f"counted_{uuid4().hex[:12]}"
    await execute(counting.dsn(), f"CREATE DATABASE {name}")
    await execute(counting.dsn(name), f"CREATE SCHEMA ext; CREATE EXTENSION pg_stat_statements SCHEMA ext; {SCHEMA}")
    await execute(counting.dsn(name), "SELECT ext.pg_stat_statements_reset()")
    yield counting.dsn(name)
    await execute(counting.dsn(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def shop(postgres: EmbeddedPostgres) -> str:
    """The DSN of a database of SCHEMA, for those who roll back what they do (`connected`)."""
    asyncio.run(execute(postgres.dsn(), "CREATE DATABASE shop_asked"))
    asyncio.run(execute(postgres.dsn("shop_asked"), SCHEMA))
    return postgres.dsn("shop_asked")


ASKED_ANYWHERE = tuple(text for text in ASKED if "xmlelement" not in text)
"""The embedded servers are built without XML."""


def access(dsn: str) -> Access:
    return Access(Dsn.parse(dsn), 5.0, 10.0)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(dsn, timeout=10.0, statement_cache_size=0)
    try:
        yield connection
    finally:
        await connection.close(timeout=10.0)


@asynccontextmanager
async def undone(dsn: str) -> AsyncIterator[Connection]:
    """A connection in a transaction that is rolled back."""
    connection = await asyncpg.connect(dsn, timeout=10.0, statement_cache_size=0)
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close(timeout=10.0)


def file(directory: Path, *texts: str) -> Path:
    path = directory / "queries.sql"
    path.write_text(";\n".join(texts) + ";\n")
    return path


async def after(live: LiveQueries, copy: Connection, migration: str) -> tuple[QuerySeen, ...]:
    """What became of the queries, as a rehearsal asks it."""
    await live.prepare(copy)
    assert [query for query in live.queries if not query.verifiable] == []
    before = await look(copy)
    await copy.execute(migration)
    return await live.again(copy, before, await look(copy))


# --- what production was asked


async def test_what_was_counted_can_nearly_all_be_prepared_although_its_literals_became_parameters(
    counted: str,
) -> None:
    async with connected(counted) as production:
        for text in ASKED:
            await production.execute(text)
        live = await collect(access(counted), None, 10.0)
        assert live.not_seen == ()
        assert len(live.queries) >= len(ASKED) * 0.9  # some become the same text
        await live.prepare(production)
    unverifiable = [f"{query.text}: {query.message}" for query in live.queries if not query.verifiable]
    assert len(unverifiable) <= len(live.queries) / 53, unverifiable


async def test_our_own_questions_and_monitoring_are_left_out(counted: str) -> None:
    async with connected(counted) as production:
        await production.execute("SELECT /* bluegreen */ count(*) FROM accounts")
        await production.execute("SELECT * FROM pg_stat_activity; SELECT relname FROM pg_catalog.pg_class")
        await production.execute("CREATE TABLE x (id int); DROP TABLE x")
        await production.execute("VACUUM accounts")
        await production.execute("SELECT id, name FROM accounts WHERE id = 5")
        live = await collect(access(counted), None, 10.0)
    assert [query.text for query in live.queries] == ["SELECT id, name FROM accounts WHERE id = $1"]
    assert live.queries[0].calls == 1


async def test_without_the_extension_it_says_how_to_get_it(counting: DebianPostgres, site: Site) -> None:
    [said] = (await collect(access(counting.dsn()), None, 10.0)).not_seen
    assert said.startswith("pg_stat_statements is loaded but not created here")
    [said] = (await collect(access(site.dsn), None, 10.0)).not_seen
    assert said.startswith("no pg_stat_statements: queries of the running version are not known")


async def test_queries_of_others_that_may_not_be_seen_are_said(counted: str, counting: DebianPostgres) -> None:
    role = f"r_{uuid4().hex[:8]}"
    await execute(counted, f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA ext TO {role}; SELECT id FROM accounts")
    other = counting.dsn(counted.rpartition("/")[2], role)
    live = await collect(access(other), None, 10.0)
    await execute(counted, f"REVOKE USAGE ON SCHEMA ext FROM {role}; DROP ROLE {role}")
    assert live.queries == ()
    assert any("GRANT pg_read_all_stats" in said for said in live.not_seen)


def test_statements_that_were_dropped_for_want_of_room_are_said() -> None:
    async def ask_much(dsn: str) -> tuple[str, ...]:
        await execute(dsn, "CREATE EXTENSION pg_stat_statements")
        for columns in range(1, 200):
            await execute(dsn, f"SELECT {', '.join(['1'] * columns)}")
        return (await collect(access(dsn), None, 10.0)).not_seen

    with debian_postgres("pg_stat_statements.max=100") as server:
        not_seen = asyncio.run(ask_much(server.dsn()))
    assert [text for text in not_seen if "pg_stat_statements dropped the least called statements" in text]


async def test_a_file_and_the_statistics_are_joined(counted: str, tmp_path: Path) -> None:
    await execute(counted, "SELECT id FROM accounts WHERE id = 1")
    path = file(tmp_path, "-- name: by_name\nSELECT id FROM accounts WHERE name = $1", "DELETE FROM shop.orders")
    live = await collect(access(counted), path, 10.0)
    assert {query.text: query.calls for query in live.queries} == {
        "SELECT id FROM accounts WHERE name = $1": None,
        "DELETE FROM shop.orders": None,
        "SELECT id FROM accounts WHERE id = $1": 1,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "No such file"), ("SELECT 1;\nSELEC 2;", "line 2"), ("\\d accounts", "command of psql")],
)
async def test_a_file_that_cannot_be_read_is_said(site: Site, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "queries.sql"
    if text is not None:
        path.write_text(text)
    live = await collect(access(site.dsn), path, 10.0)
    assert words in live.not_seen[0]


async def test_a_production_that_does_not_answer_in_time_is_said(counted: str) -> None:
    live = await collect(access(counted), None, 0.0001)
    assert live.queries == ()
    assert "did not answer" in live.not_seen[0]


# --- what a migration does to them

SAFE = "ALTER TABLE accounts ADD phone text; CREATE INDEX ON accounts (name); DROP VIEW active_accounts"

BREAKS = [
    ("column dropped", "SELECT name FROM accounts", "ALTER TABLE accounts DROP name CASCADE", "42703"),
    ("column renamed", "UPDATE accounts SET name = $1", "ALTER TABLE accounts RENAME name TO title", "42703"),
    ("table dropped", "DELETE FROM shop.orders", "DROP TABLE shop.orders", "42P01"),
    ("table renamed", "SELECT 1 FROM shop.orders", "ALTER TABLE shop.orders RENAME TO sales", "42P01"),
    ("schema renamed", "SELECT 1 FROM shop.orders", "ALTER SCHEMA shop RENAME TO store", "3F000|42P01"),
    ("function dropped", "SELECT greet($1)", "DROP FUNCTION greet", "42883"),
    ("type changed", "SELECT * FROM accounts WHERE name LIKE $1 || '%'",
     "DROP VIEW active_accounts; ALTER TABLE accounts DROP lower_name, ALTER name TYPE int USING 1", "42883"),
    ("enum label renamed", "SELECT * FROM accounts WHERE mood = 'sad'",
     "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "22P02"),
    ("conflict target", "INSERT INTO accounts (email) VALUES ($1) ON CONFLICT (email) DO NOTHING",
     "ALTER TABLE accounts DROP CONSTRAINT accounts_email_key", "42P10"),
    ("generated always", "INSERT INTO shop.orders (id, account_id, total) VALUES ($1, $2, $3)",
     "ALTER TABLE shop.orders ALTER id DROP DEFAULT, ALTER id ADD GENERATED ALWAYS AS IDENTITY", "428C9"),
    ("view not updatable", "UPDATE active_accounts SET name = $1",
     "DROP VIEW active_accounts; CREATE VIEW active_accounts AS SELECT DISTINCT id, name FROM accounts", "55000"),
    ("cursor", "DECLARE c CURSOR FOR SELECT name FROM accounts", "ALTER TABLE accounts DROP name CASCADE", "42703"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "query", "migration", "state"), BREAKS, ids=[case[0] for case in BREAKS])
async def test_what_breaks_is_told_in_postgres_words(
    shop: str, tmp_path: Path, name: str, query: str, migration: str, state: str
) -> None:
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, query), 10.0)
        [seen] = await after(live, copy, migration)
    assert seen.verifiable
    assert seen.sqlstate in state.split("|"), seen
    assert seen.message


async def test_what_does_not_touch_them_breaks_nothing(shop: str, tmp_path: Path) -> None:
    texts = [text for text in ASKED_ANYWHERE if "active_accounts" not in text]
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, *texts), 10.0)
        seen = await after(live, copy, SAFE)
    assert len(seen) > 90
    assert [query for query in seen if query.sqlstate or query.missing] == []
    assert {query.shape_changed for query in seen if query.shape_changed} == {"phone text is new"}


MISSING = [
    ("required column", "INSERT INTO accounts (email) VALUES ($1)", "ALTER TABLE accounts ADD phone text NOT NULL",
     ("public.accounts.phone",)),
    ("required with a default", "INSERT INTO accounts (email) VALUES ($1)",
     "ALTER TABLE accounts ADD phone text NOT NULL DEFAULT ''", ()),
    ("not null now", "INSERT INTO accounts (email) VALUES ($1)", "ALTER TABLE accounts ALTER name SET NOT NULL",
     ("public.accounts.name",)),
    ("not null, but filled", "INSERT INTO accounts (email, name) VALUES ($1, $2)",
     "ALTER TABLE accounts ALTER name SET NOT NULL", ()),
    ("without column list", "INSERT INTO \"Mixed Case\" VALUES ($1, $2)",
     "ALTER TABLE \"Mixed Case\" ADD \"New\" int NOT NULL", ("public.\"Mixed Case\".\"New\"",)),
    ("default dropped", "INSERT INTO accounts (email) VALUES ($1)", "ALTER TABLE accounts ALTER tags DROP DEFAULT",
     ("public.accounts.tags",)),
    ("identity dropped", "INSERT INTO accounts (email) VALUES ($1)", "ALTER TABLE accounts ALTER id DROP IDENTITY",
     ("public.accounts.id",)),
    ("from a query", "INSERT INTO shop.orders (account_id, total) SELECT id, 1 FROM accounts",
     "ALTER TABLE shop.orders ADD tax int NOT NULL", ("shop.orders.tax",)),
    ("several rows", "INSERT INTO shop.orders (account_id, total) VALUES ($1, $2), ($3, $4)",
     "ALTER TABLE shop.orders ADD tax int NOT NULL", ("shop.orders.tax",)),
    ("inside WITH", "WITH n AS (INSERT INTO shop.orders (account_id, total) VALUES ($1, $2) RETURNING id) TABLE n",
     "ALTER TABLE shop.orders ADD tax int NOT NULL", ("shop.orders.tax",)),
    ("upsert", "INSERT INTO accounts (email) VALUES ($1) ON CONFLICT (email) DO UPDATE SET name = $2",
     "ALTER TABLE accounts ADD phone text NOT NULL", ("public.accounts.phone",)),
    ("merge", ("MERGE INTO shop.orders o USING accounts a ON a.id = o.id"
     " WHEN NOT MATCHED THEN INSERT (account_id, total) VALUES (a.id, 1)"),
     "ALTER TABLE shop.orders ADD tax int NOT NULL", ("shop.orders.tax",)),
    ("through a view", "INSERT INTO active_accounts (email) VALUES ($1)",
     "ALTER TABLE accounts ADD phone text NOT NULL", ("public.accounts.phone",)),
    ("renamed under a view", "INSERT INTO shop.orders (account_id, total) VALUES ($1, $2)",
     ("ALTER TABLE shop.orders RENAME TO sales; ALTER TABLE shop.sales ADD tax int NOT NULL;"
     " CREATE VIEW shop.orders AS SELECT id, account_id, total, during, note, placed_at FROM shop.sales"),
     ("shop.sales.tax",)),
    ("a shim that fits", "INSERT INTO shop.orders (account_id, total) VALUES ($1, $2)",
     "ALTER TABLE shop.orders RENAME TO sales; CREATE VIEW shop.orders AS SELECT * FROM shop.sales", ()),
    ("domain not null", "INSERT INTO accounts (email) VALUES ($1)",
     "CREATE DOMAIN must AS text NOT NULL; ALTER TABLE accounts ADD phone must", ("public.accounts.phone",)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "query", "migration", "missing"), MISSING, ids=[case[0] for case in MISSING])
async def test_an_insert_that_leaves_a_required_column_empty_is_found(
    shop: str, tmp_path: Path, name: str, query: str, migration: str, missing: tuple[str, ...]
) -> None:
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, query), 10.0)
        [seen] = await after(live, copy, migration)
    assert (seen.sqlstate, seen.missing) == ("", missing)


async def test_a_required_column_that_a_copy_from_a_client_leaves_empty_is_found(counted: str) -> None:
    async with connected(counted) as production:
        await production.copy_records_to_table("accounts", records=[("a@b", "n")], columns=["email", "name"])
        live = await collect(access(counted), None, 10.0)
        [seen] = await after(
            live, production, "TRUNCATE accounts CASCADE; ALTER TABLE accounts ADD phone text NOT NULL"
        )
    assert seen.text.startswith("COPY")
    assert seen.missing == ("public.accounts.phone",)


async def test_changed_results_are_told(shop: str, tmp_path: Path) -> None:
    async with undone(shop) as copy:
        path = file(
            tmp_path, "SELECT * FROM shop.orders", "SELECT total FROM shop.orders", "SELECT id FROM shop.orders"
        )
        live = await collect(access(shop), path, 10.0)
        seen = await after(live, copy, "ALTER TABLE shop.orders ALTER total TYPE bigint, DROP note, ADD tax int")
    assert [query.shape_changed for query in seen] == [
        "no note any more, tax int4 is new, total is int8, was int4",
        "total is int8, was int4",
        "",
    ]


async def test_what_failed_before_says_nothing_and_what_one_file_broke_is_not_blamed_on_the_next(
    shop: str, tmp_path: Path
) -> None:
    async with undone(shop) as copy:
        path = file(
            tmp_path, "SELECT nothing FROM nowhere", "SELECT name FROM accounts", "SELECT total FROM shop.orders"
        )
        live = await collect(access(shop), path, 10.0)
        [said] = await live.prepare(copy)
        assert said.startswith("1 of 3 queries cannot be prepared on the copy as it is")
        start = await look(copy)
        await copy.execute("ALTER TABLE accounts DROP name CASCADE")
        middle = await look(copy)
        first = await live.again(copy, start, middle)
        await copy.execute("ALTER TABLE shop.orders RENAME total TO sum")
        second = await live.again(copy, middle, await look(copy))
        assert await live.again(copy, middle, middle) == live.queries
    assert [(query.verifiable, query.sqlstate) for query in first] == [(False, "42P01"), (True, "42703"), (True, "")]
    assert [(query.verifiable, query.sqlstate) for query in second] == [
        (False, "42P01"), (False, "42703"), (True, "42703")]  # fmt: skip


async def test_queries_run_as_the_role_that_asked_them_so_a_revoked_right_is_found(
    counted: str, counting: DebianPostgres
) -> None:
    role = f"app_{uuid4().hex[:8]}"
    database = counted.rpartition("/")[2]
    await execute(
        counted,
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA shop TO {role};"
        f" GRANT SELECT ON accounts, shop.orders TO {role};"
        f" ALTER ROLE {role} IN DATABASE {database} SET search_path = shop, public",
    )
    try:
        await execute(counting.dsn(database, role), "SELECT total FROM orders; SELECT email FROM accounts")
        async with connected(counted) as copy:
            live = await collect(access(counted), None, 10.0)
            live.asked = tuple(one for one in live.asked if one.role == role)
            live.queries = tuple(query for query in live.queries if query.text in {one.text for one in live.asked})
            seen = await after(live, copy, f"REVOKE SELECT ON accounts FROM {role}")
    finally:
        await execute(counted, f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert {query.text: query.sqlstate for query in seen} == {
        "SELECT total FROM orders": "", "SELECT email FROM accounts": "42501"}  # fmt: skip


async def test_names_that_only_a_connection_option_finds_are_looked_for_in_all_schemas(
    shop: str, tmp_path: Path
) -> None:
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, "SELECT total, email FROM orders, accounts"), 10.0)
        [seen] = await after(live, copy, "ALTER TABLE shop.orders RENAME total TO sum")
    assert seen.sqlstate == "42703"


async def test_what_drivers_send_with_parameters_of_their_own_can_be_prepared(shop: str, tmp_path: Path) -> None:
    texts = [
        "SELECT * FROM accounts WHERE ($1 IS NULL OR id = $1) AND ($2 IS NULL OR created_at > $2)",
        "SELECT * FROM accounts WHERE id = ANY($1) AND data @> $2 AND tags && $3 LIMIT $4 OFFSET $5",
        "SELECT name FROM accounts WHERE lower(name) = lower($1) AND data ->> $2 = $3",
        "SELECT name FROM accounts WHERE created_at < now() - $1 * interval '1 day'",
        "INSERT INTO accounts (email, mood, tags, data, born) VALUES ($1, $2, $3, $4, $5) RETURNING id, tags",
        "INSERT INTO accounts (email) SELECT * FROM unnest($1::text[])",
        "UPDATE accounts SET name = coalesce($1, name), balance = balance + $2, mood = $3 WHERE id = $4",
        "SELECT concat_ws($1, $2, name), format($3, $4), $5 AS tag FROM accounts",
        "SELECT * FROM accounts a JOIN (VALUES ($1, $2), ($3, $4)) AS v (id, n) ON v.id = a.id",
        "SELECT generate_series($1, $2), $3 + $4, CASE WHEN $5 THEN 1 ELSE 2 END",
        "SELECT id FROM accounts WHERE (id, name) > ($1, $2) ORDER BY id, name",
        "DELETE FROM shop.orders WHERE placed_at < $1 AND total = $2",
    ]
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, *texts), 10.0)
        assert await live.prepare(copy) == ()


async def test_lists_as_postgres_18_squashes_them_can_be_prepared(site18: Site, tmp_path: Path) -> None:
    await site18.execute(SCHEMA)
    async with connected(site18.dsn) as copy:
        path = file(
            tmp_path,
            "SELECT * FROM accounts WHERE id IN ($1 /*, ... */) AND name = $2",
            "SELECT * FROM accounts WHERE id = ANY (ARRAY[$1 /*, ... */]) LIMIT $2",
            "SELECT $2 || name FROM accounts",
            "SELECT count(*) FROM accounts WHERE created_at > now() - interval $1",
        )
        live = await collect(access(site18.dsn), path, 10.0)
        seen = await after(live, copy, "ALTER TABLE accounts ADD phone text NOT NULL DEFAULT ''")
    assert [query.sqlstate for query in seen] == [""] * 4


async def test_for_a_contract_only_what_was_called_again_counts_as_running(counted: str, tmp_path: Path) -> None:
    await execute(counted, "SELECT id FROM accounts; SELECT name FROM accounts")
    live = await collect(access(counted), file(tmp_path, "SELECT born FROM accounts"), 10.0)
    await execute(counted, "SELECT name FROM accounts")
    assert await live.still_running(access(counted), 10.0) == ()
    assert {query.text: query.running for query in live.queries} == {
        "SELECT born FROM accounts": True,
        "SELECT id FROM accounts": False,
        "SELECT name FROM accounts": True,
    }


async def test_it_leaves_nothing_on_the_copy_and_works_inside_a_transaction(shop: str, tmp_path: Path) -> None:
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, *ASKED_ANYWHERE), 10.0)
        [*_] = await after(live, copy, "ALTER TABLE accounts ADD phone text")
        assert await copy.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'bluegreen%'") == 0
        assert await copy.fetchval("SELECT count(*) FROM accounts") == 0


async def test_five_hundred_queries_take_a_moment(shop: str, tmp_path: Path) -> None:
    texts = [
        f"SELECT {n}, a.* FROM accounts a JOIN shop.orders o ON o.account_id = a.id WHERE o.total = $1"
        for n in range(500)
    ]
    async with undone(shop) as copy:
        live = await collect(access(shop), file(tmp_path, *texts), 10.0)
        began = monotonic()
        seen = await after(live, copy, "ALTER TABLE accounts DROP born")
        took = monotonic() - began
    assert {query.shape_changed for query in seen} == {"no born any more"}
    assert took < 30.0  # 0.6 s on a quiet machine
