"""What is read out of a file of SQL, by Postgres's own grammar."""

import pytest

from bluegreen.adapters.postgres.scripts import HEADER, Alone, Relation, SqlRefused, Statement
from bluegreen.adapters.postgres.sql_text import read


def _only(sql: str) -> Statement:
    (statement,) = read(f"{HEADER}\n{sql}").statements
    return statement


def test_statements_are_split_where_postgres_splits_them() -> None:
    text = "-- a; b\nSELECT ';';\n\n/* ü; */ DO $$ BEGIN PERFORM 1; END $$; ;\nSELECT 'ü' -- the end"
    found = read(text).statements
    assert [(s.text, s.line) for s in found] == [
        ("SELECT ';'", 2),
        ("DO $$ BEGIN PERFORM 1; END $$", 4),
        ("SELECT 'ü' -- the end", 5),
    ]


@pytest.mark.parametrize("text", ["", "-- nothing yet\n", ";;"])
def test_a_file_without_statements_is_no_mistake(text: str) -> None:
    assert read(text).statements == ()


def test_only_a_header_makes_a_file_run_without_a_transaction() -> None:
    assert read("SELECT 1").transactional
    assert not read("-- why\n--bluegreen:no-transaction\nSELECT 1").transactional
    assert read("SELECT '-- bluegreen: no-transaction'").transactional


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("SELECT 1;\n\\d users\n", 2, r"\\d is a command of psql"),
        ("SELECT 1\n\\gset", 2, r"\\gset is a command of psql"),
        ("SELECT 'ü',\n'ü' FROM FROM t", 2, 'syntax error at or near "FROM"'),
        ("SELECT 1;\nBEGIN;\nSELECT 2", 2, "each file is one transaction"),
        ("SELECT 1; COMMIT", 1, "each file is one transaction"),
        ("SAVEPOINT a", 1, "each file is one transaction"),
        (f"{HEADER}\nBEGIN", 2, "each file is one transaction"),
        ("SELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a)", 2, HEADER),
        ("DROP INDEX CONCURRENTLY i", 1, HEADER),
        ("REINDEX INDEX CONCURRENTLY i", 1, HEADER),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", 1, HEADER),
        ("VACUUM t", 1, "VACUUM cannot run inside a transaction"),
        (f"{HEADER}\nCREATE INDEX CONCURRENTLY ON t (a)", 2, "name the index"),
        ("COPY t FROM STDIN", 1, "COPY from or to the client"),
        ("COPY t TO STDOUT", 1, "COPY from or to the client"),
        ("-- bluegreen: no-transactions\nSELECT 1", 1, "is not known"),
        (f"SELECT 1;\n{HEADER}\nSELECT 2", 2, "before the first statement"),
        ("SELECT 1;\n\0DROP TABLE t", 2, "NUL"),
        ("SELECT 'open", 1, "unterminated"),
    ],
)
def test_what_cannot_run_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(SqlRefused, match=reason) as caught:
        read(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("sql", "alone"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", Alone.BUILDS_INDEX),
        ("DROP INDEX CONCURRENTLY IF EXISTS i", Alone.DROPS_INDEX),
        ("REINDEX (CONCURRENTLY, VERBOSE) TABLE t", Alone.REBUILDS_INDEX),
        ("REINDEX SCHEMA s", Alone.AGAIN),
        ("REINDEX TABLE t", Alone.NO),
        ("VACUUM ANALYZE t", Alone.AGAIN),
        ("ANALYZE t", Alone.NO),
        ("CLUSTER", Alone.AGAIN),
        ("CLUSTER t USING i", Alone.NO),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", Alone.UNKNOWN),
        ("CALL p()", Alone.UNKNOWN),
        ("DO $$ BEGIN COMMIT; END $$", Alone.UNKNOWN),
        ("DO $$ BEGIN PERFORM 1; END $$", Alone.NO),
        ("ALTER SYSTEM SET work_mem = '1MB'", Alone.UNKNOWN),
        ("CREATE DATABASE d", Alone.UNKNOWN),
        ("ALTER TYPE mood ADD VALUE 'fine'", Alone.NO),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", Alone.NO),
        ("CREATE INDEX i ON t (a)", Alone.NO),
    ],
)
def test_what_cannot_run_in_a_transaction_is_known(sql: str, alone: Alone) -> None:
    assert _only(sql).alone is alone


@pytest.mark.parametrize(
    ("sql", "strong"),
    [
        ("ALTER TABLE t ADD a int", True),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", False),
        ("ALTER TABLE t VALIDATE CONSTRAINT c, ADD a int", True),
        ("ALTER TABLE t RENAME a TO b", True),
        ("CREATE INDEX i ON t (a)", True),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", False),
        ("DROP TABLE t", True),
        ("TRUNCATE t", True),
        ("LOCK TABLE t", True),
        ("CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f()", True),
        ("REINDEX TABLE t", True),
        ("UPDATE t SET a = 1", False),
        ("CREATE TABLE t (a int)", False),
    ],
)
def test_what_makes_users_wait_is_known(sql: str, strong: bool) -> None:
    assert _only(sql).strong is strong


def test_the_names_around_an_index_are_read() -> None:
    build = _only('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "I" ON s."T ""x" (a)')
    assert (build.table, build.indexes, build.if_not_exists) == (Relation('T "x', "s"), (Relation("I", "s"),), True)
    assert build.table is not None
    assert build.table.quoted == '"s"."T ""x"'
    assert _only("DROP INDEX CONCURRENTLY s.i").indexes == (Relation("i", "s"),)
    assert _only("REINDEX INDEX CONCURRENTLY s.i").indexes == (Relation("i", "s"),)
    assert _only("REINDEX TABLE CONCURRENTLY s.t").table == Relation("t", "s")


def test_a_setting_of_the_session_is_known() -> None:
    assert _only("SET search_path = s").setting
    assert not _only("SELECT 1").setting
