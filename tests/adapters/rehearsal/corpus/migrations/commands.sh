## safe: tool-that-adds
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "ALTER TABLE orders ADD COLUMN tool_note text"

## safe: tool-with-its-own-history
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" <<'SQL'
CREATE TABLE IF NOT EXISTS schema_migrations (version text PRIMARY KEY, applied_at timestamptz DEFAULT now());
INSERT INTO schema_migrations VALUES ('20240301120000');
CREATE TABLE identities (id uuid PRIMARY KEY, traits jsonb NOT NULL, state text DEFAULT 'active');
CREATE INDEX identities_state_idx ON identities (state);
SQL

## fails: tool-that-half-fails
psql -X -q "$DATABASE_URL" -c "ALTER TABLE orders ADD COLUMN first_half text"
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "ALTER TABLE orders ADD COLUMN second_half nonexistent_type"

## breaks: tool-that-drops
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "ALTER TABLE products DROP COLUMN legacy_no"

## breaks: tool-that-renames-and-exits-well
psql -X -q "$DATABASE_URL" -c "ALTER TABLE sessions RENAME COLUMN agent TO user_agent" || true

## fails: tool-that-exits-badly
exit 3

## escapes: tool-that-ignores-its-dsn
psql -X -q -v ON_ERROR_STOP=1 "{production}" -c "ALTER TABLE orders ADD COLUMN stray text"
