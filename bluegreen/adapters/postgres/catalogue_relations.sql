-- Tables and what belongs to them (catalogue.py): each question gives key, name, of, facts (json), as domain/catalogue.py
-- describes them. All are asked with an empty search_path, so that every name has its schema. Left out: the system's
-- schemas, schema bluegreen, temporary things, members of extensions.

-- name: tables
-- Tables, partitioned and foreign ones too; where a partition belongs, and where its rows lie.
SELECT CASE c.relkind WHEN 'f' THEN 'foreign_table' ELSE 'table' END || ':' || c.oid AS key,
    format('%I.%I', n.nspname, c.relname) AS name, '' AS of,
    json_build_object(
        'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
        'partitioned', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
        'partition_of', CASE WHEN c.relispartition THEN (
            SELECT i.inhparent::regclass::text FROM pg_inherits AS i WHERE i.inhrelid = c.oid) END,
        'bound', pg_get_expr(c.relpartbound, c.oid),
        'inherits', CASE WHEN NOT c.relispartition THEN (
            SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
            FROM pg_inherits AS i WHERE i.inhrelid = c.oid) END,
        'row_security', c.relrowsecurity,
        'forced_row_security', c.relforcerowsecurity,
        'replica_identity', c.relreplident,
        'owner', pg_get_userbyid(c.relowner),
        'options', nullif(array_to_string(c.reloptions, ', ') || coalesce((
            SELECT ' server ' || quote_ident(s.srvname) || coalesce(' ' || array_to_string(f.ftoptions, ', '), '')
            FROM pg_foreign_table AS f JOIN pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid), ''),
            ''),
        'server', (SELECT s.srvname FROM pg_foreign_table AS f JOIN pg_foreign_server AS s ON s.oid = f.ftserver
            WHERE f.ftrelid = c.oid),
        'filenode', c.relfilenode::bigint
    ) AS facts
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;

-- name: views
-- Views and materialised views.
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'matview' END || ':' || c.oid AS key,
    format('%I.%I', n.nspname, c.relname) AS name, '' AS of,
    json_build_object(
        'definition', pg_get_viewdef(c.oid),
        'options', array_to_string(c.reloptions, ', '),
        'owner', pg_get_userbyid(c.relowner)
    )::jsonb || CASE c.relkind
        WHEN 'm' THEN jsonb_build_object('populated', c.relispopulated, 'filenode', c.relfilenode::bigint)
        ELSE '{}'::jsonb
    END AS facts
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;

-- name: columns
-- The columns of all of these.
SELECT 'column:' || a.attrelid || '.' || a.attnum AS key,
    format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name,
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview' WHEN 'f' THEN 'foreign_table' ELSE 'table' END
        || ':' || c.oid AS of,
    json_build_object(
        'type', format_type(a.atttypid, a.atttypmod),
        'not_null', a.attnotnull,
        'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(e.adbin, e.adrelid) END,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        'generated', CASE a.attgenerated WHEN '' THEN NULL WHEN 'v' THEN 'virtual: ' ELSE 'stored: ' END
            || pg_get_expr(e.adbin, e.adrelid),
        'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
        'attnum', a.attnum
    ) AS facts
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, a.attnum;

-- name: sequences
-- Sequences; where each stands only if $1, since looking there takes a lock.
SELECT 'sequence:' || c.oid AS key, format('%I.%I', n.nspname, c.relname) AS name, '' AS of,
    json_build_object(
        'type', format_type(s.seqtypid, NULL),
        'start', s.seqstart,
        'increment', s.seqincrement,
        'minimum', s.seqmin,
        'maximum', s.seqmax,
        'cache', s.seqcache,
        'cycle', s.seqcycle,
        'owner', pg_get_userbyid(c.relowner),
        'owned_by', (
            SELECT format('%s.%I', d.refobjid::regclass, a.attname)
            FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
                AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)
    )::jsonb || CASE
        WHEN $1 THEN jsonb_build_object('position', coalesce(pg_sequence_last_value(c.oid)::text, ''))
        ELSE '{}'::jsonb
    END AS facts
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_sequence AS s ON s.seqrelid = c.oid
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;

-- name: constraints
-- Constraints of tables; those of domains stand with their types, those of triggers with these.
SELECT 'constraint:' || k.oid AS key, format('%I on %s', k.conname, k.conrelid::regclass) AS name,
    CASE c.relkind WHEN 'f' THEN 'foreign_table' ELSE 'table' END || ':' || c.oid AS of,
    json_build_object(
        'type', k.contype,
        'definition', pg_get_constraintdef(k.oid),
        'validated', k.convalidated,
        'deferrable', k.condeferrable,
        'references', CASE WHEN k.contype = 'f' THEN k.confrelid::regclass::text END
    ) AS facts
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype <> 't' AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, k.conname, k.oid;

-- name: indexes
-- Indexes, and the constraint that each backs.
SELECT 'index:' || i.indexrelid AS key, format('%I.%I', n.nspname, x.relname) AS name,
    CASE c.relkind WHEN 'm' THEN 'matview' ELSE 'table' END || ':' || c.oid AS of,
    json_build_object(
        'definition', pg_get_indexdef(i.indexrelid),
        'unique', i.indisunique,
        'primary', i.indisprimary,
        'valid', i.indisvalid,
        'ready', i.indisready,
        'constraint', k.conname
    ) AS facts
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, x.relname;
