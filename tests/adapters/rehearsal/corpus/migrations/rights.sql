-- # safe: grant-more
GRANT SELECT ON products, accounts TO shop_reports;

-- # breaks: revoke-from-the-old-version
REVOKE UPDATE ON products FROM shop_app;

-- # breaks: revoke-one-column
REVOKE SELECT ON plans FROM shop_app;
GRANT SELECT (code, title) ON plans TO shop_app;

-- # breaks: revoke-execute
REVOKE EXECUTE ON FUNCTION order_total(bigint) FROM PUBLIC;

-- # breaks: revoke-schema
REVOKE USAGE ON SCHEMA billing FROM shop_app;

-- # breaks: revoke-sequence
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM shop_app;

-- # breaks: row-security-enabled
ALTER TABLE bookings ENABLE ROW LEVEL SECURITY;

-- # breaks: policy-tightened
ALTER POLICY own_drafts ON drafts USING (author < 50);

-- # breaks: policy-restrictive
CREATE POLICY only_short ON drafts AS RESTRICTIVE FOR INSERT WITH CHECK (length(body) < 3);

-- # breaks: policy-dropped
DROP POLICY own_drafts ON drafts;

-- # safe: row-security-on-a-new-table
CREATE TABLE secrets (id integer PRIMARY KEY, owner text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_secrets ON secrets USING (owner = current_user);

-- # safe: default-privileges
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO shop_reports;

-- # safe: row-security-disabled
ALTER TABLE drafts DISABLE ROW LEVEL SECURITY;

-- # breaks: view-made-invoker since=15
REVOKE SELECT ON items FROM shop_app;
ALTER VIEW order_summary SET (security_invoker = true);
