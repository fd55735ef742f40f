"""Every source of signals but access log and probes: whether it can be heard now, for the colour that serves. A flow is
walked once for that, and writes what it writes."""

import asyncio

from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.domain.errors import BalancerError, SignalFailed
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Attentive, SignalSource
from bluegreen.settings import Settings
from bluegreen.wiring import Outside


async def signals(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Each of them, asked once, all at the same time."""
    serving, watch = await _serving(outside), settings.watch
    rules = [asked.rule for asked in watch.asked]
    rules += [line.rule for line in watch.log_lines]
    rules += [flow.rule for flow in watch.flows]
    critical = {rule.source for rule in rules if rule.critical}
    for source in outside.asked:
        if isinstance(source, Attentive):
            source.attend(serving)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_asked(source, source.name in critical, report), name=f"signal:{source.name}")
            for source in outside.asked
        ]
    return [task.result() for task in tasks]


async def _serving(outside: Outside) -> frozenset[Colour]:
    try:
        traffic = await outside.balancer.observe()
    except BalancerError:
        return frozenset()  # that is what the check of Caddy says; here any colour will do
    return frozenset(service.colour for service in traffic.services if service.colour is not None)


async def _asked(source: SignalSource, critical: bool, report: Report) -> Finding:
    try:
        await source.check()
    except SignalFailed as exc:
        # Without a critical one no deployment begins; without another one it is only judged by less.
        return report.error(exc) if critical else report.warn(exc.detail, *exc.next)
    return report.ok(f"{source.name} can be told")
