-- What a rehearsal asks of production itself (postgres/queries.py): cheap, and no table is read.

-- name: sizes
-- Rows, bytes and the average row of each table. reltuples is -1 until the first ANALYZE: then the planner's guess is
-- made, pages full of rows as wide as their columns' types say (32 bytes where they do not). $1: ask the files, which
-- needs ACCESS SHARE for a moment; else the pages of the last VACUUM count. TOAST counts to the heap.
WITH RECURSIVE widths AS MATERIALIZED (
    SELECT schemaname, tablename, sum(avg_width * (1 - null_frac)) AS width
    FROM pg_stats WHERE NOT inherited AND schemaname <> 'pg_catalog' GROUP BY 1, 2
),
leaf AS (
    SELECT c.oid, c.relkind,
        CASE WHEN $1 THEN pg_table_size(c.oid) ELSE c.relpages * current_setting('block_size')::bigint END AS bytes,
        CASE WHEN $1 THEN pg_indexes_size(c.oid) ELSE (
            SELECT sum(x.relpages) * current_setting('block_size')::bigint
            FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid
        ) END AS index_bytes,
        c.reltuples::double precision AS reltuples,
        CASE WHEN $1 THEN pg_relation_size(c.oid) ELSE c.relpages * current_setting('block_size')::bigint END AS heap,
        28 + coalesce(
            w.width,
            (SELECT sum(CASE WHEN t.typlen > 0 THEN t.typlen ELSE 32 END)
                FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
            0
        ) AS width
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN widths AS w ON w.schemaname = n.nspname AND w.tablename = c.relname
    WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'bluegreen')
),
belongs AS (
    SELECT oid, oid AS root FROM leaf
    UNION
    SELECT i.inhrelid, b.root
    FROM belongs AS b
    JOIN pg_inherits AS i ON i.inhparent = b.oid
    JOIN pg_class AS c ON c.oid = b.root AND c.relkind = 'p'
),
counted AS (
    SELECT oid, relkind, bytes, index_bytes, width, CASE
        WHEN relkind = 'p' THEN 0
        WHEN reltuples >= 0 AND (reltuples > 0 OR heap = 0) THEN reltuples
        ELSE floor(heap / width)
    END AS rows
    FROM leaf
)
SELECT format('%I.%I', n.nspname, c.relname) AS name,
    coalesce(sum(part.rows), 0)::bigint AS rows,
    coalesce(sum(part.bytes), 0)::bigint AS bytes,
    coalesce(sum(part.index_bytes), 0)::bigint AS index_bytes,
    coalesce(sum(part.width * part.rows) / nullif(sum(part.rows), 0), max(part.width))::double precision AS row_bytes
FROM belongs AS b
JOIN counted AS part ON part.oid = b.oid
JOIN pg_class AS c ON c.oid = b.root
JOIN pg_namespace AS n ON n.oid = c.relnamespace
GROUP BY c.oid, n.nspname, c.relname
ORDER BY 1;
