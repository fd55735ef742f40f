"""`--supersede`: end the deployment that runs, so that another may start. Harmless twice.

Nobody waits here for as long as that may take (a drain lasts minutes): who asked is told so and asks again.
"""

from dataclasses import replace

from bluegreen.app.desk import Desk, because
from bluegreen.app.engine import Engine
from bluegreen.app.orders import Orders, Stop
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Caller
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Cause, Deployment
from bluegreen.domain.errors import DeploymentInProgress
from bluegreen.domain.phases import BEFORE_SWITCH, Phase
from bluegreen.domain.plans import Plan
from bluegreen.domain.records import Fact

WAIT = 15.0
"""Seconds that one request waits for the superseded deployment to end."""

ASKED_REMEMBERED = 1000
"""Idempotency keys for which it is remembered which deployment they supersede."""


class Superseding(Desk):
    """What `deploy --supersede` needs before it may start."""

    def __init__(self, engine: Engine, reconciler: Reconciler) -> None:
        super().__init__(engine, reconciler)
        self._asked: dict[str, str] = {}

    def _superseding(self, plan: Plan) -> Plan:
        """The plan, naming what it supersedes and what is lost by it. Raises DeploymentInProgress where it may not."""
        run = self._engine.run
        if run is None or run.deployment.phase.final:
            return plan
        _refuse_elsewhere(run)
        warnings = (_what_is_lost(run.deployment), *plan.warnings)
        return replace(plan, supersedes=run.deployment.id, warnings=warnings)

    async def _make_room(self, plan: Plan, key: str, caller: Caller) -> None:
        """End what `plan` supersedes, or what runs where only the request says so. Raises DeploymentInProgress, with
        `superseding`, where it takes longer than WAIT."""
        run = self._engine.run
        if run is None or run.deployment.phase.final:
            return
        target = self._target(plan, key, run)
        if run.deployment.id != target:
            raise DeploymentInProgress(
                f"what was to be superseded, {target}, has ended; now {run.deployment.id} is in {run.deployment.phase}",
                next=(f"bluegreen plan {plan.release.version} --supersede", f"bluegreen watch {run.deployment.id}"),
                deployment=run.deployment.id,
            )
        await self._order(run, f"superseded by {caller.who}{because(f'deploy of {plan.release.version}')}", caller)
        if not await self._engine.gone(run, WAIT):
            deployment = run.deployment
            raise DeploymentInProgress(
                f"superseding {deployment.id}, it is in {deployment.phase}",
                next=(f"bluegreen watch {deployment.id}", "ask again"),
                deployment=deployment.id,
                phase=deployment.phase,
                superseding=True,
            )

    def _target(self, plan: Plan, key: str, run: Run) -> str:
        """What is superseded: as planned; else what ran when this key was first seen, so that to ask again ends no
        other one."""
        if plan.supersedes:
            return plan.supersedes
        target = self._asked.setdefault(key, run.deployment.id) if key else run.deployment.id
        if len(self._asked) > ASKED_REMEMBERED:
            self._asked.pop(next(iter(self._asked)))
        return target

    async def _order(self, run: Run, reason: str, caller: Caller) -> None:
        """To give up is ordered first and written after; to give a way back up is written first."""
        if run.orders.superseded:
            return
        _refuse_elsewhere(run)
        before = run.deployment.phase
        row = self._row(caller, "supersede", run.deployment, reason, before)
        if before is Phase.STANDING_BY:
            kept = Orders.from_json(run.orders.to_json())
            kept.supersede(reason)
            await self._world.journal.audit(row, Fact("order", run.deployment.id, kept.to_json()))
            run.orders.supersede(reason)
        else:
            run.orders.supersede(reason)
            run.orders.halt(Stop(Cause.OPERATOR, reason))
            await self._engine.remember_orders(run, row)
        await self._told(row)


def _refuse_elsewhere(run: Run) -> None:
    deployment = run.deployment
    if run.orders.superseded or deployment.phase in (*BEFORE_SWITCH, Phase.STANDING_BY):
        return
    raise DeploymentInProgress(
        f"{deployment.id} is in {deployment.phase} and cannot be superseded there",
        next=(f"bluegreen watch {deployment.id}", f"bluegreen abort {deployment.id}"),
        deployment=deployment.id,
    )


def _what_is_lost(deployment: Deployment) -> str:
    version, named = deployment.plan.release.version, f"this supersedes {deployment.id}"
    if deployment.phase in BEFORE_SWITCH:
        return f"{named}: {version}, in {deployment.phase}, is given up first"
    return (
        f"{named}: {deployment.old} is stopped first, the way back from {version} to {deployment.plan.live_release} is"
        " given up, and contract migrations stay pending"
    )
