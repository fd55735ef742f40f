"""Mode "pointer": whether Caddy sees the file that tells it where to send users, and whether it will after a reload.

Asked with a nonce through the front door; the rights of the directories on the way are looked at so that the exact
command can be named. Leaves the nonce beside the file, and changes nothing else.
"""

import asyncio
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bluegreen.app.pointer import forgotten, verify
from bluegreen.doctor import kernel
from bluegreen.doctor.findings import Finding, Findings, Level, Report
from bluegreen.domain.errors import TO_ACT, BalancerError
from bluegreen.settings import Settings
from bluegreen.wiring import Outside

CADDYS_USER = "caddy"
"""The user that Caddy's own packages run it as."""

TO_ARM = "bluegreen caddy arm"

ENTER, READ = 0o1, 0o4
"""The bits of the rights of others; those of owner and group are the same, shifted."""


async def pointer(settings: Settings, outside: Outside, report: Report) -> Findings:
    """Whether a switch would move users, and whether a reload of Caddy would keep it so."""
    if outside.arming is None or outside.pointer_door is None:
        return []
    file = Path(outside.arming.file)
    findings = await asyncio.to_thread(lambda: list(_rights(settings, file, report)))
    problems = await verify(outside.services, outside.arming, outside.pointer_door)
    findings += [unless_observing(settings, report.error(problem)) for problem in problems]
    if not problems:
        findings.append(
            report.ok(f'Caddy follows {file} for every service; it says "{await outside.arming.pointed()}"')
        )
    try:
        forgets = forgotten(await outside.arming.arms())
    except BalancerError:  # said above
        forgets = ()
    return [*findings, *[report.warn(each, "bluegreen caddy snippet") for each in forgets]]


def unless_observing(settings: Settings, finding: Finding) -> Finding:
    """The same; while nothing is done, no more than a warning where arming would cure it, which is refused then."""
    if settings.automation != "observe" or TO_ARM not in finding.next:
        return finding
    return replace(finding, level=Level.WARNING, next=(*TO_ACT, *finding.next))


def _rights(settings: Settings, file: Path, report: Report) -> Iterator[Finding]:
    directory = file.parent
    if not directory.is_dir():
        yield report.fail(f"there is no directory {directory}", f"install -d -m 0755 {directory}")
        return
    if not os.access(directory, os.W_OK | os.X_OK):
        yield report.fail(f"{directory} cannot be written by the daemon: no switch is possible", f"ls -ld {directory}")
    reader = _reader(settings)
    closed = closed_to(reader, directory)
    if closed is not None:
        mode = "0755" if closed == directory else "a+x"
        detail = f"{closed} is closed to {reader.name}: Caddy does not see {file}, and no switch would move users"
        yield report.fail(detail, f"chmod {mode} {closed}", f"namei -l {file}")
    elif file.exists() and not may(reader, file, READ):
        yield report.fail(f"{file} cannot be read by {reader.name}", f"chmod 0644 {file}")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is to read the file: a user with his groups."""

    name: str
    uid: int
    gids: frozenset[int]


def closed_to(reader: Reader, directory: Path) -> Path | None:
    """The first directory on the way to this one, and itself, that the reader may not enter; None where there is none.
    By the mode alone: further rules (ACLs, sandboxes) are found by the nonce."""
    where = directory.resolve()
    return next((each for each in (*reversed(where.parents), where) if not may(reader, each, ENTER)), None)


def may(reader: Reader, path: Path, bit: int) -> bool:
    """Whether the mode of a file lets this reader; the kernel asks the first class that fits, and no other."""
    facts = path.stat()
    if reader.uid == 0:
        return True
    if facts.st_uid == reader.uid:
        return bool(facts.st_mode & bit << 6)
    return bool(facts.st_mode & (bit << 3 if facts.st_gid in reader.gids else bit))


def _reader(settings: Settings) -> Reader:
    """The process behind the admin endpoint; where it is not to be seen, the user `caddy`, else anybody."""
    pid = kernel.endpoint_pid(settings.caddy.admin)
    seen = kernel.credentials(pid) if pid is not None else None
    if seen is not None:
        return Reader(_name(seen[0]), *seen)
    try:
        entry = pwd.getpwnam(CADDYS_USER)
    except KeyError:
        return Reader("other users", -1, frozenset())
    return Reader(CADDYS_USER, entry.pw_uid, frozenset(os.getgrouplist(CADDYS_USER, entry.pw_gid)))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
