"""The shared database: Postgres, and a sibling in memory that keeps the same contract."""
