"""Forward: plan, deploy, promote; and the deployments that begin from what was: rollback and retry."""

from collections.abc import Mapping
from dataclasses import asdict, replace

import msgspec

from bluegreen.app import planning
from bluegreen.app.baseline import Baseline
from bluegreen.app.desk import SETTLE, because, instead
from bluegreen.app.measures import measures
from bluegreen.app.orders import Passed
from bluegreen.app.requests import Caller, DeployRequest, PlanRequest
from bluegreen.app.superseding import Superseding
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import OBSERVED, NotFound, PlanStale, RequestRefused, WrongPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind, Plan
from bluegreen.domain.records import Fact, Json

PASSED_GATE = (Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY, Phase.RETIRING, Phase.CONTRACTING)

ENDED_BY_FULL = (Phase.AWAITING, Phase.CANARYING, Phase.WATCHING, Phase.STANDING_BY, Phase.RETIRING)
"""Phases that `promote --full` ends; of RETIRING the wait for what is still open. SWITCHING ends by its proof alone."""

NEEDS_REASON = "a full promotion cuts a watch short: it needs a reason, for the audit"


class Forward(Superseding):
    """Use cases that move a release towards its users. Each may be asked twice."""

    async def plan(self, request: PlanRequest, caller: Caller) -> Plan:
        """Plan a deployment and keep the plan; nothing is done."""
        plan = await self._made(request, Kind.DEPLOY, caller)
        plan = self._with_pause(self._superseding(plan) if request.supersede else plan)
        await self._world.journal.keep("plan", plan.id, {"plan": msgspec.to_builtins(plan), "request": asdict(request)})
        return plan

    async def stored_plan(self, id: str) -> Plan:
        """A plan made before."""
        return msgspec.convert((await self._kept_plan(id))["plan"], Plan)

    async def deploy(self, request: DeployRequest, caller: Caller, idempotency_key: str = "") -> Deployment:
        """Start a deployment of a plan, exactly, or of a release. The same key answers the same deployment.

        Superseding, it is refused with `superseding` while the running one ends: ask again, with the same key.
        """
        known = await self._known(idempotency_key, request)
        if known is None and self._engine.run is None and self._world.observes:
            self._refuse_plan(await self._plan_for(request, caller))
        if known is None and await self._ends_another(request):
            await self._make_room(await self._plan_for(request, caller), idempotency_key, caller)
        async with self._engine.lock:
            known = await self._known(idempotency_key, request)
            if known is not None:
                return known
            await self._refuse_while_running()
            plan = await self._plan_for(request, caller)
            return await self._start(plan, caller, "deploy", key=idempotency_key, request=request)

    def _refuse_plan(self, plan: Plan) -> None:
        """Say what would be done, step by step. Raises ObserveOnly where nothing is to be done."""
        steps: list[Json] = [{"phase": str(step.phase), "text": step.text} for step in plan.steps if step.does]
        would = f"make {plan.release.version} live on {plan.idle}: " + "; ".join(
            f"{step.phase} {step.text}" for step in plan.steps if step.does
        )
        self._refuse_observing(would, plan=plan.id, steps=steps)

    async def _ends_another(self, request: DeployRequest) -> bool:
        if self._engine.run is None:
            return False
        return request.supersede or (request.plan != "" and (await self.stored_plan(request.plan)).supersedes != "")

    async def promote(self, id: str, caller: Caller, reason: str = "", *, full: bool = False) -> Deployment:
        """Pass the gate, or end a canary; nothing to do where both are over. `full` also ends what a later phase still
        waits for, but never skips the watch, and needs a reason."""
        if full and not reason:
            raise RequestRefused(NEEDS_REASON, next=(f"bluegreen promote {id} --full --reason '...'",))
        run = await self._running(id, "promote")
        deployment = run.deployment
        if deployment.phase is not Phase.AWAITING and deployment.phase not in PASSED_GATE:
            raise WrongPhase(
                f"{deployment.id} is in {deployment.phase}: there is nothing to promote",
                next=(f"bluegreen watch {deployment.id}",),
            )
        sharing = deployment.phase is Phase.CANARYING and bool(deployment.plan.terms.canary)
        waits = deployment.phase in (ENDED_BY_FULL if full else (Phase.AWAITING,)) and not deployment.stopped
        if not sharing and not waits:
            return deployment
        ends = full or sharing
        passed = Passed(deployment.phase, f"promoted by {caller.who}{because(reason)}") if ends else None
        row = self._row(caller, "promote", deployment, reason, deployment.phase)
        await self._engine.promote(run, row, passed)
        await self._told(row)
        return deployment  # as it was promoted: by now it may be further on its way

    async def rollback(self, release: str, caller: Caller, reason: str = "") -> Deployment:
        """Return to an earlier release, by default the last good one, as a deployment of its own."""
        async with self._engine.lock:
            await self._refuse_while_running(next=("bluegreen cutback",))
            if release:  # also to one that was taken back before, where somebody says why
                request = PlanRequest(release, force=reason != "", reason=reason)
            else:
                request = PlanRequest(await self._last_good(), force=True, reason=reason or "rollback")
            plan = await self._made(request, Kind.ROLLBACK, caller)
            return await self._start(plan, caller, "rollback", reason)

    async def retry(self, id: str, caller: Caller) -> Deployment:
        """After ABANDONED the same plan once more; on STRANDED the way back once more."""
        async with self._engine.lock:
            await self._engine.let_settle(SETTLE)
            deployment = await self.deployment(id)
            if deployment.phase is Phase.STRANDED and not deployment.settled:
                await self._audit(caller, "retry", deployment, "", deployment.phase)
                return await self._engine.reopen(deployment)
            if deployment.phase is not Phase.ABANDONED:
                raise WrongPhase(f"{deployment.id} is {deployment.phase}: nothing to retry", next=instead(deployment))
            await self._refuse_while_running()
            plan = deployment.plan
            request = PlanRequest(
                plan.release.name or plan.release.version,
                plan.terms.auto_promote,
                plan.terms.contract,
                plan.live_is_down,
                plan.force,
                plan.reason,
            )
            again = await self._made(request, plan.kind, caller)
            return await self._start(again, caller, "retry")

    async def _plan_for(self, request: DeployRequest, caller: Caller) -> Plan:
        if not request.plan:
            if request.release is None:
                raise RequestRefused("a deployment needs a release or a plan", next=("bluegreen plan RELEASE",))
            made = await self._made(request.release, Kind.DEPLOY, caller)
            return self._with_pause(made)
        kept = await self._kept_plan(request.plan)
        plan = msgspec.convert(kept["plan"], Plan)
        again = await self._made(PlanRequest(**kept["request"]), Kind.DEPLOY, caller)
        if plan.digest != again.digest or plan.expires_at < self._world.clock.now():
            why = "it is older than an hour" if plan.digest == again.digest else "the world changed since"
            raise PlanStale(
                f"the plan {plan.id} does not hold any more: {why}", next=(f"bluegreen plan {plan.release.version}",)
            )
        return plan

    async def _made(self, request: PlanRequest, kind: Kind, caller: Caller) -> Plan:
        plan = await planning.make_plan(self._world, request, kind, caller.who)
        baseline = Baseline() if plan.live_is_down else self._engine.watch.baseline
        return replace(plan, judged=measures(plan.terms, baseline))

    def _with_pause(self, plan: Plan) -> Plan:
        """The plan, warning that nothing will go on by itself, or that nothing will be done at all."""
        if self._world.observes:
            return replace(plan, warnings=(*plan.warnings, OBSERVED))
        paused = self._engine.pause.reason
        if not paused:
            return plan
        warning = f"automation is {paused}: it goes no further than the gate by itself"
        return replace(plan, warnings=(*plan.warnings, warning))

    async def _kept_plan(self, id: str) -> Mapping[str, Json]:
        kept = await self._world.journal.fact("plan", id)
        if kept is None:
            raise NotFound(f"there is no plan {id}", next=("bluegreen plan RELEASE",))
        return dict(kept)

    async def _start(
        self,
        plan: Plan,
        caller: Caller,
        verb: str,
        reason: str = "",
        *,
        key: str = "",
        request: DeployRequest | None = None,
    ) -> Deployment:
        """Start a deployment of a plan; the audit and the idempotency key are written with it, or nothing is."""
        deployment = planning.new_deployment(self._world, plan)
        past = f" (past the gate: {'; '.join(plan.overridden)})" if plan.overridden else ""
        row = self._row(caller, verb, deployment, f"{reason or plan.reason}{past}", "idle")
        kept = {"deployment": deployment.id, "request": msgspec.to_builtins(request)}
        records = (row, Fact("idempotency", key, kept)) if key else (row,)
        started = await self._engine.start(deployment, *records)
        await self._told(row)
        return started

    async def _known(self, key: str, request: DeployRequest) -> Deployment | None:
        kept = await self._world.journal.fact("idempotency", key) if key else None
        if kept is None:
            return None
        if kept["request"] != msgspec.to_builtins(request):
            raise RequestRefused(f"the idempotency key {key} was used for another request", next=("bluegreen history",))
        return await self.deployment(kept["deployment"])

    async def _last_good(self) -> str:
        """The release that served before the last deployment that went live."""
        for deployment in await self._world.journal.deployments(100):
            if deployment.phase is Phase.LIVE and deployment.plan.live_release != planning.UNKNOWN:
                return deployment.plan.live_release
        raise NotFound("no earlier release is known", next=("bluegreen rollback RELEASE",))
