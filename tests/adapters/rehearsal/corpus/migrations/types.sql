-- # safe: type-varchar-widened
ALTER TABLE products ALTER COLUMN sku TYPE varchar(64);

-- # safe: type-varchar-to-text
ALTER TABLE products ALTER COLUMN sku TYPE text;

-- # safe: type-numeric-precision-widened
ALTER TABLE billing.invoices ALTER COLUMN amount TYPE numeric(16, 2);

-- # safe: type-int-to-bigint-on-a-small-table
ALTER TABLE "Legacy Table" ALTER COLUMN "order" TYPE bigint;

-- # breaks: type-varchar-narrowed
ALTER TABLE orders ALTER COLUMN note TYPE varchar(5) USING left(note, 5);

-- # breaks: type-narrowed-though-rows-fit
DROP VIEW active_accounts;
ALTER TABLE accounts ALTER COLUMN full_name TYPE varchar(40);
CREATE VIEW active_accounts AS SELECT id, email, full_name, plan FROM accounts WHERE active;
GRANT SELECT, INSERT, UPDATE, DELETE ON active_accounts TO shop_app;

-- # fails: type-under-a-view
ALTER TABLE accounts ALTER COLUMN full_name TYPE text;

-- # fails: type-text-to-int-without-using
ALTER TABLE products ALTER COLUMN legacy_no TYPE integer;

-- # breaks: type-text-to-int
ALTER TABLE products ALTER COLUMN legacy_no TYPE integer USING legacy_no::integer;

-- # fails: type-text-to-int-where-a-row-is-no-number
ALTER TABLE orders ALTER COLUMN reference TYPE integer USING replace(reference, 'ref-', 'x')::integer;

-- # breaks: type-timestamp-to-timestamptz
ALTER TABLE sessions ALTER COLUMN opened_at TYPE timestamptz USING opened_at AT TIME ZONE 'Asia/Tokyo';

-- # breaks: type-enum-to-text
ALTER TABLE orders ALTER COLUMN status DROP DEFAULT;
DROP VIEW order_summary;
DROP TRIGGER orders_noted ON orders;
ALTER TABLE orders ALTER COLUMN status TYPE text;

-- # breaks: type-bigint-to-int
ALTER TABLE billing.invoices ALTER COLUMN paid TYPE integer USING paid::integer;

-- # breaks: type-jsonb-to-text
ALTER TABLE accounts ALTER COLUMN settings DROP DEFAULT, ALTER COLUMN settings TYPE text;

-- # breaks: type-numeric-scale-cut
ALTER TABLE products ALTER COLUMN price TYPE numeric(10, 0);
