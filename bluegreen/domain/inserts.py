"""Which columns the running version's INSERTs fill, by their texts."""

import re
from collections.abc import Iterable

from bluegreen.domain.differences import last_part
from bluegreen.domain.seen import QuerySeen

NAME = r'(?:"(?:[^"]|"")*"|[\w$]+)'
INSERT = re.compile(
    rf"\binsert\s+into\s+(?P<table>{NAME}(?:\.{NAME})?)\s*(?:as\s+{NAME}\s*)?\((?P<columns>[^()]*)\)", re.IGNORECASE
)
QUERY = re.compile(r"\s*(?:select|values|with|table)\b", re.IGNORECASE)


def filled(queries: Iterable[QuerySeen], table: str, column: str) -> bool | None:
    """Whether each known INSERT into the table fills the column; None where none with a list of columns is known."""
    own, wanted = _plain(last_part(table)), _plain(last_part(column))
    lists = [
        {_plain(name) for name in match["columns"].split(",")}
        for query in queries
        for match in INSERT.finditer(query.text)
        if _plain(last_part(match["table"])) == own and not QUERY.match(match["columns"])
    ]
    return all(wanted in names for names in lists) if lists else None


def _plain(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
