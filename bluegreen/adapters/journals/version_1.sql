-- The journal, version 1. One row per deployment with its whole state; `phase` is repeated for people with sqlite3.
CREATE TABLE deployment (
    id    TEXT PRIMARY KEY,
    seq   INTEGER NOT NULL,
    phase TEXT NOT NULL,
    body  BLOB NOT NULL
) STRICT;
CREATE INDEX deployment_seq ON deployment (seq);

-- Intent before action, outcome after: an open row (outcome IS NULL) is an effect that nobody knows.
CREATE TABLE intent (
    id         TEXT PRIMARY KEY,
    deployment TEXT NOT NULL,
    at         TEXT NOT NULL,
    outcome    TEXT,
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX intent_deployment ON intent (deployment);

-- The story, line by line, as it is streamed; numbers only grow and are never used twice.
CREATE TABLE event (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX event_deployment ON event (deployment, seq);

-- Who did what; rows are only ever added.
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are kept'); END;
CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are kept'); END;

-- Small facts by kind and key: plans, orders, notices, quarantine, what is wanted.
CREATE TABLE fact (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (kind, key)
) STRICT;
