"""Caddy: its admin endpoint, the routes, the snippets, the door that users come through, and its log."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bluegreen.doctor import kernel
from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.doctor.pointer import unless_observing
from bluegreen.domain.arming import Armed
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import BalancerError, BluegreenError
from bluegreen.domain.traffic import Traffic
from bluegreen.processes import environment, run_command
from bluegreen.settings import Settings
from bluegreen.wiring import Outside

CADDYFILE = Path("/etc/caddy/Caddyfile")
"""Where Caddy's own packages put it."""

NEEDED = {
    "caddy": "upstream`: is it the log of this site, in JSON, with log_append upstream "
    "{http.reverse_proxy.upstream.hostport}?",
    "traefik": "ServiceAddr` and our header: is it in JSON, unfiltered, with fields.headers.names.X-Bluegreen-Probe: "
    "keep (docs/traefik.md)?",
}
"""What a line of the access log must have."""

LOG_PATIENCE = 3.0
"""Seconds for the log to be opened."""

TOO_LARGE = 2 * 2**30
"""Bytes of an access log that nobody rotates."""


async def admin(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Whether Caddy answers, which it is, and where each service goes."""
    traffic = await outside.balancer.observe()
    findings = [report.ok(f"{settings.caddy.admin} answers; {await _version(settings)}")]
    if settings.caddy.remote:
        findings.append(report.warn(f"{settings.caddy.admin} is on another machine and has no authentication"))
    return [*findings, *whereabouts(traffic, report, "the Caddyfile")]


def whereabouts(traffic: Traffic, report: Report, file: str) -> list[Finding]:
    """Where each service goes; `file` is the balancer's own, to be corrected where that is nowhere."""
    findings: list[Finding] = []
    for service in traffic.services:
        dials = " ".join(service.dials) or "nothing"
        if service.colour is None:
            key = f'[[services]] name = "{service.service}"'
            findings.append(
                report.fail(
                    f"{service.service} goes to {dials}, which is neither blue nor green ({', '.join(service.paths)}):"
                    f" correct the addresses under {key}, or {file}",
                    "bluegreen config docs services",
                )
            )
        else:
            stamp = f", generation {service.generation}" if service.generation is not None else ""
            findings.append(report.ok(f"{service.service} goes to {service.colour} ({dials}{stamp})"))
    colours = {service.colour for service in traffic.services}
    if len(colours) > 1 and None not in colours:
        findings.append(report.fail("services are on different colours", "bluegreen status"))
    return findings


async def addresses(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Whether every address could be dialled by Caddy as configured."""
    try:
        await outside.balancer.validate()
    except BalancerError as exc:
        return [unless_observing(settings, report.error(exc))]
    count = sum(len(dials) for service in outside.services.values() for dials in service.addresses.values())
    return [report.ok(f"all {count} addresses fit their routes")]


async def snippets(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Whether a restarted Caddy would come up with the colour that serves now."""
    directory = settings.caddy.dir
    files = {name: directory / f"{name}.caddy" for name in outside.services}
    missing = [name for name, path in files.items() if not path.is_file()]
    if len(missing) == len(files) and outside.arming is not None:
        return [report.ok('none, and mode "pointer" needs none: its own lines stand in the Caddyfile')]
    if len(missing) == len(files):
        detail = f"there are no snippets in {directory}: a restarted or reloaded Caddy forgets where users go"
        return [report.warn(detail, "see docs/caddy.md")]
    findings: list[Finding] = []
    if missing:
        detail = f"{', '.join(missing)} has no snippet in {directory}: after a restart of Caddy it may go elsewhere"
        findings.append(report.fail(detail, f"ls -l {directory}"))
    unwritable = [path for path in (directory, *files.values()) if path.exists() and not os.access(path, os.W_OK)]
    if unwritable:
        findings.append(report.fail(f"{unwritable[0]} cannot be written by the daemon", f"ls -ld {unwritable[0]}"))
    kept = outside.balancer.persisted()
    with suppress(BalancerError):  # what Caddy itself says is another check
        now = (await outside.balancer.observe()).colour
        if now is not None and kept is not now:
            findings.append(report.fail(f"the snippets say {kept}, and Caddy serves {now}", "bluegreen status"))
    if not findings:
        findings.append(report.ok(f"all in {directory} say {kept}"))
    if await _armed_in_its_file(outside):
        return findings
    return [*findings, await asyncio.to_thread(_imported, settings, report)]


async def _armed_in_its_file(outside: Outside) -> bool:
    """Whether a Caddy that reads its Caddyfile again follows the pointer, whatever the snippets say."""
    if outside.arming is None:
        return False
    try:
        return all(arms.armed is Armed.KEPT for arms in await outside.arming.arms())
    except BalancerError:  # said by another check
        return False


def _imported(settings: Settings, report: Report) -> Finding:
    """Whether the Caddyfile that Caddy was started with imports the snippets."""
    caddyfile, directory = _caddyfile(settings), settings.caddy.dir
    try:
        text = caddyfile.read_text(errors="replace")
    except OSError as exc:
        why = exc.strerror or str(exc)
        detail = f"whether {caddyfile} imports the snippets cannot be told: {why}"
        return report.warn(detail, f"grep import {caddyfile}")
    if not re.search(rf"^\s*import\s+\S*{re.escape(directory.name)}/\S*\.caddy", text, re.MULTILINE):
        detail = f"{caddyfile} does not import the snippets in {directory}: a restarted Caddy does not know them"
        return report.warn(detail, f"grep import {caddyfile}", "see docs/caddy.md")
    return report.ok(f"{caddyfile} imports the snippets in {directory}")


async def front_door(settings: Settings, outside: Outside, report: Report) -> Findings:
    """One request for each service, as a user would make it, found again in the access log with its colour."""
    if outside.log is None:
        detail = "no access log is configured: no switch can be proved, and users cannot be watched"
        return [report.fail(detail, f"bluegreen config docs {settings.entrance.section}.access_log")]
    async with _listening(outside):
        if outside.log.problem:
            return [report.fail(outside.log.problem, f"ls -l {settings.entrance.access_log}", "id bluegreen")]
        findings = [_answered(await outside.front_door.ask(name), settings, report) for name in outside.services]
    return [*findings, *await asyncio.to_thread(lambda: list(_rotation(settings, report)))]


@asynccontextmanager
async def _listening(outside: Outside) -> AsyncIterator[None]:
    """The access log is followed while this lasts, as the daemon does."""
    log = outside.log
    if log is None:
        yield
        return
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(log.run(lambda batch: None), name="access-log")
        with suppress(TimeoutError):
            async with asyncio.timeout(LOG_PATIENCE):
                while log.caught_up_at is None and not log.problem:
                    await asyncio.sleep(0.02)
        yield
        reading.cancel()


def _answered(answer: FrontDoorAnswer, settings: Settings, report: Report) -> Finding:
    entrance, name = settings.entrance, answer.service
    door, unit = entrance.front_door, f"systemctl status {entrance.section}"
    if not answer.reached:
        return report.fail(f"{door} does not take connections: {answer.error}", "ss -ltnp", unit)
    if answer.status is None:
        return report.fail(f"{name} does not answer at {door}: {answer.error}", "bluegreen status")
    if answer.colour is None:
        return report.fail(
            f"{name} answered {answer.status}, but {entrance.access_log} has no line of it with"
            f" `{NEEDED.get(entrance.section, NEEDED['caddy'])}",
            f"tail -n 3 {entrance.access_log}",
        )
    if not answer.served:
        detail = f"{name} answers {answer.status} from {answer.colour}"
        return report.fail(detail, f"bluegreen env logs {answer.colour}")
    return report.ok(f"{name} answered {answer.status} from {answer.colour}, and the log says so")


def _rotation(settings: Settings, report: Report) -> list[Finding]:
    """Whether we can go on reading when the log is rotated: its directory and the files beside it."""
    path = settings.entrance.access_log
    if path is None:
        return []
    if not os.access(path.parent, os.R_OK | os.X_OK):
        return [report.fail(f"{path.parent} cannot be listed: a rotated log would be lost", f"ls -ld {path.parent}")]
    if path.stat().st_size > TOO_LARGE:
        detail = f"{path} has {path.stat().st_size / 2**30:.1f} GiB: it is not rotated"
        how = "see roll_size in the Caddyfile, and" if settings.balancer == "caddy" else "see logrotate(8), and"
        return [report.warn(detail, f"{how} df -h {path.parent}")]
    rotated = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"), key=lambda each: each.stat().st_mtime)
    if rotated and not os.access(rotated[-1], os.R_OK):
        return [report.warn(f"{rotated[-1]}, rotated, cannot be read: lines at a rotation are lost", "see mode 0640")]
    return []


async def _version(settings: Settings) -> str:
    """What version Caddy is, as its own program says; it does not tell over the admin endpoint."""
    pid = await asyncio.to_thread(kernel.endpoint_pid, settings.caddy.admin)
    programs = ["caddy"]
    if pid is not None:
        with suppress(OSError):
            programs.insert(0, os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115 - as the kernel has it
    for program in programs:
        with suppress(BluegreenError):
            ran = await run_command([program, "version"], timeout=5.0, env=environment())
            if ran.code == 0:
                return f"Caddy {ran.last_line.split()[0]}"
    return "its version cannot be told from here"


def _caddyfile(settings: Settings) -> Path:
    """The file that the running Caddy was told on its command line; else where packages put it."""
    pid = kernel.endpoint_pid(settings.caddy.admin)
    words = kernel.command_line(pid) if pid is not None else []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word in ("--config", "-c") and following:
            return Path(following)
        if word.startswith("--config="):
            return Path(word.removeprefix("--config="))
    return CADDYFILE
