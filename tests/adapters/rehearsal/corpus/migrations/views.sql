-- # safe: view-new
CREATE VIEW paid_orders AS SELECT id, account_id, total FROM orders WHERE status = 'paid';
GRANT SELECT ON paid_orders TO shop_reports;

-- # safe: view-replaced-with-a-column-more
CREATE OR REPLACE VIEW active_accounts AS SELECT id, email, full_name, plan, nickname FROM accounts WHERE active;

-- # breaks: view-replaced-with-another-meaning
CREATE OR REPLACE VIEW active_accounts AS SELECT id, email, full_name, plan FROM accounts WHERE NOT active;

-- # fails: view-replaced-with-a-column-less
CREATE OR REPLACE VIEW active_accounts AS SELECT id, email, full_name FROM accounts WHERE active;

-- # breaks: view-dropped
DROP VIEW order_summary;

-- # breaks: view-dropped-and-made-again-without-grants
DROP VIEW order_summary;
CREATE VIEW order_summary AS
    SELECT o.id, o.account_id, o.status, count(i.line) AS lines, sum(i.amount) AS amount
    FROM orders o LEFT JOIN items i ON i.order_id = o.id GROUP BY o.id;

-- # safe: view-dropped-and-made-again-with-grants
DROP VIEW order_summary;
CREATE VIEW order_summary AS
    SELECT o.id, o.account_id, o.status, count(i.line) AS lines, sum(i.amount) AS amount, max(i.line) AS last
    FROM orders o LEFT JOIN items i ON i.order_id = o.id GROUP BY o.id;
GRANT SELECT, INSERT, UPDATE, DELETE ON order_summary TO shop_app;
GRANT SELECT ON order_summary TO shop_reports;

-- # breaks: view-made-unwritable
CREATE OR REPLACE VIEW active_accounts AS
    SELECT id, email, full_name, plan FROM accounts WHERE active ORDER BY id LIMIT 10000;

-- # safe: view-renamed-and-shimmed
ALTER VIEW order_summary RENAME TO order_totals;
CREATE VIEW order_summary AS SELECT * FROM order_totals;
GRANT SELECT ON order_summary TO shop_app, shop_reports;

-- # breaks: view-column-renamed
ALTER VIEW active_accounts RENAME COLUMN full_name TO name;

-- # safe: matview-new
CREATE MATERIALIZED VIEW sales_per_day AS SELECT placed_on, count(*) AS orders FROM orders GROUP BY placed_on;
CREATE UNIQUE INDEX ON sales_per_day (placed_on);

-- # safe: matview-refreshed-concurrently
-- bluegreen: no-transaction
REFRESH MATERIALIZED VIEW CONCURRENTLY top_products;

-- # breaks: matview-emptied
REFRESH MATERIALIZED VIEW top_products WITH NO DATA;

-- # breaks: matview-dropped
DROP MATERIALIZED VIEW top_products;
