"""PREPARING: everything that can be known beforehand is looked at, and all that is wrong is named at once."""

import asyncio
from collections.abc import Awaitable, Callable

from bluegreen.app import continuity, environments, handover, planning, schema, variables
from bluegreen.app.arrival import describe
from bluegreen.app.budget import require_room
from bluegreen.app.pointer import verify_pointer
from bluegreen.app.run import Run
from bluegreen.app.smoke import require_ready, require_smoke
from bluegreen.app.soundings import require_heard, require_witness, short_history
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import BluegreenError, StepFailed
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.plans import Kind

MIB = 1 << 20

STATE_ROOM = 8 * MIB
"""Bytes that must be free where the journal is: several times what one deployment writes."""

LOOK_AT_LOG = {
    "Caddy": "compare [caddy] access_log and front_door with the Caddyfile (log_append upstream)",
    "Traefik": "compare [traefik] access_log and front_door with Traefik's own configuration (accessLog, entryPoints)",
}
"""What to look at where the front door is not seen to answer, by the balancer's name."""

Check = Callable[[Run], Awaitable[None]]


async def preflight(run: Run) -> None:
    """Raise StepFailed naming everything that speaks against this deployment."""
    problems: list[BluegreenError] = []
    for check in (_traffic, _routes, require_witness, _state, variables.verify, _databases, _migrations, _schemas):
        await _collect(run, check, problems)
    for check in (_live_smoke, continuity.require_live, _live_signals, require_heard, handover.require_at_home):
        await _collect(run, _soft(run, check), problems)
    await _baseline(run)
    if not problems:
        await _collect(run, _parts, problems)
    if problems:
        raise StepFailed(
            "; ".join(problem.detail for problem in problems),
            next=tuple(dict.fromkeys(step for problem in problems for step in problem.next)),
        )


async def _collect(run: Run, check: Check, problems: list[BluegreenError]) -> None:
    try:
        await check(run)
    except BluegreenError as exc:
        problems.append(exc)


def _soft(run: Run, check: Check) -> Check:
    """The same check, as a warning: where the live colour is known to be down, and for a rollback."""
    if run.deployment.plan.trusts_live:
        return check

    async def warned(run: Run) -> None:
        try:
            await check(run)
        except BluegreenError as exc:
            await run.warn(exc.detail)

    return warned


async def _traffic(run: Run) -> None:
    traffic = await run.world.balancer.observe()
    if traffic.colour is not run.deployment.old:
        raise StepFailed(f"the plan was made with {run.deployment.old} live, but now {traffic.describe()}")


async def _routes(run: Run) -> None:
    """The balancer can send users there; in mode "pointer" it sees the file that will move them. What is not armed is
    said once, here, of all services."""
    problems = await verify_pointer(run.world)
    if problems:
        raise StepFailed(
            "; ".join(problem.detail for problem in problems),
            next=tuple(dict.fromkeys(step for problem in problems for step in problem.next)),
        )
    await run.world.balancer.validate()


async def _state(run: Run) -> None:
    free = await run.world.journal.room()
    if free < STATE_ROOM:
        raise StepFailed(
            f"the state directory has {free / MIB:.1f} MiB free, and {STATE_ROOM / MIB:g} MiB are needed for what a"
            " deployment writes down",
            next=("df -h   (the directory of [daemon] state_dir)",),
        )


async def _databases(run: Run) -> None:
    for name, database in run.world.databases.items():
        await database.facts()
        await require_room(run, name)
        if run.deployment.plan.kind is Kind.DEPLOY:
            for warning in await database.check_backup_possible():
                await run.warn(f"{name}: {warning}")


async def _migrations(run: Run) -> None:
    """What is pending now is what the plan showed; a file that changed since is a new plan."""
    if run.deployment.plan.kind is Kind.ROLLBACK:
        return
    labels = tuple(migration.label for migration in await schema.pending(run, MigrationPhase.EXPAND))
    planned = run.deployment.plan.migrations
    if run.deployment.attempt == 1 and labels != planned:
        shown, pending = ", ".join(planned) or "no migration", ", ".join(labels) or "none"
        raise StepFailed(f"the plan was made for {shown}, but pending is {pending}")


async def _schemas(run: Run) -> None:
    """Warn where somebody changed a schema past us: what is rehearsed now was not made for it."""
    for name, database in run.world.databases.items():
        drift = (await database.schema()).drift
        if drift is not None:
            more = f" and {len(drift.things) - 1} more" if len(drift.things) > 1 else ""
            await run.warn(
                f"{name}: somebody changed the schema past bluegreen since {drift.since}: {drift.things[0]}{more}"
                " (bluegreen migrate status)"
            )


async def _parts(run: Run) -> None:
    """All that the idle colour will need is there: its host is reached, its images are pulled. It may take long, so it
    is done last; nothing is started."""
    new = run.deployment.new
    run.note(f"reaching {new}, and bringing what it needs there")
    prepared = await environments.prepare(run.world, new, run.deployment.plan.release)
    await run.keep_output(f"prepare {new}", prepared)
    run.note("")


async def _live_smoke(run: Run) -> None:
    await require_ready(run.world, run.old_target)
    await require_smoke(run.world, run.old_target)


async def _live_signals(run: Run) -> None:
    """Our own request through the front door must be answered by the live colour and seen in the access log."""
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(run.world.front_door.ask(service), name=f"ask:{service}")
            for service in run.world.services
        ]
    astray = [task.result() for task in asked if task.result().colour is not run.deployment.old]
    if astray:
        deaf = [source.problem for source in run.world.sources if source.problem]
        raise StepFailed(
            "; ".join([f"the front door is not seen to answer from the live colour: {_described(astray)}", *deaf]),
            next=(
                (LOOK_AT_LOG.get(run.world.balancer_name, "bluegreen doctor"),)
                if run.world.witnessed
                else ("bluegreen config docs services.version", "bluegreen status")
            ),
        )
    await _say_who_answers(run, [task.result() for task in asked])


async def _say_who_answers(run: Run, answers: list[FrontDoorAnswer]) -> None:
    """Warn where the live colour says that it is another release than we know."""
    known = run.deployment.plan.live_release
    for answer in answers:
        if answer.version not in ("", known) and known != planning.UNKNOWN:
            await run.warn(
                f"{answer.service} answers as {answer.version}, and {run.deployment.old} is to run {known}: another"
                " process answers; or [[services]] version is not where a release's own name stands, and then every"
                " release is cut back for it"
            )


def _described(answers: list[FrontDoorAnswer]) -> str:
    return "; ".join(describe(answer) for answer in answers)


async def _baseline(run: Run) -> None:
    """Warn where the history is too short to see the configured effect; fixed limits and probes then decide."""
    doubt = short_history(run.watch.baseline, run.deployment.plan.terms)
    if doubt:
        await run.warn(doubt)
