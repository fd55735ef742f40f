"""The live-only parts in a deployment: they follow the users, and never hold them up.

Once users are on the new colour, proved, those of the old one are stopped and then those of the new one started, beside
the watch. On the way back traffic goes first; then those of the new colour are stopped, and those of the old one
started again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from bluegreen.app import environments, live_only, what_runs
from bluegreen.app.live_only import Missed, Stage, Where
from bluegreen.app.run import Run
from bluegreen.domain.errors import BluegreenError, JournalFailed, StepFailed
from bluegreen.domain.parts import PartState
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour

TRIES = 3
"""Failed attempts after which the release does not work: users are sent back. The attempts go on where they stay."""

AGAIN, SLOWLY = 2.0, 30.0
"""Seconds between two attempts: at first, and once they were given up but users stay all the same."""

HOME_SECONDS = 60.0
"""Seconds that the way back waits for the parts; after that it ends without them, and the keeper goes on."""

log = structlog.get_logger("bluegreen")


@asynccontextmanager
async def beside(run: Run) -> AsyncIterator[None]:
    """While this lasts the live-only parts are brought to the new colour, until they are there. Left in the middle it
    is broken off and not waited for: the way back comes first."""
    now = run.handover
    if now.settled or not live_only.names(run.world) or run.aside is None:
        now.settled = True
        yield
        return
    now.begin(run.aside.create_task(_supervised(run, now.task), name="handover"))
    try:
        yield
    finally:
        now.leave()


async def require_at_home(run: Run) -> None:
    """Before anything is begun the live-only parts run where users are, and what they would be started with again is
    known. What an earlier way back left is done now: while a deployment runs, nobody else looks after them. Raises
    StepFailed, or what the release's file raises."""
    world, old = run.world, run.deployment.old
    if not live_only.names(world) or not run.deployment.plan.trusts_live:
        return  # whoever leaves a colour that is down, or is bad, waits for nothing there
    unknown = await live_only.home_unknown(world, old)
    if unknown is not None:
        raise unknown
    home, kept = await environments.release_of(world, old), await live_only.where(world)
    if kept is None:
        await _look_for_them(run, old)
        return
    if kept.sure and kept.colour is old:
        return

    async def release() -> Release:
        return home

    missed = await live_only.move(world, old, release, _Anyhow(run))
    run.handover.doing = ""
    if missed is not None:
        takeover = f"bluegreen env takeover {old} --reason '...'"
        raise StepFailed(live_only.why(world, old, missed), next=(takeover, "bluegreen status"))
    await run.tell("live_only.moved", to=old, parts=list(live_only.names(world)))


async def _look_for_them(run: Run, old: Colour) -> None:
    """Before the first handover: warn where they are not seen in the live colour. What somebody started otherwise (in
    another compose project, under another unit) would not be stopped, and that would not be noticed."""
    known = run.world.runners[old].live_only
    try:
        parts = await what_runs.parts_of(run.world, old)
    except (BluegreenError, TimeoutError):
        parts = ()
    up = {part.name for part in parts if part.state in (PartState.RUNNING, PartState.STARTING)}
    if not all(name in up for name in known):
        missing = ", ".join(name for name in known if name not in up)
        await run.warn(
            f"{missing} is not seen to run on {old}, as [environments.{old}] would start it: what was started in "
            "another way is not stopped at the switch, and would then run twice"
        )


async def bring_home(run: Run) -> None:
    """Traffic is back: bring the live-only parts back too, where they may have left. Bounded; what is not done by then
    is told, and left to the keeper."""
    old, now = run.deployment.old, run.handover
    if not live_only.names(run.world) or Phase.WATCHING not in run.deployment.path:
        return
    now.settled, now.failed = False, ""
    try:
        async with asyncio.timeout(HOME_SECONDS):
            if now.task is not None:
                await asyncio.wait({now.task})
            await _home(run)
    except TimeoutError:
        await _call_for_help(run, now.failed or f"{now.doing or 'what was begun'} takes longer than {HOME_SECONDS:g} s")
    except Exception as exc:  # the supervisor: users are back, and that is not to be called in question
        log.exception("handover.crashed", deployment=run.deployment.id)
        await _call_for_help(run, f"internal error while they were moved: {exc!r}")
    else:
        now.settle()
        await run.tell("live_only.moved", to=old, parts=list(live_only.names(run.world)))


async def _home(run: Run) -> None:
    """Try until it is done; what is in the way stands in `failed` meanwhile."""
    old, delay = run.deployment.old, 0.5
    hand = _Anyhow(run)

    async def release() -> Release:
        return await environments.release_of(run.world, old)

    while (missed := await live_only.move(run.world, old, release, hand)) is not None:
        run.handover.failed = live_only.why(run.world, old, missed)
        run.note(run.handover.failed)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 5.0)


