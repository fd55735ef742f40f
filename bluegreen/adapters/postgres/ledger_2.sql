-- From version 1 of the ledger to version 2: backfills, hashes of the catalogue, rehearsals.
ALTER TABLE bluegreen.migration DROP CONSTRAINT migration_phase_check,
    ADD CONSTRAINT migration_phase_check CHECK (phase IN ('expand', 'backfill', 'contract')),
    DROP CONSTRAINT migration_mode_check,
    ADD CONSTRAINT migration_mode_check CHECK (mode IN ('transaction', 'statements', 'command', 'batches')),
    ADD COLUMN meaning text NOT NULL DEFAULT '',
    ADD COLUMN hash_before text NOT NULL DEFAULT '',
    ADD COLUMN hash_after text NOT NULL DEFAULT '',
    ADD COLUMN rehearsal jsonb;

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

COMMENT ON COLUMN bluegreen.migration.meaning IS 'Hash of the statements without comments and layout.';
COMMENT ON COLUMN bluegreen.migration.hash_before IS 'Hash of the catalogue before and after; "" where nobody looked.';
COMMENT ON COLUMN bluegreen.migration.rehearsal IS 'What its rehearsal found, with what was accepted and why.';
COMMENT ON TABLE bluegreen.catalogue IS 'What the schema was after our last migration, thing by thing: what differs was changed past us.';
COMMENT ON COLUMN bluegreen.backfill.last_key IS 'The primary key up to which rows are done, written with their batch.';

UPDATE bluegreen.meta SET version = 2;
