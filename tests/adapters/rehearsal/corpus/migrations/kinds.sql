-- # safe: enum-value-added
ALTER TYPE order_status ADD VALUE 'returned' AFTER 'shipped';

-- # safe: enum-value-added-if-not-exists-before
ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'reserved' BEFORE 'placed';

-- # breaks: enum-value-renamed
ALTER TYPE order_status RENAME VALUE 'placed' TO 'ordered';

-- # breaks: enum-replaced
ALTER TABLE orders ALTER COLUMN status DROP DEFAULT;
DROP VIEW order_summary;
DROP TRIGGER orders_noted ON orders;
ALTER TYPE order_status RENAME TO order_status_old;
CREATE TYPE order_status AS ENUM ('placed', 'paid', 'shipped', 'cancelled');
ALTER TABLE orders ALTER COLUMN status TYPE order_status
    USING (CASE WHEN status = 'draft' THEN 'placed' ELSE status::text END)::order_status;
DROP TYPE order_status_old;

-- # fails: enum-value-used-in-the-same-transaction
ALTER TYPE order_status ADD VALUE 'refunded';
ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'refunded';

-- # safe: type-renamed
ALTER TYPE address RENAME TO postal_address;

-- # breaks: composite-attribute-renamed
ALTER TYPE address RENAME ATTRIBUTE city TO town CASCADE;

-- # safe: composite-new
CREATE TYPE money_amount AS (amount numeric, currency text);
CREATE DOMAIN percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);

-- # fails: type-dropped-in-use
DROP TYPE address;

-- # breaks: type-dropped-cascade
DROP TYPE address CASCADE;

-- # safe: domain-default-and-relaxed
ALTER DOMAIN email DROP CONSTRAINT email_check;

-- # safe: sequence-new
CREATE SEQUENCE invoice_numbers START 10000 CACHE 20;

-- # breaks: sequence-restarted
ALTER SEQUENCE orders_id_seq RESTART WITH 1;

-- # breaks: sequence-set-back
SELECT setval('products_id_seq', 10);

-- # breaks: sequence-limited
ALTER SEQUENCE products_id_seq MAXVALUE 200;

-- # breaks: sequence-dropped-cascade
DROP SEQUENCE products_id_seq CASCADE;

-- # breaks: sequence-renamed
ALTER SEQUENCE event_ids RENAME TO events_id_seq;

-- # breaks: identity-restarted
ALTER TABLE accounts ALTER COLUMN id RESTART WITH 5;

-- # safe: sequence-cache
ALTER SEQUENCE orders_id_seq OWNED BY NONE;

-- # breaks: schema-renamed
ALTER SCHEMA billing RENAME TO accounting;

-- # breaks: schema-dropped
DROP SCHEMA billing CASCADE;

-- # breaks: search-path-for-everybody
CREATE SCHEMA shadow;
CREATE TABLE shadow.plans (code text, title text, monthly bigint);
GRANT USAGE ON SCHEMA shadow TO PUBLIC;
GRANT SELECT ON shadow.plans TO PUBLIC;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shadow, public', current_database()); END $$;

-- # safe: search-path-inside-the-file
CREATE SCHEMA loyalty;
SET LOCAL search_path = loyalty, public;
CREATE TABLE points (account_id bigint PRIMARY KEY, points integer NOT NULL DEFAULT 0);

-- # breaks: search-path-hides-what-is-dropped
SET LOCAL search_path = billing;
ALTER TABLE invoices RENAME COLUMN paid TO settled;

-- # safe: operator-and-cast-new
CREATE FUNCTION is_alike(a text, b text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT lower(a) = lower(b)';
CREATE OPERATOR =~= (LEFTARG = text, RIGHTARG = text, FUNCTION = is_alike);

-- # safe: comments-only
COMMENT ON TABLE orders IS 'what customers ordered';
COMMENT ON FUNCTION slug(text) IS 'for addresses';
