"""What a deployment would do to the schemas, for its plan: what is pending, what is held back, and from where on there
is no way back to what serves now."""

from dataclasses import dataclass

from bluegreen.app.world import World
from bluegreen.domain.backfills import BackfillState
from bluegreen.domain.errors import BluegreenError, ReleaseInvalid
from bluegreen.domain.migrations import Migration, MigrationPhase
from bluegreen.domain.plans import Kind, Release, Terms
from bluegreen.domain.rollback import why_held
from bluegreen.ports_database import Database

PAUSED = "it is paused (bluegreen migrate backfill resume)"
AFTER_PAUSED = "one before it is paused"


@dataclass(frozen=True, slots=True)
class Forecast:
    """`expand` and `contract` will run, `backfill` before those, but for the labels in `held`, which stay pending, each
    with the reason."""

    expand: tuple[Migration, ...] = ()
    backfill: tuple[Migration, ...] = ()
    contract: tuple[Migration, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def contracting(self, live_release: str) -> str:
        """What CONTRACTING will do, in words; "" where nothing is pending for it."""
        filled = self._filled
        parts = [f"fill {_labels(filled)}" if filled else ""]
        if self.contract:
            parts.append(f"back up, and apply {_labels(self.contract)}: from then on {live_release} cannot serve again")
        reasons = dict.fromkeys(reason for _, reason in self.held)
        for reason in reasons:
            labels = ", ".join(label for label, why in self.held if why == reason)
            parts.append(f"{labels} stays pending: {reason}")
        return "; ".join(filter(None, parts))

    @property
    def does_contract(self) -> bool:
        """Whether CONTRACTING has anything to do."""
        return bool(self._filled or self.contract)

    @property
    def _filled(self) -> tuple[Migration, ...]:
        held = {label for label, _ in self.held}
        return tuple(migration for migration in self.backfill if migration.label not in held)


async def forecast(world: World, release: Release, kind: Kind, terms: Terms) -> Forecast:
    """Ask every database; one that is away is PREPARING's to refuse, and only a warning here. Raises ReleaseInvalid."""
    if kind is Kind.ROLLBACK:
        return Forecast()
    parts = []
    for name, database in world.databases.items():
        try:
            parts.append(await _of(world, database, release, terms))
        except ReleaseInvalid:
            raise  # it names a migration that does not exist: no database will change that
        except BluegreenError as exc:
            parts.append(Forecast(warnings=(f"{name}: pending migrations cannot be listed: {exc.detail}",)))
    return Forecast(
        tuple(migration for part in parts for migration in part.expand),
        tuple(migration for part in parts for migration in part.backfill),
        tuple(migration for part in parts for migration in part.contract),
        tuple(held for part in parts for held in part.held),
        tuple(warning for part in parts for warning in part.warnings),
    )


async def _of(world: World, database: Database, release: Release, terms: Terms) -> Forecast:
    expand, backfill, contract = [await database.pending(phase, release) for phase in MigrationPhase]
    stopped = await _stopped(database, backfill)
    if not contract:
        return Forecast(expand, backfill, held=stopped)
    states = [s for s in (await database.schema()).migrations if s.phase is not MigrationPhase.BACKFILL]
    by_label = {state.label: state for state in states}
    here = {(migration.source, migration.version) for migration in expand}
    unfilled = {(m.source, m.version) for m in backfill if m.label in dict(stopped)}
    due, held = [], list(stopped)
    for migration in contract:
        reason = ""
        if (migration.source, migration.version) in here:
            reason = "its expand runs in this deployment"
        elif (migration.source, migration.version) in unfilled:
            reason = "its backfill must be done first"
        elif not (terms.contract or migration.source in world.contracts_after_standby):
            reason = "not asked for (--contract)"
        elif state := by_label.get(migration.label):
            reason = why_held(state, states)
        if reason:
            held.append((migration.label, reason))
        else:
            due.append(migration)
    return Forecast(expand, backfill, tuple(due), tuple(held))


async def _stopped(database: Database, due: tuple[Migration, ...]) -> tuple[tuple[str, str], ...]:
    """Backfills that a deployment leaves alone, as backfilling.py does: one paused by hand, and those after it."""
    if not due:
        return ()
    paused = {each.label for each in await database.backfills() if each.state is BackfillState.PAUSED}
    labels = [migration.label for migration in due]
    first = next((at for at, label in enumerate(labels) if label in paused), len(labels))
    return tuple((label, PAUSED if label in paused else AFTER_PAUSED) for label in labels[first:])


def _labels(migrations: tuple[Migration, ...]) -> str:
    return ", ".join(migration.label for migration in migrations)
