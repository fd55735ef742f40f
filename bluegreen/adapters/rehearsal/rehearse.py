"""A rehearsal: what is pending is run on a copy of production, and what is seen there is judged.

Production is only read. What cannot be looked at is said; what cannot be run is a warning, never silently allowed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from bluegreen.adapters.migrations import backfill_key
from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.clients import Clients, find_clients
from bluegreen.adapters.postgres.connections import Access, Connection
from bluegreen.adapters.postgres.rules import Source
from bluegreen.adapters.postgres.scripts import Script
from bluegreen.adapters.rehearsal import probes, roles, tools, witness
from bluegreen.adapters.rehearsal.observing import Player, Run
from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.adapters.rehearsal.stage import Rights, Stage, Stages
from bluegreen.adapters.rehearsal.tasks import Task, find, given
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.errors import BackupFailed, MigrationFailed, RehearsalFailed
from bluegreen.domain.findings import FileVerdict, Finding, Gate, Rehearsal
from bluegreen.domain.kinds import KINDS
from bluegreen.domain.migrations import Backup, MigrationPhase
from bluegreen.domain.plans import Release
from bluegreen.domain.schema import judge
from bluegreen.domain.seen import ErrorSeen, FileSeen, QuerySeen

UNSEEN, CHANGED = "not-rehearsed", "production-changed"
"""Kinds of findings of ours: it was not run on a copy; production was changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """The rehearsals of one database; `bin_dir` is where the programs of Postgres are, None: where they mostly are."""

    name: str
    project: str
    access: Access
    admin_database: str
    sources: Sequence[Source]
    rules: RehearsalRules
    bin_dir: Path | None = None

    async def rehearse(
        self,
        release: Release,
        phases: Sequence[MigrationPhase],
        purpose: str,
        *,
        backup: Backup | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Rehearsal:
        """See the port. RehearsalFailed where nothing could be tried, or not within the time of the settings."""
        began = monotonic()
        if files is None:
            tasks = await find(self.access, self.name, self.sources, phases, release)
        else:
            tasks = await given(self.access, self.name, self.sources, phases, files)
        if not tasks:
            return Rehearsal()
        try:
            async with asyncio.timeout(self.rules.timeout):
                rehearsal = await self._rehearse(tasks, release, purpose, backup)
        except TimeoutError as exc:
            raise RehearsalFailed(
                f"the rehearsal on {self.name} took longer than {self.rules.timeout:g} s ([rehearsal] timeout)"
            ) from exc
        return replace(rehearsal, seconds=monotonic() - began)

    async def sweep(self) -> tuple[str, ...]:
        """See the port."""
        return await roles.sweep(self.access, self.admin_database, self.project, self.name)

    async def _rehearse(
        self, tasks: Sequence[Task], release: Release, purpose: str, backup: Backup | None
    ) -> Rehearsal:
        async with self.access.session(settings=roles.WAITING, failure=RehearsalFailed) as production:
            before, shared = await witness.digests_of(production), await witness.shared(production)
            rights = await Rights.of(production)
            clients, why = await self._clients(rights, production.get_server_version().major)
            if clients is None:
                known = await look(production)
                return Rehearsal(tuple(_unseen(task, known, why) for task in tasks), (why,))
            has_tools = any(task.script is None for task in tasks)
            stages = Stages(
                self.name, self.project, self.access, self.admin_database, self.rules, clients, rights, has_tools
            )
            async with stages.open(purpose, backup, production) as stage:
                verdicts = [await self._task(task, release, stage) for task in tasks]
            moved = witness.changed(before, await witness.digests_of(production))
            if beside := witness.changed(shared, await witness.shared(production)):
                stage.not_seen.append(f"meanwhile what all databases of the server share was changed: {beside}")
        if moved:
            verdicts = [_blamed(verdict, moved, has_tools) for verdict in verdicts]
        return Rehearsal(tuple(verdicts), tuple(dict.fromkeys(stage.not_seen)), stage.copied)

    async def _clients(self, rights: Rights, major: int) -> tuple[Clients | None, str]:
        """The programs that copy a schema of that version; None and the reason where nothing can be run."""
        if not rights.create_database:
            return None, "no CREATEDB: nothing was run; only the text of the files was read"
        try:
            return await find_clients(major, self.bin_dir), ""
        except BackupFailed as exc:
            return None, f"nothing was run, only the text of the files was read: {exc.detail}"

    async def _task(self, task: Task, release: Release, stage: Stage) -> FileVerdict:
        if task.must_not_run:
            stage.failed.add(task.migration.source)
            return _verdict(task, stage, FileSeen(task.migration, stage.catalogue, stage.catalogue, task.read_only()))
        if task.migration.source in stage.failed:
            why = f"an earlier migration of {task.migration.source} failed or was not run, so this one was not tried"
            stage.not_seen.append(f"{task.migration.label}: {why}")
            return _unseen(task, stage.catalogue, why)
        run = await self._run(task, release, stage)
        if run.failed:
            stage.failed.add(task.migration.source)
        seen = FileSeen(
            task.migration,
            run.before,
            run.after,
            run.told,
            await self._queries(task, run, stage),
            await probes.ask(
                self.access, run.before, run.after, self.rules.probe_budget, [each.text for each in run.told]
            ),
            half_done=run.half_done,
            with_rows=stage.copied == "backup",
        )
        moved = stage.writes.before or run.doubts or run.failed  # sequences, even where all is taken back
        stage.catalogue = await look(stage.desk, positions=True) if moved else run.after
        return _verdict(task, stage, seen)

    async def _run(self, task: Task, release: Release, stage: Stage) -> Run:
        if task.script is None:
            before, login = stage.catalogue, stage.login
            return await tools.run(task, release, stage.copy, stage.desk, before, login, stage.watched)
        clear = stage.clear if stage.copied == "schema" else None
        async with stage.session(self.rules.statement_timeout) as connection:
            player = Player(connection, self.rules.statement_timeout, clear)
            run = await player.run(task.script, task.read_only(), stage.catalogue)
            if task.migration.phase is MigrationPhase.BACKFILL and not run.failed:
                await _check_batches(task.migration.file, task.script, connection, run)
        if run.doubts:
            await stage.sow()
        return run

    async def _queries(self, task: Task, run: Run, stage: Stage) -> tuple[QuerySeen, ...]:
        """The running version's queries on what the migration made of the copy; nothing where it made nothing."""
        if run.before == run.after:
            return ()
        if task.migration.phase is MigrationPhase.CONTRACT:
            stage.not_seen += await stage.live.still_running(self.access, self.rules.probe_budget)
        broken = await stage.writes.again(stage.desk, run.after)
        return (*await stage.live.again(stage.desk, run.before, run.after), *broken)


def _verdict(task: Task, stage: Stage, seen: FileSeen) -> FileVerdict:
    return judge(replace(seen, sizes=stage.sizes, accepted=task.accepted))


async def _check_batches(file: str, script: Script, connection: Connection, run: Run) -> None:
    """A backfill runs as a whole here: whether it could be run in batches is asked besides, and is a fact too."""
    try:
        await backfill_key.check(connection, file, script)
    except MigrationFailed as exc:
        run.statements[-1:] = [replace(last, error=ErrorSeen(exc.detail)) for last in run.statements[-1:]]


def _unseen(task: Task, catalogue: Catalogue, why: str) -> FileVerdict:
    """What the text alone says, and that it was not run."""
    verdict = judge(FileSeen(task.migration, catalogue, catalogue, task.read_only(), accepted=task.accepted))
    finding = Finding(UNSEEN, Gate.WARN, f"{task.migration.label} was not rehearsed: {why}")
    return replace(verdict, findings=(*verdict.findings, finding))


def _blamed(verdict: FileVerdict, moved: str, has_tools: bool) -> FileVerdict:
    """The verdict where production is not what it was: whoever did it, what was rehearsed is not what is there."""
    who = (
        "a tool did not keep to the DSN that it is given, or somebody else changed it"
        if has_tools
        else "somebody else changed it, since plain SQL cannot leave its copy"
    )
    message = f"production was changed while this was rehearsed ({moved}): {who}"
    return replace(verdict, findings=(*verdict.findings, Finding(CHANGED, Gate.REFUSE, message, KINDS[CHANGED].remedy)))
