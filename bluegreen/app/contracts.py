"""CONTRACTING: backfills that are due, then the contract files that nothing live or standing by stands against.

A contract closes the way back to what served before. So it runs after RETIRING, or by hand while nothing runs, and
never while a session of the other colour is open. What is held back is named with its reason, and stays pending.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bluegreen.app import backfilling, environments, fitness, rehearsals, schema
from bluegreen.app.run import Run
from bluegreen.app.smoke import require_smoke
from bluegreen.app.work import Work
from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError, RequestRefused, StepFailed
from bluegreen.domain.findings import Gate, Rehearsal
from bluegreen.domain.migrations import Migration, MigrationPhase, MigrationState
from bluegreen.domain.plans import Release
from bluegreen.domain.rollback import Life, needs_old_shape, why_held
from bluegreen.domain.traffic import Colour
from bluegreen.ports_database import Database

Objection = Callable[[Migration], str]
"""Why a contract file must not run now, in words; "" where nothing is against it."""

BACKFILL, CONTRACT = (MigrationPhase.BACKFILL,), (MigrationPhase.CONTRACT,)


@dataclass(frozen=True, slots=True)
class Due:
    """What may run in one database, and what is held back: its label and the reason. `alone` are those that may run and
    have no expand of their own: only whoever wrote them knows which release does without the old shape."""

    database: str
    due: tuple[Migration, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    alone: tuple[str, ...] = ()


async def contract(run: Run) -> str:
    """Run what is due after a deployment's RETIRING; returns what was done, for people. Raises GateRefused where a
    rehearsal refuses a part, once the rest is done."""
    filled, refused = await _fill(run)
    dues = await look(run.world, run.release, run.release.version, _objections(run, await _own(run)))
    for due in dues:
        for label, reason in due.held:
            await run.tell("migration.held_back", migration=label, reason=reason)
    done, further, failure = await apply(run, dues, run.deployment.old)
    if done:
        await _prove(run, done, failure)
    if failure is not None:
        raise also(failure, done, "bluegreen migrate contract")
    rehearsals.refuse(Rehearsal((*refused.refused, *further.refused)))
    return "; ".join(filter(None, [_named("filled", filled), _named("applied", done)])) or "nothing was due"


async def look(world: World, release: Release, serving: str, objection: Objection) -> tuple[Due, ...]:
    """Which contract files may run beside `serving`, database by database. Raises DatabaseUnreachable."""
    known = await fitness.known(world, serving)
    return tuple([await _look(database, release, serving, objection, known) for database in world.databases.values()])


async def apply(work: Work, dues: tuple[Due, ...], idle: Colour) -> tuple[list[str], Rehearsal, BluegreenError | None]:
    """Run what is due, after a fresh backup and a rehearsal, while no session of `idle` is open. Returns the labels,
    whole or in part; the rehearsal: what it refused was left out, with all that follows it in that database; and what
    went wrong once the first might have been applied: then whoever serves is to be proved on it all the same."""
    databases = [work.world.databases[due.database] for due in dues if due.due]
    if not databases:
        return [], Rehearsal(), None
    for database in databases:
        how = await refuse_sessions(work.world, database, idle)
        await work.tell("sessions.checked", database=database.name, how=how)
    backups = await schema.back_up(work, databases)
    rehearsal = await rehearsals.rehearse(work, CONTRACT, backups)
    labels: list[str] = []
    try:
        for due, database in zip([due for due in dues if due.due], databases, strict=True):
            labels += await _apply(work, due, database, rehearsal, idle)
    except BluegreenError as exc:
        return await _left(work, labels), _of_due(dues, rehearsal), exc
    return labels, _of_due(dues, rehearsal), None


async def _apply(work: Work, due: Due, database: Database, rehearsal: Rehearsal, idle: Colour) -> list[str]:
    wanted = _until_refused(due, rehearsal)
    for migration in due.due[len(wanted) :]:
        await work.tell("migration.held_back", migration=migration.label, reason="its rehearsal refuses it")
    await refuse_sessions(work.world, database, idle)  # backups take long: somebody may have come back meanwhile
    return await schema.apply(
        work, database, MigrationPhase.CONTRACT, rehearsals.verdicts(rehearsal), frozenset(wanted)
    )


async def _left(work: Work, labels: list[str]) -> list[str]:
    """The contracts that a failure left behind, by the ledgers; where they do not answer, those that are known."""
    try:
        rows = await schema.applied(work)
    except BluegreenError:
        return labels
    return [row.label for row in rows if row.phase is MigrationPhase.CONTRACT and row.begun]


def also(failure: BluegreenError, labels: list[str], again: str) -> BluegreenError:
    """The failure, with what stays applied, and what to type."""
    if labels:
        detail = f"{failure.detail}; applied and kept: {', '.join(labels)}"
        return type(failure)(detail, next=failure.next or (again,), **failure.facts)
    return failure


async def refuse_sessions(world: World, database: Database, idle: Colour) -> str:
    """How it is known that the idle colour has no session in a database; RequestRefused where it has, or may have."""
    sessions = await database.sessions_of(idle)
    if sessions:
        more = f" and {len(sessions) - 3} more" if len(sessions) > 3 else ""
        raise RequestRefused(
            f"{idle} still has sessions in {database.name}: {'; '.join(sessions[:3])}{more}; it may need the old shape",
            next=(f"bluegreen env down {idle}", "bluegreen migrate contract"),
        )
    if sessions is not None:
        return f"no session of {idle} is open (by its application_name)"
    target = world.target(idle, "")
    answering = [ready.service for ready in world.readiness if (await ready.check(target)).passed]
    if answering:
        raise RequestRefused(
            f"{idle} still answers ({', '.join(answering)}): it may need the old shape",
            next=(f"bluegreen env down {idle}", "bluegreen migrate contract"),
        )
    return f"{idle} is stopped (no service of it answers; [[databases]] sessions would say it of each session)"


async def refuse_running(world: World, idle: Colour) -> None:
    """Raise RequestRefused where the idle colour runs, by the journal: say, one that is kept for inspection."""
    running = await environments.running(world, idle)
    if running:
        raise RequestRefused(
            f"{idle} still runs {running}, which may need the old shape",
            next=(f"bluegreen env down {idle}", "bluegreen migrate contract"),
        )


async def _fill(run: Run) -> tuple[list[str], Rehearsal]:
    """Run the backfills that are due, each database's only where its rehearsal lets all of them pass."""
    if not [migration for database in run.world.databases.values() for migration in await database.unfilled()]:
        return [], Rehearsal()
    rehearsal = await rehearsals.rehearse(run, BACKFILL, {})
    stopped = {verdict.database for verdict in rehearsal.refused}
    labels: list[str] = []
    for database in run.world.databases.values():
        if database.name not in stopped:
            labels += await backfilling.run_due(run, database)
    return labels, rehearsal


