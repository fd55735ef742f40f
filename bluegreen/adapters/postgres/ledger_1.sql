-- The ledger, version 1: what was done to this database's schema, by which deployment. It lives here, not with the
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
    phase text NOT NULL CHECK (phase IN ('expand', 'contract')),
    checksum text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('transaction', 'statements', 'command')),
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
    UNIQUE (source, version, phase)
);

COMMENT ON SCHEMA bluegreen IS 'What bluegreen did to this database. Read it; do not write it.';
COMMENT ON COLUMN bluegreen.migration.in_flight IS
    'The statement after statements_done was begun outside a transaction: it may have taken effect.';
COMMENT ON COLUMN bluegreen.migration.owner IS 'host:pid of the daemon';

INSERT INTO bluegreen.meta (version) VALUES (1);
