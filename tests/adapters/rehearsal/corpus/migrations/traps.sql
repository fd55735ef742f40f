-- # fails: fails-in-the-middle
ALTER TABLE orders ADD COLUMN first_part text;
ALTER TABLE orders ADD COLUMN second_part nonexistent_type;
ALTER TABLE orders ADD COLUMN third_part text;

-- # fails: half-done-without-a-transaction
-- bluegreen: no-transaction
CREATE INDEX CONCURRENTLY orders_by_day ON orders (placed_on);
ALTER TABLE orders ADD CONSTRAINT reference_unique UNIQUE (reference);

-- # fails: a-typo
ALTER TABEL orders ADD COLUMN x text;

-- # fails: division-by-zero-only-with-rows
CREATE TABLE prices AS SELECT id, price / (stock - 100) AS per_piece FROM products;

-- # breaks: renamed-and-renamed-again
ALTER TABLE plans RENAME COLUMN title TO label;
ALTER TABLE plans ADD COLUMN title text;
UPDATE plans SET title = upper(label);

-- # safe: renamed-and-renamed-back
ALTER TABLE plans RENAME COLUMN title TO label;
ALTER TABLE plans RENAME COLUMN label TO title;

-- # safe: column-renamed-with-a-view-shim
ALTER TABLE "Legacy Table" RENAME TO legacy;
ALTER TABLE legacy RENAME COLUMN "userName" TO user_name;
CREATE VIEW "Legacy Table" AS SELECT "Id", user_name AS "userName", "order" FROM legacy;
GRANT SELECT, INSERT, UPDATE, DELETE ON "Legacy Table" TO shop_app;

-- # safe: added-and-dropped-in-one-file
ALTER TABLE orders ADD COLUMN helper integer;
ALTER TABLE orders DROP COLUMN helper;
CREATE TABLE helper (id integer);
DROP TABLE helper;

-- # safe: many-additions
CREATE TYPE channel AS ENUM ('web', 'app');
CREATE TABLE campaigns (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL, via channel);
ALTER TABLE accounts ADD COLUMN campaign_id bigint;
CREATE INDEX ON campaigns (title);
CREATE VIEW web_campaigns AS SELECT id, title FROM campaigns WHERE via = 'web';
COMMENT ON TABLE campaigns IS 'since 2.0';

-- # breaks: one-bad-among-many
CREATE TABLE ratings (id bigint PRIMARY KEY, stars integer);
ALTER TABLE accounts ADD COLUMN rating integer;
ALTER TABLE accounts ALTER COLUMN failed_logins TYPE integer;
ALTER TABLE products ALTER COLUMN legacy_no SET NOT NULL;
COMMENT ON TABLE ratings IS 'new';

-- # breaks: drop-if-exists
DROP VIEW IF EXISTS nowhere;
DROP INDEX IF EXISTS accounts_by_plan;
DROP TABLE IF EXISTS audit CASCADE;

-- # safe: drop-of-what-is-not-there
DROP TABLE IF EXISTS obsolete_things;
ALTER TABLE IF EXISTS obsolete_things DROP COLUMN a;
DROP INDEX IF EXISTS nowhere_idx;

-- # fails: a-role-is-made
CREATE ROLE shop_newcomer LOGIN;
ALTER SYSTEM SET work_mem = '1GB';

-- # fails: needs-an-extension-that-is-not-there
CREATE EXTENSION no_such_extension;

-- # safe: volatile-default-on-a-small-table
ALTER TABLE plans ADD COLUMN public_id uuid NOT NULL DEFAULT gen_random_uuid();

-- # breaks: swap-of-two-columns
ALTER TABLE accounts RENAME COLUMN nickname TO tmp;
ALTER TABLE accounts RENAME COLUMN phone TO nickname;
ALTER TABLE accounts RENAME COLUMN tmp TO phone;

-- # breaks: table-replaced-by-swap
CREATE TABLE bookings_new (room integer NOT NULL, during int4range NOT NULL, guest text);
INSERT INTO bookings_new SELECT * FROM bookings WHERE room > 10;
DROP TABLE bookings;
ALTER TABLE bookings_new RENAME TO bookings;

-- # breaks: rule-on-a-view
CREATE RULE active_accounts_frozen AS ON UPDATE TO active_accounts DO INSTEAD NOTHING;
