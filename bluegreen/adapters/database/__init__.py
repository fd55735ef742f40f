"""The port of the shared database: on Postgres, joined from migrations, backups and rehearsal; and a sibling in memory
that keeps the same contract."""
