"""Whether the access log tells clients apart: else one that hammers a broken page looks like many users."""

from bluegreen.doctor.findings import Findings, Report
from bluegreen.settings import Settings
from bluegreen.wiring import Outside

ENOUGH = 100
"""Requests of users from which one client for all of them is worth a word."""


async def clients(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Who asked, in the last lines of the log."""
    if outside.log is None or outside.log.problem:
        return []  # that is what the check of the front door says
    path, seen = settings.entrance.access_log, await outside.log.sample()
    look = f"tail -n 3 {path}"
    if not seen.lines:
        return [report.ok(f"{path} has no request of a user yet")]
    if seen.nameless:
        detail = (
            f"{seen.nameless:,} of the last {seen.lines:,} requests in {path} name no client: neither client_ip nor "
            "remote_ip is there, so that one client which fails again and again counts like many users. Is a filter in "
            "the log's format, or is Caddy behind a Unix socket?"
        )
        return [report.warn(detail, look)]
    if seen.clients == 1 and seen.lines >= ENOUGH:
        said = " (they have X-Forwarded-For)" if 2 * seen.forwarded > seen.lines else ""
        if settings.balancer == "traefik":
            detail = f"all of the last {seen.lines:,} requests come from one client: Traefik's log names who connected"
            return [report.warn(f"{detail}, and behind another proxy it tells no users apart", look)]
        detail = (
            f"all of the last {seen.lines:,} requests come from one client{said}: where a proxy stands before Caddy, "
            "name it in Caddy's global options: servers { trusted_proxies static ADDRESS }"
        )
        return [report.warn(detail, look, "see docs/caddy.md")]
    return [report.ok(f"the last {seen.lines:,} requests come from {seen.clients:,} clients")]
