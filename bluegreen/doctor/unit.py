"""The systemd unit: what the manager has in force, and whether it fits the configuration. Asked by `systemctl show`.

Why each property matters: RESILIENCE, and the comments in systemd/bluegreen.service.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bluegreen
from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.domain.errors import BluegreenError
from bluegreen.processes import environment, run_command
from bluegreen.settings import Settings

UNIT, SOCKET, FAILSAFE = "bluegreen.service", "bluegreen.socket", "bluegreen-failsafe.service"
UNITS = (UNIT, SOCKET, FAILSAFE)

PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "FragmentPath", "DropInPaths", "NeedDaemonReload",
    "Type", "WatchdogUSec", "PrivateUsers", "User", "SupplementaryGroups", "OnFailure", "Restart", "MainPID",
    "ControlGroup", "ProtectSystem", "ProtectHome", "ReadWritePaths", "StateDirectory", "UnitFileState",
)  # fmt: skip

SHIPPED = (Path(bluegreen.__file__).parent.parent / "systemd", Path(sys.prefix) / "share" / "bluegreen" / "systemd")
"""Where our unit files may be: beside the program in a checkout, or where the package puts them."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as the manager has it; empty properties where there is no systemd."""

    properties: Mapping[str, str]
    problem: str = ""

    def __getitem__(self, name: str) -> str:
        return self.properties.get(name, "")

    @property
    def loaded(self) -> bool:
        """Whether the manager knows it."""
        return self["LoadState"] == "loaded"

    @property
    def user(self) -> str:
        """Whom it runs as, "" where there is no such unit."""
        return (self["User"] or "root") if self.loaded else ""

    @property
    def pid(self) -> int | None:
        """Its main process, where it runs."""
        return int(self["MainPID"] or 0) or None


async def ask(name: str = UNIT) -> Unit:
    """The unit as it is in force."""
    argv = ["systemctl", "show", name, *(f"--property={each}" for each in PROPERTIES)]
    try:
        ran = await run_command(argv, timeout=5.0, env=environment())
    except BluegreenError as exc:
        return Unit({}, exc.detail)
    if ran.code != 0:
        return Unit({}, ran.last_line)
    return Unit(dict(line.split("=", 1) for line in ran.output.splitlines() if "=" in line))


async def examine(unit: Unit, settings: Settings | None, report: Report) -> Findings:
    """Everything about the unit that is not as it should be."""
    if unit.problem:
        detail = f"systemd does not answer, so nothing restarts a daemon that dies: {unit.problem}"
        return [report.warn(detail, "systemctl status")]
    if not unit.loaded:
        detail = f"{UNIT} is not installed: nothing starts the daemon at boot, and nothing restarts it"
        return [report.warn(detail, "see Install in README.md", "systemctl daemon-reload")]
    others = {name: await ask(name) for name in (SOCKET, FAILSAFE)}
    found = [*_supervision(unit, others, report), *_rights(unit, report), *_installed(unit, report)]
    if settings is not None:
        found += await asyncio.to_thread(lambda: list(_paths(unit, settings, report)))
    return found or [report.ok(f"{UNIT} is {unit['ActiveState']}, as {unit.user}, watched and restarted")]


def _supervision(unit: Unit, others: Mapping[str, Unit], report: Report) -> Iterator[Finding]:
    if unit["Type"] not in ("notify", "notify-reload"):
        detail = f"Type={unit['Type']}: systemd does not know when the daemon is ready; it must be notify"
        yield report.fail(detail, f"systemctl edit {UNIT}")
    if unit["WatchdogUSec"] in ("", "0", "infinity"):
        yield report.fail("WatchdogSec= is not set: a daemon that hangs is not restarted", f"systemctl edit {UNIT}")
    if unit["Restart"] not in ("always", "on-failure"):
        detail = f"Restart={unit['Restart']}: a daemon that dies is not restarted"
        yield report.fail(detail, f"systemctl edit {UNIT}")
    if FAILSAFE not in unit["OnFailure"].split() or not others[FAILSAFE].loaded:
        detail = f"OnFailure={FAILSAFE} is missing: a daemon that cannot start leaves a watched release alone"
        yield report.fail(detail, f"systemctl edit {UNIT}", f"systemctl status {FAILSAFE}")
    if not others[SOCKET].loaded or others[SOCKET]["ActiveState"] != "active":
        yield report.warn(f"{SOCKET} is not active: callers are refused while the daemon restarts",
                          f"systemctl enable --now {SOCKET}")  # fmt: skip
    if unit["ActiveState"] != "active":
        detail = f"{UNIT} is {unit['ActiveState']} ({unit['Result'] or unit['SubState']})"
        yield report.fail(detail, f"journalctl -u {UNIT} -n 50", f"systemctl start {UNIT}")
    if int(unit["NRestarts"] or 0) > 0:
        yield report.warn(f"systemd restarted it {unit['NRestarts']} times", f"journalctl -u {UNIT} -p warning")
    if unit["UnitFileState"] not in ("enabled", "enabled-runtime", "static", "indirect", ""):
        yield report.warn(f"{UNIT} is {unit['UnitFileState']}: it does not start at boot", f"systemctl enable {UNIT}")


def _rights(unit: Unit, report: Report) -> Iterator[Finding]:
    if unit["PrivateUsers"] not in ("", "no"):
        detail = f"PrivateUsers={unit['PrivateUsers']}: the kernel shows every caller as nobody, and all are refused"
        yield report.fail(detail, f"systemctl edit {UNIT}", "PrivateUsers=no")
    if unit.user == "root":
        yield report.warn("it runs as root; it needs no right of root", "see User= in systemd/bluegreen.service")


def _installed(unit: Unit, report: Report) -> Iterator[Finding]:
    if unit["NeedDaemonReload"] == "yes":
        yield report.warn("its file was changed since systemd read it", "systemctl daemon-reload")
    shipped = next((directory for directory in SHIPPED if (directory / UNIT).is_file()), None)
    if shipped is None or not unit["FragmentPath"]:
        return
    for name in UNITS:
        installed = Path(unit["FragmentPath"]).parent / name
        if installed.is_file() and _meaning(installed) != _meaning(shipped / name):
            detail = f"{installed} is not the one that comes with this version (drop-ins are the place for changes)"
            yield report.warn(detail, f"diff {installed} {shipped / name}")


def _meaning(file: Path) -> list[str]:
    """The lines that systemd reads."""
    lines = (line.strip() for line in file.read_text(errors="replace").splitlines())
    return [line for line in lines if line and line[0] not in "#;"]


def _paths(unit: Unit, settings: Settings, report: Report) -> Iterator[Finding]:
    """Under ProtectSystem=strict only what is named may be written."""
    if unit["ProtectSystem"] != "strict":
        return
    allowed = [Path(word.lstrip("-+")) for word in unit["ReadWritePaths"].split()]
    allowed += [Path("/var/lib") / name for name in unit["StateDirectory"].split()]
    needed = {"[daemon] state_dir": settings.daemon.state_dir}
    if settings.balancer == "caddy":
        needed["[caddy] dir"] = settings.caddy.dir
    if settings.balancer == "traefik":
        needed["[traefik] file"] = settings.traefik.file.parent
    if settings.databases:
        needed["[backup] directory"] = settings.backup.directory
    for key, path in needed.items():
        if not any(path.is_relative_to(each) for each in allowed):
            detail = f"{key} is {path}, and the unit may not write there (ReadWritePaths=)"
            yield report.fail(detail, f"systemctl edit {UNIT}", f"ReadWritePaths={path}")
