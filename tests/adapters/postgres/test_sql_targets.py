"""Which tables a statement locks so that users wait, read from its text."""

import pytest

from bluegreen.adapters.postgres.scripts import LockMode
from bluegreen.adapters.postgres.sql_text import read

AE, SRE, SHARE = LockMode.ACCESS_EXCLUSIVE, LockMode.SHARE_ROW_EXCLUSIVE, LockMode.SHARE


@pytest.mark.parametrize(
    ("sql", "locked"),
    [
        ("ALTER TABLE a ADD x int", [("a", AE)]),
        ('ALTER TABLE "S"."A b" ADD x int', [("S.A b", AE)]),
        ("ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES s.b NOT VALID", [("a", SRE), ("s.b", SRE)]),
        ("ALTER TABLE a ADD x int REFERENCES b", [("a", AE), ("b", SRE)]),
        ("ALTER TABLE a DISABLE TRIGGER ALL", [("a", SRE)]),
        ("ALTER TABLE a ATTACH PARTITION b DEFAULT", [("b", AE)]),
        ("CREATE INDEX i ON a (x)", [("a", SHARE)]),
        ("CREATE TRIGGER g BEFORE INSERT ON a EXECUTE FUNCTION f()", [("a", SRE)]),
        ("DROP TRIGGER g ON s.a", [("s.a", AE)]),
        ("DROP POLICY p ON a", [("a", AE)]),
        ("CREATE POLICY p ON a USING (EXISTS (SELECT FROM other))", [("a", AE)]),
        ("CREATE RULE r AS ON INSERT TO a DO INSTEAD INSERT INTO other VALUES (1)", [("a", AE)]),
        ("DROP TABLE a, s.b", [("a", AE), ("s.b", AE)]),
        ("DROP INDEX i", [("i", AE)]),
        ("TRUNCATE a, b", [("a", AE), ("b", AE)]),
        ("LOCK TABLE a IN SHARE MODE", [("a", SHARE)]),
        ("ALTER TABLE a RENAME TO b", [("a", AE)]),
        ("ALTER TABLE a SET SCHEMA s", [("a", AE)]),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 FROM other", [("v", AE)]),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", [("m", LockMode.EXCLUSIVE)]),
        ("ALTER SEQUENCE s RESTART", [("s", SRE)]),
        ("CREATE TABLE a (x int REFERENCES b)", [("b", SRE)]),
        ("CREATE TABLE a PARTITION OF b FOR VALUES IN (1)", [("b", AE)]),
    ],
)
def test_a_statement_that_stops_users_names_their_tables(sql: str, locked: list[tuple[str, LockMode]]) -> None:
    script = read(sql)
    (statement,) = script.statements
    assert [(str(target.relation), target.mode) for target in statement.targets] == locked
    assert script.harms(statement)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE a (LIKE b)",
        "CREATE TABLE a AS SELECT * FROM b",
        "CREATE VIEW v AS SELECT 1 FROM a",
        "ALTER TABLE a VALIDATE CONSTRAINT c",
        "ALTER TABLE a SET (fillfactor = 90)",
        "ALTER TABLE a ALTER x SET STATISTICS 1000",
        "LOCK TABLE a IN ROW SHARE MODE",
        "UPDATE a SET x = 1",
        "COMMENT ON TABLE a IS 'x'",
        "DO $$ BEGIN END $$",
    ],
)
def test_a_statement_that_stops_nobody_has_no_targets(sql: str) -> None:
    script = read(sql)
    (statement,) = script.statements
    assert statement.targets == ()
    assert not script.harms(statement)


def test_a_table_that_the_file_made_itself_has_no_users_yet() -> None:
    script = read(
        "CREATE TABLE a (x int); CREATE INDEX ON public.a (x); ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b"
    )
    _, index, foreign_key = script.statements
    assert not script.harms(index)
    assert [str(target.relation) for target in script.targets_of(foreign_key)] == ["b"]
