-- # safe: function-new
CREATE FUNCTION full_address(given address) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT (given).street || ', ' || (given).city $$;

-- # safe: function-body-made-faster
CREATE OR REPLACE FUNCTION order_total(wanted bigint) RETURNS numeric LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT coalesce(sum(i.amount), 0) FROM items i WHERE i.order_id = wanted';

-- # breaks: function-dropped
DROP FUNCTION order_total(bigint);

-- # fails: function-with-another-result
CREATE OR REPLACE FUNCTION order_total(wanted bigint) RETURNS text LANGUAGE sql AS 'SELECT wanted::text';

-- # breaks: function-dropped-and-made-with-another-result
DROP FUNCTION order_total(bigint);
CREATE FUNCTION order_total(wanted bigint) RETURNS text LANGUAGE sql AS 'SELECT wanted::text';

-- # breaks: function-with-one-more-argument
DROP FUNCTION add_item(bigint, integer, integer);
CREATE FUNCTION add_item(to_order bigint, product integer, many integer, discount numeric) RETURNS integer
    LANGUAGE sql AS 'SELECT 1';

-- # safe: function-with-one-more-argument-by-default
DROP FUNCTION slug(text);
CREATE FUNCTION slug(given text, separator text DEFAULT '-') RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT lower(regexp_replace(given, '[^A-Za-z0-9]+', separator, 'g')) $$;

-- # breaks: function-overloaded-until-ambiguous
CREATE FUNCTION slug(given varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE FUNCTION order_total(wanted integer, rounded boolean DEFAULT true) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0';

-- # breaks: function-renamed
ALTER FUNCTION slug(text) RENAME TO make_slug;

-- # breaks: procedure-dropped
DROP PROCEDURE cancel_order(bigint);

-- # breaks: trigger-that-refuses
CREATE FUNCTION refuse_drafts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'draft' THEN RAISE EXCEPTION 'drafts are kept elsewhere now'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER no_drafts BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse_drafts();

-- # breaks: trigger-that-changes-rows
CREATE FUNCTION upper_title() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$;
CREATE TRIGGER upper_titles BEFORE INSERT OR UPDATE ON products FOR EACH ROW EXECUTE FUNCTION upper_title();

-- # breaks: trigger-dropped
DROP TRIGGER orders_noted ON orders;

-- # breaks: trigger-disabled
ALTER TABLE orders DISABLE TRIGGER orders_noted;

-- # safe: trigger-that-fills-a-new-column
ALTER TABLE products ADD COLUMN title_length integer;
CREATE FUNCTION measure_title() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.title_length := length(NEW.title); RETURN NEW; END $$;
CREATE TRIGGER measured BEFORE INSERT OR UPDATE ON products FOR EACH ROW EXECUTE FUNCTION measure_title();

-- # safe: do-block-that-adds
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'campaign') THEN
        ALTER TABLE orders ADD COLUMN campaign text;
    END IF;
END $$;

-- # breaks: do-block-that-drops
DO $$
DECLARE
    victim text := 'agent';
BEGIN
    EXECUTE format('ALTER TABLE %I DROP COLUMN %I', 'sessions', victim);
END $$;

-- # breaks: do-block-over-all-tables
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE a.attname = 'note' AND c.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN note SET NOT NULL', found.name);
    END LOOP;
EXCEPTION WHEN not_null_violation THEN
    ALTER TABLE orders DROP COLUMN note;
END $$;

-- # fails: do-block-that-fails-only-with-rows
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT reference FROM orders WHERE reference IS NOT NULL LOOP
        IF found.reference::integer > 0 THEN RAISE NOTICE 'positive'; END IF;
    END LOOP;
END $$;
ALTER TABLE orders ADD COLUMN reference_no integer;

-- # breaks: function-body-that-reads-a-missing-column
CREATE OR REPLACE FUNCTION note_order() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO audit (what, at_order, changed_by) VALUES (TG_OP, NEW.id, NEW.changed_by);
    RETURN NEW;
END $$;
