"""One backup on its way into service: each step is "ensure", and is written down before it begins.

Until the swap a failure undoes everything; what a killed daemon left is carried on by the same order
(restore_orders.py).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from bluegreen.app import environments, keeping, live_only, what_runs
from bluegreen.app.engine import Engine
from bluegreen.app.smoke import require_smoke, wait_until_ready
from bluegreen.domain.errors import BackupFailed, BluegreenError, JournalFailed, RequestRefused, StepFailed
from bluegreen.domain.migrations import Backup
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Release
from bluegreen.domain.records import Json
from bluegreen.domain.restorations import Restored, Session, Standing, StartedAgain, Swapped
from bluegreen.domain.traffic import Colour
from bluegreen.ports_database import Database

READY = 120.0
"""Seconds for a colour to be ready again where [deadlines] sets none for STARTING."""


class Step(StrEnum):
    """What is done, in order."""

    STOPPING = "stopping"
    KEEPING = "keeping"
    RESTORING = "restoring"
    SWAPPING = "swapping"
    STARTING = "starting"


WORDS = {
    Step.STOPPING: "both colours are being stopped, users get errors",
    Step.KEEPING: "the present state is being dumped",
    Step.RESTORING: "the backup is being restored beside it and compared",
    Step.SWAPPING: "the databases change their names",
    Step.STARTING: "the colours are being started again",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """What is kept of it in the journal. `colours` are started again afterwards, with these releases; empty where none
    was stopped."""

    backup: str
    attempt: str
    by: str
    stop: bool
    colours: Mapping[Colour, str] = field(default_factory=dict)
    step: Step = Step.STOPPING
    present: str = ""

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As `to_json` made it."""
        colours = {Colour(name): release for name, release in kept["colours"].items()}
        return cls(**{**kept, "colours": colours, "step": Step(kept["step"])})

    def to_json(self) -> Json:
        """For the journal."""
        return {
            "backup": self.backup,
            "attempt": self.attempt,
            "by": self.by,
            "stop": self.stop,
            "colours": dict(self.colours),
            "step": self.step,
            "present": self.present,
        }


