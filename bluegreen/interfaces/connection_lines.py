"""How many connections of the databases are open, for people."""

from bluegreen.app.room import Counted
from bluegreen.interfaces.text import duration, paragraph

FRESH = 10.0
"""Seconds up to which a count passes for one of now."""


def connection_lines(counted: Counted) -> list[str]:
    """A line for each database: each colour's connections where they are known, all others, and what is left."""
    old = f" ({duration(counted.age)} ago)" if counted.age > FRESH else ""
    return [
        paragraph("database", f"{name}: {f'{found.describe()} connections' if found else 'connections unknown'}{old}")
        for name, found in counted.by_database.items()
    ]
