-- # safe: index-concurrently
-- bluegreen: no-transaction
CREATE INDEX CONCURRENTLY orders_by_status ON orders (status, placed_on);

-- # safe: index-concurrently-if-not-exists
-- bluegreen: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_account ON orders (account_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS items_by_product ON items (product_id) INCLUDE (quantity);

-- # safe: index-plain-on-a-small-table
CREATE INDEX products_by_price ON products (price DESC) WHERE stock > 0;

-- # safe: index-on-an-expression-concurrently
-- bluegreen: no-transaction
CREATE INDEX CONCURRENTLY accounts_by_lower_email ON accounts (lower(email::text));

-- # fails: index-unique-with-duplicates
CREATE UNIQUE INDEX accounts_nickname_key ON accounts (nickname);

-- # fails: index-unique-concurrently-with-duplicates
-- bluegreen: no-transaction
CREATE UNIQUE INDEX CONCURRENTLY orders_reference_key ON orders (reference) WHERE reference IS NOT NULL;

-- # breaks: index-unique-partial-that-new-rows-violate
CREATE UNIQUE INDEX one_at_a_time ON accounts (active) WHERE id > 1000;

-- # fails: index-concurrently-in-a-transaction
CREATE INDEX CONCURRENTLY orders_by_total ON orders (total);

-- # safe: index-dropped-concurrently
-- bluegreen: no-transaction
DROP INDEX CONCURRENTLY orders_by_note;

-- # breaks: index-dropped-that-an-upsert-needs
CREATE UNIQUE INDEX accounts_email_idx ON accounts (lower(email::text));
ALTER TABLE accounts DROP CONSTRAINT accounts_email_key;

-- # safe: index-renamed
ALTER INDEX orders_by_note RENAME TO orders_lower_note_idx;

-- # fails: index-on-a-missing-column
-- bluegreen: no-transaction
CREATE INDEX CONCURRENTLY accounts_by_city ON accounts (city);

-- # safe: reindex-concurrently
-- bluegreen: no-transaction
REINDEX INDEX CONCURRENTLY accounts_by_tags;

-- # fails: index-expression-that-fails-on-a-row
CREATE INDEX orders_by_number ON orders (((reference)::integer));

-- # safe: statistics-object
CREATE STATISTICS orders_dependencies (dependencies) ON account_id, status FROM orders;
ANALYZE orders;
