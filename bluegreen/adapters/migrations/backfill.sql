-- What a backfill asks and writes (backfill*.py). Parameters are $1, $2, … in the order given.

-- name: key
-- The columns of the primary key of table $1, or of a unique index on exactly the columns $2 that are never NULL.
WITH columns_of AS (
    SELECT i.indexrelid, i.indisprimary, k.place, a.attname::text AS name,
        format_type(a.atttypid, a.atttypmod) AS type, t.typcategory = 'D' AS dated, a.attnotnull
    FROM pg_index AS i
    CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND k.place <= i.indnkeyatts
), chosen AS (
    SELECT indexrelid FROM columns_of
    GROUP BY indexrelid, indisprimary
    HAVING CASE WHEN cardinality($2::text[]) = 0 THEN indisprimary
        ELSE bool_and(attnotnull) AND array_agg(name ORDER BY name) = (SELECT array_agg(n ORDER BY n) FROM unnest($2::text[]) AS n)
    END
    ORDER BY indisprimary DESC
    LIMIT 1
)
SELECT name, type, dated FROM columns_of JOIN chosen USING (indexrelid) ORDER BY place;

-- name: begin
-- Take a backfill up: from its cursor, or ($6) anew. Whoever had it before is told apart by owner.
INSERT INTO bluegreen.backfill AS former (source, version, table_name, state, batch, deployment, owner)
VALUES ($1, $2, $3, 'running', $7, $4, $5)
ON CONFLICT (source, version) DO UPDATE SET
    table_name = excluded.table_name,
    state = 'running',
    last_key = CASE WHEN NOT $6 AND former.state <> 'done' THEN former.last_key END,
    rows_total = NULL,
    deployment = excluded.deployment,
    owner = excluded.owner,
    updated_at = clock_timestamp(),
    error = ''
RETURNING last_key, rows_done, batch, started_at;

-- name: advance
-- Move the cursor from $4 to $3 with the rows of its batch. Gives nothing where somebody else moved it meanwhile.
UPDATE bluegreen.backfill
SET last_key = $3::jsonb, rows_done = rows_done + $5, batch = $6, seconds = seconds + $7, updated_at = clock_timestamp()
WHERE source = $1 AND version = $2 AND state = 'running' AND owner = $8 AND last_key IS NOT DISTINCT FROM $4::jsonb
RETURNING rows_done;

-- name: again
-- Begin another pass.
UPDATE bluegreen.backfill SET last_key = NULL, updated_at = clock_timestamp() WHERE source = $1 AND version = $2;

-- name: total
-- How many rows a backfill expects to change.
UPDATE bluegreen.backfill SET rows_total = $3 WHERE source = $1 AND version = $2;

-- name: ended
-- How a backfill ended, or why it stands still.
UPDATE bluegreen.backfill SET state = $3, error = $4, updated_at = clock_timestamp() WHERE source = $1 AND version = $2;

-- name: standing
-- Every backfill, and whether a session of it ($1 || its label) is there.
SELECT b.*, EXISTS (
    SELECT FROM pg_stat_activity AS a
    WHERE a.datname = current_database()
        AND a.application_name = left($1 || b.source || '/' || b.version || '.backfill', 63)
) AS runs
FROM bluegreen.backfill AS b
ORDER BY b.started_at;

-- name: estimate
-- How many rows table $1 has with its partitions, as far as anybody analysed it.
SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class
WHERE oid = to_regclass($1) OR oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) WHERE isleaf);

-- name: held_up
-- Who has waited for backend $1 for longer than $2 seconds. pg_blocking_pids locks the lock table for a moment, so it
-- is asked only of those.
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT ON (pid) pid, extract(epoch FROM clock_timestamp() - waitstart)::double precision AS seconds
    FROM pg_locks
    WHERE NOT granted AND waitstart < clock_timestamp() - make_interval(secs => $2::double precision)
)
SELECT w.pid, w.seconds, coalesce(nullif(a.application_name, ''), 'no name') AS application
FROM waiting AS w LEFT JOIN pg_stat_activity AS a USING (pid)
WHERE $1::integer = ANY (pg_blocking_pids(w.pid))
ORDER BY w.seconds DESC LIMIT 1;

-- name: in_our_way
-- Whom backend $1 waits for.
SELECT b.pid, coalesce(nullif(b.application_name, ''), 'no name') AS application, b.state,
    extract(epoch FROM now() - coalesce(b.xact_start, b.backend_start))::double precision AS seconds
FROM pg_stat_get_activity($1) AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
JOIN pg_stat_activity AS b ON b.pid = blocking.pid
WHERE waiting.wait_event_type = 'Lock'
ORDER BY b.xact_start LIMIT 1;

-- name: lag
-- How far the slowest replica is behind; `unseen` counts those of which this role may not know.
SELECT count(*) FILTER (WHERE state IS NULL)::integer AS unseen,
    extract(epoch FROM max(replay_lag))::double precision AS seconds
FROM pg_stat_replication;

-- name: dead
-- Dead and living rows of table $1 with its partitions, as the statistics have them.
SELECT coalesce(sum(n_dead_tup), 0)::bigint AS dead, coalesce(sum(n_live_tup), 0)::bigint AS living
FROM pg_stat_user_tables
WHERE relid = to_regclass($1) OR relid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) WHERE isleaf);
