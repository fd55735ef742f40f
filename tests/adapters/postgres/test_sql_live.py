"""Live queries and definitions, read by Postgres's own grammar."""

import pytest

from bluegreen.adapters.postgres.scripts import SqlRefused
from bluegreen.adapters.postgres.sql_bounds import taken
from bluegreen.adapters.postgres.sql_constants import inserted
from bluegreen.adapters.postgres.sql_definitions import check, foreign_key, parts, unique
from bluegreen.adapters.postgres.sql_inserts import guesses, parameters, repaired, split, stand_ins


def test_a_file_of_queries_is_split_without_its_comments() -> None:
    text = "-- name: one\nSELECT ';', $1;\n\n/* two */ DELETE FROM t\n  WHERE id = $2; -- done"
    assert split(text) == ("SELECT ';', $1", "DELETE FROM t\n  WHERE id = $2")
    assert split("-- nothing") == ()
    with pytest.raises(SqlRefused):
        split("SELEC 1")


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("SELECT 1", ("SELECT 1",)),
        ("DECLARE c CURSOR FOR SELECT 1", ("SELECT 1",)),
        ('COPY s.t (a, "B") FROM STDIN', ('INSERT INTO s.t (a, "B") VALUES ($1, $2)',)),
        ("COPY t FROM STDIN", ()),
        ("COPY t (a) TO STDOUT", ()),
        ("VACUUM t", ()),
        ("SET x = $1", ()),
        ("BEGIN", ()),
        ("not SQL", ()),
        ("SELECT 1; SELECT 2", ()),
        ("SELECT /* bluegreen */ count(*) FROM t", ()),
        ("SELECT * FROM pg_stat_activity", ()),
        ("SELECT * FROM bluegreen.migration", ()),
        ("WITH x AS (SELECT * FROM pg_catalog.pg_class) SELECT * FROM x", ()),
        ("SELECT pg_backend_pid()", ()),
        ("SELECT t.* FROM t, pg_class", ("SELECT t.* FROM t, pg_class",)),
        ("SELECT f($1)", ("SELECT f($1)",)),
    ],
)
def test_what_is_prepared_for_a_query(text: str, prepared: tuple[str, ...]) -> None:
    assert stand_ins(text) == prepared


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("SELECT interval $1, date $2, timestamp with time zone $3",
         "SELECT $1::interval, $2::date, $3::timestamp with time zone"),
        ("SELECT interval $1 day", "SELECT $1::interval day"),
        ("SELECT public.mood $1", "SELECT $1::public.mood"),
        ("SELECT extract($1 FROM at) FROM t", 'SELECT pg_catalog."extract"($1, at) FROM t'),
        ("SELECT f($1, x), count(*) FROM t GROUP BY f('a', x)", "SELECT f($1, x), count(*) FROM t GROUP BY f($1, x)"),
        ("SELECT f($1, x) FROM t ORDER BY f('a', x)", "SELECT f($1, x) FROM t ORDER BY f($1, x)"),
        ("SELECT x, count(*) FROM t GROUP BY 1 ORDER BY 2", "SELECT x, count(*) FROM t GROUP BY 1 ORDER BY 2"),
        ("not SQL", "not SQL"),
    ],
)  # fmt: skip
def test_parameters_stand_where_the_grammar_takes_them(text: str, better: str) -> None:
    assert repaired(text) == better


def test_parameters_are_counted_and_those_of_sums_and_lists_guessed_to_be_numbers() -> None:
    assert parameters("SELECT $2, '$9', $10 -- $11") == (2, 10)
    assert guesses("SELECT $1 + $2, x + $3 FROM t WHERE y IN (SELECT generate_series($4, $5))")[0] == {1, 2, 4, 5}
    assert guesses("SELECT name FROM t WHERE name = $1") == ()


@pytest.mark.parametrize(
    ("key", "bound", "condition"),
    [
        ("RANGE (at)", "FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
         "\"at\" >= '2024-01-01' AND \"at\" < '2024-02-01' AND \"at\" IS NOT NULL"),
        ("RANGE (at)", "FOR VALUES FROM (MINVALUE) TO (5)", '"at" < 5 AND "at" IS NOT NULL'),
        ("RANGE (a, b)", "FOR VALUES FROM (1, 2) TO (3, MAXVALUE)", ""),
        ("LIST (lower(kind))", "FOR VALUES IN ('a', NULL)", "(lower(kind)) IN ('a') OR (lower(kind)) IS NULL"),
        ("HASH (id)", "FOR VALUES WITH (modulus 3, remainder 1)", ""),
        ("nonsense", "FOR VALUES IN (1)", ""),
    ],
)  # fmt: skip
def test_a_bound_becomes_a_condition(key: str, bound: str, condition: str) -> None:
    assert taken(key, bound) == condition


def test_definitions_are_taken_apart() -> None:
    found = unique('CREATE UNIQUE INDEX i ON s.t USING btree (lower(a) COLLATE "C" DESC, b) INCLUDE (c) WHERE (d > 3)')
    assert found is not None
    assert found.expressions == ('(lower(a)) COLLATE "C"', '"b"')
    assert (found.where, found.nulls_equal) == ("d > 3", False)
    assert unique("CREATE UNIQUE INDEX i ON t USING gist (a, r)") is None
    key = foreign_key('FOREIGN KEY (a, b) REFERENCES s."T x"(c, d) MATCH FULL ON DELETE CASCADE NOT VALID')
    assert key is not None
    assert (key.columns, key.table, key.referenced, key.full) == (("a", "b"), ("s", "T x"), ("c", "d"), True)
    assert foreign_key("CHECK (a > 1)") is None
    assert check("CHECK (((a)::text ~~ '%@%'::text)) NOT VALID") == "a::text ~~ '%@%'::text"
    assert check("UNIQUE (a)") == check("nonsense") == ""
    assert parts('public."Mixed Case"."Se.l""ect"') == ("public", "Mixed Case", 'Se.l"ect')


def test_rows_of_constants_are_read_and_others_are_not() -> None:
    [found] = inserted("INSERT INTO s.t (a, b) VALUES ('x', 2::int), (now(), NULL)")
    assert (found.table, found.columns) == (("s", "t"), ("a", "b"))
    assert found.rows == (("'x'", "2::int"), ("", ""))
    assert inserted("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING") == ()
    assert inserted("INSERT INTO t SELECT 1") == inserted("not SQL") == ()
