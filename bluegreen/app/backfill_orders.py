"""`migrate backfill`, and what people do with one that runs: pause, resume, cancel."""

from dataclasses import replace

from bluegreen.app import planning, rehearsals
from bluegreen.app.backfilling import fill
from bluegreen.app.errand import Errand
from bluegreen.app.requests import Caller
from bluegreen.app.upkeep import Upkeep
from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.domain.errors import NotFound, OutsideError, ReleaseInvalid, RequestRefused, WrongPhase
from bluegreen.domain.findings import Rehearsal
from bluegreen.domain.migrations import Migration, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.domain.records import AuditRow
from bluegreen.ports_database import Database

STOPS_WITHIN = 15.0
"""Seconds that a batch may take to its end before the answer says that it goes on."""

Due = tuple[Database, Migration]


class BackfillOrders(Upkeep):
    """Use cases of backfills. What one has done stays done, whoever stops it."""

    async def backfills(self) -> tuple[Progress, ...]:
        """Every backfill that was ever begun, and the one that runs as it is now. Raises DatabaseUnreachable."""
        found = [each for database in self._world.databases.values() for each in await database.backfills()]
        now = self._world.filling.now
        if now is None or not self._world.filling.runs:
            return tuple(found)
        return (*(each for each in found if (each.database, each.label) != (now.database, now.label)), now)

    async def backfill(self, caller: Caller, label: str = "", reason: str = "") -> tuple[Progress, ...]:
        """Run what has rows to do, or one of them, alone, one after the other, until it is done or a person stops it.
        Raises DeploymentInProgress, WrongPhase where the expand of all that is due is pending,
        GateRefused, MigrationFailed, LockBusy, NotFound."""
        due = await self._due_backfills(label)
        if not due:
            return await self._known_backfills(label)
        release = await self._filled_for()
        due = await _expanded(due, release)
        row = self._hand_row(caller, "migrate backfill", reason, after=", ".join(m.label for _, m in due))
        errand = Errand(self._engine, release, f"backfill by hand ({caller.who})", caller.who)
        async with self._alone(row, f"backfill by hand ({caller.who})"):
            await self._rehearse_backfills(errand, due)
            done: list[Progress] = []
            for database, migration in due:
                done.append(await fill(errand, database, migration, self._engine.watch))
                if done[-1].state is not BackfillState.DONE:
                    break  # what comes after it may stand on it
        return tuple(done)

    async def pause_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        """Stop the one that runs between two batches; nothing is held then. Harmless twice. Raises WrongPhase."""
        filling = self._world.filling
        if filling.waits and filling.now is not None:
            return (filling.now,)
        if not filling.runs and (paused := await self._paused_backfills()):
            return paused
        return await self._stop_backfill(caller, BackfillState.PAUSED, "pause", reason)

    async def resume_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        """Go on with what was paused: at once where a deployment waits for it, else like `backfill`. Raises WrongPhase
        where nothing is paused."""
        filling = self._world.filling
        if filling.waits and filling.now is not None:
            progress = filling.now
            await self._world.journal.audit(self._backfill_row(caller, "resume", progress, reason))
            filling.resume()
            return (replace(progress, state=BackfillState.RUNNING),)
        paused = await self._paused_backfills()
        if not paused:
            raise WrongPhase("no backfill is paused", next=("bluegreen migrate backfill",))
        done: list[Progress] = []
        for progress in paused:
            done += await self.backfill(caller, progress.label, reason)
        return tuple(done)

    async def cancel_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        """Stop the one that runs or is paused: its rows stay to be done, and its contract waits. Raises WrongPhase."""
        filling = self._world.filling
        if filling.runs:
            return await self._stop_backfill(caller, BackfillState.CANCELLED, "cancel", reason)
        if filling.waits and filling.now is not None:
            progress = filling.now
            await self._world.journal.audit(self._backfill_row(caller, "cancel", progress, reason))
            filling.stop(BackfillState.CANCELLED, caller.who)
            return (replace(progress, state=BackfillState.CANCELLED),)
        found = [each for each in await self.backfills() if each.left_lying]
        if not found:
            raise WrongPhase("no backfill runs or is paused", next=("bluegreen migrate status",))
        self._refuse_observing(f"cancel {', '.join(progress.label for progress in found)}")
        for progress in found:
            await self._world.journal.audit(self._backfill_row(caller, "cancel", progress, reason))
            await self._world.databases[progress.database].cancel_backfill(progress.source, progress.version)
        labels = {progress.label for progress in found}
        return tuple(each for each in await self.backfills() if each.label in labels)

    async def _paused_backfills(self) -> tuple[Progress, ...]:
        return tuple(each for each in await self.backfills() if each.state is BackfillState.PAUSED)

    async def _stop_backfill(
        self, caller: Caller, state: BackfillState, verb: str, reason: str
    ) -> tuple[Progress, ...]:
        filling = self._world.filling
        progress = filling.now
        if progress is None or not filling.runs:
            raise WrongPhase("no backfill runs", next=("bluegreen migrate status",))
        await self._world.journal.audit(self._backfill_row(caller, verb, progress, reason))
        filling.stop(state, caller.who)
        await filling.stopped(STOPS_WITHIN)
        return tuple(each for each in await self.backfills() if each.label == progress.label)

    async def _due_backfills(self, label: str) -> list[Due]:
        found = [(database, m) for database in self._world.databases.values() for m in await database.unfilled()]
        return [(database, m) for database, m in found if not label or label in _names(m)]

    async def _known_backfills(self, label: str) -> tuple[Progress, ...]:
        """What there is to say where nothing is due: nothing, or that the one that was named is done."""
        if not label:
            return ()
        known = [
            migration
            for database in self._world.databases.values()
            for migration in (await database.schema()).migrations
            if migration.phase is MigrationPhase.BACKFILL
        ]
        labels = {m.label for m in known if label in (m.label, m.version, m.label.removesuffix(".backfill"))}
        if not labels:
            raise NotFound(f"there is no backfill {label}", next=("bluegreen migrate status",))
        return tuple(each for each in await self.backfills() if each.label in labels)

    async def _rehearse_backfills(self, errand: Errand, due: list[Due]) -> None:
        """Those that never ran are tried on a copy first, like any migration; GateRefused where one must not run."""
        begun = {each.label for each in await self.backfills()}
        fresh = {migration.label for _, migration in due if migration.label not in begun}
        if not fresh:
            return
        rehearsal = await rehearsals.rehearse(errand, (MigrationPhase.BACKFILL,), {})
        wanted = tuple(verdict for verdict in rehearsal.files if verdict.label in fresh)
        rehearsals.refuse(Rehearsal(wanted, rehearsal.not_seen))

    async def _filled_for(self) -> Release:
        """The release that serves, as far as anybody knows: the ledger says for which one it was done."""
        try:
            version = await planning.release_on(self._world, await planning.live_colour(self._world))
        except (OutsideError, RequestRefused):
            version = planning.UNKNOWN
        try:
            return await self._world.read_release(version)
        except ReleaseInvalid:
            return Release(version, name=version)

    def _backfill_row(self, caller: Caller, verb: str, progress: Progress, reason: str) -> AuditRow:
        return self._hand_row(
            caller, f"migrate backfill {verb}", reason, before=str(progress.state), after=progress.label
        )


async def _expanded(due: list[Due], release: Release) -> list[Due]:
    """Those whose own expand is done: the others have no column yet to fill."""
    databases = {database.name: database for database, _ in due}
    waiting = {
        (name, expand.source, expand.version)
        for name, database in databases.items()
        for expand in await database.pending(MigrationPhase.EXPAND, release)
    }
    ready = [(database, m) for database, m in due if (database.name, m.source, m.version) not in waiting]
    if not ready:
        labels = ", ".join(m.label for _, m in due)
        raise WrongPhase(f"{labels}: the expand of the same name must be done first", next=("bluegreen migrate up",))
    return ready


def _names(migration: Migration) -> tuple[str, ...]:
    """What people may call it."""
    return migration.label, migration.version, migration.label.removesuffix(".backfill")
