-- Schemas, rights, and what is rare (catalogue.py): each question gives key, name, of, facts (json), as domain/catalogue.py
-- describes them. All are asked with an empty search_path, so that every name has its schema. Left out: the system's
-- schemas, schema bluegreen, temporary things, members of extensions.

-- name: schemas
-- Schemas.
SELECT 'schema:' || n.oid AS key, quote_ident(n.nspname) AS name, '' AS of,
    json_build_object('owner', pg_get_userbyid(n.nspowner)) AS facts
FROM pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY n.nspname;

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
