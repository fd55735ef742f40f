"""What is seen of a statement: its locks, the tables it reads to their ends, writes anew, writes at all."""

import asyncpg

from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.sql_text import read
from bluegreen.adapters.rehearsal.observing import Player, Run
from bluegreen.domain.seen import StatementSeen
from tests.adapters.sites import Site

SCHEMA = """
CREATE TABLE users (id bigint PRIMARY KEY, email text, age text, size varchar(9), at timestamptz);
CREATE TABLE posts (id bigint PRIMARY KEY, by bigint REFERENCES users);
CREATE FUNCTION note() RETURNS void LANGUAGE sql AS 'UPDATE posts SET id = id WHERE id = 33';
"""


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", sql: str, **given: object) -> Run:
    script = read(sql)
    texts = [StatementSeen(statement.line, statement.text) for statement in script.statements]
    player = Player(connection, 30.0, **given)  # type: ignore[arg-type]
    return await player.run(script, texts, await look(connection, positions=True))


def _words(run: Run) -> list[tuple[set[str], set[str], set[str], set[str]]]:
    """Locks, scans, rewrites, writes of each statement, by the names of tables."""
    names = {key: thing.name.removeprefix("public.") for key, thing in run.before.items()}
    return [
        (
            {f"{lock.name.removeprefix('public.')} {lock.mode}" for lock in statement.locks},
            {names[key] for key in statement.scanned},
            {names[key] for key in statement.rewritten},
            {names[key] for key in statement.written},
        )
        for statement in run.statements
    ]


STRONG = "users ACCESS EXCLUSIVE"

SEEN: dict[str, tuple[str, set[str], set[str], set[str]]] = {
    "a new column": ("ALTER TABLE users ADD x int", {STRONG}, set(), set()),
    "a default that is constant": ("ALTER TABLE users ADD x int DEFAULT 3", {STRONG}, set(), set()),
    "a default that is computed": ("ALTER TABLE users ADD x float DEFAULT random()", {STRONG}, {"users"}, {"users"}),
    "another type": ("ALTER TABLE users ALTER at TYPE date", {STRONG}, {"users"}, {"users"}),
    "a wider varchar": ("ALTER TABLE users ALTER size TYPE varchar(20)", {STRONG}, set(), set()),
    "NOT NULL": ("ALTER TABLE users ALTER email SET NOT NULL", {STRONG}, {"users"}, set()),
    "a constraint that is not validated": ("ALTER TABLE users ADD CHECK (id > 0) NOT VALID", {STRONG}, set(), set()),
    "an index": ("CREATE INDEX ON users (email)", {"users SHARE"}, {"users"}, set()),
    "a table that is dropped": ("DROP TABLE posts", {"posts ACCESS EXCLUSIVE", STRONG}, set(), set()),
    "a new table": ("CREATE TABLE tags (id int); INSERT INTO tags VALUES (1)", set(), set(), set()),
}


async def test_a_statement_is_seen(site: Site) -> None:
    wrong = {}
    connection = await site.connect()
    try:
        for name, (sql, locks, scanned, rewritten) in SEEN.items():
            await connection.execute("DROP TABLE IF EXISTS posts, users, tags; DROP FUNCTION IF EXISTS note")
            await connection.execute(SCHEMA)
            held, scans, files, _ = _words(await _run(connection, sql))[-1]
            old = {lock for lock in held if not lock.startswith("tags")}
            if (old >= locks, bool(old), scans, files) != (True, bool(locks), scanned, rewritten):
                wrong[name] = (held, scans, files)
    finally:
        await connection.close()
    assert wrong == {}


async def test_a_validated_check_spares_set_not_null_its_scan(site: Site) -> None:
    await site.execute(SCHEMA + "ALTER TABLE users ADD CONSTRAINT c CHECK (email IS NOT NULL) NOT VALID;")
    connection = await site.connect()
    try:
        run = await _run(
            connection, "ALTER TABLE users VALIDATE CONSTRAINT c;\nALTER TABLE users ALTER email SET NOT NULL;"
        )
    finally:
        await connection.close()
    (weak, scans, _, _), (strong, none, _, _) = _words(run)
    assert (scans, none) == ({"users"}, set())
    assert ("users SHARE UPDATE EXCLUSIVE" in weak, STRONG in weak, STRONG in strong) == (True, False, True)


async def test_rows_that_a_function_sets_out_to_write_are_seen(site: Site) -> None:
    await site.execute(SCHEMA)
    connection = await site.connect()
    try:
        run = await _run(connection, "SELECT note(); INSERT INTO users VALUES (1)")
    finally:
        await connection.close()
    assert [words[3] for words in _words(run)] == [{"posts"}, {"users"}]


async def test_an_error_of_our_row_is_a_doubt_and_the_rest_is_run(site: Site) -> None:
    await site.execute(SCHEMA + "INSERT INTO users VALUES (1, 'a', 'b');")
    connection, desk = await site.connect(), await site.connect()

    async def clear() -> None:
        await desk.execute("TRUNCATE users CASCADE")

    changes = ("ADD x int", "ALTER age TYPE int USING age::int", "ADD y int")
    try:
        run = await _run(connection, ";".join(f"ALTER TABLE users {change}" for change in changes), clear=clear)
        again = await _run(connection, "-- bluegreen: no-transaction\nSELECT 1 / 0;\nSELECT 1;", clear=clear)
    finally:
        await connection.close()
        await desk.close()
    assert [(bool(told.error), told.error and told.error.needs_rows) for told in run.told] == [
        (False, None),
        (True, True),
        (False, None),
    ]
    assert (run.failed, again.failed) == (False, True)
    assert [told.error and told.error.needs_rows for told in again.told] == [False, None]


async def test_an_error_at_commit_is_seen(site: Site) -> None:
    await site.execute(SCHEMA + "ALTER TABLE posts ALTER CONSTRAINT posts_by_fkey DEFERRABLE INITIALLY DEFERRED;")
    connection = await site.connect()
    try:
        run = await _run(connection, "INSERT INTO posts VALUES (1, 5)")
    finally:
        await connection.close()
    assert run.failed
    assert run.told[-1].error is not None
    assert run.told[-1].error.sqlstate == "23503"
