"""`backup restore` and what is looked at before it: the most dangerous order there is, so it is shown first."""

from uuid import uuid4

from bluegreen.app import environments, keeping
from bluegreen.app.requests import Caller
from bluegreen.app.restoration import Progress, Restoration, in_use
from bluegreen.app.upkeep import Upkeep
from bluegreen.app.upkeep_answers import ByHandCommands
from bluegreen.domain.errors import BluegreenError, JournalFailed, RequestRefused
from bluegreen.domain.migrations import Backup
from bluegreen.domain.records import Notice
from bluegreen.domain.restorations import Losses, Restored
from bluegreen.domain.traffic import Colour
from bluegreen.ports_database import Database


class RestoreOrders(Upkeep):
    """Use cases that put a backup into service."""

    async def restore_commands(self, id: str) -> ByHandCommands:
        """What a person types to do it without the daemon. Raises BackupFailed, NotFound."""
        database, backup = await self._kept(id)
        return ByHandCommands(backup, database.name, await database.restorations.commands(backup))

    async def losses(self, id: str) -> Losses:
        """What would go out of service, measured now. Raises BackupFailed, NotFound."""
        database, backup = await self._kept(id)
        return await database.restorations.losses(backup)

    async def restore(
        self, id: str, caller: Caller, *, confirm: str, stop_colours: bool = False, reason: str = ""
    ) -> Restored:
        """Put a backup into service; `confirm` is the name of its database. One that was cut off by the end of a daemon
        is carried on. Raises RequestRefused, BackupFailed, DeploymentInProgress; then the former database serves, and
        what was stopped for it is started again."""
        database, backup = await self._kept(id)
        if confirm != database.name:
            raise RequestRefused(
                f"to confirm, name the database that goes back: {database.name}",
                next=(f"bluegreen backup restore {id}{' --stop-colours' if stop_colours else ''}",),
            )
        left = await self._left(database, id)
        await database.restorations.check(backup)
        if left is None and not stop_colours and (sessions := await database.restorations.sessions()):
            raise in_use(database.name, id, sessions)
        row = self._hand_row(caller, "restore", reason, before=database.name, after=id)
        what = f"{database.name} is being restored from {id} ({caller.who})"
        async with self._alone(row, what, resuming=left is not None), self._world.turn.taken(what):
            progress = left or await self._begun(id, caller, stop=stop_colours)
            return await self._carried(Restoration(self._engine, database, backup, progress), database, backup)

    async def cut_off(self) -> tuple[str, ...]:
        """Restorations that an earlier daemon was killed in, in words; nothing else begins until they have ended."""
        if self._engine.by_hand:
            return ()
        try:
            facts = await self._world.journal.facts(keeping.RESTORATION)
        except JournalFailed:
            return ()
        return tuple(
            f"restoration-cut-off: {name} was going back to {kept['backup']} ({kept['step']}); to go on, or to have it"
            f" undone: bluegreen backup restore {kept['backup']}"
            for name, kept in facts.items()
        )

    async def tell_cut_off(self) -> None:
        """Call people for what an earlier daemon was killed in: colours may be stopped."""
        for text in await self.cut_off():
            now = self._world.clock.now()
            await self._engine.news.tell("restoration.cut_off", reason=text, severity="critical")
            key = f"restoration:{now.isoformat()}"
            await self._engine.outbox.post(
                Notice(key, "restoration.cut_off", "critical", f"{self._world.project}: {text}", now)
            )

    async def _left(self, database: Database, id: str) -> Progress | None:
        kept = await self._world.journal.fact(keeping.RESTORATION, database.name)
        if kept is None:
            return None
        if kept["backup"] != id:
            raise RequestRefused(
                f"{database.name} was going back to {kept['backup']} when the daemon ended: that comes first",
                next=(f"bluegreen backup restore {kept['backup']}",),
            )
        return Progress.from_json(kept)

    async def _begun(self, id: str, caller: Caller, *, stop: bool) -> Progress:
        attempt = f"{self._world.clock.now():%Y%m%dt%H%M%S}{uuid4().hex[:4]}"
        return Progress(id, attempt, caller.who, stop, await self._to_start_again() if stop else {})

    async def _to_start_again(self) -> dict[Colour, str]:
        """The colours that run, the live one first, with the release that each is started with again."""
        traffic = await self._reconciler.look()
        live = traffic.colour if traffic else None
        order = sorted(Colour, key=lambda colour: colour is not live)
        found = {colour: await environments.running(self._world, colour) for colour in order}
        if live is not None and not found[live]:
            raise RequestRefused(
                f"{live} is live and nobody knows what it runs, so it could not be started again",
                next=(f"say it: [environments.{live}] release",),
            )
        return {colour: release for colour, release in found.items() if release}

    async def _carried(self, restoration: Restoration, database: Database, backup: Backup) -> Restored:
        try:
            restored = await restoration.carry()
        except BluegreenError as exc:
            await self._post(f"{database.name} did not go back to {backup.id}: {exc.detail}", "backup.not_restored",
                             "critical", database, backup)  # fmt: skip
            raise
        text = f"{database.name} went back to {backup.id}; the former one is kept as {restored.kept}"
        await self._post(text, "backup.restored", "warning", database, backup)
        return restored

    async def _post(self, text: str, event: str, severity: str, database: Database, backup: Backup) -> None:
        now = self._world.clock.now()
        facts = {"database": database.name, "backup": backup.id}
        await self._engine.news.tell(event, reason=text, severity=severity, **facts)
        key = f"{event}:{backup.id}:{now.isoformat()}"
        await self._engine.outbox.post(
            Notice(key, event, severity, f"{self._world.project}: {text}.", now, facts=facts)
        )