class Restoration:
    """Carries one restoration; `progress` is what the journal knows of it."""

    def __init__(self, engine: Engine, database: Database, backup: Backup, progress: Progress) -> None:
        self._engine, self._world, self._database, self._backup = engine, engine.world, database, backup
        self.progress = progress
        self._warnings: list[str] = []

    async def carry(self) -> Restored:
        """Bring it to its end. Raises BackupFailed, RequestRefused, RunnerFailed with everything undone; StepFailed
        where the backup is in service and a colour could not be started."""
        began = self._world.clock.monotonic()
        try:
            swapped = await self._until_swapped()
        except BluegreenError as exc:
            swapped = await self._settle(exc)
        colours = await self._started_again()
        await self._forget()
        return Restored(
            backup=self._backup,
            database=swapped.database,
            kept=swapped.kept,
            present=self.progress.present,
            seconds=self._world.clock.monotonic() - began,
            shut_out=swapped.seconds,
            ended=swapped.ended,
            colours=colours,
            warnings=(*self._warnings, *swapped.warnings),
        )

    async def _until_swapped(self) -> Swapped:
        parts, progress = self._database.restorations, self.progress
        if await parts.standing(progress.attempt) is not Standing.SWAPPED:
            await self._make_way()
            await self._keep_present()
            await self._enter(Step.RESTORING)
            await parts.restore_beside(self._backup, progress.attempt)
            await self._enter(Step.SWAPPING)
            await self._refuse_sessions()
        return await parts.swap(progress.attempt, end_sessions=progress.stop)

    async def _make_way(self) -> None:
        await self._enter(Step.STOPPING)
        for live in tuple(self.progress.colours)[:1]:
            await live_only.unsettle(self._world, live)
        for colour in self.progress.colours:
            await environments.stop_for_restoration(self._world, colour)
            await self._engine.news.tell("colour.stopped", colour=colour, by=self.progress.by, reason="restoration")
        await self._refuse_sessions()

    async def _keep_present(self) -> None:
        """Where the present state cannot be dumped, which may be why it is given up, it is still kept as a database."""
        if self.progress.present:
            return
        await self._enter(Step.KEEPING)
        needed = {*await keeping.needed(self._world, self._database), self._backup.id}
        try:
            present = await self._database.restorations.keep_present(self._backup.release, needed)
        except BackupFailed as exc:
            self._warnings.append(f"the present state was not dumped, it is only kept as a database: {exc.detail}")
            await self._engine.news.tell("backup.failed", database=self._database.name, reason=exc.detail)
        else:
            await self._keep(replace(self.progress, present=present.id))

    async def _refuse_sessions(self) -> None:
        if self.progress.stop:
            return
        sessions = await self._database.restorations.sessions()
        if sessions:
            raise in_use(self._database.name, self._backup.id, sessions)

    async def _enter(self, step: Step) -> None:
        await self._keep(replace(self.progress, step=step))
        self._engine.by_hand = f"{self._database.name} goes back to {self._backup.id}: {WORDS[step]}"
        await self._engine.news.tell("restoration.advanced", database=self._database.name, step=step)

    async def _keep(self, progress: Progress) -> None:
        """Write it down first. Once colours are only to be started again, that does not wait for a disk."""
        self.progress = progress
        try:
            await self._world.journal.keep(keeping.RESTORATION, self._database.name, progress.to_json())
        except JournalFailed as exc:
            if progress.step is not Step.STARTING:
                raise
            self._engine.news.failed(exc)

    async def _settle(self, error: BluegreenError) -> Swapped:
        """What became of it after an error: it is done all the same, or everything is undone and the error raised."""
        parts, attempt = self._database.restorations, self.progress.attempt
        again = f"bluegreen backup restore {self._backup.id}"
        try:
            if await parts.standing(attempt) is not Standing.SWAPPED:
                error = await self._dropped(error)
            if await parts.standing(attempt) is Standing.SWAPPED:  # maybe late: by then there was nothing to drop
                return await parts.swap(attempt, end_sessions=False)
        except BackupFailed as exc:
            raise BackupFailed(
                f"{error.detail}; and how far it came cannot be seen: {exc.detail}", next=(again, *error.next)
            ) from error
        not_started = [each for each in await self._started_again(stop_at=False) if each.problem]
        await self._forget()
        if not_started:
            more = "; ".join(f"{each.colour} was stopped and is not well again: {each.problem}" for each in not_started)
            error = type(error)(f"{error.detail}; {more}", next=(*error.next, "bluegreen status"), **error.facts)
        raise error

    async def _dropped(self, error: BluegreenError) -> BluegreenError:
        """Drop what is beside; the error, with what is left. Users wait for that only once a swap was tried: what is
        left could come into service yet."""
        try:
            await self._database.restorations.drop_beside(self.progress.attempt)
        except BackupFailed as exc:
            if self.progress.step in (Step.SWAPPING, Step.STARTING):
                raise
            return type(error)(f"{error.detail}; and {exc.detail}", next=(*error.next, *exc.next), **error.facts)
        return error

    async def _started_again(self, *, stop_at: bool = True) -> tuple[StartedAgain, ...]:
        """Start what was stopped, the live colour first. With `stop_at`, StepFailed where one cannot be started."""
        if not self.progress.colours:
            return ()
        await self._enter(Step.STARTING)
        started = [await self._start(colour, release) for colour, release in self.progress.colours.items()]
        failed = [each for each in started if each.problem.startswith(NOT_STARTED)]
        if failed and stop_at:
            raise StepFailed(
                f"{self._backup.id} is in service, but {failed[0].colour}: {failed[0].problem}",
                next=(f"bluegreen backup restore {self._backup.id}   (only starts what is still stopped)",),
            )
        return tuple(started)

    async def _start(self, colour: Colour, name: str) -> StartedAgain:
        try:
            release = await self._as_started(colour, name)
            await environments.start_after_restoration(self._world, colour, release)
        except BluegreenError as exc:
            return StartedAgain(colour, name, f"{NOT_STARTED}: {exc.detail}")
        try:
            await environments.keep_started(self._world, colour, release)
            await what_runs.write_down(self._world, colour, release, "", self._warn)
        except JournalFailed as exc:
            self._engine.news.failed(exc)
        await self._engine.news.tell("colour.started", colour=colour, release=release.version, by=self.progress.by)
        return StartedAgain(colour, name, await self._problem(colour, release.version))

    async def _as_started(self, colour: Colour, name: str) -> Release:
        """What it ran, with all that it was started with, though its file may be gone; where nobody can tell that any
        more, what its file says now."""
        with suppress(BluegreenError):
            kept = await environments.release_of(self._world, colour)
            if kept.version == name:
                return kept
        return await self._world.read_release(name)

    async def _warn(self, text: str) -> None:
        await self._engine.news.tell("colour.warned", warning=text, by=self.progress.by, severity="warning")

    async def _problem(self, colour: Colour, version: str) -> str:
        target, missing = self._world.target(colour, version), [""]
        try:
            async with asyncio.timeout(self._world.terms.deadlines.get(Phase.STARTING, READY)):
                await wait_until_ready(self._world, target, lambda text: missing.insert(0, text))
            await require_smoke(self._world, target)
        except TimeoutError:
            return missing[0] or "it is not ready"
        except StepFailed as exc:
            return exc.detail
        return ""

    async def _forget(self) -> None:
        try:
            await self._world.journal.forget(keeping.RESTORATION, self._database.name)
        except JournalFailed as exc:  # the same order ends it later
            self._engine.news.failed(exc)


NOT_STARTED = "it could not be started"


def in_use(database: str, backup: str, sessions: tuple[Session, ...]) -> RequestRefused:
    """Why a database stays in service."""
    named = ", ".join(session.described for session in sessions[:3])
    more = f" and {len(sessions) - 3} more" if len(sessions) > 3 else ""
    return RequestRefused(
        f"{database} is in use: {named}{more}",
        next=(f"bluegreen backup restore {backup} --stop-colours   (users get errors until it is done)",),
    )
