"""What a statement's text alone says, before anything runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.adapters.postgres.scripts import SqlRefused
from bluegreen.adapters.postgres.sql_dangers import dangers
from bluegreen.adapters.postgres.sql_directives import directives
from bluegreen.domain.kinds import KINDS, NEVER_RUN

BEYOND = {
    "CREATE ROLE eve": "cluster-statement",
    "ALTER USER eve PASSWORD 'x'": "cluster-statement",
    "DROP ROLE eve": "cluster-statement",
    "GRANT admins TO eve": "cluster-statement",
    "ALTER ROLE app SET search_path = shop": "cluster-statement",
    "ALTER SYSTEM SET fsync = off": "cluster-statement",
    "CREATE DATABASE other": "cluster-statement",
    "ALTER DATABASE production SET work_mem = '1GB'": "cluster-statement",
    "DROP DATABASE other": "cluster-statement",
    "GRANT CONNECT ON DATABASE production TO eve": "cluster-statement",
    "COMMENT ON DATABASE production IS 'x'": "cluster-statement",
    "ALTER DATABASE production OWNER TO eve": "cluster-statement",
    "REASSIGN OWNED BY eve TO app": "cluster-statement",
    "DROP OWNED BY eve": "cluster-statement",
    "CREATE TABLESPACE fast LOCATION '/x'": "cluster-statement",
    "LOAD 'auto_explain'": "cluster-statement",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity": "cluster-statement",
    "SELECT pg_catalog.pg_reload_conf()": "cluster-statement",
    "UPDATE pg_database SET datallowconn = false": "cluster-statement",
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p": "other-database",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw": "other-database",
    "CREATE USER MAPPING FOR app SERVER s": "other-database",
    "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO y": "other-database",
    "CREATE EXTENSION IF NOT EXISTS dblink": "other-database",
    "SELECT dblink_exec('dbname=production', 'DROP TABLE users')": "other-database",
    "COPY t FROM PROGRAM 'curl x'": "copy-program",
    "COPY t TO '/tmp/x'": "server-file",
    "SELECT lo_import('/etc/passwd')": "server-file",
    "INSERT INTO t SELECT pg_read_file('/etc/passwd')": "server-file",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'": "untrusted-language",
    "CREATE EXTENSION plpython3u": "untrusted-language",
    "DO LANGUAGE plperlu 'x'": "untrusted-language",
    "DO $$ BEGIN EXECUTE 'ALTER SYSTEM SET fsync = off'; END $$": "cluster-statement",
    "DO $$ BEGIN IF true THEN CREATE ROLE eve; END IF; END $$": "cluster-statement",
    "DO $$ BEGIN PERFORM dblink('x', 'y'); END $$": "other-database",
    "CREATE FUNCTION f(a int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN a := 1; PERFORM dblink_exec('x'); END $$":
        "other-database",
    "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT pg_read_file('x') $$": "server-file",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := pg_read_file('x'); RETURN NEW; END $$":
        "server-file",
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), BEYOND.items())
def test_what_reaches_beyond_its_database_is_never_run(text: str, kind: str) -> None:
    assert kind in {found for found, _ in dangers(text)}
    assert kind in NEVER_RUN


SAID = {
    "UPDATE t SET a = 1": [("unbatched-update", "t=a")],
    "UPDATE ONLY s.t AS x SET a = 1, b = 2 WHERE x.id = 5 AND c IN (1, 2) AND d > 3": [
        ("unbatched-update", "s.t(c,id)=a,b")],
    "UPDATE t SET a = 1 FROM u WHERE u.id = 5 AND t.k = 'x'::text": [("unbatched-update", "t(k)=a")],
    "UPDATE t SET a = 1 WHERE id = 1 OR true": [("unbatched-update", "t=a")],
    "DELETE FROM t WHERE id = ANY (ARRAY[1, 2])": [("unbatched-delete", "t(id)")],
    "WITH gone AS (DELETE FROM t RETURNING id) INSERT INTO u SELECT id FROM gone": [
        ("rows-copied", "u"), ("unbatched-delete", "t")],
    "INSERT INTO t VALUES (1), (2)": [("rows-inserted", "t")],
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING": [("rows-inserted", "t")],
    "INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b": [
        ("rows-inserted", "t"), ("unbatched-update", "t(a)=b")],
    "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)": [
        ("unbatched-delete", "t"), ("rows-copied", "t")],
    'TRUNCATE "T", s.u RESTART IDENTITY': [
        ("truncated", '"T"'), ("sequence-moved", '"T"'), ("truncated", "s.u"), ("sequence-moved", "s.u")],
    "SELECT setval('s.numbers'::regclass, 1)": [("sequence-moved", "s.numbers")],
    "ALTER SEQUENCE numbers RESTART": [("sequence-moved", "numbers")],
    "LOCK TABLE t IN SHARE MODE": [("explicit-lock", "t")],
    "SET session_replication_role = replica": [("triggers-switched-off", "replica")],
    "SELECT set_config('session_replication_role', 'replica', true)": [("triggers-switched-off", "replica")],
    "SET LOCAL ROLE owner": [("role-switched", "owner")],
    "RESET ROLE": [],
    "SET session_replication_role = origin": [],
    "DROP TABLE bluegreen.migration": [
        ("ledger-touched", "bluegreen.migration"), ("table-dropped", "bluegreen.migration")],
    "DELETE FROM bluegreen.migration": [
        ("ledger-touched", "bluegreen.migration"), ("unbatched-delete", "bluegreen.migration")],
    "ALTER TABLE bluegreen.migration ADD x int": [("ledger-touched", "bluegreen.migration")],
    "SELECT * FROM bluegreen.migration": [],
    "UPDATE pg_enum SET enumlabel = 'x' WHERE oid = 5": [
        ("catalogue-written", "pg_enum"), ("unbatched-update", "pg_enum(oid)=enumlabel")],
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()": [("event-trigger", "e")],
    "CREATE TABLE n AS SELECT a / b FROM t": [("rows-may-not-fit", "/")],
    "SELECT a / 2, a / NULLIF(b, 0), '1'::int FROM t": [],
    "INSERT INTO n SELECT code::int, (d ->> 'x')::int FROM t": [
        ("rows-copied", "n"), ("rows-may-not-fit", "code::integer"), ("rows-may-not-fit", "::integer")],
    "DO $$ BEGIN UPDATE t SET a = 1; END $$": [("unbatched-update", "t=a")],
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET a = 1; END $$": [],
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET a = 1; END": [],
    "EXPLAIN DELETE FROM t": [],
    "EXPLAIN ANALYZE DELETE FROM t": [("unbatched-delete", "t")],
    "ALTER TABLE t DROP a, ALTER b TYPE int, ADD c int NOT NULL, ADD d int NOT NULL DEFAULT 1": [
        ("column-dropped", "t.a"), ("type-changed", "t.b"), ("column-required", "t.c")],
    "ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP DEFAULT, ADD CHECK (a > 0) NOT VALID": [
        ("not-null-added", "t.a"), ("default-dropped", "t.b"), ("check-added", "t")],
    "ALTER TABLE s.t RENAME a TO b": [("column-renamed", "s.t.a")],
    "ALTER TABLE t RENAME TO u": [("table-renamed", "t")],
    "ALTER TYPE s.colour RENAME VALUE 'a' TO 'b'": [("enum-value-changed", "s.colour")],
    "ALTER TYPE colour ADD VALUE 'c'": [],
    "DROP VIEW a, b": [("view-dropped", "a"), ("view-dropped", "b")],
    "DROP FUNCTION f(int)": [("function-dropped", "f")],
    "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)": [("unique-added", "t")],
    "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()": [("trigger-added", "t")],
    "REVOKE SELECT ON t FROM app": [("grant-revoked", "t")],
    "CREATE TABLE t (id bigint PRIMARY KEY); ": [],
    "ALTER TABLE t ADD COLUMN a text": [],
    "CREATE INDEX CONCURRENTLY i ON t (a)": [],
    "COMMENT ON TABLE t IS 'x'": [],
    "GRANT SELECT ON t TO app": [],
    "NOTIFY schema_changed": [],
    "VACUUM ANALYZE t": [],
    "not SQL": [],
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), SAID.items())
def test_a_statement_says_what_it_does_to_rows_and_to_what_is_there(text: str, found: list[tuple[str, str]]) -> None:
    assert list(dangers(text)) == found


@pytest.mark.parametrize("text", [*BEYOND, *SAID])
def test_every_danger_is_a_kind_that_people_can_look_up(text: str) -> None:
    assert {kind for kind, _ in dangers(text)} <= KINDS.keys()


@given(st.lists(st.sampled_from([*BEYOND, *SAID]), min_size=1, max_size=3), st.text("$;'\"()-/* \n", max_size=5))
def test_whatever_the_text_nothing_is_raised(texts: list[str], noise: str) -> None:
    dangers(noise.join(texts))


ACCEPTS = {
    "accept column-droped reason=x": "there is no kind of finding called column-droped. Did you mean column-dropped?",
    "accept column-dropped": "accept column-dropped needs a reason",
    'accept column-dropped reason=" "': "accept column-dropped needs a reason",
    "accept reason=x": "accept names one kind of finding and a reason",
    "accept column-dropped table-dropped reason=x": "accept names one kind of finding and a reason",
    "accept error reason=x": "error cannot be accepted",
    "accept cluster-statement reason=x": "cluster-statement cannot be accepted",
}


@pytest.mark.parametrize(("said", "why"), ACCEPTS.items())
def test_an_accept_that_would_be_overlooked_is_refused_with_its_line(said: str, why: str) -> None:
    with pytest.raises(SqlRefused) as refused:
        directives(f"SELECT 1;\n-- bluegreen: {said}\nSELECT 2;")
    assert (refused.value.line, why in refused.value.why) == (2, True), refused.value.why


def test_an_accept_names_kind_and_reason() -> None:
    (found,) = directives('-- bluegreen: accept trigger-added reason="seen, and fine"\nSELECT 1')
    assert (found.plain, found.values) == (("trigger-added",), {"reason": "seen, and fine"})
