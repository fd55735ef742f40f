-- What a signal asks of a database by itself (sql.py).

-- name: sessions
-- The sessions of clients in this database but our own, by application_name. Of other roles' sessions an ordinary role
-- sees the name alone: `hidden` counts those. `untracked`: the server was told not to say what they do.
SELECT coalesce(application_name, '') AS application,
    count(*) AS connections,
    count(*) FILTER (WHERE state = 'active') AS active,
    count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting_for_locks,
    count(*) FILTER (WHERE state IS NULL) AS hidden,
    count(*) FILTER (WHERE state = 'disabled') AS untracked
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND (backend_type = 'client backend' OR backend_type IS NULL)
GROUP BY 1;
