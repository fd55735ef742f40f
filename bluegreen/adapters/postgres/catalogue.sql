-- What a database's catalogue holds (catalogue.py): each question gives key, name, of, facts (json), as
-- domain/catalogue.py describes them. All are asked with an empty search_path, so that every name has its schema.
-- Left out: the system's schemas, schema bluegreen, temporary things, members of extensions.

-- name: schemas
SELECT 'schema:' || n.oid AS key, quote_ident(n.nspname) AS name, '' AS of,
    json_build_object('owner', pg_get_userbyid(n.nspowner)) AS facts
FROM pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY n.nspname;

-- name: tables
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

-- name: triggers
SELECT 'trigger:' || t.oid AS key, format('%I on %s', t.tgname, t.tgrelid::regclass) AS name,
    CASE c.relkind WHEN 'f' THEN 'foreign_table' WHEN 'v' THEN 'view' ELSE 'table' END || ':' || c.oid AS of,
    json_build_object(
        'definition', pg_get_triggerdef(t.oid),
        'enabled', t.tgenabled,
        'function', t.tgfoid::regprocedure::text
    ) AS facts
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, t.tgname;

-- name: rules
SELECT 'rule:' || r.oid AS key, format('%I on %s', r.rulename, r.ev_class::regclass) AS name,
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview' WHEN 'f' THEN 'foreign_table' ELSE 'table' END
        || ':' || c.oid AS of,
    json_build_object('definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled) AS facts
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, r.rulename;

-- name: policies
SELECT 'policy:' || p.oid AS key, format('%I on %s', p.polname, p.polrelid::regclass) AS name,
    'table:' || p.polrelid AS of,
    json_build_object(
        'definition', format('%s FOR %s TO %s USING (%s) WITH CHECK (%s)',
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, p.polcmd, said.roles,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
        'command', CASE p.polcmd
            WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        'roles', said.roles,
        'permissive', p.polpermissive,
        'using', pg_get_expr(p.polqual, p.polrelid),
        'check', pg_get_expr(p.polwithcheck, p.polrelid)
    ) AS facts
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT string_agg(CASE role WHEN 0 THEN 'public' ELSE pg_get_userbyid(role) END, ', ' ORDER BY role) AS roles
    FROM unnest(p.polroles) AS role
) AS said
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, p.polname;

-- name: functions
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE 'function' END || ':' || p.oid AS key,
    p.oid::regprocedure::text AS name, '' AS of,
    json_build_object(
        'arguments', pg_get_function_arguments(p.oid),
        'result', pg_get_function_result(p.oid),
        'source', md5(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) || coalesce(p.probin, '')),
        'language', (SELECT l.lanname FROM pg_language AS l WHERE l.oid = p.prolang),
        'volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
        'security_definer', p.prosecdef,
        'strict', p.proisstrict,
        'returns_set', p.proretset,
        'kind', p.prokind,
        'leakproof', p.proleakproof,
        'parallel', p.proparallel,
        'settings', array_to_string(p.proconfig, ', '),
        'owner', pg_get_userbyid(p.proowner)
    )::jsonb || CASE p.prokind
        WHEN 'a' THEN (
            SELECT jsonb_build_object('definition', concat_ws(' ', a.aggkind, a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
                format_type(a.aggtranstype, NULL), a.agginitval))
            FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid)
        ELSE '{}'::jsonb
    END AS facts
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
ORDER BY 2;

