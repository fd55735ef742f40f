"""How big tables are, from the catalogue alone."""

import asyncpg
import pytest

from bluegreen.adapters.rehearsal.sizes import measure
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.domain.seen import TableSize
from tests.adapters.sites import Site

SCHEMA = """
CREATE TABLE "Odd Name" (id int PRIMARY KEY, note text);
INSERT INTO "Odd Name" SELECT n, repeat('x', 100) FROM generate_series(1, 1000) AS n;
CREATE TABLE parted (id int, at date) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1) PARTITION BY LIST (at);
CREATE TABLE parted_1_1 PARTITION OF parted_1 DEFAULT;
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT 1 + n % 2, '2024-01-01' FROM generate_series(1, 500) AS n;
CREATE TABLE empty (id int);
CREATE MATERIALIZED VIEW summary AS SELECT n FROM generate_series(1, 10) AS n;
CREATE SCHEMA bluegreen; CREATE TABLE bluegreen.migration (id int);
"""


async def measured(site: Site) -> dict[str, TableSize]:
    connection = await site.connect()
    try:
        return dict(await measure(connection))
    finally:
        await connection.close(timeout=10.0)


async def test_tables_are_measured_by_the_names_of_the_catalogue_and_parts_are_summed(site: Site) -> None:
    await site.execute(SCHEMA)
    await site.execute("ANALYZE")
    sizes = await measured(site)
    assert set(sizes) == {
        'public."Odd Name"', "public.parted", "public.parted_1", "public.parted_1_1", "public.parted_2", "public.empty",
        "public.summary",
    }  # fmt: skip
    odd = sizes['public."Odd Name"']
    assert odd.rows == 1000
    assert 130 <= odd.row_bytes <= 140  # 28 of its own, 4 and 101 of its columns
    assert odd.bytes >= 1000 * 130
    assert odd.index_bytes >= 2 * 8192
    assert sizes["public.parted"].rows == 500 == sizes["public.parted_1_1"].rows + sizes["public.parted_2"].rows
    assert sizes["public.parted_1"].rows == 250
    assert sizes["public.parted"].bytes == sizes["public.parted_1_1"].bytes + sizes["public.parted_2"].bytes
    assert sizes["public.empty"].rows == 0


async def test_what_was_never_analysed_is_estimated_from_its_pages(site: Site) -> None:
    await site.execute(SCHEMA)
    rows = (await measured(site))['public."Odd Name"'].rows
    assert 500 <= rows <= 4000


async def test_a_table_that_somebody_holds_is_measured_by_its_last_known_pages(site: Site) -> None:
    await site.execute(SCHEMA)
    await site.execute("ANALYZE")
    holder = await site.connect()
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("LOCK TABLE empty IN ACCESS EXCLUSIVE MODE")
        sizes = await measured(site)
        await transaction.rollback()
    finally:
        await holder.close(timeout=10.0)
    assert sizes['public."Odd Name"'].rows == 1000
    assert sizes['public."Odd Name"'].bytes >= 1000 * 130


@pytest.mark.parametrize("role", ["nobody_in_particular"])
async def test_a_role_that_may_read_nothing_gets_estimates_all_the_same(
    site: Site, postgres: EmbeddedPostgres, role: str
) -> None:
    await site.execute(SCHEMA)
    await site.execute(f"ANALYZE; CREATE ROLE {role} LOGIN")
    connection = await asyncpg.connect(postgres.dsn(site.dsn.rpartition("/")[2], role))
    try:
        sizes = await measure(connection)
    finally:
        await connection.close(timeout=10.0)
        await site.execute(f"DROP ROLE {role}")
    assert sizes['public."Odd Name"'].rows == 1000
