"""The use cases behind CLI and API: what may be asked of the daemon. Looking is here; moving is in its bases."""

from collections.abc import AsyncIterator
from dataclasses import replace

from bluegreen.app import picture
from bluegreen.app.aftermath import AfterCutback
from bluegreen.app.alerts import AlertIntake
from bluegreen.app.arming import ArmingOrders
from bluegreen.app.backfill_orders import BackfillOrders
from bluegreen.app.backward import Backward
from bluegreen.app.budget_watch import BudgetWatch
from bluegreen.app.engine import Engine
from bluegreen.app.explaining import Explaining
from bluegreen.app.forward import Forward
from bluegreen.app.live_only_keeper import LiveOnlyKeeper
from bluegreen.app.migrating import Migrating
from bluegreen.app.observing import Observing
from bluegreen.app.pausing import Pausing
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.recorded import Recorded
from bluegreen.app.reloading import Reloading, Renewal
from bluegreen.app.repairing import Repairing
from bluegreen.app.requests import Caller, Status
from bluegreen.app.restore_orders import RestoreOrders
from bluegreen.app.running_watch import RunningWatch
from bluegreen.app.schema_watch import SchemaWatch
from bluegreen.app.sites import SiteOrders
from bluegreen.app.takeover import TakingOver
from bluegreen.app.variable_check import VariableChecks
from bluegreen.domain.backfills import Progress
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Event
from bluegreen.domain.traffic import Colour


class Service(
    Forward,
    Backward,
    Pausing,
    Explaining,
    Recorded,
    Migrating,
    BackfillOrders,
    Repairing,
    RestoreOrders,
    ArmingOrders,
    SiteOrders,
    TakingOver,
    VariableChecks,
    Reloading,
    AlertIntake,
):
    """One object, one method a use case. An id may be "current": the running deployment, else the last one.

    Every refusal is a RequestRefused of `domain.errors` whose `next` names the command to type.
    """

    def __init__(self, engine: Engine, reconciler: Reconciler, renewal: Renewal | None = None) -> None:
        super().__init__(engine, reconciler)
        self._renewal = renewal
        self._started_at = engine.world.clock.now()
        self.schema_watch = SchemaWatch(engine)
        self.budget_watch = BudgetWatch(engine)
        self.after_cutback = AfterCutback(engine)
        self.running_watch = RunningWatch(engine)
        self.parts_keeper = LiveOnlyKeeper(engine, reconciler)
        self.observing = Observing(engine, reconciler)

    async def status(self) -> Status:
        """Where the traffic is, and whether anything is moving."""
        picture_now = await picture.status(self._engine, self._reconciler, self._started_at)
        troubles = (*picture_now.troubles, *await self.cut_off(), *self.left_by_sites())
        backfill = picture_now.backfill or self.schema_watch.left
        fit, comparing = self.schema_watch.fit, self.after_cutback.describe()
        return replace(picture_now, schema_fit=fit, backfill=backfill, troubles=troubles, aftermath=comparing)

    async def pause_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        """As in BackfillOrders; the status knows of it at once."""
        found = await super().pause_backfill(caller, reason)
        self.schema_watch.look_again()
        return found

    async def cancel_backfill(self, caller: Caller, reason: str = "") -> tuple[Progress, ...]:
        """As in BackfillOrders; the status knows of it at once."""
        found = await super().cancel_backfill(caller, reason)
        self.schema_watch.look_again()
        return found

    async def troubles(self) -> tuple[str, ...]:
        """Reasons why the daemon is not fully able to work; empty = ready."""
        return (*picture.troubles(self._engine, self._reconciler), *await self.cut_off())

    async def deployments(self, limit: int, before: str = "") -> tuple[Deployment, ...]:
        """The latest first; `before` is an id to go on from."""
        return await self._world.journal.deployments(limit, before)

    async def events(self, after: int, deployment: str = "", limit: int = 1000) -> tuple[Event, ...]:
        """Stored events above `after`, oldest first."""
        return await self._world.journal.events(after, deployment, limit)

    async def newest(self) -> int:
        """The number of the last event so far."""
        return await self._engine.news.newest()

    def follow(self, after: int, deployment: str = "") -> AsyncIterator[Event]:
        """Events above `after`, first those stored, then as they come; never ends by itself."""
        return self._engine.news.follow(after, deployment)

    async def environment_logs(self, colour: Colour, lines: int) -> str:
        """The last lines of a colour's own log."""
        return await self._world.runners[colour].logs(lines)
