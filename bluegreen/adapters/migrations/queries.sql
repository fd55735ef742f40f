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
