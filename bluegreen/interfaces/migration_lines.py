"""How a schema stands, as lines for people: every migration, what was changed past them, what to do about it."""

from collections.abc import Sequence

from bluegreen.app.upkeep_answers import MigrationsOf, Repaired
from bluegreen.domain.backfills import BackfillState
from bluegreen.domain.migrations import PENDING, MigrationState, SchemaDrift
from bluegreen.interfaces import text
from bluegreen.interfaces.backfill_lines import unfinished_lines
from bluegreen.interfaces.text import cleaned, commands, mark, strong
from bluegreen.interfaces.upkeep_lines import table

GLYPHS = {"done": text.DONE, "skipped": text.DONE, PENDING: text.NOTHING, "running": text.RUNNING}

STOPPED = (BackfillState.PAUSED, BackfillState.CANCELLED)

SHOWN = 10
"""Things that were changed past us, shown one by one; -o json has all."""


def migration_lines(databases: Sequence[MigrationsOf]) -> list[str]:
    """Every migration of every database."""
    if not databases:
        return ["No database is configured.", *commands(("bluegreen config docs databases",))]
    return [line for database in databases for line in _database_lines(cleaned(database))]


def repair_lines(repaired: Sequence[Repaired]) -> list[str]:
    """What was put right."""
    lines = [
        f"{mark(text.DONE)} {database.database}: {done}"
        for database in map(cleaned, repaired)
        for done in database.done
    ]
    return lines or ["There was nothing to repair."]


def _database_lines(database: MigrationsOf) -> list[str]:
    if database.problem:
        return [f"{mark(text.FAILED)} {database.database}: {database.problem}"]
    pending = sum(item.state == PENDING for item in database.items)
    count = len(database.items)
    first = f"{strong(database.database)}: {count} migration{'' if count == 1 else 's'}, {pending} pending"
    stopped = {item.label: item.state for item in database.backfills if item.state in STOPPED}
    rows = [_migration(item, stopped.get(item.label, "")) for item in database.items]
    notes = [f"  {item.label}: {remark}" for item in database.items for remark in _remarks(item)]
    return [
        first,
        *(table(("", "MIGRATION", "STATE", "WHEN", "DEPLOYMENT"), rows) if rows else []),
        *notes,
        *unfinished_lines(database.backfills),
        *(_drift(database.drift) if database.drift else []),
        *_invalid(database.invalid_indexes),
    ]


def _migration(item: MigrationState, stopped: str) -> tuple[str, ...]:
    """One row; `stopped` where a person paused or cancelled it, of which its row in the ledger knows nothing."""
    odd = item.changed or item.missing or item.out_of_order or stopped
    glyph = text.WARNING if odd else GLYPHS.get(item.state, text.FAILED)
    part = 0 < item.statements_done < item.statements_total
    state = f"{item.state} ({item.statements_done} of {item.statements_total})" if part else stopped or item.state
    held = f"{state}, held back" if item.held else state
    return glyph, item.label, held, text.moment(item.at) if item.at else "", item.deployment


def _remarks(item: MigrationState) -> list[str]:
    found = []
    if item.reformatted:
        found.append("its file was reformatted and says the same: bluegreen migrate repair")
    elif item.changed:
        found.append("its file is not the one that was applied; a deployment refuses that: put it back")
    if item.missing:
        found.append("it was applied, and its file is gone")
    if item.out_of_order:
        found.append("one with a higher number was applied before it; it runs all the same")
    if item.held:
        found.append(f"held back: {item.held}")
    if item.error and item.state != "done":
        found.append(item.error)
    return found


def _drift(drift: SchemaDrift) -> list[str]:
    more = len(drift.things) - SHOWN
    when = f" ({text.moment(drift.at)})" if drift.at else ""
    return [
        f"{mark(text.WARNING)} somebody changed the schema past bluegreen since {drift.since}{when}:",
        *(f"  {thing}" for thing in drift.things[:SHOWN]),
        *([f"  and {more} more (-o json)"] if more > 0 else []),
        *commands(("bluegreen migrate repair   (takes it as it is)",)),
    ]


def _invalid(indexes: Sequence[str]) -> list[str]:
    if not indexes:
        return []
    return [
        f"{mark(text.WARNING)} INVALID, no use to readers and a burden to writers: {', '.join(indexes)}",
        *commands(("bluegreen migrate repair --indexes",)),
    ]
