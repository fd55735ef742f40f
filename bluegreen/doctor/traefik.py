"""Traefik, where it is the balancer: its file, whether it follows it, and whether routers lead to our services."""

import asyncio
import os

from bluegreen.doctor.findings import Findings, Report
from bluegreen.doctor.front import whereabouts
from bluegreen.settings import Settings
from bluegreen.wiring import Outside


async def traefik(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Where each service goes, and what a switch would need."""
    said = settings.traefik
    findings = [report.ok(f"{said.file} is ours to replace")] if await asyncio.to_thread(_writable, settings) else []
    if not findings:
        detail = f"the directory {said.file.parent} cannot be written by the daemon: no switch can be made"
        findings = [report.fail(detail, f"ls -ld {said.file.parent}")]
    if said.api is None:
        detail = "its API is not configured: whether Traefik follows its file is seen at the front door alone"
        findings.append(report.warn(detail, "bluegreen config docs traefik.api"))
    traffic = await outside.balancer.observe()
    return [*findings, *whereabouts(traffic, report, str(said.file))]


def _writable(settings: Settings) -> bool:
    return os.access(settings.traefik.file.parent, os.W_OK | os.X_OK)
