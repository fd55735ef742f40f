"""What operators do outside of deployments: backups, colours by hand, tests of receivers; and what they look up.

What takes long or touches a colour is done alone: no deployment starts meanwhile, and none of it starts while a
deployment runs or is STRANDED, since the idle colour may be the way back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

from bluegreen.app import environments, given, keeping, leftovers, release_gate, what_runs
from bluegreen.app.alerts import why_not_back
from bluegreen.app.continuity import across
from bluegreen.app.desk import Desk
from bluegreen.app.requests import Alert, AlertEffect, Caller
from bluegreen.app.smoke import smoke
from bluegreen.app.upkeep_answers import ByHand, Delivery, MigrationsOf, SmokeAnswer
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.errors import BluegreenError, NotFound, OutsideError, RequestRefused
from bluegreen.domain.migrations import Backup
from bluegreen.domain.plans import Release
from bluegreen.domain.records import AuditRow, Json, Notice
from bluegreen.domain.traffic import Colour
from bluegreen.ports_database import Database

SHOWN = 64 * 1024
"""Characters of a command's output that are shown, from its end."""


class Upkeep(Desk):
    """Use cases of upkeep. Each order leaves one row in the audit, written before it is carried out."""

    async def migrations(self) -> tuple[MigrationsOf, ...]:
        """Every migration of every database; a database that is away is named, the others are told all the same."""
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_migrations_of(database), name=f"migrations:{database.name}")
                for database in self._world.databases.values()
            ]
        return tuple(task.result() for task in asked)

    async def backups(self) -> tuple[Backup, ...]:
        """Every backup that is kept, the latest first. Raises BackupFailed."""
        kept: list[Backup] = []
        for database in self._world.databases.values():
            why = await keeping.needed(self._world, database)
            kept += [replace(backup, needed=why.get(backup.id, "")) for backup in await database.backups()]
        return tuple(sorted(kept, key=lambda backup: (backup.taken_at, backup.id), reverse=True))

    async def back_up(self, caller: Caller, reason: str = "") -> tuple[Backup, ...]:
        """Take a verified backup of every database, and remove the oldest as after a deployment. Raises BackupFailed,
        DeploymentInProgress; NotFound where no database is configured."""
        if not self._world.databases:
            raise NotFound(
                "no database is configured: there is nothing to back up", next=("bluegreen config docs databases",)
            )
        taken = []
        row = self._hand_row(caller, "backup", reason, after=", ".join(self._world.databases))
        async with self._alone(row, f"a backup by hand is being taken ({caller.who})"):
            await leftovers.begun(self._world)
            release = await self._release_live()
            for database in self._world.databases.values():
                async with self._told_of(
                    "backup.verified", "backup.failed", database=database.name, by=caller.who
                ) as facts:
                    async with self._world.turn.taken(f"a backup of {database.name} is being taken by hand"):
                        needed = await keeping.needed(self._world, database)
                        backup = await database.back_up(leftovers.BY_HAND, release, needed)
                    facts |= {
                        "backup": backup.id,
                        "bytes": backup.size,
                        "rows": backup.rows,
                        "verified": backup.verified,
                    }
                taken.append(backup)
            await leftovers.ended(self._world)
        return tuple(taken)

    async def verify_backup(self, id: str, caller: Caller) -> Backup:
        """Verify a kept backup once more, without touching it. Allowed always: also beside a STRANDED deployment, when
        it is needed most. Raises BackupFailed, NotFound."""
        database, backup = await self._kept(id)
        self._refuse_observing(f"restore {id} into a scratch database and compare it")
        await self._world.journal.audit(self._hand_row(caller, "verify", "", after=id))
        async with self._told_of("backup.checked", "backup.refuted", backup=id, by=caller.who):
            return await database.verify(backup)

    async def start_colour(self, colour: Colour, name: str, caller: Caller, reason: str = "") -> ByHand:
        """Bring the idle colour up with a release, by default the one it last ran. It stays until it is stopped by
        hand or the next deployment uses it. Raises LiveColourProtected, RunnerFailed, DeploymentInProgress."""
        before = await environments.running(self._world, colour)
        release = await self._release(colour, name or await environments.ran_last(self._world, colour))
        release_gate.require_pinned(self._world, release)
        row = self._hand_row(
            caller, "env up", reason, before=f"{colour} {before}".strip(), after=f"{colour} to run {release.version}"
        )
        async with self._alone(row, f"{colour} is being brought up by hand ({caller.who})", colour, "started"):
            async with self._told_of(
                "colour.started", "colour.not_started", colour=colour, release=release.version, by=caller.who
            ):
                variables = await given.now(self._world, colour, release)
                output = await environments.start(self._world, colour, release)
            await environments.keep_started(self._world, colour, release)
            await given.remember(self._world, colour, variables)
            await what_runs.write_down(self._world, colour, release, "", self._warned_of(colour))
            await self._world.journal.forget("inspect", colour)
        return ByHand(colour, release.version, self._shown(output))

    async def stop_colour(self, colour: Colour, caller: Caller, reason: str = "") -> ByHand:
        """Stop the idle colour. Raises LiveColourProtected, RunnerFailed, DeploymentInProgress."""
        before = await environments.running(self._world, colour)
        row = self._hand_row(
            caller, "env down", reason, before=f"{colour} {before}".strip(), after=f"{colour} to be stopped"
        )
        async with self._alone(row, f"{colour} is being stopped by hand ({caller.who})", colour, "stopped"):
            async with self._told_of("colour.stopped", "colour.not_stopped", colour=colour, by=caller.who):
                output = await environments.stop(self._world, colour)
            await self._world.journal.forget("inspect", colour)
            await self._world.journal.forget("release", colour)
        return ByHand(colour, "", self._shown(output))

    async def smoke_colour(self, colour: Colour, caller: Caller, *, with_continuity: bool = False) -> SmokeAnswer:
        """Ask a colour everything that a deployment would ask of it: readiness, then the smoke checks; and whether what
        either colour gives its users holds on the other. Always allowed; what they should run is what the journal says,
        else the configuration. Raises RequestRefused where no continuity is configured."""
        if with_continuity and not self._world.continuity:
            raise RequestRefused("no [[continuity]] is configured", next=("bluegreen config docs continuity",))
        release = await environments.ran_last(self._world, colour)
        await self._world.journal.audit(self._hand_row(caller, "env smoke", "", after=f"{colour} {release}".strip()))
        target = self._world.target(colour, release)
        ready = [await readiness.check(target) for readiness in self._world.readiness]
        asked = (*ready, *await smoke(self._world, target))
        crossed = await self._across(colour, target) if with_continuity else ()
        checks = tuple(map(self._without_secrets, (*asked, *crossed)))
        return SmokeAnswer(colour, release, all(check.passed for check in checks), checks)

    async def _across(self, colour: Colour, target: Target) -> tuple[CheckResult, ...]:
        """Both ways between this colour and the other; users are taken to be on the one they are known to be on."""
        release = await environments.ran_last(self._world, colour.other)
        other = self._world.target(colour.other, release)
        traffic = self._reconciler.traffic
        is_live = traffic is not None and traffic.colour is colour
        return await across(self._world, target, other) if is_live else await across(self._world, other, target)

    def _without_secrets(self, check: CheckResult) -> CheckResult:
        """What came from outside, without what the configuration knows to be secret."""
        clean = self._world.redact
        steps = tuple(
            replace(step, failure=clean(step.failure), sent=clean(step.sent), got=clean(step.got))
            for step in check.steps
        )
        return replace(check, detail=clean(check.detail), steps=steps)

    def receivers(self) -> tuple[str, ...]:
        """The names of those who are told, as configured."""
        return tuple(notifier.name for notifier in self._world.notifiers)

    async def test_receiver(self, name: str, caller: Caller) -> Delivery:
        """Send one notice, marked as a test, past the queue and past what the receiver asked for.

        Raises NotifierFailed with why it was not delivered, NotFound.
        """
        notifier = next((each for each in self._world.notifiers if each.name == name), None)
        if notifier is None:
            known = ", ".join(self.receivers()) or "there is none: see [[notify]]"
            raise NotFound(f"there is no receiver {name} ({known})", next=("bluegreen notify test",))
        await self._world.journal.audit(self._hand_row(caller, "notify test", "", after=name))
        text = f"{self._world.project}: a test of the receiver {name}, ordered by {caller.who}. Nothing is wrong."
        now = self._world.clock.now()
        notice = Notice(f"test:{uuid4().hex}", "receiver.tested", "info", text, now, facts={"test": True})
        began = self._world.clock.monotonic()
        await notifier.send(notice)
        return Delivery(name, notice.key, self._world.clock.monotonic() - began)

    async def record_test(self, name: str, caller: Caller) -> None:
        """Write down who tests a hook."""
        await self._world.journal.audit(self._hand_row(caller, "hook test", "", after=name))

    def foresee(self, alert: Alert) -> tuple[AlertEffect, str]:
        """What this alert would do if it came in now, and why it would only be recorded; nothing is done."""
        why = why_not_back(alert, self._engine.run, self._reconciler.observed)
        return (AlertEffect.RECORDED if why else AlertEffect.CUTBACK), why

    async def audit(self, limit: int, before: int = 0) -> tuple[AuditRow, ...]:
        """Who did what, the latest first; `before` is the number of a row to go on from."""
        return await self._world.journal.audited(limit, before)

    @asynccontextmanager
    async def _alone(
        self, row: AuditRow, what: str, colour: Colour | None = None, action: str = "", *, resuming: bool = False
    ) -> AsyncIterator[None]:
        """Write the order down and be the only thing that is done. What is refused stands in no audit: raises
        DeploymentInProgress, JournalUnwritable, and LiveColourProtected where users are on the `colour` it is about."""
        async with self._engine.lock:
            await self._refuse_while_running(resuming=resuming)
            if colour is not None:
                await environments.refuse_live(self._world, colour, action)
            await self._world.journal.audit(row)
            self._engine.by_hand = what
        try:
            yield
        finally:
            self._engine.by_hand = ""

    @asynccontextmanager
    async def _told_of(self, done: str, failed: str, **facts: Json) -> AsyncIterator[dict[str, Json]]:
        """Tell how it ended: whoever ordered it may have gone. What the block adds to the facts is told too."""
        began = self._world.clock.monotonic()
        try:
            yield facts
        except BluegreenError as exc:
            await self._engine.news.tell(failed, **facts, reason=exc.detail, severity="warning")
            raise
        await self._engine.news.tell(done, **facts, seconds=round(self._world.clock.monotonic() - began, 3))

    def _warned_of(self, colour: Colour) -> what_runs.Warn:
        async def warn(text: str) -> None:
            await self._engine.news.tell("colour.warned", colour=colour, warning=text, severity="warning")

        return warn

    async def _kept(self, id: str) -> tuple[Database, Backup]:
        for database in self._world.databases.values():
            for backup in await database.backups():
                if backup.id == id:
                    return database, backup
        raise NotFound(f"there is no backup {id}", next=("bluegreen backup list",))

    async def _release_live(self) -> str:
        traffic = self._reconciler.traffic
        if traffic is None or traffic.colour is None:
            return ""
        return await environments.ran_last(self._world, traffic.colour)

    async def _release(self, colour: Colour, name: str) -> Release:
        if not name:
            raise RequestRefused(
                f"nobody knows what {colour} ran last: name the release", next=(f"bluegreen env up {colour} RELEASE",)
            )
        return await self._world.read_release(name)

    def _hand_row(self, caller: Caller, verb: str, reason: str, *, before: str = "", after: str) -> AuditRow:
        now = self._world.clock.now()
        return AuditRow(now, caller.who, caller.origin, verb, "", reason, before, after)

    def _shown(self, output: str) -> str:
        return self._world.redact(output)[-SHOWN:]


async def _migrations_of(database: Database) -> MigrationsOf:
    try:
        schema = await database.schema()
        filled = await database.backfills()
        return MigrationsOf(database.name, schema.migrations, schema.drift, schema.invalid_indexes, backfills=filled)
    except OutsideError as exc:
        return MigrationsOf(database.name, (), problem=exc.detail)
