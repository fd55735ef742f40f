"""The kinds of findings: what each means, when it refuses, and what to write instead.

docs/rehearsal.md shows this table to people; a test compares both.
"""

from dataclasses import dataclass

from bluegreen.domain import kinds_of_changes, kinds_of_runs
from bluegreen.domain.findings import Gate
from bluegreen.domain.migrations import MigrationPhase

NEVER_RUN = frozenset({"cluster-statement", "copy-program", "other-database", "server-file", "untrusted-language"})
"""Kinds of dangers with which a file is not even run on a copy: they reach beyond their database."""

UNACCEPTABLE = NEVER_RUN | {
    "error", "ledger-touched", "not-a-backfill", "accepted-nothing", "production-changed",
}  # fmt: skip
"""Kinds that no directive can accept: there is nothing to weigh up."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding. `expand` and `contract` are its gates in these phases; `remedy` may name {object} (the full
    name of what the finding is about), {table} and {name} (its last part)."""

    name: str
    expand: Gate
    contract: Gate
    meaning: str
    remedy: str

    def gate(self, phase: MigrationPhase) -> Gate:
        """What it does to a migration. A backfill only moves rows: it is held to what holds beside the old version."""
        return self.contract if phase is MigrationPhase.CONTRACT else self.expand

    @property
    def acceptable(self) -> bool:
        """Whether `-- bluegreen: accept` may name it."""
        return self.name not in UNACCEPTABLE


def _read(table: str) -> dict[str, Kind]:
    kinds = {}
    for entry in table.strip().split("\n\n"):
        head, meaning, *remedy = entry.splitlines()
        name, expand, contract = head.split()
        said = (meaning.strip(), " ".join(line.strip() for line in remedy))
        kinds[name] = Kind(name, Gate(expand), Gate(contract), *said)
    return kinds


KINDS = {**_read(kinds_of_runs.TABLE), **_read(kinds_of_changes.TABLE)}
"""All kinds by their names."""
