-- What making and watching a copy asks of the server (postgres/queries.py).

-- name: database_settings
-- What a session on production begins with because of ALTER DATABASE or ALTER ROLE IN DATABASE.
SELECT name, setting FROM pg_settings
WHERE source IN ('database', 'database user') AND context IN ('user', 'superuser');

-- name: rights
-- What we may do: make databases, roles, and all else.
SELECT rolsuper AS superuser, rolcreatedb OR rolsuper AS create_database, rolcreaterole OR rolsuper AS create_role
FROM pg_roles WHERE rolname = current_user;

-- name: held_locks
-- The locks on relations that this backend holds, but those of a mere reader and those on the system's.
SELECT DISTINCT relation::bigint AS oid, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode <> 'AccessShareLock'
    AND relation >= 16384 AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: touched
-- How often tables were read from end to end, read at all, and how many of their rows were written, in this transaction.
SELECT c.oid::bigint AS oid, pg_stat_get_xact_numscans(c.oid) AS scans,
    (pg_stat_get_xact_numscans(c.oid) + coalesce(
        (SELECT sum(pg_stat_get_xact_numscans(i.indexrelid)) FROM pg_index AS i WHERE i.indrelid = c.oid), 0)
    )::bigint AS reads,
    pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
        + pg_stat_get_xact_tuples_deleted(c.oid) AS writes
FROM pg_class AS c
WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384;

-- name: touched_by_all
-- The same by all sessions that have ended their transactions.
SELECT relid::bigint AS oid, seq_scan AS scans, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS reads,
    n_tup_ins + n_tup_upd + n_tup_del AS writes
FROM pg_stat_user_tables;

-- name: foreign_wrappers
-- What foreign tables are reached by.
SELECT quote_ident(fdwname) AS name FROM pg_foreign_data_wrapper WHERE fdwhandler <> 0;

-- name: reaching
-- What may reach beyond this database once a trigger runs: extensions that are not known ($1) to stay in it, languages
-- without bounds, and functions whose text says so.
SELECT 'extension ' || quote_ident(extname) AS name FROM pg_extension WHERE extname <> ALL ($1::text[])
UNION ALL
SELECT 'language ' || quote_ident(lanname) FROM pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c')
UNION ALL
SELECT 'function ' || p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.oid >= 16384 AND p.prosrc ~*
    'dblink|copy\s.*\sprogram\s|pg_(read|write|ls|stat)_\w*(file|dir)|lo_(import|export)|pg_(terminate|cancel)_backend|pg_reload_conf|alter\s+(system|role|user|database)'
ORDER BY 1;

-- name: unpopulated
-- Materialised views without rows, in the order in which they were made.
SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'm' AND NOT relispopulated ORDER BY oid;

-- name: cluster
-- What all databases of the server share, as far as anybody may see it: roles with their memberships and settings,
-- and this database as such; not the roles that rehearsals make.
SELECT 'role ' || quote_ident(r.rolname) AS name, md5(concat_ws(' ', r.rolsuper, r.rolinherit, r.rolcreaterole,
    r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil,
    (SELECT string_agg(concat_ws(' ', g.rolname, m.admin_option), ',' ORDER BY g.rolname)
        FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
        WHERE m.member = r.oid AND g.rolname !~ '^bluegreen_rehearsal_'),
    (SELECT string_agg(concat_ws(' ', s.setdatabase, s.setconfig::text), ',' ORDER BY s.setdatabase)
        FROM pg_db_role_setting AS s WHERE s.setrole = r.oid))) AS digest
FROM pg_roles AS r
WHERE r.rolname !~ '^(pg_|bluegreen_rehearsal_)'
UNION ALL
SELECT 'database ' || quote_ident(d.datname), md5(concat_ws(' ', pg_get_userbyid(d.datdba), d.datacl::text,
    d.datallowconn, d.datconnlimit,
    (SELECT s.setconfig::text FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid AND s.setrole = 0)))
FROM pg_database AS d
WHERE d.datname = current_database();

-- name: others_there
-- How many other sessions are in this database.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = $1;

-- name: held_by_tools
-- What was written down of locks (tools.sql).
SELECT DISTINCT oid, mode FROM bluegreen.held;
