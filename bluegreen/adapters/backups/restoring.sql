-- What putting a backup into service asks of the server (postgres/queries.py). Parameters are $1, $2, … in the order
-- given. They are asked from the admin database: the one in service may be in no state to be asked.

-- name: others
-- The sessions in database $1 that are not ours: ours carry our name, and our role. Of other roles' sessions an ordinary
-- role sees no backend_type and no address, but sees that they are there.
SELECT pid, coalesce(application_name, '') AS application, coalesce(usename, '') AS user,
    coalesce(host(client_addr), '') AS client,
    coalesce(extract(epoch FROM now() - backend_start), 0)::double precision AS seconds
FROM pg_stat_activity
WHERE datname = $1 AND pid <> pg_backend_pid() AND (backend_type = 'client backend' OR backend_type IS NULL)
    AND usesysid IS NOT NULL
    AND NOT (usename = current_user AND (application_name = 'bluegreen' OR starts_with(application_name, 'bluegreen ')))
ORDER BY backend_start, pid;

-- name: backends
-- Every backend in these databases that keeps a database from being renamed.
SELECT pid, NOT (usename = current_user
        AND (application_name = 'bluegreen' OR starts_with(application_name, 'bluegreen '))) AS other
FROM pg_stat_activity WHERE datname = ANY($1::text[]) AND pid <> pg_backend_pid() AND usesysid IS NOT NULL;

-- name: rights
-- Whether we may make, rename and own a database like $1, and what keeps it from being renamed or is not in a dump.
SELECT r.rolsuper AS superuser, r.rolcreatedb AS may_create, pg_has_role(current_user, d.datdba, 'USAGE') AS owns,
    pg_get_userbyid(d.datdba) AS owner, d.datistemplate AS template, pg_database_size(d.oid) AS size,
    (SELECT count(*) FROM pg_prepared_xacts WHERE database = $1) AS prepared,
    (SELECT coalesce(string_agg(slot_name, ', '), '') FROM pg_replication_slots WHERE database = $1) AS slots
FROM pg_database AS d, pg_roles AS r
WHERE d.datname = $1 AND r.rolname = current_user;

-- name: subscriptions
-- The subscriptions of database $1: a subscription goes on where it is, and a restored one is disabled.
SELECT coalesce(string_agg(subname, ', '), '') FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = $1);

-- name: exists
-- Whether the server has a database of this name.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: likeness
-- What belongs to database $1 itself, and is not in its dump.
SELECT pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS connection_limit, t.spcname AS tablespace,
    shobj_description(d.oid, 'pg_database') AS comment, d.datacl IS NULL AS default_grants
FROM pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace
WHERE d.datname = $1;

-- name: grants
-- Who may do what with database $1; grantee NULL is everybody.
SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS grantee, a.privilege_type AS privilege,
    a.is_grantable AS grantable
FROM pg_database AS d CROSS JOIN LATERAL aclexplode(d.datacl) AS a
WHERE d.datname = $1;

-- name: settings
-- ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET of database $1; role NULL is for everybody. A value that is a
-- list is set in the session first, and taken from there: it is stored quoted in a way of its own.
SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END AS role,
    split_part(pair, '=', 1) AS name, substr(pair, strpos(pair, '=') + 1) AS value
FROM pg_db_role_setting AS s
JOIN pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) AS pair
WHERE d.datname = $1;

-- name: estimate
-- What the server thinks how many rows the table $1 has; -1: it never looked.
SELECT coalesce((SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass($1)), -1);

-- name: since
-- What was done to the schema after $1.
SELECT source || '/' || version || '.' || phase FROM bluegreen.migration
WHERE state IN ('done', 'running', 'interrupted') AND coalesce(finished_at, started_at) > $1
ORDER BY coalesce(finished_at, started_at), id;
