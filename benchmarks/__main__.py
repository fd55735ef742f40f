"""`python -m benchmarks [NAME...]`: measures, and prints one table for each name (all of them without one)."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import click

from benchmarks import (
    detection,
    idle,
    ingest,
    journal,
    line_to_patch,
    migrations,
    outage,
    rehearsal,
    switch,
    switch_peak,
    switch_routes,
)
from benchmarks.machine import machine
from benchmarks.table import Table

BENCHMARKS: dict[str, Callable[[bool], Awaitable[Table]]] = {
    "line_to_patch": line_to_patch.measure,
    "switch": switch.measure,
    "switch_routes": switch_routes.measure,
    "switch_peak": switch_peak.measure,
    "outage": outage.measure,
    "detection": detection.measure,
    "ingest": ingest.measure,
    "journal": journal.measure,
    "idle": idle.measure,
    "migrations": migrations.measure,
    "rehearsal": rehearsal.measure,
}


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(list(BENCHMARKS)))
@click.option("--tiny", is_flag=True, help="Only to see that they run: their figures mean nothing.")
def main(names: tuple[str, ...], tiny: bool) -> None:
    """Measure what is named, or everything; nothing is asserted about time."""
    print(f"{machine()}\n")
    for name in names or BENCHMARKS:
        asyncio.run(_print(name, tiny))


async def _print(name: str, tiny: bool) -> None:
    began = monotonic()
    table = await BENCHMARKS[name](tiny)
    print(f"{table}\n  ({monotonic() - began:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
