"""REHEARSING: what is pending is run on a copy first, and what would break the running version goes no further."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath

import msgspec

from bluegreen.app.news import News
from bluegreen.app.schema import Key, key
from bluegreen.app.work import Work
from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError, GateRefused
from bluegreen.domain.findings import FileVerdict, Finding, Gate, Rehearsal, joined
from bluegreen.domain.migrations import Backup, MigrationPhase
from bluegreen.domain.records import Json
from bluegreen.ports_database import Database

KEPT = "rehearsal"
"""The fact that keeps a deployment's rehearsal, by its id."""

BEFORE_THE_SWITCH = (MigrationPhase.EXPAND, MigrationPhase.BACKFILL)
"""What is rehearsed before anything is touched: a backfill that cannot run is better known then, too."""

NAMED = 3
"""Findings that a refusal names; `bluegreen migrate plan` and the events have all."""

BRIEF = 0.1
"""Seconds of production that an estimate does not tell apart."""

TOLD = 50
"""Findings of one file that its event tells."""


async def rehearse(work: Work, phases: tuple[MigrationPhase, ...], backups: Mapping[str, Backup]) -> Rehearsal:
    """Rehearse what is pending of these phases in every database, and tell what was found, file by file.

    Where nothing is pending nothing is copied. Raises RehearsalFailed where nothing could be tried at all.
    """
    parts = []
    for database in work.world.databases.values():
        if not await _pending(work, database, phases):
            continue
        work.note(f"rehearsing the migrations of {database.name}")
        async with work.world.turn.taken(f"the migrations of {database.name} are being rehearsed for {work.purpose}"):
            await sweep(database, work)
            part = await database.rehearse(work.release, phases, work.purpose, backup=backups.get(database.name))
        parts.append(part)
        for verdict in part.files:
            await work.tell("migration.rehearsed", **_facts(verdict))
    rehearsal = joined(parts)
    await _warn(work, rehearsal)
    return rehearsal


async def anything(work: Work, phases: tuple[MigrationPhase, ...]) -> bool:
    """Whether anything of these phases is pending in a database."""
    return any([await _pending(work, database, phases) for database in work.world.databases.values()])


async def _pending(work: Work, database: Database, phases: tuple[MigrationPhase, ...]) -> bool:
    return any([await database.pending(phase, work.release) for phase in phases])


async def rehearse_deployment(run: Work) -> Rehearsal:
    """Rehearse a deployment's expand migrations, and the backfills that stand on them, from the backup that it has just
    taken, and write the verdicts down: what goes on in EXPANDING, after a restart too, is held to them."""
    own = {name: await _own_backup(database, run.purpose) for name, database in run.world.databases.items()}
    rehearsal = await rehearse(run, BEFORE_THE_SWITCH, {name: backup for name, backup in own.items() if backup})
    await keep(run.world, run.purpose, rehearsal)
    return rehearsal


async def _own_backup(database: Database, purpose: str) -> Backup | None:
    try:
        kept = await database.backups()
    except BluegreenError:
        return None  # the schema alone is copied then
    return next((backup for backup in kept if backup.deployment == purpose), None)


def refuse(rehearsal: Rehearsal) -> None:
    """Raise GateRefused, naming file, line, finding and what to write instead, where a file must not run."""
    if rehearsal.refused:
        raise GateRefused(refusal(rehearsal.refused), next=("bluegreen migrate plan",))


def refusal(files: tuple[FileVerdict, ...]) -> str:
    """Why files must not run, for people."""
    texts = [text for verdict in files for text in _refusing(verdict)]
    more = f"; and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return "the rehearsal refuses " + "; ".join(texts[:NAMED]) + more


def place(verdict: FileVerdict, finding: Finding) -> str:
    """Where a finding is: file and line."""
    name = PurePath(verdict.file).name if verdict.file else verdict.label
    return f"{name}:{finding.line}" if finding.line else name


def described(finding: Finding) -> str:
    """A finding in one line."""
    details = ", ".join(filter(None, [finding.kind, finding.lock, _estimate(finding)]))
    return f"{finding.message} ({details})"


def verdicts(rehearsal: Rehearsal) -> Mapping[Key, FileVerdict]:
    """What was found in each migration."""
    return {key(verdict): verdict for verdict in rehearsal.files}


async def keep(world: World, purpose: str, rehearsal: Rehearsal) -> None:
    """Write a rehearsal down, so that a restart knows what was cleared. Raises JournalUnwritable."""
    await world.journal.keep(KEPT, purpose, msgspec.to_builtins(rehearsal))


async def kept(world: World, purpose: str) -> Rehearsal:
    """The rehearsal that was written down; an empty one where there is none."""
    found = await world.journal.fact(KEPT, purpose)
    return msgspec.convert(found, Rehearsal) if found else Rehearsal()


async def sweep(database: Database, teller: Work | News) -> None:
    """Drop what killed rehearsals and backups left in the server. What cannot be dropped is told, and tried again the
    next time: it harms nobody."""
    try:
        dropped = await database.sweep()
    except BluegreenError as exc:
        await teller.tell("rehearsal.not_swept", database=database.name, reason=exc.detail, severity="warning")
        return
    if dropped:
        await teller.tell("rehearsal.swept", database=database.name, dropped=list(dropped))


async def _warn(work: Work, rehearsal: Rehearsal) -> None:
    for verdict in rehearsal.files:
        warned = [finding for finding in verdict.findings if finding.weight is Gate.WARN]
        if verdict.gate is Gate.WARN and warned:
            more = f", and {len(warned) - 1} more" if len(warned) > 1 else ""
            await work.warn(f"{place(verdict, warned[0])}: {described(warned[0])}{more}")
    if rehearsal.not_seen:
        await work.warn(f"the rehearsal did not see: {'; '.join(rehearsal.not_seen)}")


def _refusing(verdict: FileVerdict) -> Iterator[str]:
    for finding in verdict.findings:
        if finding.weight is Gate.REFUSE:
            instead = f"; write instead: {finding.remedy}" if finding.remedy else ""
            yield f"{place(verdict, finding)}: {described(finding)}{instead}"


def _estimate(finding: Finding) -> str:
    if finding.estimate_s is None:
        return ""
    low, high = finding.estimate_s
    return f"{low:.2g} to {high:.2g} s" if low >= BRIEF else f"up to {max(high, BRIEF):.2g} s"


def _facts(verdict: FileVerdict) -> dict[str, Json]:
    findings: list[Json] = msgspec.to_builtins(verdict.findings[:TOLD])
    return {
        "migration": verdict.label,
        "database": verdict.database,
        "file": verdict.file,
        "gate": verdict.gate,
        "findings": findings,
        **({"severity": "warning"} if verdict.gate is Gate.REFUSE else {}),
    }
