"""What applications ask of a database, in many dialects: run through pg_stat_statements, their literals become
parameters, and each of them must be preparable all the same."""

from pathlib import Path

from bluegreen.adapters.postgres.sql_inserts import split

SCHEMA = Path(__file__).with_name("asked_schema.sql").read_text()

ASKED = split(Path(__file__).with_name("asked.sql").read_text())
"""Statements for Postgres 15 and later that can be run on SCHEMA in this order."""
