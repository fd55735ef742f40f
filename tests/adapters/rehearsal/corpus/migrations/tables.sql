-- # safe: table-new
CREATE TABLE wishes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id bigint NOT NULL,
    product_id integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON wishes (account_id);
GRANT SELECT, INSERT, DELETE ON wishes TO shop_app;

-- # safe: table-new-with-foreign-key
CREATE TABLE shipments (
    id bigserial PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    sent_on date
);

-- # safe: tables-new-in-a-new-schema
CREATE SCHEMA warehouse;
CREATE TABLE warehouse.places (id integer PRIMARY KEY, title text);
CREATE TABLE warehouse.stock (place integer REFERENCES warehouse.places, product integer, many integer DEFAULT 0);

-- # safe: table-copied
CREATE TABLE products_copy (LIKE products INCLUDING ALL);
INSERT INTO products_copy SELECT * FROM products;

-- # breaks: table-dropped
DROP TABLE bookings;

-- # breaks: table-dropped-and-made-again
DROP TABLE drafts;
CREATE TABLE drafts (id integer PRIMARY KEY, body text, author bigint);
GRANT ALL ON drafts TO shop_app;

-- # breaks: table-renamed
ALTER TABLE sessions RENAME TO login_sessions;

-- # safe: table-renamed-with-a-view-shim
ALTER TABLE products RENAME TO articles;
CREATE VIEW products AS SELECT id, sku, title, price, legacy_no, stock FROM articles;
ALTER VIEW products ALTER COLUMN stock SET DEFAULT 0;
GRANT SELECT, INSERT, UPDATE, DELETE ON products TO shop_app;

-- # breaks: table-renamed-with-a-view-shim-without-grants
ALTER TABLE bookings RENAME TO reservations;
CREATE VIEW bookings AS SELECT room, during, guest FROM reservations;

-- # breaks: table-renamed-with-a-shim-that-lacks-a-column
ALTER TABLE sessions RENAME TO login_sessions;
CREATE VIEW sessions AS SELECT token, account_id, opened_at FROM login_sessions;
GRANT ALL ON sessions TO shop_app;

-- # breaks: table-renamed-with-a-shim-that-cannot-be-written
ALTER TABLE sessions RENAME TO login_sessions;
CREATE VIEW sessions AS SELECT DISTINCT token, account_id, opened_at, expires_at, agent FROM login_sessions;
GRANT ALL ON sessions TO shop_app;

-- # breaks: table-moved-to-another-schema
CREATE SCHEMA archive;
ALTER TABLE bookings SET SCHEMA archive;

-- # breaks: table-made-read-only-by-rule
CREATE RULE no_bookings AS ON INSERT TO bookings DO INSTEAD NOTHING;

-- # breaks: table-truncated
TRUNCATE sessions;

-- # safe: table-options
ALTER TABLE sessions SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- # safe: table-made-logged
ALTER TABLE drafts SET UNLOGGED;
ALTER TABLE drafts SET LOGGED;

-- # safe: table-replica-identity
ALTER TABLE products REPLICA IDENTITY FULL;

-- # breaks: quoted-table-lower-cased
ALTER TABLE "Legacy Table" RENAME TO legacy_table;

-- # breaks: quoted-column-renamed
ALTER TABLE "Legacy Table" RENAME "userName" TO username;

-- # safe: partition-added
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

-- # fails: partition-added-where-the-default-holds-rows
CREATE TABLE events_2024_03 PARTITION OF events FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');

-- # breaks: partition-detached
ALTER TABLE events DETACH PARTITION events_2024_01;

-- # fails: partition-detached-concurrently-beside-a-default
-- bluegreen: no-transaction
ALTER TABLE events DETACH PARTITION events_rest CONCURRENTLY;

-- # breaks: partition-default-dropped
DROP TABLE events_rest;

-- # safe: partition-attached
CREATE TABLE events_2027 (LIKE events INCLUDING DEFAULTS);
ALTER TABLE events_2027 ADD CHECK (happened_on >= '2027-01-01' AND happened_on < '2028-01-01');
ALTER TABLE events ATTACH PARTITION events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

-- # breaks: table-inherits-and-doubles-rows
CREATE TABLE old_plans () INHERITS (plans);
INSERT INTO old_plans VALUES ('gone', 'No longer sold', 100);
