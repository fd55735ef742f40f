-- What the old version asks, in this order, as shop_app. `-- with` gives its parameters as its driver would send them.

SELECT id, email, full_name, plan FROM accounts WHERE id = $1;
-- with 17
SELECT * FROM accounts WHERE email = $1;
-- with 'user30@example.org'
SELECT a.id, a.nickname, p.title, p.monthly FROM accounts a JOIN plans p ON p.code = a.plan WHERE a.id BETWEEN $1 AND $2 ORDER BY a.id;
-- with 40, 60
INSERT INTO accounts (email, full_name) VALUES ($1, $2) RETURNING id, plan, tags, active;
-- with 'new@example.org', 'New Customer'
INSERT INTO accounts (email, full_name, nickname, phone, plan, tags, settings) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id;
-- with 'second@example.org', 'Second Customer', NULL, '', 'pro', '{a,b}', '{"theme": 3}'
INSERT INTO accounts (email, full_name, nickname) VALUES ($1, $2, $3) ON CONFLICT (email) DO UPDATE SET nickname = excluded.nickname RETURNING nickname;
-- with 'user5@example.org', 'User Number 5', 'fifth'
UPDATE accounts SET failed_logins = failed_logins + 1 WHERE id = $1 RETURNING failed_logins;
-- with 21
UPDATE accounts SET full_name = $2, phone = $3 WHERE id = $1;
-- with 22, 'A Name That Is Neither Short Nor Long But Has Fifty Chars', NULL
SELECT count(*) FROM accounts WHERE $1 = ANY (tags);
-- with 'tag3'
SELECT settings ->> 'theme' AS theme, (home).city FROM accounts WHERE id = $1;
-- with 9
SELECT email FROM active_accounts WHERE plan = $1 ORDER BY id LIMIT $2;
-- with 'pro', 5
SELECT * FROM active_accounts WHERE id = $1;
-- with 11
UPDATE active_accounts SET full_name = $2 WHERE id = $1;
-- with 12, 'Twelve'
INSERT INTO sessions VALUES ($1, $2, $3, $4, $5);
-- with 'token-new', 7, '2024-03-01 12:00:00', NULL, 'curl'
SELECT s.token, a.email FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.account_id = $1 ORDER BY 1;
-- with 8
DELETE FROM sessions WHERE opened_at < $1;
-- with '2024-01-01 01:00:00'
INSERT INTO products (sku, title, price) VALUES ($1, $2, $3) ON CONFLICT (sku) DO UPDATE SET price = excluded.price RETURNING id, stock;
-- with 'SKU-7', 'Product 7', 8.50
INSERT INTO products (sku, title, price, legacy_no) VALUES ($1, $2, $3, $4) RETURNING id, stock;
-- with 'NEW-1', 'Novelty', 12.00, '77-B'
SELECT id, title, price FROM products WHERE legacy_no = $1;
-- with '42'
UPDATE products SET stock = stock - $2 WHERE id = $1 AND stock >= $2;
-- with 50, 3
SELECT title FROM products WHERE slug(title) = $1;
-- with 'product-9'
INSERT INTO orders (account_id, reference, note) VALUES ($1, $2, $3) RETURNING id, status, total, placed_on;
-- with 3, 'ref-3', NULL
INSERT INTO orders (account_id, status, note) VALUES ($1, $2, $3) RETURNING id;
-- with 4, 'placed', 'urgent'
UPDATE orders SET status = $2, updated_at = '2024-03-05 10:00:00+00' WHERE id = $1;
-- with 10, 'shipped'
SELECT status, count(*) FROM orders GROUP BY status ORDER BY status;
SELECT * FROM orders WHERE account_id = $1 ORDER BY id;
-- with 5
SELECT o.id, o.status, i.line, i.amount, p.title FROM orders o JOIN items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id WHERE o.id = $1 ORDER BY i.line;
-- with 33
SELECT id FROM orders WHERE lower(note) = $1;
-- with 'note 5'
SELECT reference, count(*) FROM orders WHERE reference IS NOT NULL GROUP BY reference HAVING count(*) > 1 ORDER BY reference LIMIT 3;
SELECT * FROM order_summary WHERE account_id = $1 ORDER BY id;
-- with 6
SELECT order_total($1);
-- with 12
SELECT add_item($1, $2, $3);
-- with 12, 5, 2
CALL cancel_order(13);
INSERT INTO items (order_id, line, product_id, quantity, unit_price) VALUES ($1, $2, $3, $4, $5);
-- with 14, 9, 3, 2, 4.50
DELETE FROM orders WHERE id = $1;
-- with 15
SELECT max(sold) FROM top_products;
INSERT INTO events (id, happened_on, account_id, kind) VALUES (nextval('event_ids'), $1, $2, $3);
-- with '2024-02-10', 7, 'logout'
INSERT INTO events (id, happened_on, kind) VALUES (nextval('event_ids'), $1, $2);
-- with '2025-06-01', 'late'
SELECT kind, count(*) FROM events WHERE happened_on >= $1 AND happened_on < $2 GROUP BY kind ORDER BY kind;
-- with '2024-01-15', '2024-02-15'
SELECT count(*) FROM events_2024_01;
INSERT INTO bookings (room, during, guest) VALUES ($1, $2, $3);
-- with 1, '[500,510)', 'late guest'
INSERT INTO drafts (id, body, author) VALUES ($1, $2, $3);
-- with 500, 'mine', 4
SELECT body FROM drafts WHERE id = $1;
-- with 77
INSERT INTO feedback (words) VALUES ($1) RETURNING id;
-- with 'nice'
INSERT INTO feedback (words, stars) VALUES ($1, $2) RETURNING id;
-- with 'nice', 7
INSERT INTO audit (what) VALUES ($1) RETURNING id;
-- with 'by hand'
INSERT INTO billing.invoices (number, order_id, amount) VALUES ($1, $2, $3);
-- with 'INV-900', 900, 12.5
UPDATE billing.invoices SET paid = true WHERE number = $1 AND paid IS NOT TRUE RETURNING paid;
-- with 'INV-5'
SELECT "userName" FROM "Legacy Table" WHERE "order" < $1 ORDER BY "Id" LIMIT 3;
-- with 60
INSERT INTO "Legacy Table" ("Id", "userName") VALUES ($1, $2);
-- with 77, 'late'
WITH recent AS (SELECT id, account_id FROM orders ORDER BY id DESC LIMIT 5) SELECT a.full_name FROM recent r JOIN accounts a ON a.id = r.account_id ORDER BY r.id;
SELECT code, title FROM plans ORDER BY monthly;
