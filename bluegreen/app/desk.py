"""What every use case stands on: the engine, looking a deployment up, and writing down who did what."""

from bluegreen.app.engine import Engine
from bluegreen.app.keeping import RESTORATION
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Caller
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import TO_ACT, DeploymentInProgress, NotFound, ObserveOnly, WrongPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import AuditRow, Json

PAST = {
    "deploy": "deployed",
    "promote": "promoted",
    "abort": "aborted",
    "cutback": "cut_back",
    "rollback": "rolled_back",
    "retry": "retried",
    "resolve": "resolved",
    "supersede": "superseded",
}
"""The verbs of operators as the events they become."""

SETTLE = 5.0
"""Seconds that a request waits for the end of the last deployment to be written down."""


class Desk:
    """The common ground of the use cases."""

    def __init__(self, engine: Engine, reconciler: Reconciler) -> None:
        self._engine = engine
        self._world = engine.world
        self._reconciler = reconciler

    async def deployment(self, id: str) -> Deployment:
        """One deployment, by id or "current"."""
        run = self._engine.run
        if run is not None and id in ("current", run.deployment.id):
            return run.deployment
        if id == "current":
            latest = await self._world.journal.deployments(1)
            if not latest:
                raise NotFound("no deployment was ever made", next=("bluegreen plan RELEASE",))
            return latest[0]
        found = await self._world.journal.deployment(id)
        if found is None:
            raise NotFound(f"there is no deployment {id}", next=("bluegreen history",))
        return found

    async def _running(self, id: str, verb: str) -> Run:
        run = self._engine.run
        if run is not None and not run.deployment.phase.final and id in ("current", run.deployment.id):
            return run
        deployment = await self.deployment(id)
        raise WrongPhase(
            f"nothing to {verb}: {deployment.id} is {deployment.phase} and nothing is running",
            next=instead(deployment),
        )

    async def _refuse_while_running(self, next: tuple[str, ...] = (), *, resuming: bool = False) -> None:
        """Whatever changes anything outside asks here first. `resuming`: what carries on a restoration that was cut
        off."""
        await self._engine.let_settle(SETTLE)
        if self._engine.run is not None:
            deployment = self._engine.run.deployment
            raise DeploymentInProgress(
                f"not while another deployment runs: {deployment.id} ({deployment.plan.release.version}) is in"
                f" {deployment.phase}",
                next=next or (f"bluegreen watch {deployment.id}", f"bluegreen abort {deployment.id}"),
                deployment=deployment.id,
            )
        if self._engine.by_hand:
            ways_out = self._world.filling.ways_out or ("bluegreen status",)
            raise DeploymentInProgress(self._engine.by_hand, next=ways_out)
        if not resuming:
            await self._refuse_cut_off()
        self._refuse_observing()
        latest = await self._world.journal.deployments(1)
        if latest and latest[0].blocks_others:
            raise DeploymentInProgress(
                f"{latest[0].id} is {latest[0].phase} and nobody settled it: {latest[0].reason}",
                next=instead(latest[0]),
                deployment=latest[0].id,
            )

    def _refuse_observing(self, would: str = "", **facts: Json) -> None:
        """`would`: what would be done otherwise, in words. Raises ObserveOnly."""
        if self._world.observes:
            told = f"; it would: {would}" if would else ""
            raise ObserveOnly(f'automation is "observe": nothing is done{told}', next=TO_ACT, **facts)

    async def _refuse_cut_off(self) -> None:
        for name, kept in (await self._world.journal.facts(RESTORATION)).items():
            raise DeploymentInProgress(
                f"not while {name} is between two databases: the daemon ended while it went back to {kept['backup']}",
                next=(f"bluegreen backup restore {kept['backup']}",),
            )

    async def _audit(self, caller: Caller, verb: str, deployment: Deployment, reason: str, before: str) -> None:
        row = self._row(caller, verb, deployment, reason, before)
        await self._world.journal.audit(row)
        await self._told(row)

    def _row(self, caller: Caller, verb: str, deployment: Deployment, reason: str, before: str) -> AuditRow:
        now, after = self._world.clock.now(), str(deployment.phase)
        return AuditRow(now, caller.who, caller.origin, verb, deployment.id, reason, str(before), after)

    async def _told(self, row: AuditRow) -> None:
        await self._engine.news.tell(
            f"operator.{PAST[row.verb]}", deployment=row.deployment, by=row.who, origin=row.origin, reason=row.reason
        )


def because(reason: str) -> str:
    """A reason as the tail of a sentence."""
    return f": {reason}" if reason else ""


def instead(deployment: Deployment) -> tuple[str, ...]:
    """What an operator probably wants of a deployment that has ended."""
    version = deployment.plan.release.version
    return {
        Phase.LIVE: ("bluegreen rollback",),
        Phase.ABANDONED: (f"bluegreen retry {deployment.id}",),
        Phase.REVERTED: (f"bluegreen deploy {version} --force --reason '...'",),
        Phase.STRANDED: (
            ("bluegreen status",)
            if deployment.settled
            else (f"bluegreen retry {deployment.id}", f"bluegreen resolve {deployment.id} --reason '...'")
        ),
    }.get(deployment.phase, ("bluegreen status",))
