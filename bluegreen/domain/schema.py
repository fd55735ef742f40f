"""Is this migration safe for the version that is running? What was seen in its rehearsal becomes findings."""

from bluegreen.domain.findings import FileVerdict, Finding
from bluegreen.domain.seen import FileSeen

NEVER_RUN = frozenset({"cluster-statement", "copy-program", "other-database"})
"""Kinds of dangers with which a file is not even run on a copy: they reach beyond their database."""


def judge(seen: FileSeen) -> FileVerdict:
    """The verdict on one migration, from everything that was seen of it."""
    migration = seen.migration
    findings: tuple[Finding, ...] = ()
    return FileVerdict(
        migration.database,
        migration.source,
        migration.version,
        migration.phase,
        migration.kind,
        migration.file,
        migration.checksum,
        findings,
    )
