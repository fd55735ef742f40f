"""One line about how things stand, as `systemctl status` shows it: where the traffic is, and whether anything moves.

It is made of what is known anyway, without asking anybody, and changes by the minute at most.
"""

from math import ceil

from bluegreen.app.engine import Engine
from bluegreen.app.picture import seconds_left
from bluegreen.app.reconcile import Reconciler
from bluegreen.app.run import Run
from bluegreen.interfaces.text import clean

MINUTE = 60.0
NOT_LOOKED = "starting"
"""The reconciler's code before its first look."""


def standing(engine: Engine, reconciler: Reconciler) -> str:
    """The line: "blue live; d-20261121-… WATCHING 1.1.0, 3 min left"."""
    moves = _moves(engine.run) if engine.run is not None else "nothing is moving"
    paused = "; automation is paused" if engine.pause.active() else ""
    observing = "OBSERVING, nothing is done: " if reconciler.observed is not None else ""
    return clean(f"{observing}{_where(reconciler)}; {moves}{paused}")


def _where(reconciler: Reconciler) -> str:
    traffic = reconciler.traffic
    if reconciler.code == NOT_LOOKED and traffic is None:
        return "looking where the traffic is"
    if traffic is None:
        return f"nobody knows where the traffic is: {reconciler.error}"
    return f"{traffic.colour} live" if traffic.colour is not None else "traffic is on neither colour alone"


def _moves(run: Run) -> str:
    deployment = run.deployment
    left = seconds_left(run)
    time = "" if left is None or deployment.phase.final else f", {ceil(left / MINUTE)} min left"
    held = f", held: {run.held}" if run.held else ""
    return f"{deployment.id} {deployment.phase} {deployment.plan.release.version}{time}{held}"
