"""The order in which things are looked at, and as whom.

As root the processes and the unit are looked at first. Then root becomes the daemon's user, for good: what root may
read and write says nothing of what the daemon may.
"""

import asyncio
import encodings.idna
import encodings.utf_8_sig  # noqa: F401 - both are imported late by others, when we may not read root's files any more
import functools
import grp
import logging
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bluegreen.doctor import clients, cloudflare, colours, daemon, data, front, place, pointer, signals, traefik, unit
from bluegreen.doctor.findings import Check, Finding, Findings, Report, looked_at
from bluegreen.doctor.unit import Unit
from bluegreen.domain.errors import ConfigurationError
from bluegreen.interfaces.peers import account
from bluegreen.logs import Masking
from bluegreen.ports_database import Database
from bluegreen.settings import Settings, load, revealed
from bluegreen.wiring import open_outside

CREDENTIALS = (Path("/run/credentials") / unit.UNIT, Path("/etc/bluegreen/credentials"))
"""Where systemd shows the credentials of the running service to its user and to root (systemd.exec(5)); and where the
unit that comes with us takes them from."""

OTHERWISE = {
    "unit": (f"systemctl status {unit.UNIT}",),
    "cgroups": ("systemd-cgls",),
    "user": ("id bluegreen",),
    "daemon": (f"systemctl status {unit.UNIT}", f"journalctl -u {unit.UNIT} -n 50"),
    "state": ("bluegreen config docs daemon.state_dir",),
    "caddy": ("systemctl status caddy", "bluegreen config docs caddy"),
    "traefik": ("systemctl status traefik", "bluegreen config docs traefik"),
    "cloudflare": ("bluegreen config docs cloudflare", "https://www.cloudflarestatus.com"),
    "addresses": ("bluegreen config docs services",),
    "pointer": ("bluegreen caddy show", "bluegreen config docs caddy.mode"),
    "snippets": ("bluegreen config docs caddy.dir",),
    "front": ("bluegreen config docs caddy.front_door",),
    "clients": ("bluegreen config docs caddy.access_log",),
    "db": ("systemctl status postgresql", "bluegreen config docs databases"),
    "backups": ("bluegreen config docs backup",),
    "colours": ("bluegreen config docs environments",),
    "commands": ("bluegreen config docs environments",),
    "hooks": ("bluegreen config docs hooks",),
    "notify": ("bluegreen config docs notify",),
    "signals": ("bluegreen config docs watch",),
    "clock": ("timedatectl",),
}
"""What to type where a check fails without a better command, by its first word."""

SLOW = 30.0
"""Seconds for what asks a database or starts programs."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be looked at: the configuration, or with `unit_only` the unit alone."""

    file: Path
    unit_only: bool = False


