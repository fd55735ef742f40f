"""Scenarios in plain words, on a real Caddy, a real Postgres and real processes, seen by a client of their own."""
