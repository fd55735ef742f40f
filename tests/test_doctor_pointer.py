"""What the doctor says of mode "pointer": who may not see the file, and the command that opens it."""

import asyncio
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen.adapters.balancers.memory import MemoryBalancer
from bluegreen.adapters.balancers.memory_arming import MemoryArming
from bluegreen.adapters.front_doors.memory import MemoryFrontDoor
from bluegreen.doctor import front, kernel, pointer
from bluegreen.doctor.findings import Finding, Level, Report
from bluegreen.domain.arming import Armed
from tests.domain.examples import BLUE, SERVICES
from tests.virtual_time import VirtualClock

CADDY = pointer.Reader("caddy", 54321, frozenset({54321}))
"""Somebody else, in no group of ours."""


class Ground:
    """A directory with the file, and a balancer in memory that follows it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.automation = directory, "act"
        balancer = MemoryBalancer(tuple(SERVICES.values()), clock=VirtualClock())
        self.door = MemoryFrontDoor(tuple(SERVICES.values()), lambda service: BLUE)
        self.arming = Placed(directory / "live", balancer, self.door)

    async def examined(self) -> list[Finding]:
        """The findings."""
        settings: Any = SimpleNamespace(caddy=SimpleNamespace(admin="unix//nowhere"), automation=self.automation)
        outside: Any = SimpleNamespace(services=SERVICES, arming=self.arming, pointer_door=self.door)
        return list(await pointer.pointer(settings, outside, Report("pointer")))


class Placed(MemoryArming):
    """Armed, and the file is said to be at this place."""

    def __init__(self, file: Path, balancer: MemoryBalancer, door: MemoryFrontDoor) -> None:
        super().__init__(balancer, door.pointer, Armed.KEPT)
        self._file = file

    @property
    def file(self) -> str:
        return str(self._file)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """The directory is open to everybody, from the root on."""
    monkeypatch.setattr(pointer, "_reader", lambda settings: CADDY)
    directory = tmp_path / "bluegreen"
    directory.mkdir()
    for each in (directory, *directory.parents):
        if not stat.S_IMODE(each.stat().st_mode) & 0o001:
            each.chmod(0o755)
    (directory / "live").write_text("blue\n")
    return Ground(directory)


def told(findings: list[Finding], level: Level) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.detail, finding.next) for finding in findings if finding.level is level]


async def test_where_caddy_follows_the_file_all_is_well(ground: Ground) -> None:
    findings = await ground.examined()
    assert [finding.level for finding in findings] == [Level.OK]
    assert 'it says "blue"' in findings[0].detail


@pytest.mark.parametrize("at", ["bluegreen", ""], ids=["the directory itself", "one above it"])
async def test_a_directory_that_is_closed_to_caddy_is_named_with_the_command_that_opens_it(
    ground: Ground, at: str
) -> None:
    closed = ground.directory if at else ground.directory.parent
    closed.chmod(0o700)
    ground.arming.blind = True
    findings = told(await ground.examined(), Level.FAILED)
    mode = "0755" if at else "a+x"
    assert findings[0][0].startswith(f"{closed} is closed to caddy: Caddy does not see")
    assert findings[0][1] == (f"chmod {mode} {closed}", f"namei -l {ground.directory / 'live'}")
    assert len(findings) == 3, "the nonce is not seen either, for any service"
    closed.chmod(0o755)


async def test_a_file_that_caddy_may_not_read_and_a_directory_that_is_not_there_are_named(ground: Ground) -> None:
    live = ground.directory / "live"
    live.chmod(0o600)
    ((detail, step), *_) = told(await ground.examined(), Level.FAILED)
    assert (detail, step) == (f"{live} cannot be read by caddy", (f"chmod 0644 {live}",))
    await asyncio.to_thread(live.unlink)
    await asyncio.to_thread(ground.directory.rmdir)
    ((detail, step), *_) = told(await ground.examined(), Level.FAILED)
    assert step == (f"install -d -m 0755 {ground.directory}",)


async def test_arms_that_a_reload_takes_away_are_a_warning(ground: Ground) -> None:
    ground.arming.armed["web"] = Armed.OURS
    ((detail, step),) = told(await ground.examined(), Level.WARNING)
    assert detail.startswith("web: armed through the admin API alone")
    assert step == ("bluegreen caddy snippet",)
    ground.arming.lose()
    ((detail, step),) = told(await ground.examined(), Level.FAILED)
    assert (detail.startswith("web is not armed"), step) == (True, ("bluegreen caddy arm",))
    ground.automation = "observe"
    ((_, step),) = told(await ground.examined(), Level.WARNING)
    assert step == ('set automation = "act", then: bluegreen reload', "bluegreen caddy arm"), "refused before"


@pytest.mark.parametrize(
    ("mode", "reader", "may"),
    [
        (0o711, CADDY, True),
        (0o710, CADDY, False),
        (0o700, pointer.Reader("root", 0, frozenset()), True),
        (0o010, pointer.Reader("group", 1, frozenset({os.getgid()})), True),
        (0o001, pointer.Reader("group", 1, frozenset({os.getgid()})), False),
        (0o077, pointer.Reader("owner", os.getuid() or 1, frozenset()), os.getuid() == 0),
    ],
)
def test_the_first_class_that_fits_decides(mode: int, reader: pointer.Reader, may: bool, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(mode)
    try:
        assert pointer.may(reader, place, pointer.ENTER) is may
    finally:
        place.chmod(0o700)


def test_the_kernel_tells_as_whom_a_process_runs() -> None:
    seen = kernel.credentials(os.getpid())
    assert seen is not None
    assert seen[0] == os.geteuid()
    assert {os.getegid(), *os.getgroups()} <= seen[1]
    assert kernel.credentials(2**30) is None
    assert kernel.endpoint_pid("unix//nowhere/at/all.sock") is None


async def test_armed_in_the_caddyfile_the_snippets_need_not_be_imported(tmp_path: Path) -> None:
    balancer = MemoryBalancer(tuple(SERVICES.values()), clock=VirtualClock(), snippets=True)
    arming = MemoryArming(balancer, {}, Armed.KEPT)
    for name in SERVICES:
        (tmp_path / f"{name}.caddy").write_text("to 127.0.0.1:1\n")
    settings: Any = SimpleNamespace(caddy=SimpleNamespace(admin="unix//nowhere", dir=tmp_path))
    outside: Any = SimpleNamespace(services=SERVICES, arming=arming, balancer=balancer)
    assert [finding.level for finding in await front.snippets(settings, outside, Report("snippets"))] == [Level.OK]
    arming.armed["web"] = Armed.OURS
    findings = list(await front.snippets(settings, outside, Report("snippets")))
    assert told(findings, Level.WARNING), "a Caddy that reads its Caddyfile again goes by the snippets, or not at all"
