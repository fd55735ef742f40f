"""What a deployment would do to the schemas, for its plan: what is pending, what is held back, and from where on there
is no way back to what serves now."""

from dataclasses import dataclass

from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.migrations import Migration, MigrationPhase
from bluegreen.domain.plans import Kind, Release, Terms
from bluegreen.domain.rollback import why_held
from bluegreen.ports_database import Database


@dataclass(frozen=True, slots=True)
class Forecast:
    """`expand` and `contract` will run, `backfill` before those; `held` are labels and why they stay pending."""

    expand: tuple[Migration, ...] = ()
    backfill: tuple[Migration, ...] = ()
    contract: tuple[Migration, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def contracting(self, live_release: str) -> str:
        """What CONTRACTING will do, in words; "" where nothing is pending for it."""
        parts = [f"fill {_labels(self.backfill)}" if self.backfill else ""]
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
        return bool(self.backfill or self.contract)


async def forecast(world: World, release: Release, kind: Kind, terms: Terms) -> Forecast:
    """Ask every database; one that is away is PREPARING's to refuse, and only a warning here."""
    if kind is Kind.ROLLBACK:
        return Forecast()
    parts = []
    for name, database in world.databases.items():
        try:
            parts.append(await _of(world, database, release, terms))
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
    if not contract:
        return Forecast(expand, backfill)
    states = [s for s in (await database.schema()).migrations if s.phase is not MigrationPhase.BACKFILL]
    by_label = {state.label: state for state in states}
    here = {(migration.source, migration.version) for migration in expand}
    due, held = [], []
    for migration in contract:
        reason = ""
        if (migration.source, migration.version) in here:
            reason = "its expand runs in this deployment"
        elif not (terms.contract or migration.source in world.contracts_after_standby):
            reason = "not asked for (--contract)"
        elif state := by_label.get(migration.label):
            reason = why_held(state, states)
        if reason:
            held.append((migration.label, reason))
        else:
            due.append(migration)
    return Forecast(expand, backfill, tuple(due), tuple(held))


def _labels(migrations: tuple[Migration, ...]) -> str:
    return ", ".join(migration.label for migration in migrations)
