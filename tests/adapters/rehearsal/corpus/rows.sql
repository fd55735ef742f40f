-- A few thousand rows, the same every time.
INSERT INTO plans VALUES ('free', 'Free', 0), ('pro', 'Professional', 900), ('team', 'Team', 4900);
INSERT INTO accounts (email, full_name, nickname, phone, plan, tags, settings, home, failed_logins, active)
    SELECT 'user' || n || '@example.org', 'User Number ' || n,
        CASE WHEN n % 3 = 0 THEN NULL ELSE 'nick' || n % 50 END,
        CASE WHEN n % 4 = 0 THEN NULL ELSE '+49 30 ' || n END,
        (ARRAY['free', 'pro', 'team'])[1 + n % 3], ARRAY['tag' || n % 5], jsonb_build_object('theme', n % 2),
        ROW('Street ' || n, 'Town', lpad(n::text, 5, '0'))::address, n % 4, n % 10 <> 0
    FROM generate_series(1, 1000) n;
INSERT INTO sessions SELECT 'token' || n, 1 + n % 1000, timestamp '2024-01-01' + n * interval '1 minute', NULL, 'agent'
    FROM generate_series(1, 1500) n;
INSERT INTO products (sku, title, price, legacy_no, stock)
    SELECT 'SKU-' || n, 'Product ' || n, n + 0.99, n::text, n FROM generate_series(1, 200) n;
INSERT INTO orders (account_id, status, reference, note, total, placed_on)
    SELECT 1 + n % 1000, (ARRAY['draft', 'placed', 'paid', 'shipped', 'cancelled'])[1 + n % 5]::order_status,
        CASE WHEN n % 7 = 0 THEN NULL ELSE 'ref-' || n % 900 END, 'Note ' || n, n * 10, date '2024-01-01' + n % 60
    FROM generate_series(1, 2000) n;
INSERT INTO items (order_id, line, product_id, quantity, unit_price)
    SELECT 1 + n / 2, 1 + n % 2, 1 + n % 200, 1 + n % 5, 1 + n % 200 + 0.99 FROM generate_series(2, 3999) n;
INSERT INTO events SELECT nextval('event_ids'), date '2024-01-01' + n % 75, 1 + n % 1000, 'login', '{"ok": true}'
    FROM generate_series(1, 1500) n;
INSERT INTO bookings SELECT n, int4range(n * 10, n * 10 + 20), 'guest ' || n FROM generate_series(1, 100) n;
INSERT INTO drafts SELECT n, 'body ' || n, n FROM generate_series(1, 100) n;
INSERT INTO billing.invoices SELECT 'INV-' || n, CASE WHEN n % 50 = 0 THEN 100000 + n ELSE n END, 1 + n % 1000,
    CASE WHEN n % 5 = 0 THEN NULL ELSE n % 2 = 0 END, n FROM generate_series(1, 600) n;
INSERT INTO "Legacy Table" SELECT n, 'legacy ' || n, 100 - n FROM generate_series(1, 50) n;
REFRESH MATERIALIZED VIEW top_products;
