-- # breaks: check-that-the-old-version-violates
ALTER TABLE accounts ADD CONSTRAINT phone_is_filled CHECK (phone <> '');

-- # breaks: check-where-no-rows-are
ALTER TABLE feedback ADD CONSTRAINT five_stars CHECK (stars BETWEEN 1 AND 5);

-- # breaks: check-not-valid
ALTER TABLE orders ADD CONSTRAINT note_is_there CHECK (note IS NOT NULL) NOT VALID;

-- # fails: check-with-violators
ALTER TABLE accounts ADD CONSTRAINT never_failed CHECK (failed_logins < 2);

-- # fails: check-validated-with-violators
ALTER TABLE orders ADD CONSTRAINT has_reference CHECK (reference IS NOT NULL) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT has_reference;

-- # safe: check-on-a-new-column
ALTER TABLE orders ADD COLUMN weight integer CHECK (weight > 0);

-- # safe: check-dropped
ALTER TABLE items DROP CONSTRAINT items_quantity_check;

-- # fails: unique-with-duplicates
ALTER TABLE orders ADD CONSTRAINT orders_reference_key UNIQUE (reference);

-- # breaks: unique-that-new-rows-violate
ALTER TABLE feedback ADD CONSTRAINT feedback_words_key UNIQUE (words);

-- # breaks: unique-dropped-that-upserts-need
ALTER TABLE products DROP CONSTRAINT products_sku_key;

-- # safe: unique-on-a-new-table
CREATE TABLE coupons (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text NOT NULL UNIQUE,
    order_id bigint REFERENCES orders (id));

-- # fails: foreign-key-with-orphans
ALTER TABLE billing.invoices ADD CONSTRAINT invoices_order_fk FOREIGN KEY (order_id) REFERENCES orders (id);

-- # breaks: foreign-key-not-valid
ALTER TABLE events ADD CONSTRAINT events_account_fk FOREIGN KEY (account_id) REFERENCES accounts (id);
ALTER TABLE billing.invoices ADD CONSTRAINT invoices_plan_fk FOREIGN KEY (order_id) REFERENCES orders (id)
    ON DELETE RESTRICT NOT VALID;
ALTER TABLE items DROP CONSTRAINT items_order_id_fkey;
ALTER TABLE items ADD CONSTRAINT items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id) NOT VALID;

-- # breaks: foreign-key-validated-stops-deletes
ALTER TABLE audit ADD CONSTRAINT audit_order_fk FOREIGN KEY (at_order) REFERENCES orders (id) NOT VALID;
ALTER TABLE audit VALIDATE CONSTRAINT audit_order_fk;

-- # safe: foreign-key-dropped
ALTER TABLE orders DROP CONSTRAINT orders_account_id_fkey;

-- # fails: primary-key-over-duplicates
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey;
ALTER TABLE sessions ADD PRIMARY KEY (account_id);

-- # breaks: primary-key-replaced
ALTER TABLE plans ADD COLUMN id serial;
ALTER TABLE accounts DROP CONSTRAINT accounts_plan_fkey;
ALTER TABLE plans DROP CONSTRAINT plans_pkey, ADD PRIMARY KEY (id), DROP COLUMN code CASCADE;

-- # fails: exclude-over-overlaps
ALTER TABLE bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&);

-- # breaks: exclude-that-new-rows-violate
INSERT INTO bookings VALUES (2, '[505,506)', 'blocked by the new version');
DELETE FROM bookings WHERE room < 200 AND room <> 2;
ALTER TABLE bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&);

-- # safe: constraint-renamed
ALTER TABLE items RENAME CONSTRAINT items_quantity_check TO quantity_is_positive;

-- # safe: validate-what-was-there
ALTER TABLE orders ADD COLUMN coupon_id bigint;
ALTER TABLE orders ADD CONSTRAINT coupon_is_positive CHECK (coupon_id > 0) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT coupon_is_positive;

-- # breaks: not-null-not-valid since=18
ALTER TABLE orders ADD CONSTRAINT note_not_null NOT NULL note NOT VALID;

-- # safe: constraint-not-enforced since=18
ALTER TABLE products ADD CONSTRAINT stock_known CHECK (stock >= -1000000) NOT ENFORCED;

-- # breaks: domain-constraint
ALTER DOMAIN email ADD CONSTRAINT lower_case CHECK (VALUE NOT LIKE 'second%') NOT VALID;

-- # fails: domain-constraint-with-violators
ALTER DOMAIN cents ADD CONSTRAINT not_much CHECK (VALUE < 1000);

-- # breaks: deferrable-unique-for-upserts
ALTER TABLE products DROP CONSTRAINT products_sku_key, ADD CONSTRAINT products_sku_key UNIQUE (sku) DEFERRABLE;
