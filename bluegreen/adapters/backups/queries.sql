-- What backing up asks of the server (postgres/queries.py). Parameters are $1, $2, … in the order given.

-- name: tables
-- The tables whose rows a dump holds, with the columns it holds of them: not those of extensions, whose rows belong to
-- the extension.
SELECT format('%I.%I', n.nspname, c.relname) AS name,
    coalesce((
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname COLLATE "C") FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    ), '') AS columns
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
    )
ORDER BY 1;

-- name: sequences
-- The sequences whose position a dump holds, and by how much they grow; not those that begin again at their end.
SELECT format('%I.%I', n.nspname, c.relname) AS name, s.seqincrement AS step
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT s.seqcycle AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
    )
ORDER BY 1;

-- name: large_objects
-- How many there are and, where $1, the checksum of what they hold, read in pieces of 1 MiB (in one piece, a large one
-- is more than Postgres can hand out).
WITH RECURSIVE pieces (loid, number, length, hash) AS (
    SELECT m.oid, 0::bigint, octet_length(piece), hashtextextended(m.oid || ' 0 ' || encode(sha256(piece), 'hex'), 0)
    FROM pg_largeobject_metadata AS m
    CROSS JOIN LATERAL (SELECT lo_get(m.oid, 0, 1048576) AS piece OFFSET 0) AS read
    WHERE $1
    UNION ALL
    SELECT loid, number + 1, octet_length(piece),
        hashtextextended(loid || ' ' || (number + 1) || ' ' || encode(sha256(piece), 'hex'), 0)
    FROM pieces
    CROSS JOIN LATERAL (SELECT lo_get(loid, (number + 1) * 1048576, 1048576) AS piece OFFSET 0) AS read
    WHERE length = 1048576
)
SELECT (SELECT count(*) FROM pg_largeobject_metadata) AS objects,
    CASE WHEN $1 THEN (SELECT coalesce(sum(hash), 0)::text FROM pieces) ELSE '' END AS checksum;

-- name: may_read_passwords
-- Whether pg_dumpall can write the roles with their passwords.
SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT');