-- name: types
SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite' ELSE 'range' END
        || ':' || t.oid AS key,
    format('%I.%I', n.nspname, t.typname) AS name, '' AS of,
    CASE t.typtype
        WHEN 'e' THEN json_build_object('labels', (
            SELECT string_agg(e.enumlabel, E'\n' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid))
        WHEN 'd' THEN json_build_object(
            'type', format_type(t.typbasetype, t.typtypmod),
            'not_null', t.typnotnull,
            'default', t.typdefault,
            'collation', CASE WHEN t.typcollation <> (SELECT b.typcollation FROM pg_type AS b WHERE b.oid = t.typbasetype)
                THEN t.typcollation::regcollation::text END,
            'checks', (SELECT string_agg(format('%I %s', k.conname, pg_get_constraintdef(k.oid)), E'\n' ORDER BY k.conname)
                FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'))
        WHEN 'c' THEN json_build_object('definition', (
            SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
            FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
        ELSE json_build_object('definition', (
            SELECT concat_ws(' ', format_type(r.rngsubtype, NULL), nullif(r.rngcollation, 0)::regcollation,
                nullif(r.rngcanonical, 0), nullif(r.rngsubdiff, 0))
            FROM pg_range AS r WHERE r.rngtypid = t.oid))
    END AS facts
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_class AS c ON c.oid = t.typrelid
WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (c.oid IS NULL OR c.relkind = 'c')
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY n.nspname, t.typname;

-- name: grants
-- Without an ACL what Postgres takes as granted counts (acldefault), so that a first GRANT changes nothing but itself.
WITH things AS (
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview' WHEN 'f' THEN 'foreign_table'
            WHEN 'S' THEN 'sequence' ELSE 'table' END || ':' || c.oid AS of,
        format('%I.%I', n.nspname, c.relname) AS name,
        coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl,
        c.relnamespace AS namespace, 'pg_class'::regclass AS class, c.oid
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't'
    UNION ALL
    SELECT 'column:' || a.attrelid || '.' || a.attnum, format('%s.%I', a.attrelid::regclass, a.attname), a.attacl,
        c.relnamespace, 'pg_class'::regclass, c.oid
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'schema:' || n.oid, 'schema ' || quote_ident(n.nspname), coalesce(n.nspacl, acldefault('n', n.nspowner)),
        n.oid, 'pg_namespace'::regclass, n.oid
    FROM pg_namespace AS n
    UNION ALL
    SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE 'function' END || ':' || p.oid, p.oid::regprocedure::text,
        coalesce(p.proacl, acldefault('f', p.proowner)), p.pronamespace, 'pg_proc'::regclass, p.oid
    FROM pg_proc AS p WHERE p.pronamespace >= 16384 OR p.pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range' END || ':' || t.oid,
        format_type(t.oid, NULL), coalesce(t.typacl, acldefault('T', t.typowner)), t.typnamespace, 'pg_type'::regclass,
        t.oid
    FROM pg_type AS t WHERE t.typtype IN ('e', 'd', 'r')
)
SELECT 'grant:' || things.of || ':' || g.grantee AS key,
    format('grant on %s to %s', things.name, said.grantee) AS name, things.of,
    json_build_object(
        'grantee', said.grantee,
        'privileges', string_agg(g.privilege_type || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', '
            ORDER BY g.privilege_type)
    ) AS facts
FROM things
JOIN pg_namespace AS n ON n.oid = things.namespace
CROSS JOIN LATERAL aclexplode(things.acl) AS g
CROSS JOIN LATERAL (
    SELECT CASE g.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(g.grantee) END AS grantee
) AS said
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = things.class AND d.objid = things.oid AND d.objsubid = 0
            AND (d.deptype = 'e' OR d.deptype = 'i' AND things.class = 'pg_proc'::regclass))
GROUP BY things.of, things.name, g.grantee, said.grantee
ORDER BY things.name, said.grantee;

-- name: others
-- What is rare: one definition each.
SELECT 'extension:' || e.oid AS key, quote_ident(e.extname) AS name, '' AS of,
    json_build_object('version', e.extversion) AS facts
FROM pg_extension AS e
UNION ALL
SELECT 'event_trigger:' || e.oid, quote_ident(e.evtname), '',
    json_build_object('definition',
        format('on %s when %s do %s %s', e.evtevent, e.evttags, e.evtfoid::regprocedure, e.evtenabled))
FROM pg_event_trigger AS e
WHERE e.evtname !~ '^bluegreen_'
UNION ALL
SELECT 'publication:' || p.oid, quote_ident(p.pubname), '', json_build_object('definition', concat_ws(' ',
    CASE WHEN p.puballtables THEN 'all tables' END,
    CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
    CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END,
    (SELECT string_agg(format('%s (%s) %s', r.prrelid::regclass, r.prattrs, pg_get_expr(r.prqual, r.prrelid)), ', '
        ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel AS r WHERE r.prpubid = p.oid)))
FROM pg_publication AS p
UNION ALL
SELECT 'statistics:' || s.oid, format('%I.%I', n.nspname, s.stxname), 'table:' || s.stxrelid,
    json_build_object('definition', pg_get_statisticsobjdef(s.oid))
FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT 'operator:' || o.oid, o.oid::regoperator::text, '',
    json_build_object('definition', format('%s returns %s', o.oprcode::regprocedure, format_type(o.oprresult, NULL)))
FROM pg_operator AS o
WHERE o.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e')
UNION ALL
SELECT 'cast:' || k.oid, format('cast from %s to %s', format_type(k.castsource, NULL), format_type(k.casttarget, NULL)),
    '', json_build_object('definition', format('%s %s %s', k.castcontext, k.castmethod, nullif(k.castfunc, 0)::regprocedure))
FROM pg_cast AS k
WHERE k.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_cast'::regclass AND d.objid = k.oid AND d.deptype = 'e')
UNION ALL
SELECT 'collation:' || c.oid, c.oid::regcollation::text, '',
    json_build_object('definition', (to_jsonb(c) - ARRAY['oid', 'collname', 'collnamespace', 'collowner', 'collversion'])::text)
FROM pg_collation AS c
WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_collation'::regclass AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'server:' || s.oid, 'server ' || quote_ident(s.srvname), '', json_build_object('definition', f.fdwname)
FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS f ON f.oid = s.srvfdw
UNION ALL
SELECT 'opclass:' || o.oid, format('%I.%I', n.nspname, o.opcname), '', json_build_object('definition',
    format('%s for %s', (SELECT m.amname FROM pg_am AS m WHERE m.oid = o.opcmethod), format_type(o.opcintype, NULL)))
FROM pg_opclass AS o JOIN pg_namespace AS n ON n.oid = o.opcnamespace
WHERE o.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_opclass'::regclass AND d.objid = o.oid AND d.deptype = 'e')
UNION ALL
SELECT 'text_search:' || c.oid, c.oid::regconfig::text, '', json_build_object('definition', (
    SELECT string_agg(format('%s %s %s', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', '
        ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map AS m WHERE m.mapcfg = c.oid))
FROM pg_ts_config AS c
WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_ts_config'::regclass AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'default_grant:' || a.oid, concat_ws(' ', 'default grants of', pg_get_userbyid(a.defaclrole), 'on', a.defaclobjtype,
    (SELECT 'in ' || quote_ident(n.nspname) FROM pg_namespace AS n WHERE n.oid = a.defaclnamespace)), '',
    json_build_object('definition', a.defaclacl::text)
FROM pg_default_acl AS a
ORDER BY 1, 2;
