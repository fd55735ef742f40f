"""Sowing a copy: each table that can hold a row gets one, sequences and materialised views are as on production."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.adapters.rehearsal.seeds import sow
from bluegreen.demo.postgres import EmbeddedPostgres
from tests.adapters.sites import Site
from tests.real_parts import execute

SCHEMA = r"""
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN email AS text NOT NULL CHECK (VALUE ~ '^[^@]+@[^@]+\.[a-z]+$');
CREATE DOMAIN positive AS int CHECK (VALUE > 41);
CREATE SEQUENCE lonely;
CREATE TABLE children (id int PRIMARY KEY, parent_id int NOT NULL, other text, UNIQUE (id, parent_id));
CREATE TABLE parents (id int PRIMARY KEY CHECK (id BETWEEN 50 AND 60), name text NOT NULL);
ALTER TABLE children ADD FOREIGN KEY (parent_id) REFERENCES parents;
CREATE TABLE grandchildren (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, child int NOT NULL, parent int NOT NULL,
    FOREIGN KEY (child, parent) REFERENCES children (id, parent_id)
);
CREATE TABLE serials (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE kinds (
    m mood NOT NULL, e email, q positive, p pair NOT NULL, a text[] NOT NULL, r int4range NOT NULL, j jsonb NOT NULL,
    x inet NOT NULL, u uuid NOT NULL, b bytea NOT NULL, bi bit(5) NOT NULL, v varbit(3) NOT NULL, t time NOT NULL,
    ts timestamp(3) NOT NULL, iv interval NOT NULL, n numeric(2, 2) NOT NULL, mo money NOT NULL, c char(2) NOT NULL,
    vc varchar(1) NOT NULL, tv tsvector NOT NULL, pt point NOT NULL, o oid NOT NULL, nm name NOT NULL,
    mr int4multirange NOT NULL, emails email[], bo boolean NOT NULL, d date NOT NULL, re real, dp double precision
);
CREATE TABLE checks (
    status text NOT NULL CHECK (status IN ('new', 'done')), code text NOT NULL CHECK (char_length(code) = 3),
    low int NOT NULL, high int NOT NULL, CHECK (low < high), CHECK (high - low >= 9),
    iso char(2) CHECK (iso ~ '^[A-Z]{2}$'), started date NOT NULL, ended date NOT NULL, CHECK (ended > started),
    j jsonb NOT NULL CHECK (jsonb_typeof(j) = 'array'), share numeric(5, 2) CHECK (share >= 0 AND share <= 1)
);
CREATE TABLE arcs (id int, s int REFERENCES serials, k int REFERENCES parents, CHECK (num_nonnulls(s, k) = 1));
CREATE TABLE loop_a (id int PRIMARY KEY, b int NOT NULL);
CREATE TABLE loop_b (id int PRIMARY KEY, a int NOT NULL REFERENCES loop_a DEFERRABLE);
ALTER TABLE loop_a ADD FOREIGN KEY (b) REFERENCES loop_b DEFERRABLE;
CREATE TABLE own_boss (id int PRIMARY KEY, boss int NOT NULL REFERENCES own_boss);
CREATE TABLE no_boss (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, boss int REFERENCES no_boss);
CREATE TABLE dated (id int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE dated_1 PARTITION OF dated FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE dated_2 PARTITION OF dated FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE hashed (id int NOT NULL) PARTITION BY HASH (id);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (modulus 3, remainder 1);
CREATE TABLE listed (c text) PARTITION BY LIST (c);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN ('x', 'y');
CREATE TABLE "Odd Name" ("Sel""ect" int NOT NULL, g int GENERATED ALWAYS AS ("Sel""ect" * 2) STORED);
CREATE TABLE no_columns ();
CREATE TABLE defaults (id int NOT NULL DEFAULT 5 CHECK (id = 5), e email DEFAULT 'a@b.co');
CREATE TABLE apart (r int4range, EXCLUDE USING gist (r WITH &&));
CREATE MATERIALIZED VIEW filled AS SELECT count(*) FROM serials WITH NO DATA;
CREATE MATERIALIZED VIEW unfilled AS SELECT count(*) FROM serials WITH NO DATA;
"""

ONE_LEAF_IS_ENOUGH = {"dated_2"}


@asynccontextmanager
async def pair(site: Site) -> AsyncIterator[tuple[Connection, Connection]]:
    """A copy to sow, and a production of the same schema."""
    name = f"sown_{uuid4().hex[:12]}"
    await site.execute(f"CREATE DATABASE {name}")
    production = await asyncpg.connect(site.dsn, statement_cache_size=0)
    copy = await asyncpg.connect(site.dsn.rpartition("/")[0] + f"/{name}", statement_cache_size=0)
    try:
        yield copy, production
    finally:
        await copy.close(timeout=10.0)
        await production.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await production.close(timeout=10.0)


async def rows(connection: Connection) -> dict[str, int]:
    """How many each table holds."""
    found = await connection.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
    )
    return {row["name"]: await connection.fetchval(f"SELECT count(*) FROM {row['name']}") for row in found}


async def sown_whole(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(SCHEMA)
        await production.execute(SCHEMA)
        assert await sow(copy, production) == ()
        found = await rows(copy)
        assert {name for name, count in found.items() if count != 1} == ONE_LEAF_IS_ENOUGH
        # Where triggers were off, foreign keys were not looked at: each must hold all the same.
        assert await copy.fetchval("SELECT count(*) FROM grandchildren JOIN children ON child = children.id") == 1
        assert await copy.fetchval("SELECT count(*) FROM loop_a JOIN loop_b ON loop_b.id = b AND a = loop_a.id") == 1


async def test_each_table_gets_a_row_that_its_constraints_accept(site: Site) -> None:
    await sown_whole(site)


async def test_each_table_gets_a_row_on_postgres_18_too(site18: Site) -> None:
    await sown_whole(site18)


async def test_sowing_twice_adds_nothing(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES")
        assert await sow(copy, production) == ()
        assert await sow(copy, production) == ()
        assert await rows(copy) == {"t": 1}


async def test_sequences_stand_and_views_are_filled_as_on_production(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(SCHEMA)
        await production.execute(SCHEMA)
        await production.execute("SELECT setval('serials_id_seq', 500); REFRESH MATERIALIZED VIEW filled")
        assert await sow(copy, production) == ()
        ask = "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
        assert [tuple(row) for row in await copy.fetch(ask)] == [tuple(row) for row in await production.fetch(ask)]
        populated = "SELECT relname FROM pg_class WHERE relkind = 'm' AND relispopulated"
        assert [row["relname"] for row in await copy.fetch(populated)] == ["filled"]


async def test_sown_again_after_a_file_the_sequences_stay_where_that_file_has_put_them(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute("CREATE TABLE t (id serial PRIMARY KEY)")
        await production.execute("CREATE TABLE t (id serial PRIMARY KEY); SELECT setval('t_id_seq', 500)")
        await sow(copy, production)
        await copy.execute("TRUNCATE t; SELECT setval('t_id_seq', 7)")
        assert await sow(copy, copy) == ()
        assert await copy.fetchval("SELECT last_value FROM t_id_seq") == 7
        assert await rows(copy) == {"t": 1}


async def test_a_sequence_that_somebody_holds_is_not_waited_for(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute("CREATE SEQUENCE s")
        await production.execute("CREATE SEQUENCE s")
        holder = await site.connect()
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("ALTER SEQUENCE s RESTART")
        [said] = await sow(copy, production)
        await transaction.rollback()
        await holder.close(timeout=10.0)
    assert "lock timeout" in said


async def test_a_table_that_takes_no_row_stays_empty_and_is_named(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(
            "CREATE TABLE never (id int CHECK (id IS NULL AND id IS NOT NULL)); CREATE TABLE other (id int NOT NULL)"
        )
        [said] = await sow(copy, production)
        assert said.startswith('public.never stays empty on the copy: new row for relation "never" violates')
        assert await rows(copy) == {"never": 0, "other": 1}


async def test_triggers_are_not_run_where_that_is_allowed(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(
            "CREATE TABLE t (id int); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'run'; END $$;"
            " CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()"
        )
        assert await sow(copy, production) == ()


async def test_an_ordinary_role_sows_too_and_says_what_a_trigger_refuses(
    site: Site, postgres: EmbeddedPostgres
) -> None:
    role = f"sower_{uuid4().hex[:8]}"
    async with pair(site) as (copy, production):
        name = await copy.fetchval("SELECT current_database()")
        await production.execute(f"CREATE ROLE {role} LOGIN; ALTER DATABASE {name} OWNER TO {role}")
        ordinary: asyncpg.Connection[Any] = await asyncpg.connect(postgres.dsn(name, role), statement_cache_size=0)
        try:
            await ordinary.execute(
                SCHEMA + "CREATE TABLE t (id int); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;"
                " CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()"
            )
            said = await sow(ordinary, production)
            found = await rows(ordinary)
        finally:
            await ordinary.close(timeout=10.0)
    await execute(postgres.dsn(), f"DROP ROLE {role}")
    assert [text for text in said if "public.t " not in text and "loop" not in text] == []
    assert any("not this one" in text for text in said)
    assert {name for name, count in found.items() if count != 1} <= {*ONE_LEAF_IS_ENOUGH, "t", "loop_a", "loop_b"}


async def test_a_hundred_tables_take_a_moment(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(
            "".join(
                f"CREATE TABLE t{n} (id serial PRIMARY KEY, a text NOT NULL, b int REFERENCES t{max(0, n - 1)});"
                for n in range(1, 100)
            ).replace("REFERENCES t0", "")
        )
        asked: list[str] = []
        copy.add_query_logger(lambda record: asked.append(record.query))
        began = monotonic()
        assert await sow(copy, production) == ()
        assert monotonic() - began < 10.0  # 0.1 s on a quiet machine
        assert len(asked) < 40, "not one question for each table"
        assert set((await rows(copy)).values()) == {1}


async def test_one_that_takes_no_row_keeps_none_of_the_many_from_theirs(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(
            "CREATE TABLE first (id int PRIMARY KEY CHECK (id > 7));"
            "CREATE TABLE never (id int, CHECK (id IS NULL AND id IS NOT NULL));"
            "CREATE TABLE tight (a char(2) NOT NULL, b int REFERENCES first CHECK (b > 7), UNIQUE (a));"
            "CREATE FUNCTION odd(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS"
            " $$ BEGIN RAISE EXCEPTION 'never'; END $$;"
            "CREATE TABLE raising (id int NOT NULL); CREATE INDEX ON raising (odd(id));"
            "CREATE TABLE last (id int REFERENCES first, computed int GENERATED ALWAYS AS (id) STORED"
            " CHECK (computed IS DISTINCT FROM 9))"
        )
        said = await sow(copy, production)
        assert [text.partition(" stays")[0] for text in said] == ["public.never", "public.raising"]
        assert await rows(copy) == {"first": 1, "never": 0, "tight": 1, "raising": 0, "last": 1}
        assert (
            await copy.fetchval("SELECT count(*) FROM first JOIN tight ON b = first.id JOIN last ON last.id = b") == 1
        )


async def test_a_check_that_cannot_even_be_asked_keeps_none_of_the_many_from_theirs(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(
            "CREATE FUNCTION odd(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;"
            "CREATE TABLE raising (id int NOT NULL CHECK (odd(id))); CREATE TABLE calm (id int NOT NULL CHECK (id > 7))"
        )
        [said] = await sow(copy, production)
        assert said == "public.raising stays empty on the copy: never (SQLSTATE P0001)"
        assert await rows(copy) == {"raising": 0, "calm": 1}


async def test_cancelled_it_leaves_nothing_half_done(site: Site) -> None:
    async with pair(site) as (copy, production):
        await copy.execute(SCHEMA)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(sow(copy, production), name="sowing")
            await asyncio.sleep(0)
            task.cancel()
        assert task.cancelled()
        assert set((await rows(copy)).values()) == {0}
