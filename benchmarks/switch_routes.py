"""What a switch costs against the size of Caddy's configuration, of which a file that is replaced knows nothing."""

from statistics import mean

from benchmarks.stand import standing
from benchmarks.switch import CLIENTS, costs
from benchmarks.switching_rivals import Pointed, Rewritten
from benchmarks.table import Table, median, milli

ROUTES = (1, 100, 1000, 5000)
SWITCHES = 10


async def measure(tiny: bool = False) -> Table:
    """The table of both of our ways, with so many routes beside those of the services."""
    columns = ("", "routes", "failed, each: mean", "new colour: median", "worst", "old colour's last: median")
    table = Table(f"switch_routes: {CLIENTS} keep-alive clients, and more and more routes", columns)
    async with standing(logged=False) as stand:
        for kind in (Pointed, Rewritten):
            for routes in ROUTES[:1] if tiny else ROUTES:
                found = await costs(kind(stand, routes), 2 if tiny else SWITCHES)
                first = [cost.first_new for cost in found if cost.first_new is not None]
                last = [cost.last_old for cost in found if cost.last_old is not None]
                failed = f"{mean(cost.failed for cost in found):.1f}"
                shown = (milli(median(first)), milli(max(first)), milli(median(last)))
                table.rows.append((kind.about, f"{routes:,}", failed, *shown))
    table.notes = [f"{SWITCHES} switches each; the routes are `reverse_proxy` for hosts that nobody asks for"]
    return table
