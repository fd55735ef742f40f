"""A look at a database's catalogue: all things that a migration could change, in the words of domain/catalogue.py."""

from bluegreen.adapters.postgres.connections import Connection
from bluegreen.domain import catalogue
from bluegreen.domain.catalogue import Catalogue


async def look(connection: Connection) -> Catalogue:
    """Everything but the system's, extensions' and schema `bluegreen`."""
    return {}


async def fingerprint(connection: Connection) -> str:
    """The hash of what is there (domain/catalogue.py)."""
    return catalogue.fingerprint(await look(connection))
