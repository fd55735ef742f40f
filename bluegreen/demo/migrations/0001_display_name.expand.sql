-- Release 1.1.0 greets people by the name they chose. Nullable and without a default: no rewrite, and release 1.0.0,
-- which does not know the column, goes on reading and writing accounts.
ALTER TABLE accounts ADD COLUMN display_name text;
