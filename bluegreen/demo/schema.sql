-- The sample application's database as release 1.0.0 knows it. Both services and both colours share it.

CREATE TABLE IF NOT EXISTS accounts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    password   bytea       NOT NULL, -- scrypt, salted with the name
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS sessions (
    token      bytea       PRIMARY KEY, -- sha256 of what the cookie holds
    account_id bigint      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    colour     text        NOT NULL, -- which environment made it; every environment accepts it
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS orders (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    item       text        NOT NULL,
    colour     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS orders_account_id ON orders (account_id, id DESC);
