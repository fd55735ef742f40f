"""What is told to systemd, over real datagram sockets; what is taken from it; that none of it can fail the daemon; and
the units, as far as they can be judged without running them."""

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.systemd import Supervisor, passed_socket

ROOT = Path(__file__).parent.parent
UNITS = ("bluegreen.service", "bluegreen.socket", "bluegreen-failsafe.service")


class Ear:
    """Where systemd would listen."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(30.0)
        self.name = name

    def heard(self) -> list[str]:
        """The lines of the next message."""
        return self.socket.recv(4096).decode().split("\n")

    def nothing(self) -> bool:
        """Whether no message waits."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(30.0)
        return False


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@bluegreen-test-{os.getpid()}"
    ear = Ear(name)
    yield ear
    ear.socket.close()


# --- telling


def test_what_is_told_arrives_line_by_line(ear: Ear) -> None:
    supervisor = Supervisor.of({"NOTIFY_SOCKET": ear.name})
    supervisor.ready()
    assert ear.heard() == ["READY=1"]
    supervisor.reloading()
    told = ear.heard()
    assert told[0] == "RELOADING=1"
    assert told[1].startswith("MONOTONIC_USEC=")
    assert "EXTEND_TIMEOUT_USEC=45000000" in told, "the watchdog goes on while we begin again"
    supervisor.stopping()
    assert "STOPPING=1" in ear.heard()


async def test_who_is_leaving_is_not_called_ready_again(ear: Ear) -> None:
    supervisor = Supervisor.of({"NOTIFY_SOCKET": ear.name})
    supervisor.reloading()
    ear.heard()
    async with asyncio.TaskGroup() as group:
        showing = group.create_task(supervisor.show(lambda: "blue live"), name="show")
        await asyncio.sleep(0.01)
        showing.cancel()
    assert ear.nothing()


async def test_the_status_is_told_when_it_changes_and_only_then(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.systemd.LOOK", 0.001)
    lines = iter(["blue live", "blue live", "blue\nlive; d-1 WATCHING"])
    shown = "blue live"

    def line() -> str:
        nonlocal shown
        shown = next(lines, shown)
        return shown

    supervisor = Supervisor.of({"NOTIFY_SOCKET": ear.name})
    supervisor.ready()
    async with asyncio.TaskGroup() as group:
        showing = group.create_task(supervisor.show(line), name="show")
        heard = [await asyncio.to_thread(ear.heard) for _ in range(3)]
        await asyncio.sleep(0.05)
        showing.cancel()
    assert [message[-1] for message in heard] == ["READY=1", "STATUS=blue live", "STATUS=blue live; d-1 WATCHING"]
    assert ear.nothing()


async def test_a_line_that_cannot_be_made_ends_nothing(ear: Ear) -> None:
    supervisor = Supervisor.of({"NOTIFY_SOCKET": ear.name})
    async with asyncio.TaskGroup() as group:
        showing = group.create_task(supervisor.show(lambda: str(1 / 0)), name="show")
        (_, told) = await asyncio.to_thread(ear.heard)
        showing.cancel()
    assert told == "STATUS=how things stand cannot be told: ZeroDivisionError('division by zero')"


async def test_readiness_that_did_not_arrive_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.systemd.LOOK", 0.001)
    supervisor = Supervisor.of({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    supervisor.ready()
    async with asyncio.TaskGroup() as group:
        showing = group.create_task(supervisor.show(lambda: "blue live"), name="show")
        await asyncio.sleep(0.01)
        late = Ear(str(tmp_path / "notify"))
        assert await asyncio.to_thread(late.heard) == ["READY=1", "STATUS=blue live"]
        showing.cancel()
    late.socket.close()


async def test_the_watchdog_is_fed_only_while_all_is_well(ear: Ear) -> None:
    well = True
    supervisor = Supervisor.of({"NOTIFY_SOCKET": ear.name, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())})
    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(supervisor.feed(lambda: well), name="feed")
        for _ in range(3):
            assert await asyncio.to_thread(ear.heard) == ["WATCHDOG=1"]
        well = False
        await asyncio.sleep(0.05)
        while not ear.nothing():
            pass  # what was told before
        await asyncio.sleep(0.1)
        assert ear.nothing()
        feeding.cancel()


@pytest.mark.parametrize("extra", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"}])
async def test_no_watchdog_of_ours_is_not_fed(ear: Ear, extra: dict[str, str]) -> None:
    await Supervisor.of({"NOTIFY_SOCKET": ear.name, **extra}).feed(lambda: True)
    assert ear.nothing()


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-is-here", "vsock:2:1", "/" + "x" * 200, "@\0"])
def test_telling_nobody_fails_nobody(address: str) -> None:
    supervisor = Supervisor.of({"NOTIFY_SOCKET": address})
    supervisor.ready()
    supervisor.stopping()


def test_a_supervisor_that_does_not_read_delays_nobody(ear: Ear) -> None:
    supervisor = Supervisor.of({"NOTIFY_SOCKET": ear.name})
    assert not all(supervisor.tell(f"STATUS={number}") for number in range(5000))


# --- taking the socket

TAKE = """
import os, sys
sys.path[:0] = sys.argv[2:]
from bluegreen.systemd import passed_socket
os.environ.update(LISTEN_PID=str(os.getpid()))
try:
    found = passed_socket(os.environ)
except Exception as exc:
    print(type(exc).__name__, exc)
else:
    print(found and found.getsockname(), os.get_inheritable(3), found and os.get_inheritable(found.fileno()))
"""


def taken(sockets: list[socket.socket], names: str) -> str:
    """What a process says of the sockets that it is given as systemd gives them, from descriptor 3 on."""
    held = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 50) for one in sockets]  # above what is given
    script = f"import os, sys\nfor at, fd in enumerate({held}): os.dup2(fd, at + 3)\n" + TAKE
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, "", *sys.path],
            env={**os.environ, "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names},
            pass_fds=held,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        for descriptor in held:
            os.close(descriptor)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as found:
        found.bind(str(tmp_path / "api.sock"))
        found.listen()
        yield found


@pytest.mark.parametrize("names", ["api", "", "unknown", "bluegreen.socket"])
def test_the_one_socket_that_is_passed_is_taken_and_can_be_inherited_again(
    listening: socket.socket, names: str
) -> None:
    assert taken([listening], names) == f"{listening.getsockname()} True False"


def test_of_several_sockets_the_one_of_our_name_is_taken(listening: socket.socket) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert taken([other, listening], "hooks:api").startswith(listening.getsockname())
        assert taken([other, listening], "hooks:metrics").startswith("ConfigurationError socket activation: 2 sockets")


def test_what_is_no_listening_unix_socket_is_refused(listening: socket.socket) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as deaf:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        for wrong in (tcp, deaf):
            assert taken([wrong], "api") == (
                "ConfigurationError socket activation: descriptor 3 is no Unix stream socket that listens"
            )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "OURS"},
        {"LISTEN_FDS": "many", "LISTEN_PID": "OURS"},
    ],
)
def test_without_a_socket_for_us_we_make_our_own(environment: dict[str, str]) -> None:
    meant = {name: str(os.getpid()) if value == "OURS" else value for name, value in environment.items()}
    assert passed_socket(meant) is None


