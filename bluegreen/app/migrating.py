"""`migrate plan`, `migrate up` and `migrate contract`: migrations rehearsed at any time, or applied by hand.

By hand the same gates hold as in a deployment: a fresh backup, a rehearsal, and the live colour proved afterwards.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

from bluegreen.app import contracts, fitness, leftovers, planning, proof, rehearsals, schema
from bluegreen.app.errand import Errand
from bluegreen.app.requests import Caller
from bluegreen.app.smoke import require_smoke
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import ContractPlan, Held, MigratedByHand
from bluegreen.domain.errors import (
    BluegreenError,
    DatabaseUnreachable,
    MigrationFailed,
    NotFound,
    PlanStale,
    ReleaseInvalid,
    RequestRefused,
    StepFailed,
)
from bluegreen.domain.findings import FileVerdict, Finding, Gate, Rehearsal, joined
from bluegreen.domain.kinds import KINDS
from bluegreen.domain.migrations import Backup, MigrationKind, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Notice
from bluegreen.domain.traffic import Colour
from bluegreen.ports_database import Database

IN_ORDER = (MigrationPhase.EXPAND, MigrationPhase.BACKFILL, MigrationPhase.CONTRACT)

PATIENCE = 60.0
"""Seconds beyond [watch] proving for which data are waited where nobody can tell how users fare."""

NO_DATABASE = ("bluegreen config docs databases",)


class Migrating(Upkeep):
    """Use cases that rehearse and apply migrations outside of deployments."""

    async def rehearse(self, files: Mapping[str, str], source: str, caller: Caller) -> Rehearsal:
        """Rehearse all that is pending, or the given files as those of a source; production is only read. Allowed at
        any time, but not while a database is dumped or migrated: raises RequestRefused then, RehearsalFailed."""
        databases = self._of_source(source) if files or source else tuple(self._world.databases.values())
        if not databases:
            raise NotFound("no database is configured: there is nothing to rehearse", next=NO_DATABASE)
        self._refuse_observing("copy the schema to a scratch database, and run there what is pending")
        release = await self._serving_release()
        parts = []
        async with self._world.turn.taken_if_free(f"migrations are being rehearsed for {caller.who}"):
            for database in databases:
                await rehearsals.sweep(database, self._engine.news)
                parts.append(await _rehearsed(database, release, files))
        rehearsal = joined(parts)
        refused = [verdict.label for verdict in rehearsal.refused]
        await self._engine.news.tell(
            "migrations.rehearsed", by=caller.who, gate=rehearsal.gate, files=len(rehearsal.files), refused=refused
        )
        return rehearsal

    async def migrate_up(self, caller: Caller, reason: str = "") -> MigratedByHand:
        """Apply the pending expand migrations now, beside the version that serves. Raises GateRefused, MigrationFailed,
        DeploymentInProgress; StepFailed, and a human is called, where users of the live colour are hurt by it."""
        async with self._errand("migrate up", caller, reason) as (errand, live):
            waiting = {migration.database for migration in await schema.pending(errand, MigrationPhase.EXPAND)}
            databases = [database for name, database in self._world.databases.items() if name in waiting]
            if not databases:
                return MigratedByHand()
            backups = await self._back_up(errand, databases)
            rehearsal = await rehearsals.rehearse(errand, (MigrationPhase.EXPAND,), backups)
            rehearsals.refuse(rehearsal)
            labels, failure = await _apply(errand, databases, rehearsal)
            proved = await self._prove(errand, live, labels, failure) if labels else ""
            if failure is not None:
                raise contracts.also(failure, labels, "bluegreen migrate up")
        taken = tuple(backups.values())
        return MigratedByHand(tuple(labels), (), taken, rehearsal, proved, tuple(errand.warnings))

    async def contract_plan(self) -> ContractPlan:
        """What `migrate contract` would do now; nothing is done. Raises DatabaseUnreachable."""
        live = await planning.live_colour(self._world)
        release = await self._serving_release()
        dues = await contracts.look(self._world, release, release.version, lambda migration: "")
        known = await fitness.known(self._world, release.version)
        own = known.get(release.version)
        closes = [version for version, life in known.items() if own is not None and life.first < own.first]
        return ContractPlan(
            serving=release.version,
            idle=live.other,
            due=tuple(migration.label for due in dues for migration in due.due),
            held=tuple(Held(label, why) for due in dues for label, why in due.held),
            closes=tuple(closes),
            alone=tuple(label for due in dues for label in due.alone),
        )

    async def migrate_contract(
        self, caller: Caller, reason: str = "", expected: tuple[str, ...] | None = None
    ) -> MigratedByHand:
        """Apply the contract migrations that nothing stands against; `expected` are those that were shown. Raises
        PlanStale where others are due now, RequestRefused while the idle colour runs or has sessions, GateRefused."""
        await self._refuse_while_running()
        await contracts.refuse_running(self._world, (await planning.live_colour(self._world)).other)
        async with self._errand("migrate contract", caller, reason) as (errand, live):
            await contracts.refuse_running(self._world, live.other)  # somebody may have started it just now
            dues = await contracts.look(self._world, errand.release, errand.release.version, lambda migration: "")
            held = tuple(Held(label, why) for due in dues for label, why in due.held)
            labels = tuple(migration.label for due in dues for migration in due.due)
            if expected is not None and expected != labels:
                raise PlanStale(
                    f"what was shown is not what is due now: {', '.join(labels) or 'nothing'}",
                    next=("bluegreen migrate contract",),
                )
            if not labels:
                return MigratedByHand(held=held)
            await leftovers.begun(self._world, errand.purpose)
            done, rehearsal, failure = await contracts.apply(errand, dues, live.other)
            await leftovers.ended(self._world)
            proved = await self._prove(errand, live, done, failure) if done else ""
            if failure is not None:
                raise contracts.also(failure, done, "bluegreen migrate contract")
            rehearsals.refuse(rehearsal)
        return MigratedByHand(tuple(done), held, (), rehearsal, proved, tuple(errand.warnings))

    @asynccontextmanager
    async def _errand(self, verb: str, caller: Caller, reason: str) -> AsyncIterator[tuple[Errand, Colour]]:
        """Alone, told from its beginning to its end, for the release that serves."""
        if not self._world.databases:
            raise NotFound("no database is configured: there is nothing to migrate", next=NO_DATABASE)
        live = await planning.live_colour(self._world)
        release = await self._serving_release()
        what = f"{verb} by hand ({caller.who})"
        errand = Errand(self._engine, release, what, caller.who)
        row = self._hand_row(caller, verb, reason, after=errand.purpose)
        async with (
            self._alone(row, what),
            self._told_of("migrations.applied", "migrations.not_applied", verb=verb, by=caller.who),
        ):
            yield errand, live

    async def _serving_release(self) -> Release:
        """The release that serves, as it is described; where that is not known any more, its bare version."""
        version = await planning.release_on(self._world, await planning.live_colour(self._world))
        try:
            return await self._world.read_release(version)
        except ReleaseInvalid:
            return Release(version, name=version)

    async def _back_up(self, errand: Errand, databases: Iterable[Database]) -> dict[str, Backup]:
        await leftovers.begun(self._world, errand.purpose)
        backups = await schema.back_up(errand, databases)
        await leftovers.ended(self._world)
        return backups

    async def _prove(
        self, errand: Errand, live: Colour, labels: Iterable[str], failure: BluegreenError | None = None
    ) -> str:
        """Prove the live colour on what was applied; a human is called where its users are hurt. `failure` is why not
        all was applied."""
        terms = self._world.terms
        try:
            await require_smoke(self._world, self._world.target(live, errand.release.version))
            fare = await proof.users_fare(self._engine.watch, live, terms, proof.for_so_long(PATIENCE), errand.note)
            if fare.hurt:
                raise StepFailed(fare.hurt)
        except StepFailed as exc:
            after = f"; and not all was applied: {failure.detail}" if failure else ""
            text = f"users on {live} are hurt by the changed schema ({', '.join(labels)}): {exc.detail}{after}"
            await self._page("schema-hurts", text)
            raise StepFailed(text, next=("undo the migration by hand", "bluegreen backup list")) from exc
        if fare.blind:
            await errand.warn(f"nobody can tell how users of {live} fare on the changed schema: {fare.blind}")
        return "; ".join(filter(None, [f"{live} passes its checks on it", fare.text]))

    async def _page(self, key: str, text: str) -> None:
        now = self._world.clock.now()
        await self._engine.outbox.post(Notice(f"{key}:{uuid4().hex}", key, "critical", text, now))

    def _of_source(self, source: str) -> tuple[Database, ...]:
        """The database of a source of SQL files; the only one where none is named."""
        known = self._world.migrates
        if source and source not in known:
            raise NotFound(
                f"there is no [[migrations]] {source} of kind sql ({', '.join(known) or 'there is none'})",
                next=("bluegreen config docs migrations",),
            )
        if not source and len(known) != 1:
            named = ", ".join(known) or "there is none: see [[migrations]]"
            raise RequestRefused(
                f"whose files these are is not clear ({named})",
                next=tuple(f"bluegreen migrate plan --directory DIR --source {name}" for name in known),
            )
        return (self._world.databases[known[source or next(iter(known))]],)


async def _rehearsed(database: Database, release: Release, files: Mapping[str, str]) -> Rehearsal:
    """A file that cannot be read is refused, like one that fails."""
    try:
        return await database.rehearse(release, IN_ORDER, "plan", files=files or None)
    except MigrationFailed as exc:
        name = exc.facts.get("file")
        if not isinstance(name, str):
            raise
        line = exc.facts.get("line")
        said = exc.detail.removeprefix(f"{name}:{line}: ").removeprefix(f"{name}: ")
        remedy = KINDS["error"].remedy
        finding = Finding("error", Gate.REFUSE, said, remedy, line=line if isinstance(line, int) else 0)
        phase = next((phase for phase in MigrationPhase if f".{phase}.sql" in name), MigrationPhase.EXPAND)
        version = name.rpartition("/")[2].partition(".")[0]
        verdict = FileVerdict(database.name, "", version, phase, MigrationKind.SQL, name, "", (finding,))
        return Rehearsal((verdict,), ("nothing else was tried, since the files cannot be read",))


async def _apply(
    errand: Errand, databases: Iterable[Database], rehearsal: Rehearsal
) -> tuple[list[str], BluegreenError | None]:
    """What was applied, and what failed then."""
    try:
        for database in databases:
            await schema.apply(errand, database, MigrationPhase.EXPAND, rehearsals.verdicts(rehearsal))
    except BluegreenError as exc:
        try:
            return [row.label for row in await schema.applied(errand) if row.begun], exc
        except DatabaseUnreachable:
            return [], exc
    return [row.label for row in await schema.applied(errand)], None
