"""Alerts: what one means for the deployment that runs now. It may only move traffic to the safe side (rule 11)."""

from bluegreen.app.desk import Desk
from bluegreen.app.engine import Engine
from bluegreen.app.orders import Stop
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Alert, AlertAnswer, AlertEffect, Observation
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Cause
from bluegreen.domain.errors import JournalFailed
from bluegreen.domain.phases import AFTER_WATCH, WATCHED
from bluegreen.domain.plans import Kind
from bluegreen.domain.records import Notice

WOULD = "would have cut back"

ALERTS_REMEMBERED = 10_000
"""Alerts de-duplicated in memory, for when the journal refuses."""


class AlertIntake(Desk):
    """Takes alerts in: acts first, writes after."""

    def __init__(self, engine: Engine, reconciler: Reconciler) -> None:
        super().__init__(engine, reconciler)
        self._alerts: dict[str, bool] = {}

    async def alert(self, alert: Alert) -> AlertAnswer:
        """Take in an alert: cut back where it counts, record it in any case. Acts first, writes after.

        One that was only recorded, and counts when it is sent again (automation was paused), cuts back then.
        """
        key = f"{alert.hook}:{alert.fingerprint}:{alert.starts_at.isoformat()}:{alert.firing}"
        run = self._engine.run
        seen = self._reconciler.observed
        reason = why_not_back(alert, run, seen)
        if key in self._alerts and (reason or self._alerts[key]):
            return AlertAnswer(key, AlertEffect.DUPLICATE, "this alert was taken in before")
        self._remember_alert(key, acted=not reason)
        text = f"alert from {alert.hook}: {alert.summary or alert.labels.get('alertname', alert.fingerprint)}"
        if run is not None and not reason:
            run.orders.halt(Stop(Cause.ALERT, text))
        elif run is not None and calls_people(alert, run):
            await run.page("alert-held", f"{text}; {run.deployment.new} stays: {reason}", next="bluegreen status")
        elif run is None and reason.startswith(WOULD):
            await self._tell_observed(key, text, reason)
        return await self._record_alert(key, alert, run, reason)

    async def _tell_observed(self, key: str, text: str, reason: str) -> None:
        """Nothing is done about it: people are told what would have been."""
        words, now = self._world.redact(f"{self._world.project}: {text}; {reason}"), self._world.clock.now()
        await self._engine.outbox.post(Notice(f"observe.alerted:{key}", "observe.alerted", "critical", words, now))

    def _remember_alert(self, key: str, *, acted: bool) -> None:
        self._alerts[key] = acted
        if len(self._alerts) > ALERTS_REMEMBERED:
            self._alerts.pop(next(iter(self._alerts)))

    async def _record_alert(self, key: str, alert: Alert, run: Run | None, reason: str) -> AlertAnswer:
        effect = AlertEffect.RECORDED if reason else AlertEffect.CUTBACK
        try:
            fresh = await self._world.journal.claim("alert", key, {"effect": effect, "reason": reason})
            if run is not None and not reason:
                await self._engine.remember_orders(run)
        except JournalFailed as exc:
            self._engine.news.failed(exc)
            return AlertAnswer(key, effect, reason, durable=False)
        if not fresh and reason:
            return AlertAnswer(key, AlertEffect.DUPLICATE, "this alert was taken in before")
        durable = await self._engine.news.tell(
            "alert.received",
            deployment=run.deployment.id if run else "",
            hook=alert.hook,
            effect=effect,
            reason=reason,
            labels=dict(alert.labels),
        )
        return AlertAnswer(key, effect, reason, durable)


def why_not_back(alert: Alert, run: Run | None, seen: Observation | None = None) -> str:
    """Why this alert is only recorded; empty where it cuts back. `seen`: what is seen where nothing is done."""
    if run is None:
        return _why_not_meant(alert) or _would_have(alert, seen) or "no deployment is running"
    return _why_not_meant(alert) or _why_not_about(alert, run) or _why_not_now(run)


def calls_people(alert: Alert, run: Run) -> bool:
    """True where an alert is about the release that users are on, which only a person may take back now."""
    if run.deployment.phase not in WATCHED | AFTER_WATCH:
        return False
    return not (_why_not_meant(alert) or _why_not_about(alert, run)) and bool(_why_not_now(run))


def _why_not_meant(alert: Alert) -> str:
    if not alert.firing:
        return "it is resolved"
    if not alert.matches:
        return "its labels do not match the hook's"
    if alert.blind:
        return "its rule got no data: that says nothing of users"
    return "" if alert.effect == "cutback" else "this hook only records"


def _would_have(alert: Alert, seen: Observation | None) -> str:
    """What it would have done to users whom people moved by hand; empty where it is not about that."""
    if seen is None or seen.since is None or alert.starts_at < seen.since:
        return ""
    colour = alert.labels.get("colour") or alert.labels.get("color")
    if colour not in (None, seen.colour) or (seen.seconds_left == 0 and seen.said):
        return ""
    return f'{WOULD} to {seen.old}: automation is "observe"'


def _why_not_about(alert: Alert, run: Run) -> str:
    deployment = run.deployment
    if deployment.moved_at is None:
        return f"the deployment is in {deployment.phase}: users have not met the new release"
    if alert.starts_at < deployment.moved_at:
        return "it began before users met the new release"
    colour = alert.labels.get("colour") or alert.labels.get("color")
    if colour not in (None, deployment.new):
        return f"it is about {colour}, and users are moving to {deployment.new}"
    return ""


def _why_not_now(run: Run) -> str:
    deployment = run.deployment
    if deployment.phase not in WATCHED:
        return f"the deployment is in {deployment.phase}"
    if deployment.plan.kind is Kind.ROLLBACK:
        return "a rollback is only taken back by an operator"
    if deployment.plan.live_is_down:
        return f"{deployment.old} was down when this began: there is no way back"
    if run.pause.active():
        return run.pause.reason
    if run.watch.standby.lost:
        return f"there is no way back: {deployment.old} does not answer"
    return ""
