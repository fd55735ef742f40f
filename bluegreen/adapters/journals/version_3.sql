-- Version 3: series that grow chunk by chunk: what the live colour showed, and what was seen of each release on trial.
CREATE TABLE chunk (
    kind   TEXT NOT NULL,
    key    TEXT NOT NULL,
    number INTEGER NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (kind, key, number)
) STRICT, WITHOUT ROWID;