@dataclass(slots=True)
class Examination:
    """What was found so far; `masked` takes the secrets out of a text."""

    wish: Wish
    findings: list[Finding] = field(default_factory=list)
    masked: Callable[[str], str] = str

    async def look(self, name: str, check: Check, budget: float = 10.0) -> None:
        """Do one check."""
        self.findings += await looked_at(Report(name, OTHERWISE[name.partition(" ")[0]]), check, budget)

    async def run(self) -> None:
        """Do them all."""
        its_unit = await unit.ask()
        settings = await self._configuration()
        await self.look("unit", functools.partial(unit.examine, its_unit, settings))
        if settings is None or self.wish.unit_only:
            return
        self.masked = Masking(revealed(settings)).text
        await self.look("cgroups", functools.partial(daemon.cgroups, settings, its_unit))
        await self.look("user", functools.partial(_become, settings, its_unit))
        await self.look("daemon", functools.partial(daemon.answers, settings, its_unit))
        await self.look("state", functools.partial(place.state, settings))
        await self._outside(settings)
        await self.look("backups", functools.partial(place.backups, settings))
        await self.look("colours", functools.partial(colours.colours, settings), SLOW)
        await self.look("commands", functools.partial(place.commands, settings))
        await self.look("hooks", functools.partial(daemon.hooks, settings))
        await self.look("notify", functools.partial(daemon.notify, settings))
        await self.look("clock", place.clock)

    async def _configuration(self) -> Settings | None:
        known = next((path for path in CREDENTIALS if os.access(path, os.R_OK | os.X_OK)), None)
        if "CREDENTIALS_DIRECTORY" not in os.environ and known is not None:
            os.environ["CREDENTIALS_DIRECTORY"] = str(known)
        report, file = Report("config"), self.wish.file
        try:
            settings = await asyncio.to_thread(load, file)
        except ConfigurationError as exc:
            if not self.wish.unit_only:
                self.findings.append(report.error(exc))
            return None
        if not self.wish.unit_only:
            self.findings += [report.warn(warning) for warning in settings.warnings]
            self.findings.append(report.ok(f"{file} is in order"))
        return settings

    async def _outside(self, settings: Settings) -> None:
        try:
            async with open_outside(settings) as outside:
                if settings.balancer == "caddy":
                    await self.look("caddy", functools.partial(front.admin, settings, outside))
                if settings.balancer == "traefik":
                    await self.look("traefik", functools.partial(traefik.traefik, settings, outside))
                if settings.balancer == "cloudflare":
                    await self.look("cloudflare", functools.partial(cloudflare.cloudflare, settings, outside))
                await self.look("addresses", functools.partial(front.addresses, settings, outside))
                if outside.arming is not None:
                    await self.look("pointer", functools.partial(pointer.pointer, settings, outside))
                if settings.balancer == "caddy":
                    await self.look("snippets", functools.partial(front.snippets, settings, outside))
                seen = cloudflare.versions if settings.entrance.access_log is None else front.front_door
                await self.look("front door", functools.partial(seen, settings, outside), SLOW)
                await self.look("clients", functools.partial(clients.clients, settings, outside))
                if outside.asked:
                    await self.look("signals", functools.partial(signals.signals, settings, outside), SLOW)
                for each in outside.databases:
                    await self.look(f"db {each.name}", _database(settings, each), SLOW)
        except ConfigurationError as exc:
            self.findings.append(Report(settings.balancer).error(exc))


async def examine(wish: Wish) -> tuple[list[Finding], Callable[[str], str]]:
    """Look at everything; returns what was found, and what takes secrets out of a text. Raises nothing of its own."""
    examination = Examination(wish)
    with _quiet():
        await examination.run()
    return examination.findings, examination.masked


def _database(settings: Settings, each: Database) -> Check:
    return functools.partial(data.database, settings, each)


async def _become(settings: Settings, its_unit: Unit, report: Report) -> Findings:
    """As root: be the daemon's user from here on. That is the unit's, else whoever owns the state directory."""
    if os.geteuid() != 0:
        name = await asyncio.to_thread(account, os.geteuid())
        if its_unit.user not in ("", name):
            detail = f"you are {name}, the daemon is {its_unit.user}: what you may read and write says little of it"
            return [report.warn(detail, "sudo bluegreen doctor")]
        return [report.ok(f"looked at as {name}")]
    entry = await asyncio.to_thread(_daemons_user, settings, its_unit)
    if entry is None or entry.pw_uid == 0:
        return [report.ok("looked at as root")]
    groups = {*os.getgrouplist(entry.pw_name, entry.pw_gid), *_numbers(its_unit["SupplementaryGroups"])}
    os.setgroups(sorted(groups))
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ |= {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
    found = [report.ok(f"from here on looked at as {entry.pw_name}, the daemon's user")]
    if settings.file is not None and not os.access(settings.file, os.R_OK):
        found.append(report.fail(f"{entry.pw_name} cannot read {settings.file}", f"ls -l {settings.file}"))
    return found


def _daemons_user(settings: Settings, its_unit: Unit) -> pwd.struct_passwd | None:
    try:
        if its_unit.user:
            return pwd.getpwnam(its_unit.user)
        return pwd.getpwuid(settings.daemon.state_dir.stat().st_uid)
    except (KeyError, OSError):
        return None


def _numbers(groups: str) -> list[int]:
    found = []
    for name in groups.split():
        try:
            found.append(int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid)
        except KeyError:
            continue
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """The parts log what they meet; here it is found and said instead."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        structlog.configure(**before)