async def _call_for_help(run: Run, problem: str) -> None:
    old = run.deployment.old
    text = f"users are back on {old}, but the live-only parts are not: {problem}"
    await run.warn(text)
    called = await run.page("live-only", text, next=f"bluegreen env takeover {old} --reason '...'")
    try:
        await live_only.keep(run.world, Where(old, sure=False, problem=run.world.redact(problem), told=called))
    except JournalFailed as exc:
        run.news.failed(exc)


async def _supervised(run: Run, before: asyncio.Task[None] | None) -> None:
    if before is not None:
        await asyncio.wait({before})
    try:
        await _forward(run)
    except Exception as exc:  # the supervisor: a bug here must end in the way back, not end the daemon
        log.exception("handover.crashed", deployment=run.deployment.id)
        run.handover.failed = f"internal error while the live-only parts were moved: {exc!r}"


async def _forward(run: Run) -> None:
    """Try until it is done; after TRIES failures the watch is told that it does not work."""
    world, new, now = run.world, run.deployment.new, run.handover
    tries, stop = 0, True

    async def release() -> Release:
        return run.deployment.plan.release

    while (missed := await live_only.move(world, new, release, _Announced(run), stop=stop)) is not None:
        now.doing = live_only.why(world, new, missed)
        if missed.over_it:
            await asyncio.sleep(AGAIN)
            continue
        tries += 1
        if missed.stage is Stage.STOP and run.deployment.plan.live_is_down:
            stop = False
            await _on_the_operators_word(run, missed)
            continue
        await _tell_missed(run, missed, tries)
        if tries >= TRIES:
            now.failed = now.doing
        await asyncio.sleep(SLOWLY if now.failed else AGAIN)
    now.settle()
    await run.tell("live_only.moved", to=new, parts=list(live_only.names(world)))


async def _tell_missed(run: Run, missed: Missed, tries: int) -> None:
    text = live_only.why(run.world, run.deployment.new, missed)
    await run.tell("live_only.not_moved", to=run.deployment.new, reason=text, attempt=tries, severity="warning")
    if tries == 1:
        await run.warn(text)
        if missed.stage is Stage.STOP:
            await run.page("live-only", text, next="bluegreen status")


async def _on_the_operators_word(run: Run, missed: Missed) -> None:
    """The old colour is down by an operator's word: it cannot be told to stop, and does not run."""
    plan = run.deployment.plan
    await run.warn(
        f"{live_only.in_words(run.world)} could not be stopped on {run.deployment.old} ({missed.error.detail}); they "
        f"are taken to be down with it ({plan.reason}) and started on {run.deployment.new}: see that they do not run "
        f"twice when {run.deployment.old} comes back"
    )


class _Announced:
    """Hand of a deployment on its way forward: nothing is done that the journal does not know."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def say(self, text: str) -> None:
        """Beside the watch: what the step waits for stays what it is."""
        self._run.handover.doing = text

    @asynccontextmanager
    async def action(self, name: str, colour: Colour) -> AsyncIterator[None]:
        """As every action of a deployment."""
        async with self._run.action(name, colour=colour):
            yield

    async def keep(self, where: Where) -> None:
        """Raises JournalUnwritable."""
        await live_only.keep(self._run.world, where)

    async def keep_output(self, name: str, output: str) -> None:
        """With the deployment."""
        await self._run.keep_output(name, output)


class _Anyhow(_Announced):
    """Hand of a deployment on its way back: a journal that refuses holds nothing up (rule 3)."""

    def say(self, text: str) -> None:
        """It is all that the step waits for."""
        super().say(text)
        self._run.note(text)

    @asynccontextmanager
    async def action(self, name: str, colour: Colour) -> AsyncIterator[None]:
        """Announced and noted as far as the journal takes it."""
        intent = self._run.intent(name, {"colour": colour})
        try:
            await self._run.update(intent)
        except JournalFailed as exc:
            self._run.news.failed(exc)
        try:
            yield
        except BluegreenError as exc:
            await self._conclude(intent.id, Outcome.FAILED, self._run.world.redact(exc.detail))
            raise
        await self._conclude(intent.id, Outcome.DONE)

    async def keep(self, where: Where) -> None:
        """As far as the journal takes it."""
        try:
            await super().keep(where)
        except JournalFailed as exc:
            self._run.news.failed(exc)

    async def _conclude(self, intent: str, outcome: Outcome, note: str = "") -> None:
        try:
            await self._run.world.journal.conclude(intent, outcome, note)
        except JournalFailed as exc:
            self._run.news.failed(exc)
