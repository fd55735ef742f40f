-- What a rehearsal asks about the running version's own queries (postgres/queries.py).

-- name: extension
-- Where pg_stat_statements lies in this database, and the columns of its view, which differ from version to version.
-- The library may be preloaded without the extension; its setting is seen by those who may.
SELECT
    (SELECT format('%I', n.nspname) FROM pg_extension AS e
        JOIN pg_namespace AS n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements') AS schema,
    (SELECT setting LIKE '%pg_stat_statements%' FROM pg_settings WHERE name = 'shared_preload_libraries') AS preloaded,
    (SELECT array_agg(a.attname::text) FROM pg_extension AS e
        JOIN pg_class AS c ON c.relnamespace = e.extnamespace AND c.relname = 'pg_stat_statements'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE e.extname = 'pg_stat_statements') AS columns;

-- name: statistics
-- The statements of this database that were called most. Of one text the role that called it most counts. {schema} and
-- {toplevel} are filled in; without the right to see others' queries their text is '<insufficient privilege>'.
SELECT DISTINCT ON (s.queryid)
    s.queryid, s.query, r.rolname::text AS role,
    sum(s.calls) OVER (PARTITION BY s.queryid)::bigint AS calls
FROM (
    SELECT * FROM {schema}.pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND {toplevel}
    ORDER BY calls DESC LIMIT $1
) AS s
LEFT JOIN pg_roles AS r ON r.oid = s.userid
ORDER BY s.queryid, s.calls DESC;

-- name: evicted
-- How often the statistics dropped the least called statements for want of room, since they were reset.
SELECT dealloc FROM {schema}.pg_stat_statements_info;

-- name: calls
-- How often each was called by now, without reading their texts; {since} is when it was first seen, or NULL.
SELECT queryid, sum(calls)::bigint AS calls, min({since}) AS since
FROM {schema}.pg_stat_statements(false)
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid = ANY ($1::bigint[])
GROUP BY queryid;

-- name: paths
-- The search_path that a role's sessions begin with in this database, where it is not the server's.
SELECT DISTINCT ON (r.rolname) r.rolname::text AS role, split_part(setting, '=', 2) AS path
FROM pg_db_role_setting AS s
JOIN pg_roles AS r ON s.setrole IN (r.oid, 0)
CROSS JOIN unnest(s.setconfig) AS setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND setting LIKE 'search_path=%' AND (r.rolname = ANY ($1::text[]))
ORDER BY r.rolname, s.setrole <> 0 DESC, s.setdatabase <> 0 DESC;

-- name: enterable
-- Which of these roles we may act as.
SELECT rolname::text AS role FROM pg_roles
WHERE rolname = ANY ($1::text[]) AND pg_has_role(oid, 'MEMBER') AND rolname <> current_user;

-- name: everywhere
-- A search_path of all schemas.
SELECT coalesce(string_agg(quote_ident(nspname), ', ' ORDER BY nspname <> 'public', nspname), '')
FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'bluegreen');

-- name: stand
-- Prepares and plans each of the questions, as the role and with the search_path given, and notes what became of it.
-- All in one round trip; each undoes itself, but for the prepared statement, which no rollback takes away. Planned
-- without knowledge of the parameters: an EXPLAIN also checks the rights, ON CONFLICT looks for its index.
DO $bluegreen$
DECLARE
    asked jsonb;
    answers jsonb := '[]';
    name text;
    answer jsonb;
    plan json;
    state text;
    said text;
BEGIN
    FOR asked IN SELECT * FROM jsonb_array_elements(current_setting('bluegreen.questions')::jsonb) LOOP
        name := asked ->> 'name';
        answer := jsonb_build_object('name', name, 'state', '', 'message', '');
        plan := NULL;
        BEGIN
            IF asked ->> 'role' <> '' THEN
                EXECUTE format('SET LOCAL ROLE %I', asked ->> 'role');
            END IF;
            IF asked ->> 'path' <> '' THEN
                PERFORM set_config('search_path', asked ->> 'path', true);
            END IF;
            EXECUTE format(E'PREPARE %I %s AS %s\n', name, asked ->> 'types', asked ->> 'text');
            BEGIN
                EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) EXECUTE %I %s', name, asked ->> 'nulls')
                    INTO plan;
            EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
                plan := NULL; -- a parameter of a domain that takes no NULL: it is prepared, which must do
            END;
            IF NOT (asked ->> 'fills')::boolean THEN
                plan := NULL;
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'BG000';
        EXCEPTION
            WHEN SQLSTATE 'BG000' THEN
                answer := answer || jsonb_build_object('plan', plan);
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
                answer := answer || jsonb_build_object('state', state, 'message', said);
        END;
        answers := answers || jsonb_build_array(answer);
    END LOOP;
    PERFORM set_config('bluegreen.answers', answers::text, true);
END
$bluegreen$;

-- name: forget
-- Deallocates what `stand` has prepared.
DO $bluegreen$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT p.name FROM pg_prepared_statements AS p WHERE p.name LIKE 'bluegreen\_%' LOOP
        EXECUTE format('DEALLOCATE %I', name);
    END LOOP;
END
$bluegreen$;

-- name: required
-- The columns that take no NULL and are not filled by Postgres alone.
SELECT n.nspname::text AS schema, c.relname::text AS table, a.attnum::integer AS attnum,
    format('column:%s.%s', c.oid, a.attnum) AS key, format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f')
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bluegreen')
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped AND (a.attnotnull OR t.typnotnull) AND a.attgenerated = ''
ORDER BY c.oid, a.attnum;
