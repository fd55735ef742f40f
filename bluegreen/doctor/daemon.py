"""The daemon from outside: its socket, its answer, its neighbours in the cgroup, and who it hears and tells."""

import asyncio
import os
import stat
from collections.abc import Iterator

from bluegreen import __version__
from bluegreen.doctor import kernel
from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.doctor.unit import UNIT, Unit
from bluegreen.interfaces.client import Client, ClientError
from bluegreen.interfaces.hook_door import door_of
from bluegreen.settings import Settings

CONNECT = 3.0
"""Seconds for a listener to take a connection."""


async def answers(settings: Settings, unit: Unit, report: Report) -> Findings:
    """Whether the daemon answers at its socket, to us, and what it says is wrong. Where the unit is stopped nobody is
    asked: behind a socket of systemd's the question itself would start it."""
    path = settings.daemon.socket
    pid = await asyncio.to_thread(kernel.lock_holder, settings.daemon.state_dir / "lock")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return [_not_running(f"there is no socket at {path}", pid, report)]
    if not stat.S_ISSOCK(mode):
        return [report.fail(f"{path} is no socket: something else stands there", f"ls -l {path}")]
    if unit["ActiveState"] in ("inactive", "failed") and pid is None:
        return [_not_running(f"its unit is {unit['ActiveState']}; the next verb starts it", pid, report)]
    try:
        async with Client(path) as client:
            status = (await client.status()).value
    except ClientError as exc:
        return [_refused(exc, pid, report)]
    found = [report.warn(trouble, "bluegreen status") for trouble in status.troubles]
    if status.version != __version__:
        detail = f"the daemon is {status.version}, this program {__version__}"
        found.append(report.warn(detail, f"systemctl restart {UNIT}"))
    if (status.observing is not None) is not (settings.automation == "observe"):
        found.append(report.warn(f'automation = "{settings.automation}" is not yet in force', "bluegreen reload"))
    observing = ' and only observes: automation = "observe"' if status.observing is not None else ""
    return [*found, report.ok(f"the daemon answers at {path} (bluegreen {status.version}){observing}")]


def _not_running(why: str, pid: int | None, report: Report) -> Finding:
    if pid is not None:
        detail = f"{why}, but process {pid} holds the daemon's lock: its socket was removed, or it is just starting"
        return report.fail(detail, f"systemctl restart {UNIT}")
    return report.fail(f"the daemon does not run: {why}", f"systemctl start {UNIT}", f"journalctl -u {UNIT} -n 50")


def _refused(exc: ClientError, pid: int | None, report: Report) -> Finding:
    if exc.code == "peer-unmapped":
        detail = (
            f"{exc.detail} The unit has PrivateUsers=, or the daemon runs in a user namespace: every caller is refused"
        )
        return report.fail(detail, f"systemctl show -p PrivateUsers {UNIT}", f"systemctl edit {UNIT}")
    if exc.code == "not-running":
        return _not_running(exc.detail, pid, report)
    if exc.status == 403 or exc.code == "denied":
        return report.warn(f"it does not answer you: {exc.detail}", *exc.next)
    return report.fail(exc.detail, *exc.next)


async def cgroups(settings: Settings, unit: Unit, report: Report) -> Findings:
    """No colour may live in the daemon's cgroup: each restart of the daemon would end both colours."""
    return await asyncio.to_thread(lambda: list(_cgroups(settings, unit, report)))


def _cgroups(settings: Settings, unit: Unit, report: Report) -> Iterator[Finding]:
    daemon = kernel.lock_holder(settings.daemon.state_dir / "lock") or unit.pid
    ours = (kernel.cgroup(daemon) if daemon is not None else None) or unit["ControlGroup"]
    listening = _listening(settings)
    holders = kernel.holders(set(listening))
    if hidden := [colour for inode, colour in listening.items() if inode not in holders]:
        detail = f"which process listens for {' and '.join(sorted(set(hidden)))} is for root to see"
        yield report.warn(detail, "sudo bluegreen doctor")
    inside = {pid: listening[inode] for inode, pid in holders.items() if _within(kernel.cgroup(pid), ours)}
    for pid, colour in sorted(inside.items()):
        yield report.fail(
            f"process {pid} of {colour} lives in {ours}, the daemon's own cgroup: a restart of the daemon would end it."
            f" What [environments.{colour}] up starts must run under a unit of its own",
            f"systemd-cgls -u {UNIT}",
            f"systemctl start app@{colour}",
        )
    if not inside and not hidden:
        live = ", ".join(str(pid) for pid in sorted(set(holders.values())))
        detail = f"what listens for the colours (pid {live}) lives outside of the daemon's cgroup"
        yield report.ok(detail if live else "no process on this machine listens for a colour")


def _listening(settings: Settings) -> dict[int, str]:
    """The colour by the inode of each socket that listens on this machine for it."""
    found: dict[int, str] = {}
    for service in settings.routed:
        for colour, addresses in service.addresses.items():
            for address in addresses:
                host, _, port = address.rpartition(":")
                found |= dict.fromkeys(kernel.listeners(host.strip("[]"), int(port)), str(colour))
    return found


def _within(cgroup: str | None, ours: str) -> bool:
    """Whether somebody would be ended with a service; a container or a login shell is no service."""
    unit = next((part for part in reversed(ours.split("/")) if part.endswith(".service")), "")
    return bool(unit) and cgroup is not None and f"{cgroup}/".startswith(f"{ours}/")


async def hooks(settings: Settings, report: Report) -> Findings:
    """Whether somebody listens for alerts."""
    listen, names = settings.hooks.listen, list(settings.hooks.named)
    if not listen:
        detail = "no alert comes in: [hooks] listen is not set"
        return [report.warn(f"{detail}, and {', '.join(names)} waits for one")] if names else [report.ok(detail)]
    host, _, port = door_of(listen).rpartition(":")
    try:
        async with asyncio.timeout(CONNECT):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError) as exc:
        return [report.fail(f"nobody listens for alerts at {listen}: {str(exc) or 'no answer'}", "ss -ltnp")]
    writer.close()
    if not names:
        return [report.warn(f"{listen} listens, and no sender is configured", "bluegreen config docs hooks")]
    return [report.ok(f"{listen} listens for {', '.join(names)}; to be sure: bluegreen hook test {names[0]}")]


async def notify(settings: Settings, report: Report) -> Findings:
    """Whether anybody is told."""
    names = [each.name for each in settings.notify]
    if not names:
        detail = "nobody is told when a release is taken back or a person is needed"
        return [report.warn(detail, "bluegreen config docs notify")]
    return [report.ok(f"{', '.join(names)} are told; to be sure: bluegreen notify test")]
