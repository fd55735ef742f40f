"""What the idle colour would be given, against the release's example and against the live colour: in the plan, once
more in PREPARING, and by hand.

A secret that would log everyone out is refused, but where somebody says why not; a rollback and a deployment past a
live colour that is down are the way to the safe side, and only warned. Only names are ever told.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

from bluegreen.app import environments, given
from bluegreen.app.requests import PlanRequest
from bluegreen.app.run import Run
from bluegreen.app.world import World
from bluegreen.domain.errors import BluegreenError, GateRefused, StepFailed, VariablesUnreadable
from bluegreen.domain.papers import Papers
from bluegreen.domain.plans import Kind, Release
from bluegreen.domain.prints import Print, digest_of
from bluegreen.domain.traffic import Colour
from bluegreen.domain.variable_names import names_of, renames
from bluegreen.domain.variables import Finding, Given, Level, changed, compare
from bluegreen.ports_stack import Variables

BUDGET = 10.0
"""Seconds in which what comes with a release must be read."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found. `problem`: the idle colour's variables could not be read, and nothing was compared;
    `doubts`: what else could not be, in words. `changed` are the names that the two colours have different values of,
    None where the live colour's are not known. `basis` stands for what the idle colour is given, as it is now;
    `release` is what it would run, `counts` how many names each side has."""

    release: str
    findings: tuple[Finding, ...] = ()
    problem: VariablesUnreadable | None = None
    doubts: tuple[str, ...] = ()
    changed: tuple[str, ...] | None = None
    basis: str = ""
    counts: Mapping[str, int] | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """What a deployment is refused for."""
        return self._texts(Level.REFUSED)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be seen, and refuses nothing."""
        return (*self.doubts, *self._texts(Level.WARNING))

    def _texts(self, level: Level) -> tuple[str, ...]:
        return tuple(f"variables: {each.text}" for each in self.findings if each.level is level)


@dataclass(frozen=True, slots=True)
class InPlan:
    """What a plan says of the variables. `overridden` are refusals that `force` and a reason let through; `alone`
    says what a deployment of the release that is live already changes, "" where nobody can tell."""

    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    basis: str = ""
    alone: str = ""


async def for_plan(world: World, release: Release, live: Colour, request: PlanRequest, kind: Kind) -> InPlan:
    """Compare for a plan. Raises GateRefused."""
    found = await look(world, release, live)
    if found is None:
        return InPlan()
    if found.problem is not None:
        return InPlan(warnings=(f"variables: {found.problem.detail}",))
    soft = kind is Kind.ROLLBACK or request.live_is_down
    insists = bool(request.force and request.reason)
    if found.refused and not soft and not insists:
        raise GateRefused("; ".join(found.refused), next=ways_out(release.name or release.version))
    return InPlan(
        found.findings,
        (*found.refused, *found.warnings),
        found.refused if insists and not soft else (),
        found.basis,
        _alone(found, live),
    )


async def verify(run: Run) -> None:
    """PREPARING: what the idle colour is given now. Raises StepFailed; warns where that only should be seen."""
    plan = run.deployment.plan
    found = await look(run.world, plan.release, run.deployment.old)
    if found is None:
        return
    if found.problem is not None:
        if plan.trusts_live:
            raise StepFailed(f"variables: {found.problem.detail}", next=found.problem.next)
        await run.warn(f"variables: {found.problem.detail}")
    if found.refused and plan.trusts_live and not (plan.force and plan.reason):
        raise StepFailed("; ".join(found.refused), next=ways_out(plan.release.name or plan.release.version))
    for text in (*found.refused, *found.warnings):
        await run.warn(text)


async def look(world: World, release: Release, live: Colour) -> Compared | None:
    """Compare as things are now; None where no variables are configured. Raises nothing of the outside."""
    port = world.variables
    if port is None:
        return None
    try:
        idle = await port.of(live.other, release)
    except VariablesUnreadable as exc:
        return Compared(release.version, problem=exc)
    if idle is None:
        return None
    doubts: list[str] = []
    serving = await _serving(world, live)
    papers = await _papers(world, release, doubts)
    if await given.edited(world, live, serving):
        doubts.append(f"variables: the files of {live} were changed since it was started: it runs with others")
    sides = Given(
        idle=idle,
        live=await _tried(port.of(live, serving), f"{live} is not compared", doubts),
        example=await _example(port, papers, doubts),
        former=await _former(world, serving, release),
        renames=renames(papers.changelog or ""),
        colour=live.other,
        release=release.version,
    )
    findings = compare(sides, port.rules)
    differ = changed(sides, port.rules) if sides.live is not None else None
    named = {"example": sides.example, str(live): sides.live, str(live.other): sides.idle}
    counts = {name: len(side) for name, side in named.items() if side is not None}
    return Compared(release.version, findings, None, tuple(doubts), differ, digest_of(idle), counts)


def ways_out(release: str) -> tuple[str, ...]:
    """What to type where it is refused."""
    return (f"bluegreen env check {release}", f"bluegreen deploy {release} --force --reason '...'")


def _alone(found: Compared, live: Colour) -> str:
    """What a deployment of the release that is live already changes, where that is known."""
    if found.changed is None:
        return ""
    what = (
        f"; other values on {live.other}: {names_of(found.changed)}" if found.changed else ", and no variable differs"
    )
    return f"configuration only: {live} runs {found.release} already{what}"


async def _serving(world: World, live: Colour) -> Release | None:
    """The release that serves, for the variables of its file; None where nobody knows it."""
    try:
        return await environments.release_of(world, live)
    except BluegreenError:
        return None


async def _papers(world: World, release: Release, doubts: list[str]) -> Papers:
    if world.papers is None:
        return Papers()
    try:
        async with asyncio.timeout(BUDGET):
            papers = await world.papers.read(release)
    except (TimeoutError, BluegreenError) as exc:
        why = exc.detail if isinstance(exc, BluegreenError) else f"not read in {BUDGET:g} s"
        doubts.append(f"variables: the example of {release.version} is not compared: {why}")
        return Papers()
    if papers.example_problem:
        doubts.append(f"variables: the example of {release.version} is not compared: {papers.example_problem}")
    return papers


async def _example(port: Variables, papers: Papers, doubts: list[str]) -> Mapping[str, Print] | None:
    if papers.example is None:
        return None
    return await _tried(port.example(papers.example), f"{papers.example_file} is not compared", doubts)


async def _former(world: World, serving: Release | None, release: Release) -> Mapping[str, Print] | None:
    """The example of the release that serves; what is wrong with it is nobody's business any more."""
    if serving is None or serving.version == release.version or world.variables is None:
        return None
    return await _example(world.variables, await _papers(world, serving, []), [])


async def _tried(
    asked: Awaitable[Mapping[str, Print] | None], without: str, doubts: list[str]
) -> Mapping[str, Print] | None:
    try:
        return await asked
    except VariablesUnreadable as exc:
        doubts.append(f"variables: {without}: {exc.detail}")
        return None
