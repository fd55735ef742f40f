"""What an armed route costs at Caddy's peak: each request reads a file. Plain and armed in turns, by wrk."""

import asyncio
import re
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack

from benchmarks.stand import standing
from benchmarks.switching_rivals import Plain, Pointed, Rival
from benchmarks.table import Table, median
from bluegreen.processes import environment, run_command

SECONDS, ROUNDS, CONNECTIONS = 5, 6, 32


async def measure(tiny: bool = False) -> Table:
    """The table of requests a second."""
    table = Table("switch_peak: requests a second through one Caddy that does nothing else", ("", "median", "runs"))
    if shutil.which("wrk") is None:
        table.rows = [("wrk is not installed: apt-get install wrk", "0", "")]
        return table
    async with standing(logged=False) as stand, AsyncExitStack() as stack:
        rivals: Sequence[Rival] = (Plain(stand), Pointed(stand))
        found: dict[str, list[float]] = {rival.about: [] for rival in rivals}
        for rival in rivals:
            stack.push_async_callback(rival.stop)
            await rival.start()
        for _ in range(1 if tiny else ROUNDS):
            for rival in rivals:
                found[rival.about].append(await _peak(rival, 1 if tiny else SECONDS))
    plain, armed = (median(found[rival.about]) for rival in rivals)
    for about, name in ((Plain.about, "plain"), (Pointed.about, "armed (pointer)")):
        runs = " ".join(f"{each:,.0f}" for each in found[about])
        table.rows.append((name, f"{median(found[about]):,.0f}", runs))
    table.notes = [
        f"armed: {100 * (1 - armed / plain):.1f} % fewer; goal: at most 10 %",
        f"wrk, {CONNECTIONS} connections, {SECONDS} s a run, in turns; the colours and wrk take most of the machine",
    ]
    return table


async def _peak(rival: Rival, seconds: int) -> float:
    host = f"Host: {rival.services[0].site}"
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", host, f"http://127.0.0.1:{rival.port}/"]
    ran = await run_command(argv, timeout=seconds + 20.0, env=environment())
    said = re.search(r"Requests/sec:\s+([0-9.]+)", ran.output)
    if said is None:
        raise RuntimeError(f"wrk said: {ran.output}")
    await asyncio.sleep(0.2)
    return float(said[1])
