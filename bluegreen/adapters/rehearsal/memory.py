"""Rehearsals played in memory: the part of `MemoryDatabase` (database/memory.py) that rehearses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.errors import RehearsalFailed
from bluegreen.domain.findings import FileVerdict, Finding, Rehearsal
from bluegreen.domain.migrations import Applied, Backup, Migration, MigrationPhase
from bluegreen.domain.plans import Release


@dataclass
class MemoryRehearsals:
    """`found` maps versions to what a rehearsal finds in them; `not_seen` is what it cannot look at;
    `rehearsal_error`: it cannot be run; `rehearsed` are the purposes it was run for."""

    name: str = "main"
    migrations: list[Migration] = field(default_factory=list)
    ledger: dict[tuple[str, str, MigrationPhase], Applied] = field(default_factory=dict)
    found: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    not_seen: tuple[str, ...] = ()
    rehearsal_error: str = ""
    rehearsed: list[str] = field(default_factory=list)
    swept: tuple[str, ...] = ()

    async def rehearse(
        self,
        release: Release,
        phases: tuple[MigrationPhase, ...],
        purpose: str,
        *,
        backup: Backup | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Rehearsal:
        if self.rehearsal_error:
            raise RehearsalFailed(self.rehearsal_error)
        self.rehearsed.append(purpose)
        done = {(row.source, row.version, row.phase) for row in self.ledger.values() if row.state == "done"}
        pending = [
            m
            for phase in phases
            for m in self.migrations
            if m.phase is phase and (m.source, m.version, phase) not in done
        ]
        if not pending:
            return Rehearsal()
        return Rehearsal(tuple(self._verdict(migration) for migration in pending), self.not_seen, "schema", 0.1)

    async def sweep(self) -> tuple[str, ...]:
        return self.swept

    def _verdict(self, m: Migration) -> FileVerdict:
        found = self.found.get(m.version, ())
        return FileVerdict(m.database, m.source, m.version, m.phase, m.kind, m.file, m.checksum, found)
