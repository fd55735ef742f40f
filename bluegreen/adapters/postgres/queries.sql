-- What several families ask of the server, by name (queries.py). Parameters are $1, $2, … in the order given.

-- name: facts
-- How the server is. Of other users' sessions an ordinary role sees no backend_type, but sees that they are there.
SELECT
    current_setting('server_version_num')::integer AS server_version,
    pg_database_size(current_database()) AS size,
    current_setting('max_connections')::integer AS max_connections,
    (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' OR backend_type IS NULL)::integer AS connections,
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

-- name: ledger_rows
-- The whole ledger in the order applied.
SELECT source, version, phase, checksum, mode, state, statements_total, statements_done, in_flight, deployment,
    finished_at, error
FROM bluegreen.migration
ORDER BY coalesce(finished_at, started_at), id;

-- name: ledger_write
-- One row, new or over the former attempt's; never over one that is done. $8, $9 NULL: as before.
INSERT INTO bluegreen.migration AS former (
    source, version, phase, checksum, mode, state, statements_total, statements_done, in_flight,
    deployment, release, owner, error, output, attempts, started_at, finished_at, meaning
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, coalesce($8::integer, 0), coalesce($9::boolean, false),
    $10, $11, $12, $13, $14, 1, now(), CASE WHEN $6 <> 'running' THEN clock_timestamp() END, $16
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
    meaning = excluded.meaning
WHERE former.state NOT IN ('done', 'skipped')
RETURNING id;

-- name: ledger_head
-- The migration that was done last.
SELECT source || '/' || version || '.' || phase FROM bluegreen.migration
WHERE state = 'done' ORDER BY finished_at DESC, id DESC LIMIT 1;

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
