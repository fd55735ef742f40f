-- What several families ask of the server, by name (queries.py). Parameters are $1, $2, … in the order given.

-- name: facts
-- How the server is. Of other users' sessions an ordinary role sees no backend_type, but sees that they are there.
SELECT
    current_setting('server_version_num')::integer AS server_version,
    pg_database_size(current_database()) AS size,
    current_setting('max_connections')::integer AS max_connections,
    current_setting('superuser_reserved_connections')::integer
        + coalesce(current_setting('reserved_connections', true), '0')::integer AS reserved,
    (SELECT count(*) FROM pg_stat_activity
        WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend')::integer AS connections,
    (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_create_database;

-- name: settings
-- Settings that only some versions of Postgres know: an idle session or a long transaction of ours must not be ended,
-- and a backend whose client died ($1: how often it looks, 0 never) must not go on holding its locks.
SELECT set_config(name, new, false)
FROM pg_settings
JOIN (VALUES ('idle_session_timeout', '0'), ('transaction_timeout', '0'), ('client_connection_check_interval', $1::text)) AS wanted (name, new)
    USING (name);

-- name: lock_holder
-- Who holds the advisory lock $1 (a bigint: its halves are classid and objid, objsubid 1) in this database.
SELECT l.pid, a.application_name, a.usename, a.client_addr::text AS host,
    extract(epoch FROM now() - a.backend_start)::double precision AS seconds
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32) | l.objid::bigint = $1;

-- name: blockers
-- Who stands in the way of backend $1, if it waits for a lock now. pg_blocking_pids locks the lock table for a
-- moment, so it is asked only then.
SELECT b.pid, b.application_name, b.usename, b.state, b.query,
    extract(epoch FROM now() - coalesce(b.xact_start, b.backend_start))::double precision AS seconds
FROM pg_stat_get_activity($1) AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
JOIN pg_stat_activity AS b ON b.pid = blocking.pid
WHERE waiting.wait_event_type = 'Lock'
ORDER BY b.xact_start;

-- name: former
-- Sessions in this database that carry the application_name $1: what a killed daemon left running.
SELECT pid FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid();

-- name: sessions
-- The sessions of clients in this database but our own, the oldest first.
SELECT pid, coalesce(application_name, '') AS application_name, coalesce(usename, '?') AS usename,
    coalesce(host(client_addr), 'a socket') AS client,
    coalesce(extract(epoch FROM now() - backend_start), 0)::double precision AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name NOT LIKE 'bluegreen%'
ORDER BY backend_start;

-- name: connection_limits
-- How many connections the server takes, and how many of them an ordinary role never gets (reserved_connections is
-- new in 16).
SELECT current_setting('max_connections')::integer AS max_connections,
    current_setting('superuser_reserved_connections')::integer
        + coalesce(current_setting('reserved_connections', true), '0')::integer AS reserved;

-- name: connections
-- The sessions of clients of the whole server but this one, by their name. Of other users' sessions an ordinary role
-- sees no backend_type, but the name, and that they have a database: what works for the server itself has none.
SELECT coalesce(application_name, '') AS application_name, count(*)::integer AS n
FROM pg_stat_activity
WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()
GROUP BY 1;

-- name: ledger_rows
-- The whole ledger in the order applied. What version 1 of it does not have is read by way of jsonb.
SELECT source, version, phase, checksum, mode, state, statements_total, statements_done, in_flight, deployment,
    finished_at, error, release, coalesce(to_jsonb(migration) ->> 'meaning', '') AS meaning,
    to_jsonb(migration) ->> 'rehearsal' AS rehearsal
FROM bluegreen.migration
ORDER BY coalesce(finished_at, started_at), id;

-- name: ledger_write
-- One row, new or over the former attempt's; never over one that is done, but for a tool that is another one now. What
-- is NULL of $8, $9, $18, and $17 where it is empty: as before.
INSERT INTO bluegreen.migration AS former (
    source, version, phase, checksum, mode, state, statements_total, statements_done, in_flight,
    deployment, release, owner, error, output, attempts, started_at, finished_at, meaning, hash_before, rehearsal
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, coalesce($8::integer, 0), coalesce($9::boolean, false),
    $10, $11, $12, $13, $14, 1, now(), CASE WHEN $6 <> 'running' THEN clock_timestamp() END, $16, $17, $18::jsonb
)
ON CONFLICT (source, version, phase) DO UPDATE SET
    checksum = excluded.checksum,
    mode = excluded.mode,
    state = excluded.state,
    statements_total = excluded.statements_total,
    statements_done = coalesce($8::integer, former.statements_done),
    in_flight = coalesce($9::boolean, former.in_flight),
    deployment = excluded.deployment,
    release = excluded.release,
    owner = excluded.owner,
    error = excluded.error,
    output = excluded.output,
    attempts = former.attempts + $15::integer,
    started_at = CASE WHEN $15::integer > 0 THEN excluded.started_at ELSE former.started_at END,
    finished_at = excluded.finished_at,
    meaning = excluded.meaning,
    hash_before = coalesce(nullif(excluded.hash_before, ''), former.hash_before),
    hash_after = '',
    rehearsal = coalesce(excluded.rehearsal, former.rehearsal)
WHERE former.state NOT IN ('done', 'skipped') OR (former.mode = 'command' AND former.state = 'done' AND former.checksum <> excluded.checksum)
RETURNING id;

-- name: ledger_hash_after
-- The hash of the catalogue after a migration was done.
UPDATE bluegreen.migration SET hash_after = $4 WHERE source = $1 AND version = $2 AND phase = $3 AND state = 'done';

-- name: ledger_head
-- The migration that was done last.
SELECT source || '/' || version || '.' || phase FROM bluegreen.migration
WHERE state = 'done' ORDER BY finished_at DESC, id DESC LIMIT 1;

-- name: stamp_write
-- The schema as it is after migration $1: $2 holds the digest of each thing.
INSERT INTO bluegreen.catalogue (after, taken_at, things) VALUES ($1, clock_timestamp(), $2::jsonb)
ON CONFLICT (only_row) DO UPDATE SET after = excluded.after, taken_at = excluded.taken_at, things = excluded.things;

-- name: stamp
-- How the schema was after our last migration; nothing where one was at work since and its end was not looked at: what
-- was running, or done, when whoever ran it was killed.
SELECT after, taken_at, things::text AS things FROM bluegreen.catalogue AS c
WHERE NOT EXISTS (
    SELECT FROM bluegreen.migration AS m
    WHERE greatest(m.started_at, m.finished_at) > c.taken_at AND m.hash_after = '' AND m.phase <> 'backfill'
        AND CASE m.mode WHEN 'transaction' THEN m.state = 'done' ELSE m.state <> 'skipped' END
);

-- name: create_scratch
-- The statement that makes database $1 with the encoding and the collation of database $2. Postgres names the
-- columns of the locale differently from version to version (15: daticulocale, 17: datlocale), hence the jsonb.
SELECT format(
    'CREATE DATABASE %I TEMPLATE template0 ALLOW_CONNECTIONS false ENCODING %L LC_COLLATE %L LC_CTYPE %L',
    $1::text, pg_encoding_to_char(encoding), datcollate, datctype
) || CASE row ->> 'datlocprovider'
    WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(row ->> 'datlocale', row ->> 'daticulocale'))
        || coalesce(' ICU_RULES ' || quote_literal(nullif(row ->> 'daticurules', '')), '')
    WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', row ->> 'datlocale')
    WHEN 'c' THEN ' LOCALE_PROVIDER libc'
    ELSE ''
END
FROM pg_database AS d CROSS JOIN to_jsonb(d) AS row
WHERE datname = $2;
