"""What the doctor says that a stage without systemd cannot show: of the unit, control groups, mapped callers."""

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen.doctor import Finding, Level, as_document, as_lines, kernel, place, signals
from bluegreen.doctor import daemon as daemons
from bluegreen.doctor import unit as units
from bluegreen.doctor.findings import Findings, Report, looked_at
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.rules import SignalRule
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces.client import ClientError

WELL = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success", "NRestarts": "0",
    "NeedDaemonReload": "no", "Type": "notify", "WatchdogUSec": "30s", "PrivateUsers": "no", "User": "bluegreen",
    "OnFailure": "bluegreen-failsafe.service", "Restart": "always", "UnitFileState": "enabled",
}  # fmt: skip


def _manager(directory: Path, monkeypatch: pytest.MonkeyPatch, properties: Mapping[str, str], code: int = 0) -> None:
    """A systemctl that has these properties for every unit."""
    said = "\n".join(f"{name}={value}" for name, value in properties.items())
    program = directory / "systemctl"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


async def _examined() -> list[Finding]:
    return list(await units.examine(await units.ask(), None, Report("unit")))


async def test_a_directory_that_others_may_read_is_not_called_its_owners_alone(tmp_path: Path) -> None:
    settings: Any = SimpleNamespace(daemon=SimpleNamespace(state_dir=tmp_path))
    for mode, alone in ((0o700, True), (0o755, False)):
        tmp_path.chmod(mode)
        findings = await place.state(settings, Report("state"))
        told = [finding.detail for finding in findings if finding.level is Level.OK and "belongs to" in finding.detail]
        assert [" alone" in detail for detail in told] == [alone]


async def test_a_unit_as_it_should_be_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _manager(tmp_path, monkeypatch, WELL)
    (finding,) = await _examined()
    assert (finding.level, "as bluegreen" in finding.detail) == (Level.OK, True)


@pytest.mark.parametrize(
    ("name", "value", "level", "says"),
    [
        ("Type", "simple", Level.FAILED, "Type=simple"),
        ("WatchdogUSec", "0", Level.FAILED, "WatchdogSec= is not set"),
        ("PrivateUsers", "yes", Level.FAILED, "PrivateUsers=yes"),
        ("OnFailure", "", Level.FAILED, "OnFailure=bluegreen-failsafe.service is missing"),
        ("Restart", "no", Level.FAILED, "Restart=no"),
        ("ActiveState", "failed", Level.FAILED, "is failed"),
        ("User", "", Level.WARNING, "runs as root"),
        ("NRestarts", "3", Level.WARNING, "restarted it 3 times"),
        ("NeedDaemonReload", "yes", Level.WARNING, "was changed since"),
        ("UnitFileState", "disabled", Level.WARNING, "does not start at boot"),
        ("LoadState", "not-found", Level.WARNING, "is not installed"),
    ],
)
async def test_what_is_wrong_with_a_unit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, level: Level, says: str
) -> None:
    _manager(tmp_path, monkeypatch, WELL | {name: value})
    found = await _examined()
    assert [each for each in found if each.level is level and says in each.detail and each.next], found


async def test_where_systemd_is_not_that_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _manager(tmp_path, monkeypatch, {"Failed to connect to bus": "Host is down"}, code=1)
    (finding,) = await _examined()
    assert finding.level is Level.WARNING
    assert "Host is down" in finding.detail


def test_the_unit_that_comes_with_us_has_all_that_is_asked_for() -> None:
    shipped = Path(__file__).parent.parent / "systemd" / units.UNIT
    said = dict(line.split("=", 1) for line in units._meaning(shipped) if "=" in line)
    assert said["Type"] in ("notify", "notify-reload")
    assert said["WatchdogSec"]
    assert units.FAILSAFE in said["OnFailure"]
    assert "PrivateUsers" not in said


