"""Questions to production's rows: each change that could fail on them finds those that stand in its way."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.rehearsal.probes import ask
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.seen import ProbeSeen
from tests.adapters.sites import Site
from tests.real_parts import execute

SCHEMA = """
CREATE DOMAIN short AS text;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE parents (id int PRIMARY KEY, "Name" text);
CREATE TABLE items (
    id int PRIMARY KEY, parent_id int, code text, number bigint, note varchar(20), label short, mood text,
    price numeric, seen text, active boolean, "Odd Name" int
);
CREATE TABLE nothing (id int PRIMARY KEY, code text);
INSERT INTO parents VALUES (1, 'one'), (2, 'two');
INSERT INTO items VALUES
    (1, 1, 'a', 1, 'short', 'abc', 'sad', 1.5, '2020-01-01', true, 1),
    (2, 1, 'A', 70000, 'a longer note', 'abcdef', 'glad', 12345.678, 'x', true, 1),
    (3, 9, 'a', 5000000000, NULL, 'x', 'ok', 2, '3', false, NULL),
    (4, NULL, NULL, NULL, 'n', NULL, NULL, NULL, NULL, false, 2),
    (5, 2, NULL, 3, 'n', 'y', 'ok', 3, '4', false, 3);
CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b));
INSERT INTO pairs VALUES (1, 2);
"""

PARTED = """
CREATE TABLE parted (at date, kind text) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
CREATE TABLE loose (at date, kind text);
INSERT INTO parted VALUES ('2024-01-05', 'a'), ('2024-02-05', 'b'), (NULL, 'c');
INSERT INTO loose VALUES ('2024-03-05', 'a'), (NULL, 'c'), ('2024-04-01', 'd');
"""

FOUND = [
    ("unique", "CREATE UNIQUE INDEX i ON items (code)", "duplicates", "index", 1),
    ("unique expression", "CREATE UNIQUE INDEX i ON items (lower(code))", "duplicates", "index", 1),
    ("unique partial", "CREATE UNIQUE INDEX i ON items (parent_id) WHERE active", "duplicates", "index", 1),
    ("unique partial, none", "CREATE UNIQUE INDEX i ON items (parent_id) WHERE id > 2", "duplicates", "index", 0),
    ("unique of two", "CREATE UNIQUE INDEX i ON items (parent_id, code)", "duplicates", "index", 0),
    ("nulls are equal", "CREATE UNIQUE INDEX i ON items (seen, code) NULLS NOT DISTINCT", "duplicates", "index", 0),
    ("quoted name", 'ALTER TABLE items ADD UNIQUE ("Odd Name")', "duplicates", "constraint", 1),
    ("unique of a renamed column", "ALTER TABLE items RENAME code TO kode; ALTER TABLE items ADD UNIQUE (kode)",
     "duplicates", "constraint", 1),
    ("primary key", "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (number)", "nulls", "column", 1),
    ("not null", "ALTER TABLE items ALTER note SET NOT NULL", "nulls", "column", 1),
    ("not null, none", "ALTER TABLE items ALTER active SET NOT NULL", "nulls", "column", 0),
    ("a required column", "ALTER TABLE items ADD fresh int NOT NULL", "rows", "column", 1),
    ("an empty table", "ALTER TABLE nothing ADD fresh int NOT NULL", "rows", "column", 0),
    ("an empty table touched", "ALTER TABLE nothing ALTER code TYPE int USING 1", "rows", "table", 0),
    ("check", "ALTER TABLE items ADD CHECK (number > 2)", "violations", "constraint", 1),
    ("check, not valid", "ALTER TABLE items ADD CHECK (length(note) < 6) NOT VALID", "violations", "constraint", 1),
    ("check of a new name", 'ALTER TABLE items RENAME number TO "No"; ALTER TABLE items ADD CHECK ("No" < 5)',
     "violations", "constraint", 2),
    ("foreign key", "ALTER TABLE items ADD FOREIGN KEY (parent_id) REFERENCES parents", "orphans", "constraint", 1),
    ("foreign key to a renamed table",
     "ALTER TABLE parents RENAME TO owners; ALTER TABLE items ADD FOREIGN KEY (parent_id) REFERENCES owners NOT VALID",
     "orphans", "constraint", 1),
    ("shorter", "ALTER TABLE items ALTER note TYPE varchar(6)", "overflow", "column", 1),
    ("smaller", "ALTER TABLE items ALTER number TYPE int", "overflow", "column", 1),
    ("smaller still", "ALTER TABLE items ALTER number TYPE smallint", "overflow", "column", 2),
    ("text to number", "ALTER TABLE items ALTER seen TYPE int USING 1", "overflow", "column", 2),
    ("text to enum", "ALTER TABLE items ALTER mood TYPE mood USING 'ok'", "overflow", "column", 1),
    ("fewer digits", "ALTER TABLE items ALTER price TYPE numeric(6, 2)", "overflow", "column", 1),
    ("generated, worked out", "ALTER TABLE items ADD g int GENERATED ALWAYS AS (id * 2) STORED",
     "failures", "column", 0),
    ("generated, not worked out", "ALTER TABLE items ADD g int GENERATED ALWAYS AS (10 / (id - 3)) STORED",
     "failures", "column", 1),
    ("domain check", "ALTER DOMAIN short ADD CHECK (length(VALUE) < 4)", "violations", "domain", 1),
    ("domain not null", "ALTER DOMAIN short SET NOT NULL", "violations", "domain", 1),
]  # fmt: skip

ROWLESS = "DELETE FROM items; DELETE FROM parents; DELETE FROM parted; DELETE FROM loose"


@pytest.fixture(scope="module")
def stocked(postgres: EmbeddedPostgres) -> str:
    """The DSN of a production with rows, for those who only read."""
    asyncio.run(execute(postgres.dsn(), "CREATE DATABASE stocked"))
    asyncio.run(execute(postgres.dsn("stocked"), SCHEMA + PARTED))
    return postgres.dsn("stocked")


async def asked(dsn: str, migration: str) -> tuple[ProbeSeen, ...]:
    """Of a production with rows, about a migration that was tried on the same tables without rows."""
    before, after = await tried(dsn, migration)
    return await ask(access(dsn), before, after, 10.0)


async def tried(dsn: str, migration: str, rowless: str = ROWLESS) -> tuple[Catalogue, Catalogue]:
    connection = await asyncpg.connect(dsn, timeout=10.0)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(rowless)
        before = await look(connection)
        await connection.execute(migration)
        return before, await look(connection)
    finally:
        await transaction.rollback()
        await connection.close(timeout=10.0)


def access(dsn: str) -> Access:
    return Access(Dsn.parse(dsn), 5.0, 5.0)


def about(probes: Sequence[ProbeSeen], kind: str, of: str) -> list[ProbeSeen]:
    return [probe for probe in probes if probe.kind == kind and probe.key.startswith(f"{of}:")]


@pytest.mark.parametrize(("name", "migration", "kind", "of", "found"), FOUND, ids=[case[0] for case in FOUND])
async def test_each_change_finds_the_rows_that_stand_in_its_way(
    stocked: str, name: str, migration: str, kind: str, of: str, found: int
) -> None:
    probes = await asked(stocked, migration)
    answers = about(probes, kind, of)
    assert [probe.found for probe in answers] == [found], probes
    assert not any(probe.problem for probe in answers if kind != "failures")


PARTITIONS = [
    ("rows in the default", "CREATE TABLE p PARTITION OF parted FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
     {"partition": 1}),
    ("none in the default", "CREATE TABLE p PARTITION OF parted FOR VALUES FROM ('2024-05-01') TO (MAXVALUE)",
     {"partition": 0}),
    ("attached", "ALTER TABLE parted ATTACH PARTITION loose FOR VALUES FROM ('2024-03-01') TO ('2024-04-01')",
     {"partition": 0, "violations": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "migration", "found"), PARTITIONS, ids=[case[0] for case in PARTITIONS])
async def test_a_new_partition_finds_rows_that_lie_elsewhere(
    stocked: str, name: str, migration: str, found: dict[str, int]
) -> None:
    probes = await asked(stocked, migration)
    assert {probe.kind: probe.found for probe in probes if probe.kind != "rows"} == found, probes


INSERTED = [
    ("there already", "INSERT INTO items VALUES (1, 1, 'new')", [1]),
    ("not there", "INSERT INTO items (id, code) VALUES (77, 'a'), (78, 'b')", [0]),
    ("one of two", "INSERT INTO public.items (code, id) VALUES ('x', 2), ('y', 99)", [1]),
    ("gives way", "INSERT INTO items VALUES (1) ON CONFLICT DO NOTHING", []),
    ("computed", "INSERT INTO items VALUES (1 + random()::int)", []),
    ("a new table", "INSERT INTO fresh VALUES (1)", []),
    ("of two columns", "INSERT INTO pairs (b, a) VALUES (2, 1)", [1]),
]


@pytest.mark.parametrize(("name", "statement", "found"), INSERTED, ids=[case[0] for case in INSERTED])
async def test_inserted_rows_that_are_there_already_are_found(
    stocked: str, statement: str, name: str, found: list[int]
) -> None:
    before, _ = await tried(stocked, "SELECT 1")
    statements = ["CREATE TABLE fresh (id int PRIMARY KEY)", statement]
    probes = await ask(access(stocked), before, before, 10.0, statements)
    assert [probe.found for probe in probes if probe.kind == "keys"] == found, probes


UNASKED = [
    ("exclusion", "ALTER TABLE items ADD EXCLUDE USING hash (code WITH =)", "violations", "exclude each other"),
    ("new column", "ALTER TABLE items ADD fresh int DEFAULT 1; ALTER TABLE items ADD UNIQUE (fresh)", "duplicates",
     "cannot be asked yet"),
    ("new parent", "CREATE TABLE n (id int PRIMARY KEY); ALTER TABLE items ADD FOREIGN KEY (parent_id) REFERENCES n",
     "orphans", "is new"),
    ("volatile function", "ALTER TABLE items ADD CHECK (pg_sleep(60) IS NULL) NOT VALID", "violations", "pg_sleep"),
    ("new function", ("CREATE FUNCTION f(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';"
     " ALTER TABLE items ADD CHECK (f(id))"), "violations", "cannot be asked yet"),
    ("unknown cast", "ALTER TABLE items ALTER seen TYPE date USING now()", "overflow", "is not asked"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "migration", "kind", "words"), UNASKED, ids=[case[0] for case in UNASKED])
async def test_what_cannot_be_asked_is_said(stocked: str, name: str, migration: str, kind: str, words: str) -> None:
    [probe, *_] = [probe for probe in await asked(stocked, migration) if probe.kind == kind]
    assert probe.found is None
    assert words in probe.problem


async def test_a_new_table_and_a_wider_column_raise_no_question_but_whether_there_are_rows(stocked: str) -> None:
    probes = await asked(
        stocked,
        "CREATE TABLE n (id int PRIMARY KEY, x text UNIQUE CHECK (x <> '')); ALTER TABLE items ALTER note TYPE text",
    )
    assert {probe.kind for probe in probes} == {"rows"}


async def test_a_question_that_takes_too_long_is_given_up_and_production_is_not_held_up(site: Site) -> None:
    await site.execute(SCHEMA + PARTED)
    await site.execute("INSERT INTO items (id, code) SELECT n, 'c' || n FROM generate_series(10, 50000) AS n")
    before, after = await tried(
        site.dsn, "ALTER TABLE items ADD CHECK (repeat(code, 2000) !~ '(c1x|c2x){5}y') NOT VALID"
    )
    [probe] = about(await ask(access(site.dsn), before, after, 0.01), "violations", "constraint")
    assert probe.found is None
    assert "no answer within" in probe.problem or "used up" in probe.problem


async def test_a_table_that_somebody_holds_is_not_waited_for(site: Site) -> None:
    await site.execute(SCHEMA + PARTED)
    before, after = await tried(site.dsn, "ALTER TABLE items ALTER note SET NOT NULL")
    holder: asyncpg.Connection[Any] = await site.connect()
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        probes = await ask(access(site.dsn), before, after, 10.0)
        await transaction.rollback()
    finally:
        await holder.close(timeout=10.0)
    assert {probe.found for probe in probes} == {None}
    assert all("lock timeout" in probe.problem for probe in probes)


async def test_a_production_that_is_gone_answers_nothing_and_raises_nothing(site: Site) -> None:
    await site.execute(SCHEMA + PARTED)
    before, after = await tried(site.dsn, "ALTER TABLE items ALTER note SET NOT NULL")
    nowhere = Access(Dsn.parse("postgresql://nobody@127.0.0.1:1/nothing"), 1.0, 1.0)
    probes = await ask(nowhere, before, after, 1.0)
    assert probes
    assert all(probe.found is None and probe.problem for probe in probes)


async def test_hidden_rows_are_not_counted_as_none(site: Site) -> None:
    role = f"r_{site.dsn.rpartition('_')[2]}"
    await site.execute(SCHEMA + PARTED)
    await site.execute(
        f"ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE ROLE {role} LOGIN; GRANT SELECT ON items TO {role}"
    )
    try:
        before, after = await tried(site.dsn, "ALTER TABLE items ALTER note SET NOT NULL")
        other = Access(Dsn.parse(site.dsn.replace("postgres@", f"{role}@")), 5.0, 5.0)
        [probe] = about(await ask(other, before, after, 10.0), "nulls", "column")
    finally:
        await site.execute(f"REVOKE ALL ON items FROM {role}; DROP ROLE {role}")
    assert probe.found is None
    assert "row-level security" in probe.problem
