-- What copying the small tables asks (postgres/queries.py).

-- name: small_tables
-- Tables of at most 64 kB that are not empty, may be read whole, and are joined to no other by a foreign key.
SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND NOT c.relispartition AND NOT c.relrowsecurity
    AND pg_relation_size(c.oid) BETWEEN 1 AND 65536
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'bluegreen')
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.contype = 'f' AND c.oid IN (k.conrelid, k.confrelid))
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY pg_relation_size(c.oid), c.oid
LIMIT 300;
