"""What a backfill file may hold, and the statements that are made of it."""

import pytest

from bluegreen.adapters.postgres import sql_batches
from bluegreen.adapters.postgres.scripts import Relation, SqlRefused
from bluegreen.adapters.postgres.sql_backfill import Backfill, backfill_of, refuse_directives
from bluegreen.adapters.postgres.sql_batches import Column
from bluegreen.adapters.postgres.sql_text import read

HEADER = "-- bluegreen: backfill"
ID = (Column("id", "bigint", dated=False),)


def _read(text: str) -> Backfill:
    return backfill_of(read(text))


def test_a_file_names_its_table_its_key_and_its_place() -> None:
    found = _read(
        f"{HEADER} table=public.users key=tenant,id\n-- bluegreen: before-switch\n"
        "UPDATE users SET display = name, at = now()\nWHERE display IS NULL;"
    )
    assert (found.table, found.key, found.before_switch) == (Relation("users"), ("tenant", "id"), True)
    assert (found.sets, found.names, found.deletes) == (frozenset({"display", "at"}), ("users",), False)


def test_without_a_header_it_goes_along_the_primary_key() -> None:
    found = _read('DELETE FROM "My Schema"."Ünïts" AS u WHERE u.gone')
    assert (found.table, found.key, found.names) == (Relation("Ünïts", "My Schema"), (), ("u",))
    assert found.deletes
    assert not found.before_switch


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "here are 0 statements"),
        ("UPDATE t SET a = 1 WHERE b;\nUPDATE t SET a = 2 WHERE c", 2, "here are 2 statements"),
        ("\nSELECT 1", 2, "this is another statement"),
        ("INSERT INTO t SELECT 1", 1, "this is another statement"),
        ("UPDATE t SET a = 1", 1, "a WHERE is missing"),
        ("UPDATE t SET a = 1 WHERE CURRENT OF c", 1, "needs a cursor"),
        ("UPDATE t SET a = 1 WHERE b RETURNING a", 1, "RETURNING"),
        ("UPDATE t SET a = $1 WHERE b", 1, "filled in by nobody"),
        ("WITH x AS (DELETE FROM o RETURNING id) UPDATE t SET a = 1 FROM x WHERE t.id = x.id", 1, "with every batch"),
        ("UPDATE t SET a = (SELECT max(a) FROM t) WHERE a IS NULL", 1, "also reads t"),
        ("UPDATE s.t SET a = o.a FROM t AS o WHERE t.a IS NULL", 1, "also reads t"),
        ("WITH x AS (SELECT * FROM public.t) UPDATE t SET a = 1 FROM x WHERE t.id = x.id", 1, "also reads t"),
        (f"{HEADER} table=users\nUPDATE t SET a = 1 WHERE b", 1, "the header says table users, the statement"),
        (f"{HEADER} table=a.t\nUPDATE b.t SET a = 1 WHERE b", 1, "the header says table a.t"),
        (f"{HEADER}\nUPDATE t SET a = 1 WHERE b", 1, "it is written"),
        (f"{HEADER} kay=id\nUPDATE t SET a = 1 WHERE b", 1, "it is written"),
        (f"{HEADER} key=id,\nUPDATE t SET a = 1 WHERE b", 1, "each column once"),
        (f"{HEADER} key=id,id\nUPDATE t SET a = 1 WHERE b", 1, "each column once"),
        (f"{HEADER} key=id\n{HEADER} key=id\nUPDATE t SET a = 1 WHERE b", 2, "is said twice"),
        ("-- bluegreen: before-switch now\nUPDATE t SET a = 1 WHERE b", 1, "takes no arguments"),
        ("-- bluegreen: no-transaction\nUPDATE t SET a = 1 WHERE b", 1, "takes no such header"),
    ],
)
def test_what_cannot_be_done_in_batches_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(SqlRefused, match=reason) as refused:
        _read(text)
    assert refused.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE t SET a = o.a FROM other AS o WHERE t.a IS NULL AND o.id = t.id",
        "WITH x AS (SELECT * FROM other) UPDATE t SET a = x.a FROM x WHERE t.a IS NULL AND x.id = t.id",
        "UPDATE t SET a = (SELECT max(b) FROM other) WHERE a IS NULL",
        "UPDATE s.t SET a = 1 FROM r.t WHERE s.t.a IS NULL AND r.t.id = s.t.id",
        "DELETE FROM t USING other AS o WHERE o.id = t.id",
        "UPDATE ONLY t SET (a, b) = (lower(c), 2) WHERE a IS NULL OR b IS NULL",
    ],
)
def test_what_means_the_same_in_batches_is_taken(text: str) -> None:
    assert _read(text).tree is not None


@pytest.mark.parametrize("header", [f"{HEADER} key=id", "-- bluegreen: before-switch"])
def test_another_phase_says_none_of_it(header: str) -> None:
    with pytest.raises(SqlRefused, match=r"NNNN_name\.backfill\.sql"):
        refuse_directives(read(f"SELECT 1;\n{header}\nSELECT 2"))


def test_the_range_is_a_second_condition_beside_its_own() -> None:
    found = _read("UPDATE t SET a = 1 WHERE a IS NULL OR b")
    assert sql_batches.batch(found, ID, first=False) == (
        "WITH batch AS (UPDATE t SET a = 1 WHERE (a IS NULL OR b) AND t.id <= ($1::jsonb ->> 0)::bigint"
        " AND t.id > ($2::jsonb ->> 0)::bigint RETURNING a IS NULL OR b AS still)"
        " SELECT count(*) AS changed, count(*) FILTER (WHERE still) AS kept FROM batch"
    )


def test_names_are_quoted_and_a_composite_key_is_compared_as_a_row() -> None:
    found = _read('UPDATE ONLY "T"."a ""b" SET x = 1 WHERE x IS NULL')
    key = (Column('k"1', "text", dated=False), Column("At", "timestamp with time zone", dated=True))
    text = sql_batches.boundary(found, key, first=False)
    assert 'FROM ONLY "T"."a ""b" WHERE ("T"."a ""b"."k""1", "T"."a ""b"."At") > ' in text
    assert 'jsonb_build_array("k""1"::text, "At") FROM ' in text


def test_whether_rows_are_left_is_asked_with_all_that_it_joins() -> None:
    found = _read("WITH x AS (SELECT * FROM o) DELETE FROM t USING x, y WHERE x.id = t.id AND y.id = t.id")
    assert sql_batches.remaining(found) == (
        "SELECT EXISTS (WITH x AS (SELECT * FROM o) SELECT FROM t, x, y WHERE x.id = t.id AND y.id = t.id)"
    )
    assert sql_batches.lock(_read("UPDATE ONLY s.t AS u SET a = 1 WHERE b")) == (
        "LOCK TABLE ONLY s.t IN SHARE ROW EXCLUSIVE MODE"
    )
