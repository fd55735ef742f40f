-- # safe: rows-into-a-new-table
CREATE TABLE countries (code char(2) PRIMARY KEY, title text NOT NULL);
INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France'), ('PL', 'Poland');

-- # breaks: rows-changed
UPDATE plans SET title = 'Starter' WHERE code = 'free';

-- # heavy: rows-of-a-new-column-filled-at-once
ALTER TABLE orders ADD COLUMN reference_lower text;
UPDATE orders SET reference_lower = lower(reference);

-- # breaks: rows-deleted
DELETE FROM orders WHERE status = 'cancelled' AND note IS NOT NULL;

-- # breaks: rows-normalised
UPDATE accounts SET email = upper(email);

-- # fails: rows-update-violates
UPDATE products SET price = price - 150;

-- # fails: rows-inserted-twice
INSERT INTO plans VALUES ('team', 'Team again', 1);

-- # breaks: rows-merged
MERGE INTO plans p USING (VALUES ('pro', 'Pro'), ('max', 'Max')) AS v (code, title) ON p.code = v.code
    WHEN MATCHED THEN UPDATE SET title = v.title
    WHEN NOT MATCHED THEN INSERT VALUES (v.code, v.title, 0);

-- # breaks: rows-lost-with-a-truncate-cascade
TRUNCATE TABLE products CASCADE;

-- # breaks: rows-changed-by-a-function
SELECT add_item(33, 1, 1);
