"""Backward: abort, cutback, and settling by hand what could not be taken back. The order takes effect first."""

from contextlib import suppress
from dataclasses import replace

from bluegreen.app import planning
from bluegreen.app.damage import instead_of
from bluegreen.app.desk import SETTLE, Desk, because
from bluegreen.app.endings import close_card
from bluegreen.app.orders import Stop
from bluegreen.app.requests import Caller
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import TO_ACT, JournalFailed, NotFound, ObserveOnly, WrongPhase
from bluegreen.domain.phases import Phase

SETTLE_BEFORE_CUTBACK = 1.0
"""Seconds that a cutback of a STRANDED deployment waits for its end to be written down: on a full disk it never is."""


class Backward(Desk):
    """Use cases that keep users on the safe side. Each may be asked twice."""

    async def abort(self, id: str, caller: Caller, reason: str = "") -> Deployment:
        """Before the switch: give up. After it: cut back. Under way already: nothing."""
        run = await self._running(id, "abort")
        return await self._stop(run, "abort", caller, reason, force=False)

    async def cutback(self, caller: Caller, reason: str = "", *, force: bool = False) -> Deployment:
        """Send users back at once; before the switch, give up. A STRANDED deployment is re-opened for it."""
        run = self._engine.run
        if run is None or run.deployment.phase.final:
            return await self._cutback_stranded(caller, reason)
        if run.deployment.phase is Phase.CONTRACTING:
            raise WrongPhase("the old colour is stopped: there is nothing to cut back to", next=("bluegreen rollback",))
        return await self._stop(run, "cutback", caller, reason, force=force)

    async def resolve(self, id: str, caller: Caller, reason: str) -> Deployment:
        """Settle a STRANDED deployment that was put right by hand, or accept that traffic was moved outside with
        nothing running: what Caddy serves now is what is wanted."""
        async with self._engine.lock:
            await self._engine.let_settle(SETTLE)
            deployment = await self.deployment(id)
            run = self._engine.run
            if run is not None and run.deployment.id == deployment.id:
                return await self._resolve_reverting(run, caller, reason)
            if deployment.phase.final and run is None and self._reconciler.drift.now is not None:
                await self._want_what_is()
                await self._audit(caller, "resolve", deployment, reason, deployment.phase)
                return deployment
            if deployment.phase is not Phase.STRANDED or deployment.settled:
                raise WrongPhase(
                    f"{deployment.id} is {deployment.phase}: nothing to settle", next=("bluegreen status",)
                )
            await self._want_what_is()
            settled = replace(deployment, settled=True)
            event = self._engine.news.event("deployment.resolved", deployment=deployment.id, reason=reason)
            self._engine.news.heard(*await self._world.journal.save(settled, event))
            await self._audit(caller, "resolve", settled, reason, deployment.phase)
            with suppress(JournalFailed):  # the failsafe does not act on it in any case
                await close_card(self._world, settled)
            return settled

    async def _stop(self, run: Run, verb: str, caller: Caller, reason: str, *, force: bool) -> Deployment:
        """Order first (it takes effect in this very turn), then make it durable."""
        deployment = run.deployment
        if deployment.stopped and deployment.phase is Phase.RETIRING:
            raise WrongPhase(
                f"{deployment.old} is being stopped: there is nothing to cut back to", next=("bluegreen rollback",)
            )
        if not deployment.phase.ignores_abort:
            run.orders.halt(Stop(Cause.OPERATOR, f"{verb} by {caller.who}{because(reason)}", force))
        row = self._row(caller, verb, deployment, reason, deployment.phase)
        try:
            await self._engine.remember_orders(run, row)
            await self._told(row)
        except JournalFailed as exc:
            self._engine.news.failed(exc)
        return run.deployment

    async def _cutback_stranded(self, caller: Caller, reason: str) -> Deployment:
        """Open it again first, write after: it must work with a full disk too."""
        async with self._engine.lock:
            with suppress(JournalFailed):
                await self._engine.let_settle(SETTLE_BEFORE_CUTBACK)
            try:
                deployment = await self.deployment("current")
            except NotFound as exc:
                await self._refuse_cutback()
                raise await instead_of(self._world, exc) from exc
            if deployment.phase is not Phase.STRANDED or deployment.settled:
                await self._refuse_cutback()
                raise _nothing_to_cut_back(deployment)
            stop = Stop(Cause.OPERATOR, f"cutback by {caller.who}{because(reason)}", force=True)
            reopened = await self._engine.reopen(deployment, stop)
            await self._audit_if_possible(caller, "cutback", reopened, reason, deployment.phase)
            return reopened

    async def _refuse_cutback(self) -> None:
        """Users whom people moved are taken back by people: say how. Raises ObserveOnly where nothing is to be done."""
        now = self._reconciler.observed
        if now is not None and now.old is not None:
            steps = (*await self._reconciler.drift.by_hand(now.old), *TO_ACT)
            raise ObserveOnly(f'automation is "observe": take users back to {now.old} yourself', next=steps)

    async def _resolve_reverting(self, run: Run, caller: Caller, reason: str) -> Deployment:
        left = run.seconds_left()
        if run.deployment.phase is not Phase.REVERTING or (left is not None and left > 0):
            raise WrongPhase(
                f"{run.deployment.id} is in {run.deployment.phase}: it is not for you to settle yet",
                next=("bluegreen status",),
            )
        await self._want_what_is()
        run.orders.resolve(f"settled by {caller.who}{because(reason)}")
        row = self._row(caller, "resolve", run.deployment, reason, run.deployment.phase)
        await self._engine.remember_orders(run, row)
        await self._told(row)
        return run.deployment

    async def _audit_if_possible(
        self, caller: Caller, verb: str, deployment: Deployment, reason: str, before: Phase
    ) -> None:
        try:
            await self._audit(caller, verb, deployment, reason, before)
        except JournalFailed as exc:
            self._engine.news.failed(exc)

    async def _want_what_is(self) -> None:
        colour = await planning.live_colour(self._world)
        await self._world.journal.keep("wanted", "colour", colour)


def _nothing_to_cut_back(deployment: Deployment) -> WrongPhase:
    """Only after LIVE is there an earlier release to go to; else users are there already."""
    if deployment.phase is Phase.LIVE:
        return WrongPhase(f"{deployment.id} has ended: {deployment.old} is stopped", next=("bluegreen rollback",))
    return WrongPhase(
        f"nothing is running: {deployment.id} ended {deployment.phase}, and users are on {deployment.old}",
        next=("bluegreen status",),
    )
