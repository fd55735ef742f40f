"""What a careful operator writes without bluegreen: a script that polls, and a rule on the error rate.

Both look at the same listener and the same log on the same machine, and both may use our own client of Caddy's admin
API for the way back, so that only the noticing differs.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import aiohttp

from benchmarks.stand import NAMES, Stand
from bluegreen.domain.traffic import Colour

POLL, FAILURES, POLL_TIMEOUT = 5.0, 3, 2.0
"""A check every so many seconds, so many failures in a row, so many seconds for one check."""

WINDOW, LOOK, THRESHOLD = 60.0, 15.0, 0.02
"""Seconds of history, seconds between two looks (Prometheus' usual intervals), share of bad answers."""

Notice = Callable[[Stand], Coroutine[Any, Any, None]]
"""Returns when it would go back."""


async def poll(stand: Stand) -> None:
    """Three failed checks in a row, five seconds apart."""
    url, host = f"http://127.0.0.1:{stand.port}/", str(stand.services[NAMES[0]].site)
    failed = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POLL_TIMEOUT)) as session:
        while failed < FAILURES:
            began = monotonic()
            try:
                async with session.get(url, headers={"Host": host}) as answer:
                    good = answer.status < 500
            except (aiohttp.ClientError, OSError):
                good = False
            failed = 0 if good else failed + 1
            if failed < FAILURES:
                await asyncio.sleep(began + POLL - monotonic())


async def rate(stand: Stand) -> None:
    """More than 2 % errors of the new colour in the last minute, looked at every 15 seconds."""
    dials = {service.addresses[Colour.GREEN][0] for service in stand.services.values()}
    seen: deque[tuple[float, bool]] = deque()
    with stand.log.open() as log:
        log.seek(0, 2)
        while True:
            await asyncio.sleep(LOOK)
            now = monotonic()
            lines = [json.loads(line) for line in log.readlines()]
            seen.extend((now, line["status"] >= 500) for line in lines if line.get("upstream") in dials)
            while seen and seen[0][0] < now - WINDOW:
                seen.popleft()
            if seen and sum(bad for _, bad in seen) / len(seen) > THRESHOLD:
                return