async def _own(run: Run) -> frozenset[tuple[str, str]]:
    rows = await schema.applied(run)
    return frozenset((row.source, row.version) for row in rows if row.phase is MigrationPhase.EXPAND)


def _objections(run: Run, own: frozenset[tuple[str, str]]) -> Objection:
    def objection(migration: Migration) -> str:
        if (migration.source, migration.version) in own:
            return "its expand ran in this deployment"
        asked = run.deployment.plan.terms.contract or migration.source in run.world.contracts_after_standby
        return "" if asked else "contract migrations were not asked for"

    return objection


async def _look(
    database: Database, release: Release, serving: str, objection: Objection, known: Mapping[str, Life]
) -> Due:
    pending = await database.pending(MigrationPhase.CONTRACT, release)
    if not pending:
        return Due(database.name)
    states = {state.label: state for state in (await database.schema()).migrations}
    expands = [row for row in await database.history() if row.phase is MigrationPhase.EXPAND]
    due, held, alone = [], [], []
    for migration in pending:
        reason = objection(migration) or _unprepared(migration, states)
        own = next((row for row in expands if (row.source, row.version) == (migration.source, migration.version)), None)
        if not reason and own is not None and needs_old_shape(serving, own, known):
            reason = f"{serving} serves and knows nothing of its expand ({own.deployment}): it may need the old shape"
        if reason:
            held.append((migration.label, reason))
        else:
            due.append(migration)
        if not reason and own is None:
            alone.append(migration.label)
    return Due(database.name, tuple(due), tuple(held), tuple(alone))


def _unprepared(migration: Migration, states: Mapping[str, MigrationState]) -> str:
    state = states.get(migration.label)
    return "" if state is None else state.held or why_held(state, tuple(states.values()))


def _until_refused(due: Due, rehearsal: Rehearsal) -> list[str]:
    """What comes before the first refused file: the rest may stand on it."""
    gates = {verdict.label: verdict.gate for verdict in rehearsal.files if verdict.database == due.database}
    labels: list[str] = []
    for migration in due.due:
        if gates.get(migration.label) is Gate.REFUSE:
            break
        labels.append(migration.label)
    return labels


def _of_due(dues: tuple[Due, ...], rehearsal: Rehearsal) -> Rehearsal:
    """The rehearsal without what was held back and only tried beside the rest."""
    wanted = {(due.database, migration.label) for due in dues for migration in due.due}
    return Rehearsal(tuple(v for v in rehearsal.files if (v.database, v.label) in wanted), rehearsal.not_seen)


async def _prove(run: Run, labels: list[str], failure: BluegreenError | None = None) -> None:
    """The release that serves is asked its checks again; a person is called, since there is no way back by itself."""
    try:
        await require_smoke(run.world, run.new_target)
    except StepFailed as exc:
        after = f"; and not all was applied: {failure.detail}" if failure else ""
        text = f"{run.deployment.new} fails its checks since {', '.join(labels)}: {exc.detail}{after}"
        await run.page("contract-hurts", text, next="bluegreen backup list")
        raise StepFailed(text, next=("bluegreen backup list",)) from exc


def _named(how: str, labels: list[str]) -> str:
    return f"{how}: {', '.join(labels)}" if labels else ""
