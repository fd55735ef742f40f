"""The corpus as it lies in `corpus/`: migrations, and the old version of a small shop that runs on its schema.

In the files each migration begins with `-- # EXPECTED: NAME [since=MAJOR] [only-warned]`, a tool's script with `##`.
EXPECTED is what its author thinks: never the truth, which `truth.py` finds by running it, but a check on both. Those
`only-warned` break in a way that no rehearsal is asked to tell, such as another meaning of a function's body.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
ROLES = ("shop_app", "shop_reports")
HEADING = re.compile(
    r"^(?:-- #|##) (?P<expected>\w+): (?P<name>\S+)(?: since=(?P<since>\d+))?(?P<warned> only-warned)?$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Case:
    """One migration: SQL, or the script of a tool (`command`) that finds its DSN in $DATABASE_URL. `only_warned`: a
    warning will do."""

    name: str
    expected: str
    text: str
    since: int = 0
    command: bool = False
    only_warned: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One question of the old version, with `$1`, and its parameters as a driver would send them."""

    text: str
    parameters: tuple[str, ...] = ()

    @property
    def filled(self) -> str:
        """As one text: what a driver sends that fills in parameters itself."""
        return re.sub(r"\$(\d+)", lambda match: self.parameters[int(match[1]) - 1], self.text)


@cache
def cases() -> tuple[Case, ...]:
    """All migrations, file after file."""
    found = [case for path in sorted((CORPUS / "migrations").iterdir()) for case in _in_file(path)]
    assert len({case.name for case in found}) == len(found), "two cases of one name"
    return tuple(found)


def _in_file(path: Path) -> list[Case]:
    text = path.read_text()
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [
        Case(
            heading["name"],
            heading["expected"],
            text[heading.end() : end].strip() + "\n",
            int(heading["since"] or 0),
            command=path.suffix == ".sh",
            only_warned=bool(heading["warned"]),
        )
        for heading, end in zip(headings, ends, strict=True)
    ]


def schema() -> str:
    """The old schema and its rows."""
    return (CORPUS / "schema.sql").read_text() + (CORPUS / "rows.sql").read_text()


@cache
def queries() -> tuple[Query, ...]:
    """What the old version asks, in order."""
    text = re.sub(r"\A(--.*\n)+", "", (CORPUS / "old_version.sql").read_text())
    found = re.findall(r"^([A-Z].*?;)\n(?:-- with (.*)\n)?", text, re.MULTILINE)
    return tuple(Query(query.rstrip(";"), _split(parameters)) for query, parameters in found)


def _split(parameters: str) -> tuple[str, ...]:
    return tuple(re.findall(r"'[^']*'|[^,\s][^,]*", parameters))
