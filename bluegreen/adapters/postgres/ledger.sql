-- The ledger, version 2: what was done to this database's schema, by which deployment. It lives here, not with the
-- daemon, since it describes this database: whoever restores a dump gets the ledger of that moment with it.
CREATE TABLE bluegreen.meta (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bluegreen.migration (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    version text NOT NULL,
    phase text NOT NULL CHECK (phase IN ('expand', 'backfill', 'contract')),
    checksum text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('transaction', 'statements', 'command', 'batches')),
    state text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted', 'skipped')),
    statements_total integer NOT NULL,
    statements_done integer NOT NULL,
    in_flight boolean NOT NULL,
    deployment text NOT NULL,
    release text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    attempts integer NOT NULL,
    error text NOT NULL,
    output text NOT NULL,
    owner text NOT NULL,
    meaning text NOT NULL DEFAULT '',
    hash_before text NOT NULL DEFAULT '',
    hash_after text NOT NULL DEFAULT '',
    rehearsal jsonb,
    UNIQUE (source, version, phase)
);

CREATE TABLE bluegreen.catalogue (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    after text NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    things jsonb NOT NULL
);

CREATE TABLE bluegreen.backfill (
    source text NOT NULL,
    version text NOT NULL,
    table_name text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('running', 'paused', 'cancelled', 'interrupted', 'failed', 'done')),
    last_key jsonb,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint,
    batch integer NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    deployment text NOT NULL,
    owner text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    error text NOT NULL DEFAULT '',
    PRIMARY KEY (source, version)
);

COMMENT ON SCHEMA bluegreen IS 'What bluegreen did to this database. Read it; do not write it.';
COMMENT ON COLUMN bluegreen.migration.in_flight IS
    'The statement after statements_done was begun outside a transaction: it may have taken effect.';
COMMENT ON COLUMN bluegreen.migration.owner IS 'host:pid of the daemon';

COMMENT ON COLUMN bluegreen.migration.meaning IS 'Hash of the statements without comments and layout.';
COMMENT ON COLUMN bluegreen.migration.hash_before IS 'Hash of the catalogue before and after; "" where nobody looked.';
COMMENT ON COLUMN bluegreen.migration.rehearsal IS 'What its rehearsal found, with what was accepted and why.';
COMMENT ON TABLE bluegreen.catalogue IS 'What the schema was after our last migration, thing by thing: what differs was changed past us.';
COMMENT ON COLUMN bluegreen.backfill.last_key IS 'The primary key up to which rows are done, written with their batch.';

INSERT INTO bluegreen.meta (version) VALUES (2);
