"""Where the live-only parts are, for the status."""

from bluegreen.app import live_only
from bluegreen.app.engine import Engine
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.requests import LiveOnly
from bluegreen.domain.traffic import Colour


async def look(engine: Engine, reconciler: Reconciler) -> LiveOnly | None:
    """Where they are by all that was done; None where there are none. Raises JournalUnreadable."""
    world, run = engine.world, engine.run
    names = live_only.names(world)
    if not names:
        return None
    kept = await live_only.where(world)
    served = reconciler.traffic.colour if reconciler.traffic is not None else None
    if kept is None:
        return LiveOnly(names, served, known=False)
    doing = (run.handover.doing or run.handover.failed) if run is not None else ""
    problem = (run.handover.failed if run is not None else "") or kept.problem
    apart = run is None and kept.sure and served not in (None, kept.colour)
    next = (f"bluegreen env takeover {kept.colour} --reason '...'",) if kept.problem and run is None else ()
    return LiveOnly(
        names,
        kept.colour,
        known=True,
        settled=kept.sure,
        doing=doing,
        problem=_apart(served, engine) if apart and served is not None else "" if kept.sure else problem,
        next=next,
    )


def _apart(served: Colour, engine: Engine) -> str:
    """Why they are not where users are, while nothing runs."""
    if engine.pause.active():
        return f"users are on {served}, and automation is {engine.pause.reason}"
    return f"users are on {served}; they follow once it is settled that users stay there"
