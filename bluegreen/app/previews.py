"""AWAITING: whoever knows the operator's secret meets the idle colour before it is promoted.

In mode "pointer" the arms at the balancer stand all the time. In mode "rewrite" each write that sends users to one
colour leaves them there: where none did yet (before the first one, after a way back, where the secret is another one
now) the colour that serves is written once more, under the next generation, and users stay. What fails is told, and the
gate waits all the same.
"""

from bluegreen.app import generations, restoring
from bluegreen.app.run import Run
from bluegreen.domain.errors import BluegreenError, JournalFailed
from bluegreen.domain.phases import Outcome
from bluegreen.ports_traffic import Previews

WORDS = "preview: header Bluegreen-Preview or cookie bluegreen_preview, with the secret of [canary] preview"
"""How people see the idle colour before it is promoted; the secret itself is never shown."""

ACTION = "preview"
"""The action that brings it to the balancer. It moves nobody."""

AGAIN_AFTER = 60.0
"""Seconds after which a write that failed is tried again: each that succeeds closes idle connections of users."""


class Preview:
    """The way for those who know the secret, during one gate."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._again_at = float("-inf")
        self._told = ""
        self._settled = False

    async def ensure(self) -> tuple[str, ...]:
        """Bring it to the balancer where it is not; returns how to look, nothing where it does not stand.

        Nothing is written while people paused it, nor where promotion is automatic (as for a rollback): there is no
        gate then but a pause. Raises nothing of the domain."""
        balancer = self._run.world.balancer
        if not self._run.world.preview:
            return ()
        if not isinstance(balancer, Previews):
            return (WORDS,)
        try:
            await self._settle()
            return (WORDS,) if await balancer.previews() or await self._bring() else ()
        except BluegreenError as exc:
            await self._failed(exc)
            return ()

    async def _bring(self) -> bool:
        """One write of the colour that serves, between its intent and its outcome."""
        run, old = self._run, self._run.deployment.old
        if run.pause.active() or run.deployment.plan.terms.auto_promote:
            return False
        if run.world.clock.monotonic() < self._again_at:
            return False
        traffic = await run.world.balancer.observe()
        generation = await generations.claim(run, traffic.highest_generation)
        async with run.action(ACTION, to=old, generation=generation):
            await restoring.write(run.world, old, generation, expected=old, fallback=traffic.fallback)
            await generations.proved(run.world, generation)  # within: while the intent is open, nobody else stamps
        await run.tell("preview.opened", colour=run.deployment.new, generation=generation)
        return True

    async def _settle(self) -> None:
        """Give what an earlier daemon left open its outcome: whether it took effect is seen at the balancer."""
        run = self._run
        if self._settled:
            return
        for intent in await run.world.journal.intents(run.deployment.id):
            if intent.action == ACTION and intent.outcome is None:
                seen = (await run.world.balancer.observe()).generation
                took_effect = seen == intent.detail["generation"]
                if took_effect:  # else it would be stamped once more, for nothing
                    await generations.proved(run.world, seen)
                outcome = Outcome.DONE if took_effect else Outcome.FAILED
                await run.world.journal.conclude(intent.id, outcome, "the daemon was restarted")
        self._settled = True

    async def _failed(self, exc: BluegreenError) -> None:
        self._again_at = self._run.world.clock.monotonic() + AGAIN_AFTER
        if isinstance(exc, JournalFailed):
            self._run.news.failed(exc)
        elif exc.detail != self._told:
            self._told = exc.detail
            await self._run.warn(f"the secret of [canary] preview leads nowhere yet: {exc.detail}")
