"""How many connections of the databases are open, as JSON. See models.py."""

from collections.abc import Mapping

from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.models_base import Answer, Number


class Connections(Answer):
    """Counts of a whole server: `reserved` of `limit` are kept for superusers and the like; `open` are those of a
    colour, where its application_name is configured; `others` all else that is open; `free` what a colour could still
    get."""

    limit: int
    reserved: int
    others: int
    open: Mapping[Colour, int]
    used: int
    free: int


class Counted(Answer):
    """The connections by database, null where they could not be counted, `age` seconds ago; empty before the first
    count."""

    by_database: Mapping[str, Connections | None] = {}
    age: Number = 0.0
