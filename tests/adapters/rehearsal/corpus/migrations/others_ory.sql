-- # safe: ory-create-tables
CREATE TABLE IF NOT EXISTS "identity_credentials" (
"id" UUID NOT NULL,
PRIMARY KEY("id"),
"config" jsonb NOT NULL,
"account_id" bigint NOT NULL,
"created_at" timestamp NOT NULL,
FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") ON DELETE cascade
);
CREATE UNIQUE INDEX IF NOT EXISTS "identity_credentials_one" ON "identity_credentials" (account_id, id);

-- # safe: ory-add-nid
ALTER TABLE "sessions" ADD COLUMN "nid" char(36);
ALTER TABLE "sessions" ADD COLUMN "aal" VARCHAR (4) NOT NULL DEFAULT '';
COMMENT ON COLUMN "sessions"."aal" IS 'authenticator assurance level';

-- # heavy: ory-swap-column-by-transfer
ALTER TABLE "sessions" ADD COLUMN "agent_new" varchar(10);
UPDATE "sessions" SET agent_new = left(agent, 10);
ALTER TABLE "sessions" DROP COLUMN "agent";
ALTER TABLE "sessions" RENAME COLUMN "agent_new" TO "agent";

-- # fails: ory-primary-key-to-uuid
ALTER TABLE accounts ADD COLUMN pk UUID;
UPDATE accounts SET pk = gen_random_uuid();
ALTER TABLE accounts ALTER pk SET NOT NULL;
ALTER TABLE accounts DROP CONSTRAINT accounts_pkey;
ALTER TABLE accounts ADD PRIMARY KEY (pk);

-- # breaks: ory-drop-default-and-not-null
ALTER TABLE "accounts" ALTER COLUMN "tags" DROP DEFAULT;

-- # safe: ory-trigger-on-new-table
CREATE TABLE "courier_messages" ("id" UUID PRIMARY KEY, "body" text NOT NULL, "updated_at" timestamp);
CREATE FUNCTION courier_touch() RETURNS trigger AS $body$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $body$ LANGUAGE plpgsql;
CREATE TRIGGER courier_touch BEFORE UPDATE ON "courier_messages" FOR EACH ROW EXECUTE PROCEDURE courier_touch();