def test_a_descriptor_that_is_not_there_is_a_configuration_error() -> None:
    high = {"LISTEN_FDS": "900", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": ":".join([*["x"] * 899, "api"])}
    with pytest.raises(ConfigurationError, match="descriptor 902"):
        passed_socket(high)


# --- the units, where the tools are

ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The unit files, for a program that exists here."""
    for unit in UNITS:
        text = (ROOT / "systemd" / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/opt/bluegreen/bin/bluegreen", sys.executable))
    return tmp_path


def analyzed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ANALYZE), *words], capture_output=True, text=True, timeout=60)


@needs_analyze
def test_the_units_have_no_mistake_that_systemd_knows(units: Path) -> None:
    done = analyzed("verify", "--man=no", "--recursive-errors=yes", *(units / unit for unit in UNITS))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_analyze
def test_a_mistake_in_a_unit_would_be_found(units: Path) -> None:
    file = units / "bluegreen.service"
    file.write_text(file.read_text().replace("WatchdogSec=", "WatchDogSecs="))
    assert "WatchDogSecs" in analyzed("verify", "--man=no", file).stderr


@needs_analyze
@pytest.mark.parametrize("unit", ["bluegreen.service", "bluegreen-failsafe.service"])
def test_the_sandbox_exposes_no_more_than_it_must(units: Path, unit: str) -> None:
    done = analyzed("security", "--offline=true", "--threshold=15", units / unit)
    assert done.returncode == 0, done.stdout


def test_callers_keep_their_names_in_the_sandbox() -> None:
    for unit in UNITS:
        assert "\nPrivateUsers=" not in (ROOT / "systemd" / unit).read_text()


def test_the_failsafe_has_the_sandbox_of_the_daemon() -> None:
    def sandbox(unit: str) -> set[str]:
        lines = (ROOT / "systemd" / unit).read_text().partition("[Service]")[2].splitlines()
        kinds = (
            "Protect",
            "Private",
            "Restrict",
            "SystemCall",
            "Capabilit",
            "Memory",
            "NoNew",
            "Lock",
            "Keyring",
            "UMask",
        )
        return {line for line in lines if line.startswith(kinds)}

    assert sandbox("bluegreen-failsafe.service") == sandbox("bluegreen.service")
    assert len(sandbox("bluegreen.service")) > 20
