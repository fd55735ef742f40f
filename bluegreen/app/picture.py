"""The picture of now: where the traffic is, whether anything moves, and how the watch stands."""

from datetime import datetime

from bluegreen import __version__
from bluegreen.app import environments, live_only_picture
from bluegreen.app.engine import Engine
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import Observation, SignalStatus, Status, WatchStatus
from bluegreen.app.run import Run
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.evidence import Judgement
from bluegreen.domain.phases import Phase
from bluegreen.domain.running import Running
from bluegreen.domain.traffic import Colour


async def status(engine: Engine, reconciler: Reconciler, started_at: datetime) -> Status:
    """Take the picture. Reads the balancer once, so that it is of now."""
    world, run = engine.world, engine.run
    traffic = await reconciler.look()
    return Status(
        project=world.project,
        version=__version__,
        started_at=started_at,
        now=world.clock.now(),
        traffic=traffic,
        traffic_error="" if traffic else reconciler.error,
        releases=await _releases(engine),
        deployment=await _deployment(engine),
        phase_seconds_left=seconds_left(run) if run else None,
        watch=watch_status(run) if run else observed_status(engine, reconciler.observed),
        troubles=troubles(engine, reconciler),
        doing=run.doing if run else engine.by_hand,
        pause=engine.pause.now,
        drift=reconciler.drift.now,
        backfill=world.filling.now,
        open_requests=run.open_requests if run else {},
        balancer=world.balancer_name,
        connections=world.room.look(world.clock.monotonic()),
        running=await _running(engine),
        observing=reconciler.observed,
        live_only=await live_only_picture.look(engine, reconciler),
    )


def troubles(engine: Engine, reconciler: Reconciler) -> tuple[str, ...]:
    """Why the daemon is not fully able to work; empty: it is."""
    found = []
    if engine.news.unwritten:
        found.append(f"state-unwritable: {engine.news.unwritten}")
    if engine.damaged:
        found.append(f"state-damaged: {engine.damaged}")
    if reconciler.error:
        found.append(f"{reconciler.code}: {reconciler.error}")
    if reconciler.lost_arms.trouble:
        found.append(reconciler.lost_arms.trouble)
    silent = engine.watch.silent(engine.world.terms.silent_after)
    found += [f"signals-silent: {silent[name]}" for name in sorted(silent)]
    found += [f"signals-unreadable: {source.problem}" for source in engine.world.sources if source.problem]
    return tuple(found)


def seconds_left(run: Run) -> float | None:
    """Seconds until the phase ends by itself: its window where it has one, else its deadline."""
    terms = run.deployment.plan.terms
    windows = {Phase.WATCHING: terms.window, Phase.STANDING_BY: terms.standby, Phase.RETIRING: terms.drain}
    if terms.canary:
        windows[Phase.CANARYING] = sum(step.seconds for step in terms.canary)
    window = windows.get(run.deployment.phase)
    left = run.seconds_left() if window is None else window - run.elapsed
    return None if left is None else max(0.0, left)


def watch_status(run: Run) -> WatchStatus | None:
    """How the watch stands; None where nothing is on trial."""
    judgement = run.watch.judge(run.deployment.plan.terms)
    if judgement is None:
        return None
    return WatchStatus(
        verdict=judgement.verdict,
        reason="; ".join(judgement.reasons),
        signals=_signals(judgement),
        seconds_left=seconds_left(run) or 0.0,
        way_back=str(run.watch.standby),
        held=run.held,
        way_back_why=run.watch.standby.detail,
    )


def observed_status(engine: Engine, seen: Observation | None) -> WatchStatus | None:
    """How the watch of a move by hand stands; None where none is watched."""
    judgement = engine.watch.judge(engine.world.terms)
    if seen is None or seen.old is None or judgement is None:
        return None
    way_back = "by hand alone"
    reason = "; ".join(judgement.reasons)
    return WatchStatus(judgement.verdict, reason, _signals(judgement), seen.seconds_left or 0.0, way_back)


def _signals(judgement: Judgement) -> tuple[SignalStatus, ...]:
    return tuple(
        SignalStatus(e.signal, e.n, e.bad, e.tolerated, e.odds, e.missing or 0, e.describe()) for e in judgement.signals
    )


async def _releases(engine: Engine) -> dict[Colour, str]:
    return {colour: await environments.running(engine.world, colour) for colour in Colour}


async def _running(engine: Engine) -> dict[Colour, Running]:
    """What the latest looks found, of the colours that still run what they ran then."""
    found = dict(engine.world.what_runs)
    return {
        colour: seen
        for colour, seen in found.items()
        if await environments.running(engine.world, colour) == seen.release
    }


async def _deployment(engine: Engine) -> Deployment | None:
    if engine.run is not None:
        return engine.run.deployment
    latest = await engine.world.journal.deployments(1)
    return latest[0] if latest else None
