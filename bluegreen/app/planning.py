"""Makes plans: what a deployment would do to the world as it is now, and what is refused before anything begins."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

from bluegreen.app import (
    after_switch,
    budget,
    continuity,
    damage,
    environments,
    fitness,
    live_only,
    release_gate,
    variables,
)
from bluegreen.app.forecast import Forecast, forecast
from bluegreen.app.pointer import forgets
from bluegreen.app.requests import PlanRequest
from bluegreen.app.world import World
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.errors import BalancerError, GateRefused, RequestRefused
from bluegreen.domain.migrations import Migration
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Kind, Plan, PlanStep, Release, Terms
from bluegreen.domain.traffic import Colour
from bluegreen.ports_traffic import Costs, Previews

GOOD_FOR = timedelta(hours=1)
"""How long a plan may wait for its deployment."""

UNKNOWN = "unknown"

NOTHING_LOST = "nothing: no request is lost, and no connection is closed"

ONCE_MORE = "the same once more before, at the gate: the way for the secret of [canary] preview is not there yet"


async def make_plan(world: World, request: PlanRequest, kind: Kind, by: str) -> Plan:
    """Plan a deployment. Raises RequestRefused, GateRefused or BalancerError with what to do instead."""
    if request.live_is_down and not request.reason:
        raise RequestRefused(
            "live-is-down needs a reason: it gives up the automatic way back",
            next=(f"bluegreen deploy {request.release} --live-is-down --reason '...'",),
        )
    release = await world.read_release(request.release)
    live = await live_colour(world)
    live_release = await release_on(world, live)
    await damage.refuse(world, request, kind)
    await _refuse_quarantined(world, release, request, kind)
    brief = await release_gate.examine(world, release, live, live_release, request, kind)
    given = await variables.for_plan(world, release, live, request, kind)
    connections, tight = await budget.for_plan(world, live.other)
    terms = _terms(world, request, kind)
    doubts = await fitness.require(world, release.version, live_release)
    schemas = await forecast(world, release, kind, terms)
    keeps = continuity.planned(world, live, trusted=kind is Kind.DEPLOY and not request.live_is_down)
    steps = tuple(_steps(world, release, live, live_release, terms, kind, schemas, keeps))
    warnings = (
        *brief.warnings,
        *schemas.warnings,
        *doubts,
        *_doubts(live, live_release, release, request, given.alone),
        *given.warnings,
        *tight,
        *await _home_unknown(world, live, kind, request),
        *await forgets(world),
    )
    now = world.clock.now()
    return Plan(
        id=f"p-{now:%Y%m%d-%H%M%S}-{uuid4().hex[:4]}",
        kind=kind,
        release=release,
        live=live,
        live_release=live_release,
        terms=terms,
        steps=steps,
        warnings=warnings,
        digest=_digest(world, release, live, live_release, terms, schemas.expand, steps, given.basis),
        created_at=now,
        expires_at=now + GOOD_FOR,
        live_is_down=request.live_is_down,
        force=request.force,
        reason=request.reason,
        requested_by=by,
        migrations=tuple(migration.label for migration in schemas.expand),
        costs=await _costs(world, terms),
        overridden=(*brief.overridden, *given.overridden),
        changelog=brief.changelog,
        changelog_file=brief.changelog_file,
        changelog_left=brief.changelog_left,
        changelog_undone=brief.changelog_undone,
        components=brief.components,
        variables=given.findings,
        connections=connections,
    )


async def _home_unknown(world: World, live: Colour, kind: Kind, request: PlanRequest) -> tuple[str, ...]:
    """What PREPARING would refuse over the live-only parts, where it trusts the live colour."""
    unknown = await live_only.home_unknown(world, live)
    if unknown is None or kind is not Kind.DEPLOY or request.live_is_down:
        return ()
    return (f"no deployment starts: {unknown.detail}",)


async def _costs(world: World, terms: Terms) -> tuple[str, ...]:
    """What the switch costs users, in words; they change with the traffic and are no part of the digest."""
    if not isinstance(world.balancer, Costs):
        return ()
    try:
        told = await world.balancer.costs() or (NOTHING_LOST,)
        if terms.auto_promote or not isinstance(world.balancer, Previews) or not world.preview:
            return told
        return told if await world.balancer.previews() else (*told, ONCE_MORE)
    except BalancerError as exc:
        return (f"cannot be told: {exc.detail}",)


def _doubts(live: Colour, live_release: str, release: Release, request: PlanRequest, alone: str) -> Iterator[str]:
    if live_release == UNKNOWN:
        yield f"which release {live} runs is not known: set [environments.{live}] release"
    elif live_release == release.version:
        yield alone or f"{live} runs {release.version} already: this starts the same release on {live.other}"
    if request.live_is_down:
        yield f"{live} is taken to be down: there is no automatic way back to it"


async def live_colour(world: World) -> Colour:
    """The colour whose addresses the balancer dials. Raises RequestRefused where that is neither or both."""
    traffic = await world.balancer.observe()
    if traffic.colour is None:
        paths = "; ".join(
            f"{s.service} at {', '.join(s.paths)} dials {' '.join(s.dials) or 'nothing'}" for s in traffic.services
        )
        where = "the Caddyfile" if world.balancer_name == "Caddy" else f"what {world.balancer_name} is told"
        raise RequestRefused(
            f"{world.balancer_name} serves neither colour alone: {paths}",
            next=("bluegreen status", f"correct blue and green of these [[services]], or {where}"),
        )
    return traffic.colour


async def release_on(world: World, colour: Colour) -> str:
    """What a colour runs: by the journal, else by the configuration, else "unknown"."""
    return await environments.ran_last(world, colour) or UNKNOWN


def new_deployment(world: World, plan: Plan) -> Deployment:
    """A deployment of a plan, not yet saved."""
    now = world.clock.now()
    plan = replace(plan, changelog=tuple(line for line in plan.changelog if line.marks))  # it is saved at every step
    return Deployment(
        id=f"d-{now:%Y%m%d-%H%M%S}-{uuid4().hex[:4]}",
        plan=plan,
        created_at=now,
        phase_since=now,
        warnings=plan.warnings,
    )


async def _refuse_quarantined(world: World, release: Release, request: PlanRequest, kind: Kind) -> None:
    kept = await world.journal.fact("quarantine", release.version)
    if kept is None or (request.force and request.reason):
        return
    insisting = f"rollback {release.version}" if kind is Kind.ROLLBACK else f"deploy {release.version} --force"
    after = f". Compared afterwards: {kept['aftermath']}" if kept.get("aftermath") else ""
    raise GateRefused(
        f"{release.version} was taken back in {kept['deployment']} ({kept['reason']}) and is quarantined{after}",
        next=(
            f"bluegreen show {kept['deployment']}",
            f"bluegreen {insisting} --reason '...'",
        ),
    )


def _terms(world: World, request: PlanRequest, kind: Kind) -> Terms:
    auto = world.terms.auto_promote if request.auto_promote is None else request.auto_promote
    if kind is Kind.ROLLBACK:
        return replace(world.terms, auto_promote=True, contract=False, canary=(), fallback=False)
    terms = replace(world.terms, auto_promote=auto, contract=request.contract)
    if request.live_is_down:  # it is no control, no place for users, and answers nothing
        return replace(terms, canary=(), fallback=False)
    return terms


def _steps(
    world: World,
    release: Release,
    live: Colour,
    live_release: str,
    terms: Terms,
    kind: Kind,
    schemas: Forecast,
    keeps: continuity.Planned,
) -> list[PlanStep]:
    new, services = live.other, ", ".join(world.services)
    forward = kind is Kind.DEPLOY
    databases = ", ".join(world.databases)
    worse = f"back to {live}" if forward else "call a human"
    pending = [migration.label for migration in schemas.expand]
    rehearsed = [*pending, *(migration.label for migration in schemas.backfill)]
    contracting = schemas.contracting(live_release)
    behind = f"; {live} answers what {new} does not" if terms.fallback else ""
    fare = f", and how its users fare for {_time(terms.proving)}" if terms.proving else ""
    seen = "seen in the log" if world.witnessed else "known by its version"
    return [
        PlanStep(
            Phase.PREPARING,
            f"check {world.balancer_name}, routes, addresses, databases, disk; {live} healthy and {seen}",
        ),
        _step(Phase.BACKING_UP, forward and bool(databases), f"back up and verify {databases}", "no backup is due"),
        _step(
            Phase.REHEARSING,
            bool(rehearsed),
            f"run {', '.join(rehearsed)} on a copy, and refuse what would break {live_release}",
            "no migration is pending",
        ),
        _step(Phase.EXPANDING, bool(pending), f"apply {', '.join(pending)}", "no migration is pending"),
        _step(
            Phase.PROVING,
            bool(pending),
            f"check {live} on the changed schema{fare}{keeps.proving}",
            "the schema does not change",
        ),
        PlanStep(Phase.STARTING, f"start {release.version} on {new} and wait until it is ready"),
        PlanStep(Phase.TESTING, _testing(world, new, keeps), bool(world.smoke) or keeps.does),
        _step(Phase.AWAITING, not terms.auto_promote, _gate(world, new), "promotion is automatic"),
        _step(Phase.CANARYING, bool(terms.canary), _canary(terms, new, worse), "nothing configured"),
        PlanStep(Phase.SWITCHING, f"send all traffic of {services} from {live} to {new}, in one change"),
        PlanStep(
            Phase.WATCHING,
            f"watch users for {_time(terms.window)}, {worse} if {release.version} is worse{behind}"
            f"{live_only.planned(world, live)}{after_switch.planned(world)}",
        ),
        PlanStep(Phase.STANDING_BY, f"keep {live} running for {_time(terms.standby)}: the way back stays instant"),
        PlanStep(Phase.RETIRING, f"{_retiring(world, live, terms)}: then the way back is a rollback"),
        PlanStep(Phase.CONTRACTING, contracting or "nothing is pending", schemas.does_contract),
    ]


def _testing(world: World, new: Colour, keeps: continuity.Planned) -> str:
    checks = (
        f"run {len(world.smoke)} smoke check{'s' * (len(world.smoke) > 1)} on {new}"
        if world.smoke
        else "no smoke checks"
    )
    return "; ".join(filter(None, [checks, keeps.testing]))


def _gate(world: World, new: Colour) -> str:
    preview = f"; whoever knows the secret of [canary] preview meets {new} before" if world.preview else ""
    return f"wait for: bluegreen promote{preview}"


def _retiring(world: World, live: Colour, terms: Terms) -> str:
    slices = world.runners[live].slices
    apart = f" in {slices} slices, {_time(terms.slice_pause)} apart" if slices else ""
    if world.in_flight is None:
        return f"drain {live} for {_time(terms.drain)} and stop it{apart}"
    return f"stop {live}{apart} once nothing is under way there, after {_time(terms.drain)} at the latest"


def _canary(terms: Terms, new: Colour, worse: str) -> str:
    shares = ", ".join(f"{100 * step.share:g} % for {_time(step.seconds)}" for step in terms.canary)
    return f"let a share of the users meet {new}: at most {shares}; {worse} if they fare worse"


def _step(phase: Phase, does: bool, text: str, otherwise: str) -> PlanStep:
    return PlanStep(phase, text if does else otherwise, does)


def _time(seconds: float) -> str:
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _digest(
    world: World,
    release: Release,
    live: Colour,
    live_release: str,
    terms: Terms,
    migrations: tuple[Migration, ...],
    steps: tuple[PlanStep, ...],
    given: str,
) -> str:
    """What a plan depends on, and all that it showed: where one of these changed, the plan is stale."""
    pending = [(migration.label, migration.checksum) for migration in migrations]
    basis = [asdict(release), live, live_release, asdict(terms), pending, [step.text for step in steps], given]
    addresses = {name: asdict(service) for name, service in world.services.items()}
    text = json.dumps([basis, addresses], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
