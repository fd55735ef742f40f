"""What a statement's parse tree says before anything runs: kinds of findings and the things they are about.

Two sorts: dangers that count whatever a run shows (it reaches beyond its database, it changes many rows at once), and
changes of the catalogue, which count only for a statement that was not run (`domain.schema` leaves the others out).
"""

import re
from collections.abc import Iterator

import postgast

from bluegreen.adapters.postgres.sql_bodies import bodies
from bluegreen.adapters.postgres.sql_changes import changes
from bluegreen.adapters.postgres.sql_fallible import fallible
from bluegreen.adapters.postgres.sql_reach import reach
from bluegreen.adapters.postgres.sql_rows import rows
from bluegreen.adapters.postgres.sql_trees import Node

Danger = tuple[str, str]

DYNAMIC = re.compile(
    r"\b(?P<cluster>ALTER\s+SYSTEM|(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP|DATABASE|TABLESPACE)\b)"
    r"|\b(?P<program>COPY\b[^;]*\bPROGRAM)\b"
    r"|\b(?P<other>dblink\w*\s*\(|CREATE\s+(?:SERVER|SUBSCRIPTION|USER\s+MAPPING|FOREIGN\s+TABLE))",
    re.IGNORECASE | re.DOTALL,
)
KINDS = {"cluster": "cluster-statement", "program": "copy-program", "other": "other-database"}


def dangers(text: str) -> tuple[Danger, ...]:
    """Pairs (kind, object) of one statement; of a DO block or a function body also what stands inside, as far as it can
    be read. Kinds of `domain.schema.NEVER_RUN` keep a file from being run at all."""
    try:
        parsed = postgast.parse(text)
    except postgast.PgQueryError:
        return ()  # whoever runs it says what is wrong with it
    return tuple(dict.fromkeys(danger for node in parsed.stmts for danger in _of(node.stmt, own=True)))


def _of(node: Node, *, own: bool, depth: int = 0) -> Iterator[Danger]:
    """The dangers of one statement. `own` False: it stands in the body of a function, and may never run."""
    yield from reach(node)
    if own:
        yield from rows(node)
        yield from changes(node)
        yield from fallible(node)
    if depth > 2:
        return
    runs, said, queries = bodies(node)
    for query in queries:
        yield from _inside(query, own=own and runs, depth=depth + 1)
    for match in DYNAMIC.finditer(said):
        kind = next(KINDS[name] for name, value in match.groupdict().items() if value)
        yield kind, " ".join(match[0].split())[:60]


def _inside(query: str, *, own: bool, depth: int) -> Iterator[Danger]:
    for text in (query, f"SELECT {query}"):
        try:
            parsed = postgast.parse(text)
        except postgast.PgQueryError:
            continue
        for item in parsed.stmts:
            yield from _of(item.stmt, own=own, depth=depth)
        return
