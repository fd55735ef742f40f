"""A host whose systemctl and journalctl are played: what systemd answers to the few questions of the systemd runner, as
a real one (252) was seen to answer them. tests/platform/test_systemd.py asks a real one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bluegreen.hosts import Here
from bluegreen.processes import CommandFailed, Ran

ids = count(1)


@dataclass
class Played:
    """One unit. `goes`: how a start ends (fine, fails, loops, exits, refused, hangs), `stays` the same for a stop;
    `read` is what stood in its file when it was started."""

    file: str = ""
    goes: str = "fine"
    stays: str = "stops"
    type: str = "simple"
    load: str = "loaded"
    stale: bool = False
    state: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    restarts: int = 0
    status: int = 0
    invocation: str = ""
    read: str = ""

    @property
    def release(self) -> str:
        """The RELEASE with which it runs; "" where it does not."""
        lines = [line for line in self.read.splitlines() if line.startswith("RELEASE=")]
        return lines[-1].split('"')[1] if lines and self.state == "active" else ""

    def show(self, name: str) -> str:
        """As `systemctl show` prints it."""
        known = {
            "Id": name,
            "LoadState": self.load,
            "LoadError": f'org.freedesktop.systemd1.NoSuchUnit "Unit {name} {self.load}."'
            if self.load != "loaded"
            else "",
            "ActiveState": self.state,
            "SubState": self.sub,
            "Result": self.result,
            "Type": self.type,
            "NRestarts": str(self.restarts),
            "ExecMainCode": "1" if self.status else "0",
            "ExecMainStatus": str(self.status),
            "ExecMainStartTimestamp": "Sun 2026-11-22 03:29:47 UTC" if self.invocation else "",
            "MainPID": "222" if self.state == "active" else "0",
            "InvocationID": self.invocation,
            "FragmentPath": f"/etc/systemd/system/{name}",
            "NeedDaemonReload": "yes" if self.stale else "no",
        }
        lines = [f"{key}={value}" for key, value in known.items()]
        return "\n".join([*lines, *([f"EnvironmentFiles={self.file} (ignore_errors=yes)"] if self.file else [])])


@dataclass
class Units(Here):
    """The host. `asked` is every change that was asked for, as ("start", "app@green.service")."""

    units: dict[str, Played] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    journal: str = "\n".join(map(str, range(500)))
    journal_code: int = 0
    writable: bool = True
    programs: list[Sequence[str]] = field(default_factory=list)

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        variables: Mapping[str, str] | None = None,
        **_: object,
    ) -> Ran:
        self.programs.append(argv)
        rest = list(argv)
        if rest[0] == "sh":
            if "exec" not in rest[2]:
                return Ran(0 if self.writable else 1, "", 0.0)
            rest = rest[4:]
        try:
            async with asyncio.timeout(timeout):
                return await self._answer(rest)
        except TimeoutError as exc:
            raise CommandFailed(f"{rest[0]} did not end within {timeout:g} s and was stopped") from exc

    async def _answer(self, argv: list[str]) -> Ran:
        if argv[0] == "journalctl":
            number = next(int(word.partition("=")[2]) for word in argv if word.startswith("--lines="))
            return Ran(self.journal_code, "\n".join(self.journal.splitlines()[-number:]), 0.0)
        if argv[0] != "systemctl":
            return Ran(0, " ".join(argv), 0.0)
        words = [word for word in argv[1:] if not word.startswith("--")]
        if words[0] == "show":
            return Ran(0, "\n\n".join(self._unit(name).show(name) for name in words[1:]) + "\n", 0.0)
        verb, (name, *_) = words[0], words[1:]
        self.asked.append((verb, name))
        unit = self._unit(name)
        return await (self._start(name, unit) if verb == "start" else self._stop(name, unit, verb))

    def _unit(self, name: str) -> Played:
        return self.units.get(name) or Played(load="not-found")

    async def _start(self, name: str, unit: Played) -> Ran:
        if unit.goes == "refused":
            return Ran(1, f"Failed to start {name}: Interactive authentication required.\n", 0.0)
        if unit.load != "loaded":
            return Ran(5, f"Failed to start {name}: Unit {name} not found.\n", 0.0)
        unit.invocation = f"{next(ids):032x}"
        if unit.goes == "hangs":
            unit.state, unit.sub = "activating", "start"
            await asyncio.Event().wait()
        unit.read = self.files.get(unit.file, b"").decode()
        if unit.goes == "fails":
            unit.state, unit.sub, unit.result, unit.status = "failed", "failed", "exit-code", 3
            return Ran(1, f"Job for {name} failed because the control process exited with error code.\n", 0.0)
        if unit.goes == "loops":
            unit.state, unit.sub, unit.result, unit.status = "activating", "auto-restart", "exit-code", 3
        elif unit.goes == "exits":
            unit.state, unit.sub, unit.invocation = "inactive", "dead", ""
        else:
            unit.state, unit.sub, unit.result, unit.status = "active", "running", "success", 0
        return Ran(0, "", 0.0)

    async def _stop(self, name: str, unit: Played, verb: str) -> Ran:
        if unit.stays == "refused":
            return Ran(1, f"Failed to {verb} {name}: Interactive authentication required.\n", 0.0)
        if unit.load != "loaded":
            return Ran(5, f"Failed to stop {name}: Unit {name} not loaded.\n", 0.0)
        if unit.stays == "hangs":
            await asyncio.Event().wait()
        if unit.stays == "fails":
            return Ran(1, f"Job for {name} failed: cannot stop.\n", 0.0)
        if verb == "reset-failed" or unit.state != "failed":
            unit.state, unit.sub, unit.result, unit.invocation, unit.status = "inactive", "dead", "success", "", 0
        return Ran(0, "", 0.0)

    async def read(self, path: Path, *, limit: int = 1024 * 1024) -> bytes:
        if str(path) not in self.files:
            raise FileNotFoundError(path)
        return self.files[str(path)]

    async def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        self.files[str(path)] = data
