"""What nobody here can tell, told by a person: whether a statement or a tool that was cut off took effect, or that a
migration was done by hand. Writes the ledger, nothing else."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from bluegreen.adapters.migrations import states
from bluegreen.adapters.migrations.files import read_file
from bluegreen.adapters.postgres import ledger
from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.ledger import Key, Row
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.rules import Source
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.migrations import MigrationState

own = questions(__package__)

STATUS = ("bluegreen migrate status",)


async def settle(
    access: Access, database: str, sources: Sequence[Source], label: str, *, applied: bool, by: str
) -> str:
    """Write it down and say what follows from it; the migration lock is held. Raises MigrationFailed."""
    known = {state.label: state for state in (await states.ask(access, database, sources)).migrations}
    if label not in known:
        raise MigrationFailed(f"there is no migration {label}", next=STATUS)
    file = await asyncio.to_thread(read_file, Path(known[label].file)) if known[label].file else None
    async with access.session(failure=MigrationFailed) as connection:
        await ledger.ensure(connection)
        row = _row(await ledger.rows(connection, database), known[label])
        state, statements_done = _settled(label, row, applied=applied)
        await connection.execute(
            own("settle"),
            *(known[label].source, known[label].version, known[label].phase.value),
            *(state, statements_done, max(known[label].statements_total, 1), f"settled by {by}"),
            *((file.checksum, file.script.meaning) if file else ("", "")),
        )
    return f"{label}: {_follows(state, statements_done, known[label].statements_total)}"


def _row(rows: Mapping[Key, Row], state: MigrationState) -> Row | None:
    return rows.get((state.source, state.version, state.phase))


def _settled(label: str, row: Row | None, *, applied: bool) -> tuple[str, int]:
    """Its new state and how many statements are done. MigrationFailed where there is nothing to settle."""
    done = row.applied.statements_done if row else 0
    if row is not None and row.done:
        raise MigrationFailed(f"{label} is {row.applied.state} already: there is nothing to settle", next=STATUS)
    if row is None or not row.in_flight:
        if not applied:
            raise MigrationFailed(f"{label} is not in flight: it will run when its time comes", next=STATUS)
        return "skipped", done
    if not applied:
        return "interrupted", done
    whole = row.mode == "command" or done + 1 >= row.applied.statements_total
    return ("skipped" if whole else "interrupted"), done + 1


def _follows(state: str, done: int, total: int) -> str:
    if state == "skipped":
        return "taken as applied, it will not run"
    return f"the next run goes on with statement {done + 1} of {max(total, done + 1)}"
