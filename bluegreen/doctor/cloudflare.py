"""Cloudflare: whether its API answers us, and where its load balancer sends users; and, for every balancer without an
access log, whether the versions of the answers tell who gave them."""

from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.doctor.front import whereabouts
from bluegreen.domain.errors import BalancerError
from bluegreen.ports_traffic import Costs
from bluegreen.settings import Settings
from bluegreen.wiring import Outside

VERSIONS = "bluegreen config docs services.version"


async def cloudflare(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Where the load balancer sends users, and what a switch of it means for them."""
    traffic = await outside.balancer.observe()
    findings = [report.ok(f"{settings.cloudflare.api} answers"), *whereabouts(traffic, report, "the pools")]
    if isinstance(outside.balancer, Costs):
        try:
            told = await outside.balancer.costs()
        except BalancerError:
            return findings  # it was read a moment ago: the next check says what is wrong
        findings += [report.warn(line, "see docs/cloudflare.md") for line in told if "session_affinity is" in line]
    return findings


async def versions(settings: Settings, outside: Outside, report: Report) -> Findings:
    """One request for each service, as a user would make it, answered with a version: without an access log it is that
    which tells the colour."""
    door = settings.entrance.front_door
    told = "no access log is read: users are not watched, only probes and the signals that ask each colour"
    findings: list[Finding] = [report.warn(told, "see docs/cloudflare.md")]
    said = {service.name for service in settings.routed if service.version}
    for name in outside.services:
        answer = await outside.front_door.ask(name)
        if answer.status is None:
            findings.append(report.fail(f"{name} does not answer at {door}: {answer.error}", "bluegreen status"))
        elif not answer.version:
            why = "its answer does not say its version" if name in said else "it has no `version`"
            detail = f"{name} answered {answer.status}, but {why}: no switch could be proved"
            findings.append(report.fail(detail, VERSIONS))
        else:
            findings.append(report.ok(f"{name} answered {answer.status} as {answer.version}"))
    return findings
