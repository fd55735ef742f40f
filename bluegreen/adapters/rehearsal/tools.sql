-- What each DDL command of a tool locks, written down as it ends. The tool's role has no rights here and needs none.
CREATE SCHEMA bluegreen;
CREATE TABLE bluegreen.held (oid bigint NOT NULL, mode text NOT NULL);
CREATE FUNCTION bluegreen.note_locks() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO bluegreen.held
    SELECT relation::bigint, mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode <> 'AccessShareLock'
        AND relation >= 16384 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND relation <> 'bluegreen.held'::regclass;
END
$$;
CREATE EVENT TRIGGER bluegreen_locks ON ddl_command_end EXECUTE FUNCTION bluegreen.note_locks();