@pytest.mark.parametrize(
    ("cgroup", "ours", "inside"),
    [
        ("/system.slice/bluegreen.service", "/system.slice/bluegreen.service", True),
        ("/system.slice/bluegreen.service/app", "/system.slice/bluegreen.service", True),
        ("/system.slice/bluegreen.service-2", "/system.slice/bluegreen.service", False),
        ("/system.slice/app@blue.service", "/system.slice/bluegreen.service", False),
        ("/", "/", False),
        ("/user.slice/session-2.scope", "/user.slice/session-2.scope", False),
        (None, "/system.slice/bluegreen.service", False),
    ],
)
def test_a_colour_is_in_our_cgroup_where_a_restart_of_ours_would_end_it(
    cgroup: str | None, ours: str, inside: bool
) -> None:
    assert daemons._within(cgroup, ours) is inside


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1"])
def test_the_kernel_tells_who_listens(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.bind((address, 0))
        port = listening.getsockname()[1]
        asked = "::1" if ":" in address else "127.0.0.1"
        assert kernel.listeners(asked, port) == set(), "it does not listen yet"
        listening.listen()
        (inode,) = kernel.listeners(asked, port)
        assert kernel.holders({inode}) == {inode: os.getpid()}
        assert kernel.listeners("192.0.2.1", port) == set(), "another machine's address"


def test_a_caller_that_the_kernel_shows_as_nobody_is_told_of_private_users() -> None:
    refused = ClientError("The kernel shows you as uid 65534.", code="peer-unmapped", status=403)
    finding = daemons._refused(refused, 1, Report("daemon"))
    assert finding.level is Level.FAILED
    assert "PrivateUsers=" in finding.detail
    assert any("PrivateUsers" in command for command in finding.next)


async def test_a_stopped_unit_is_not_started_by_being_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    places: Any = SimpleNamespace(daemon=SimpleNamespace(socket=path, state_dir=tmp_path))
    with socket.socket(socket.AF_UNIX) as systemds:
        systemds.bind(str(path))
        systemds.listen()
        systemds.settimeout(0.1)
        stopped = units.Unit(WELL | {"ActiveState": "inactive"})
        (finding,) = list(await daemons.answers(places, stopped, Report("daemon")))
        with pytest.raises(TimeoutError):
            systemds.accept()
    assert (finding.level, finding.next[0]) == (Level.FAILED, "systemctl start bluegreen.service")


async def test_a_check_that_hangs_or_breaks_is_a_finding_and_no_traceback() -> None:
    async def hangs(report: Report) -> Findings:
        await asyncio.Event().wait()
        return []

    async def breaks(report: Report) -> Findings:
        raise ZeroDivisionError("a bug")

    (hung,) = await looked_at(Report("db"), hangs, 0.01)
    (broken,) = await looked_at(Report("db"), breaks)
    assert (hung.level, hung.detail) == (Level.FAILED, "no answer within 0.01 s")
    assert "ZeroDivisionError" in broken.detail
    assert hung.next


def test_secrets_and_escapes_are_in_no_output() -> None:
    findings = [Finding("db", Level.FAILED, "hunter2\x1b[2J\nsecond line", ("psql hunter2",))]

    def masked(text: str) -> str:
        return text.replace("hunter2", "***")

    lines = "\n".join(as_lines(findings, masked))
    assert "hunter2" not in lines + str(as_document(findings, masked))
    assert "[2J" not in lines or "\x1b[2J" not in lines
    assert lines.splitlines()[-1].endswith("1 failure, no warnings")


async def test_every_number_that_is_asked_for_is_tried_for_the_colour_that_serves() -> None:
    @dataclass
    class Source:
        name: str
        hears: frozenset[Colour]
        serving: frozenset[Colour] = frozenset()

        def attend(self, colours: frozenset[Colour]) -> None:
            self.serving = colours

        async def check(self) -> None:
            if not self.serving <= self.hears:
                raise SignalFailed(f"{self.name} cannot be told: no data", next=("bluegreen config docs watch.sql",))

    async def observe() -> Any:
        return SimpleNamespace(services=[SimpleNamespace(colour=Colour.BLUE)])

    blue, green = frozenset({Colour.BLUE}), frozenset({Colour.GREEN})
    asked = Source("load", blue), Source("queue", green), Source("jobs", green)
    outside: Any = SimpleNamespace(asked=asked, balancer=SimpleNamespace(observe=observe))
    rules = [SimpleNamespace(rule=SignalRule(each.name, 0.1, each.name == "jobs", source=each.name)) for each in asked]
    settings: Any = SimpleNamespace(watch=SimpleNamespace(asked=rules, log_lines=(), flows=()))
    found = list(await signals.signals(settings, outside, Report("signals")))
    assert [finding.level for finding in found] == [Level.OK, Level.WARNING, Level.FAILED]
    assert [finding.next for finding in found[1:]] == [("bluegreen config docs watch.sql",)] * 2
