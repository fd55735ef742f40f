"""The common ground of everything that talks to Postgres: reaching it, asking it, reading SQL, its programs, scratch
databases, and the ledger."""
