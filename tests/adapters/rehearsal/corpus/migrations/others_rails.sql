-- # safe: rails-add-reference
ALTER TABLE "orders" ADD "warehouse_id" bigint;
ALTER TABLE "orders" ADD "delivered_at" timestamp(6) without time zone;

-- # safe: rails-create-join-table
CREATE TABLE "favourites" ("id" bigserial primary key, "account_id" bigint NOT NULL, "product_id" integer NOT NULL, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL, CONSTRAINT "fk_rails_1" FOREIGN KEY ("account_id") REFERENCES "accounts" ("id"), CONSTRAINT "fk_rails_2" FOREIGN KEY ("product_id") REFERENCES "products" ("id"));
CREATE UNIQUE INDEX "index_favourites_on_account_id_and_product_id" ON "favourites" ("account_id", "product_id");

-- # safe: rails-add-index-concurrently
-- bluegreen: no-transaction
CREATE INDEX CONCURRENTLY "index_orders_on_placed_on_and_account_id" ON "orders" ("placed_on", "account_id");

-- # safe: rails-add-boolean
ALTER TABLE "accounts" ADD "newsletter" boolean DEFAULT FALSE NOT NULL;

-- # breaks: rails-rename-column
ALTER TABLE "accounts" RENAME COLUMN "failed_logins" TO "failed_attempts";

-- # breaks: rails-remove-timestamps
ALTER TABLE "orders" DROP COLUMN "updated_at";

-- # breaks: rails-change-column-null-with-default
UPDATE "billing"."invoices" SET "paid" = FALSE WHERE "paid" IS NULL;
ALTER TABLE "billing"."invoices" ALTER COLUMN "paid" SET NOT NULL;

-- # safe: rails-schema-migrations
CREATE TABLE "schema_migrations" ("version" character varying NOT NULL PRIMARY KEY);
CREATE TABLE "ar_internal_metadata" ("key" character varying NOT NULL PRIMARY KEY, "value" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
INSERT INTO "schema_migrations" (version) VALUES ('20240101000000'), ('20240102000000');
