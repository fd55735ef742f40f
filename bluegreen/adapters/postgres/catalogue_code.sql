-- What runs or is computed, and types (catalogue.py): each question gives key, name, of, facts (json), as domain/catalogue.py
-- describes them. All are asked with an empty search_path, so that every name has its schema. Left out: the system's
-- schemas, schema bluegreen, temporary things, members of extensions.

-- name: triggers
-- Triggers but those that constraints have made.
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
-- Rules but those that make a view.
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
-- Policies of row security.
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
-- Functions, procedures and aggregates, with a hash of what they do; not those that a range type brings along.
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
-- Enums, domains, composite types of their own, and ranges.
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
