"""What an armed route costs at Caddy's peak: each request reads a file. Plain and armed in turns, by wrk.

What else goes on on the machine changes the requests a second, and hardly the processor time of Caddy for each.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stand import standing
from benchmarks.switching_rivals import Caddy, Plain, Pointed
from benchmarks.table import Table, median, micro
from bluegreen.processes import environment, run_command

SECONDS, ROUNDS, CONNECTIONS = 5, 6, 32


@dataclass(frozen=True)
class Peak:
    """Requests a second, and Caddy's seconds of processor time for each."""

    rate: float
    cost: float


async def measure(tiny: bool = False) -> Table:
    """The table of requests a second."""
    columns = ("", "requests/s: median", "best", "CPU of Caddy a request: median", "least")
    table = Table("switch_peak: one Caddy that does nothing else but pass requests on", columns)
    if shutil.which("wrk") is None:
        table.rows = [("not measured: wrk is not installed (apt-get install wrk)", "", "", "", "")]
        return table
    async with standing(logged=False) as stand, AsyncExitStack() as stack:
        rivals: Sequence[Caddy] = (Plain(stand), Pointed(stand))
        for rival in rivals:
            stack.push_async_callback(rival.stop)
            await rival.start()
        found: dict[Caddy, list[Peak]] = {rival: [] for rival in rivals}
        for _ in range(1 if tiny else ROUNDS):
            for rival in rivals:
                found[rival].append(await _peak(rival, 1 if tiny else SECONDS))
    for rival, name in zip(rivals, ("plain", "armed (pointer)"), strict=True):
        rates, spent = [peak.rate for peak in found[rival]], [peak.cost for peak in found[rival]]
        table.rows.append(
            (name, f"{median(rates):,.0f}", f"{max(rates):,.0f}", micro(median(spent)), micro(min(spent)))
        )
    rate, cost = (_median(found[rivals[1]], each) / _median(found[rivals[0]], each) for each in ("rate", "cost"))
    table.notes = [
        f"armed: {100 * (1 - rate):.1f} % fewer requests, {100 * (cost - 1):.1f} % more CPU of Caddy; goal: 10 %",
        f"wrk, {CONNECTIONS} connections, {SECONDS} s a run, {ROUNDS} each in turns; colours and wrk want their share",
    ]
    return table


def _median(peaks: Sequence[Peak], name: str) -> float:
    return median([float(getattr(peak, name)) for peak in peaks])


async def _peak(rival: Caddy, seconds: int) -> Peak:
    host = f"Host: {rival.services[0].site}"
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", host, f"http://127.0.0.1:{rival.port}/"]
    before = _cpu(rival.pid)
    ran = await run_command(argv, timeout=seconds + 20.0, env=environment())
    spent = _cpu(rival.pid) - before
    rate, number = re.search(r"Requests/sec:\s+([0-9.]+)", ran.output), re.search(r"(\d+) requests in", ran.output)
    if rate is None or number is None:
        raise RuntimeError(f"wrk said: {ran.output}")
    await asyncio.sleep(0.2)
    return Peak(float(rate[1]), spent / max(1, int(number[1])))


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
