"""What a switch costs against the size of Caddy's configuration, of which a file that is replaced knows nothing."""

from collections.abc import Sequence
from statistics import mean

from benchmarks.stand import standing
from benchmarks.switch import CLIENTS, Cost, costs
from benchmarks.switching_rivals import Pointed, Rewritten
from benchmarks.table import Table, median, milli

ROUTES = (1, 100, 1000, 5000)
SWITCHES = 10
SPACING, PAUSE = 2.0, 0.05
"""Seconds after a command that are counted for it; and between an answer and the next request of a client. With 5,000
routes a change keeps a core busy for long: clients that do not pause would be measured by that alone."""


async def measure(tiny: bool = False) -> Table:
    """The table of both of our ways, with so many routes beside those of the services."""
    columns = ("", "routes", "failed, each: mean", "command", "new colour: median", "worst", "old colour's last")
    table = Table(f"switch_routes: {CLIENTS} keep-alive clients, and more and more routes", columns)
    async with standing(logged=False) as stand:
        for kind in (Pointed, Rewritten):
            for routes in ROUTES[:1] if tiny else ROUTES:
                found = await costs(kind(stand, routes), 2 if tiny else SWITCHES, 0.5 if tiny else SPACING, PAUSE)
                table.rows.append((kind.about, f"{routes:,}", *_shown(found)))
    table.notes = [
        f"{SWITCHES} switches each; all medians; the routes are `reverse_proxy` for hosts that nobody asks for",
        f"the clients POST {milli(PAUSE)} apart; a time over {SPACING:g} s is not in the medians",
    ]
    return table


def _shown(found: Sequence[Cost]) -> tuple[str, ...]:
    first = [cost.first_new for cost in found if cost.first_new is not None]
    last = [cost.last_old for cost in found if cost.last_old is not None]
    failed = f"{mean(cost.failed for cost in found):.1f}"
    late = len(found) - len(first)
    worst = f"{late} later" if late else milli(max(first))
    took = milli(median([cost.took for cost in found]))
    return failed, took, milli(median(first)) if first else "", worst, milli(median(last)) if last else ""
