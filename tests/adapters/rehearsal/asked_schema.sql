CREATE SCHEMA shop;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email email NOT NULL UNIQUE,
    name varchar(50),
    mood mood DEFAULT 'ok',
    tags text[] NOT NULL DEFAULT '{}',
    data jsonb NOT NULL DEFAULT '{}',
    balance numeric(12, 2) NOT NULL DEFAULT 0,
    active boolean NOT NULL DEFAULT true,
    born date,
    wakes time,
    seen inet,
    code uuid,
    raw bytea,
    flags bit(8),
    score double precision,
    created_at timestamptz NOT NULL DEFAULT now(),
    lower_name text GENERATED ALWAYS AS (lower(name)) STORED
);
CREATE TABLE shop.orders (
    id serial PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    total integer NOT NULL,
    during tstzrange,
    note text,
    placed_at timestamp NOT NULL DEFAULT now()
);
CREATE TABLE "Mixed Case" ("Id" int PRIMARY KEY, "Select" text);
CREATE VIEW active_accounts AS SELECT id, email, name FROM accounts WHERE active;
CREATE FUNCTION greet(who text, times integer DEFAULT 1) RETURNS text LANGUAGE sql AS $$ SELECT repeat('hi ' || who, times) $$;
CREATE PROCEDURE settle(which bigint) LANGUAGE sql AS $$ UPDATE shop.orders SET total = 0 WHERE id = which $$;
