-- What migrating asks of the server (postgres/queries.py). Parameters are $1, $2, … in the order given.

-- name: index_named
-- The index $2 in the schema of table $1, whether it is valid, and whether somebody builds it right now.
SELECT format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AS valid,
    EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = c.oid) AS building
FROM pg_class AS t
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = $2
JOIN pg_index AS i ON i.indexrelid = c.oid
WHERE t.oid = to_regclass($1);

-- name: reindex_leftovers
-- What broken REINDEX CONCURRENTLY left behind (Postgres manual, REINDEX) on table $1, of index $2, or anywhere.
SELECT format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AS valid,
    EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = c.oid) AS building
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname <> 'pg_toast'
    AND (
        ($1::text IS NULL AND $2::text IS NULL)
        OR i.indrelid = to_regclass($1::text)
        OR i.indrelid = (SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass($2::text))
    );

-- name: invalid_indexes
-- Indexes of users' tables that are INVALID while nobody builds them: what a broken CONCURRENTLY left behind.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = c.oid)
ORDER BY 1;

-- name: restamp_file
-- The file of a migration that was applied has checksum $4 now, and says the same.
UPDATE bluegreen.migration SET checksum = $4 WHERE source = $1 AND version = $2 AND phase = $3;

-- name: write_interrupted
-- What was running when whoever ran it died.
UPDATE bluegreen.migration SET state = 'interrupted', finished_at = clock_timestamp() WHERE state = 'running'
RETURNING source || '/' || version || '.' || phase AS label;

-- name: settle
-- A person says how migration ($1, $2, $3) stands: state $4, $5 of $6 statements done, and who ($7). Of a migration
-- that has no row yet $8 is the checksum, $9 the meaning.
INSERT INTO bluegreen.migration AS former (
    source, version, phase, checksum, mode, state, statements_total, statements_done, in_flight,
    deployment, release, owner, error, output, attempts, started_at, finished_at, meaning
)
VALUES ($1, $2, $3, $8, 'transaction', $4, $6, $5, false, '', '', '', '', $7, 0, now(), now(), $9)
ON CONFLICT (source, version, phase) DO UPDATE SET
    state = excluded.state,
    statements_done = excluded.statements_done,
    in_flight = false,
    output = excluded.output,
    finished_at = now()
WHERE former.state NOT IN ('done', 'skipped');

-- name: in_the_way
-- Transactions that hold, or wait for, a lock on tables $1 that conflicts with modes $2 (names and modes in pairs; $3:
-- with the tables that foreign keys join to it), but for backends $4. Of other users' sessions an ordinary role sees no
-- more than that they are there: then `seconds` is NULL, and `transaction` tells whether it is still the same one.
WITH RECURSIVE named AS (
    SELECT to_regclass(name)::oid AS oid, mode, partners
    FROM unnest($1::text[], $2::text[], $3::boolean[]) AS given (name, mode, partners)
), wanted AS (
    (
        SELECT oid, mode, partners FROM named WHERE oid IS NOT NULL
        UNION SELECT i.indrelid, n.mode, false FROM named AS n JOIN pg_index AS i ON i.indexrelid = n.oid
    )
    UNION SELECT h.inhrelid, w.mode, w.partners FROM wanted AS w JOIN pg_inherits AS h ON h.inhparent = w.oid
), locked AS (
    SELECT oid, mode FROM wanted
    UNION SELECT CASE f.conrelid WHEN w.oid THEN f.confrelid ELSE f.conrelid END, w.mode
    FROM wanted AS w JOIN pg_constraint AS f ON f.contype = 'f' AND w.oid IN (f.conrelid, f.confrelid)
    WHERE w.partners
)
SELECT DISTINCT ON (l.virtualtransaction) l.pid, l.virtualtransaction AS transaction, l.relation::regclass::text AS name,
    l.mode, a.application_name, a.usename, a.state, coalesce(p.gid, a.query) AS query, p.gid,
    a.pid IS NOT NULL AND a.usesysid IS NULL AS internal,
    extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start))::double precision AS seconds
FROM locked AS w
JOIN pg_locks AS l ON l.locktype = 'relation' AND l.relation = w.oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND CASE w.mode
        WHEN 'ShareLock' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock')
        WHEN 'ShareRowExclusiveLock' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock')
        WHEN 'ExclusiveLock' THEN l.mode <> 'AccessShareLock'
        ELSE true
    END
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_locks AS x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid'
    AND x.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts AS p ON p.transaction = x.transactionid
WHERE l.pid IS NULL OR l.pid <> ALL ($4::integer[])
ORDER BY l.virtualtransaction, seconds DESC;

-- name: stopping
-- Who waits for a lock in this database, and for whom.
SELECT DISTINCT stopped.pid AS stopped, stopped.application_name AS stopped_application,
    stopped.client_port AS stopped_port, stopped.query AS stopped_query, b.pid, b.application_name, b.client_port,
    coalesce(b.state, '') AS state, b.query, coalesce(b.wait_event_type = 'Lock', false) AS waits
FROM pg_locks AS l
JOIN pg_stat_activity AS stopped ON stopped.pid = l.pid AND stopped.datname = current_database()
CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS blocking (pid)
JOIN pg_stat_activity AS b ON b.pid = blocking.pid
WHERE NOT l.granted;
