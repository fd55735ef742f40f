"""A tool on the copy: opaque, so what can be seen of it is what it left, which tables it read from end to end, and,
where we are a superuser, the locks of its DDL (an event trigger writes them down)."""

import asyncio
import re
from time import monotonic

from bluegreen.adapters.migrations import command
from bluegreen.adapters.migrations.jobs import Job
from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.queries import questions, script
from bluegreen.adapters.rehearsal.observing import Run
from bluegreen.adapters.rehearsal.roles import Login
from bluegreen.adapters.rehearsal.tasks import Task
from bluegreen.adapters.rehearsal.traces import Traces, lock_of, rewritten, touched
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.errors import MigrationFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.seen import ErrorSeen, LockSeen, StatementSeen

own = questions(__package__, "copies.sql")

NO_RIGHT = re.compile(r"permission denied|must be (superuser|owner)", re.IGNORECASE)

POLL, PATIENCE = 0.02, 2.0
"""A session's statistics are there once it has ended, which it does a moment after its tool."""


async def watch(desk: Connection) -> None:
    """Note the locks of all DDL on this copy from now on; needs a superuser."""
    await desk.execute(script(__package__, "tools.sql"))


async def run(
    task: Task, release: Release, copy: Access, desk: Connection, before: Catalogue, login: Login | None, watched: bool
) -> Run:
    """Run the tool on the copy, as `login` or as ourselves. What it says when it fails is a fact."""
    await desk.execute("TRUNCATE bluegreen.held" if watched else "SELECT")
    touches, began = await touched(desk, by_all=True), monotonic()
    access = login.to(copy) if login else copy
    error = None
    try:
        await command.call(Job(access, task.source, task.migration, "rehearsal", release, 0))
    except MigrationFailed as exc:
        error = ErrorSeen(exc.detail + _advice(exc, login))
    seconds = monotonic() - began
    await _until_gone(desk, login)
    after = await look(desk, positions=True)
    traces = Traces.between(touches, await touched(desk, by_all=True), before)
    statement = StatementSeen(
        0,
        "",
        locks=await _locks(desk, before, after) if watched else (),
        scanned=traces.scanned,
        rewritten=tuple(rewritten(before, after)),
        transactional=False,
        before=before,
        after=after,
        error=error,
        seconds=seconds,
        read=traces.read,
        written=traces.written,
    )
    return Run(before, after, [statement])


async def _locks(desk: Connection, before: Catalogue, after: Catalogue) -> tuple[LockSeen, ...]:
    records = await desk.fetch(own("held_by_tools"))
    found = (lock_of(record["oid"], record["mode"], before, after) for record in records)
    return tuple(sorted({lock for lock in found if lock}, key=lambda lock: (lock.name, lock.mode)))


async def _until_gone(desk: Connection, login: Login | None) -> None:
    if login is None:
        await asyncio.sleep(POLL)
        return
    deadline = monotonic() + PATIENCE
    while await desk.fetchval(own("others_there"), login.name) and monotonic() < deadline:
        await asyncio.sleep(POLL)


def _advice(failure: MigrationFailed, login: Login | None) -> str:
    if login is None or not NO_RIGHT.search(f"{failure.detail} {failure.facts.get('output', '')}"):
        return ""
    return (
        " (it ran as a temporary role that owns the copy but is no superuser; where it needs more,"
        ' [rehearsal] tool_role = "own" runs it as the role of the DSN)'
    )
