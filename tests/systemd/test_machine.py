"""Under a real systemd: the README's installation, readiness, watchdog, crashes, rights, the sandbox, the failsafe."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bluegreen.demo.children import EmbeddedFailed
from tests.systemd import host
from tests.systemd.machine import Machine, NoMachine, rootfs, wheels

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

HASTE = """\
[Service]
WatchdogSec=6s
TimeoutAbortSec=1s
RestartSec=200ms
"""
"""What a test does not want to wait for."""

BROKEN = "/run/systemd/system/bluegreen.service.d/broken.conf"


@pytest.fixture(scope="module")
def bare() -> Iterator[Machine]:
    """The host of the README, before the installation."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-") as directory:
        backups = Path(directory) / "backups"
        backups.mkdir()
        try:
            base, found = rootfs(), {**host.mounts(), wheels(): "/wheels"}
            machine = Machine(f"bg-{uuid4().hex[:8]}", base, Path(directory))
            machine.boot(found, {backups: "/var/backups/bluegreen"})
        except (NoMachine, EmbeddedFailed) as exc:
            pytest.skip(str(exc))
        try:
            host.furnish(machine)
            yield machine
        finally:
            machine.stop()


@pytest.fixture(scope="module")
def installed(bare: Machine) -> str:
    """What was printed by the installation, all of which succeeded."""
    return host.install(bare)


@pytest.fixture(scope="module")
def hasty(bare: Machine, installed: str) -> Machine:
    """The host with bluegreen, whose unit loses no time."""
    bare.write("/etc/systemd/system/bluegreen.service.d/haste.conf", HASTE)
    bare.run("systemctl", "daemon-reload")
    bare.run("systemctl", "restart", "bluegreen")
    return bare


@pytest.fixture
def machine(hasty: Machine) -> Machine:
    """The same, its daemon running, and no start counted against it."""
    hasty.run("systemctl", "reset-failed")
    hasty.run("systemctl", "start", "bluegreen")
    return hasty


def status(machine: Machine) -> Any:
    return json.loads(machine.run("bluegreen", "status", "-o", "json"))


def serves(machine: Machine) -> str:
    """The colour that users get, by the word of the application; in the moment of a switch it may be an error."""
    fetch = (
        "import http.client, ssl, socket\n"
        "context = ssl._create_unverified_context()\n"
        "plain = socket.create_connection(('127.0.0.1', 443), 10)\n"
        "secure = context.wrap_socket(plain, server_hostname='olympus.example.org')\n"
        "connection = http.client.HTTPSConnection('olympus.example.org'); connection.sock = secure\n"
        "connection.request('GET', '/version'); print(connection.getresponse().headers['X-Colour'])\n"
    )
    return machine.tried("python3", "-c", fetch)[1].strip()


def journal(machine: Machine, *words: str) -> list[dict[str, Any]]:
    """The unit's entries in the journal."""
    said = machine.run("journalctl", "--unit=bluegreen", "--output=json", *words)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def said_by_the_daemon(machine: Machine, event: str, deployment: str) -> bool:
    """Whether journald has such a line."""
    wanted = (f'"event": "{event}"', deployment)
    return any(all(part in str(entry["MESSAGE"]) for part in wanted) for entry in journal(machine))


def phase(machine: Machine) -> str:
    deployment = status(machine)["deployment"]
    return str(deployment["phase"]) if deployment else ""


@contextmanager
def watched(machine: Machine, release: str) -> Iterator[str]:
    """A release on green that is being watched, taken back in the end; gives its deployment's id."""
    machine.run("bluegreen", "deploy", release, "-y", "--no-watch", "--force", "--reason", "a test", user="alice")
    machine.eventually(lambda: phase(machine) == "AWAITING", f"{release} is tested", 90.0)
    machine.run("bluegreen", "promote", user="alice")
    machine.eventually(lambda: phase(machine) == "WATCHING", f"{release} is watched", 60.0)
    id = str(status(machine)["deployment"]["id"])
    try:
        yield id
    finally:
        if phase(machine) == "WATCHING":
            machine.run("bluegreen", "cutback")


@contextmanager
def broken(machine: Machine) -> Iterator[None]:
    """A daemon that cannot start any more, once it has ended."""
    machine.write(BROKEN, "[Service]\nExecStart=\nExecStart=/bin/false\n")
    machine.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        mend(machine)


@contextmanager
def misconfigured(machine: Machine) -> Iterator[None]:
    """A configuration that cannot be used."""
    file = "/etc/bluegreen/bluegreen.toml"
    machine.run("sed", "-i", "s/^project =/projekt =/", file)
    try:
        yield
    finally:
        machine.run("sed", "-i", "s/^projekt =/project =/", file)


def mend(machine: Machine) -> None:
    """Let the daemon start again; harmless when it does."""
    machine.sh(
        f"rm -f {BROKEN}; systemctl daemon-reload; systemctl reset-failed bluegreen; systemctl restart bluegreen"
    )


def test_the_readme_was_followed_and_the_daemon_is_ready(bare: Machine, installed: str) -> None:
    assert "is in order" in installed
    assert "✔ db olympus" in installed, "the doctor looked at what a deployment needs"
    assert "● blue serves 1.0.0 (web); nothing is moving" in installed
    assert bare.run("systemctl", "is-active", "bluegreen.service", "bluegreen.socket").split() == ["active"] * 2
    assert bare.run("systemctl", "is-enabled", "bluegreen.service", "bluegreen.socket").split() == ["enabled"] * 2
    bare.eventually(
        lambda: bare.shown("bluegreen", "StatusText") == "blue live; nothing is moving", "the status is shown"
    )
    assert bare.shown("bluegreen", "NRestarts") == "0"


def test_the_installed_units_have_no_mistake(bare: Machine, installed: str) -> None:
    units = ["bluegreen.service", "bluegreen.socket", "bluegreen-failsafe.service"]
    assert bare.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=one", *units) == ""


def test_what_belongs_to_the_daemon_alone_is_for_nobody_else(bare: Machine, installed: str) -> None:
    modes = bare.run(
        "stat", "--format=%a %U:%G %n", "/var/lib/bluegreen", "/etc/bluegreen/credentials", "/run/bluegreen/api.sock"
    )
    assert modes.splitlines() == [
        "700 bluegreen:bluegreen /var/lib/bluegreen",
        "700 root:root /etc/bluegreen/credentials",
        "666 root:root /run/bluegreen/api.sock",
    ]
    environment = bare.run("sh", "-c", "tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value bluegreen)/environ")
    assert "PASSWORD" not in environment
    assert "PASSWORD" not in bare.run("journalctl", "--unit=bluegreen")


@pytest.mark.parametrize(
    ("who", "look", "plan", "reload"), [("alice", 0, 0, 4), ("bob", 0, 4, 4), ("carol", 4, 4, 4), ("root", 0, 0, 0)]
)
def test_rights_follow_the_groups(machine: Machine, who: str, look: int, plan: int, reload: int) -> None:
    codes = [machine.tried("bluegreen", *words, user=who)[0] for words in (["status"], ["plan", "1.1.0"], ["reload"])]
    assert codes == [look, plan, reload]


@pytest.mark.parametrize(
    ("words", "allowed"),
    [("restart app@green", True), ("stop app@green", True), ("start app@red", False), ("reload caddy", True)]
    + [(f"{verb} {unit}", False) for verb in ("stop", "restart") for unit in ("caddy", "bluegreen", "postgresql")],
)
def test_the_daemon_may_ask_systemd_for_its_colours_and_for_nothing_else(
    machine: Machine, words: str, allowed: bool
) -> None:
    code, said = machine.tried("systemctl", *words.split(), user="bluegreen")
    assert (code == 0) is allowed, said


def test_a_reload_keeps_the_process_and_one_that_is_wrong_keeps_the_daemon(machine: Machine) -> None:
    pid = machine.shown("bluegreen", "MainPID")
    machine.run("systemctl", "reload", "bluegreen")
    assert machine.shown("bluegreen", "MainPID") == pid
    with misconfigured(machine):
        assert machine.tried("systemctl", "reload", "bluegreen")[0] != 0
    assert machine.run("systemctl", "is-active", "bluegreen").strip() == "active"
    assert machine.shown("bluegreen", "MainPID") == pid
    assert any("configuration.refused" in entry["MESSAGE"] for entry in journal(machine, "--priority=warning"))
    assert status(machine)["traffic"]["colour"] == "blue"


def test_a_daemon_that_hangs_is_started_again(machine: Machine) -> None:
    pid = machine.shown("bluegreen", "MainPID")
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "bluegreen")
    machine.eventually(lambda: machine.shown("bluegreen", "MainPID") not in (pid, "0"), "it is started again")
    machine.eventually(lambda: machine.shown("bluegreen", "ActiveState") == "active", "it is ready again")
    assert "Watchdog timeout" in machine.run("journalctl", "--unit=bluegreen", "--lines=50")
    assert status(machine)["traffic"]["colour"] == "blue"


def test_a_second_daemon_is_refused_and_touches_nothing(machine: Machine) -> None:
    credentials = "CREDENTIALS_DIRECTORY=/etc/bluegreen/credentials"
    code, said = machine.tried("env", credentials, "bluegreen", "serve")
    assert code == 75, said
    assert status(machine)["traffic"]["colour"] == "blue"


def test_a_deployment_works_in_the_sandbox_and_survives_what_happens_to_the_daemon(machine: Machine) -> None:
    with watched(machine, "1.1.0") as id:
        assert serves(machine) == "green"
        assert machine.run("sh", "-c", "ls /var/backups/bluegreen/*.dump").count("\n") == 1, "pg_dump worked"
        assert machine.run("systemctl", "is-active", "app@green").strip() == "active", "polkit allowed it"
        standing = f"green live; {id} WATCHING 1.1.0, 30 min left"
        machine.eventually(lambda: machine.shown("bluegreen", "StatusText") == standing, standing)

        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "bluegreen")
        machine.eventually(lambda: machine.shown("bluegreen", "NRestarts") != "0", "it is started again")
        after = status(machine)
        assert (after["deployment"]["id"], after["deployment"]["phase"]) == (id, "WATCHING")
        assert after["deployment"]["attempt"] == 2
        assert after["watch"] is not None, "the watch goes on"
        assert serves(machine) == "green"

        machine.run("systemctl", "stop", "bluegreen.service", "bluegreen.socket")
        assert machine.run("systemctl", "is-active", "app@blue", "app@green").split() == ["active"] * 2
        assert serves(machine) == "green", "a stop moves no traffic"
        assert any("unwatched until restart" in entry["MESSAGE"] for entry in journal(machine, "--priority=warning"))
        machine.run("systemctl", "start", "bluegreen")
        assert phase(machine) == "WATCHING"
    assert serves(machine) == "blue"


def test_each_line_in_the_journal_has_its_priority_and_its_fields(machine: Machine) -> None:
    with watched(machine, "1.1.0") as id:
        pass
    machine.eventually(
        lambda: said_by_the_daemon(machine, "traffic.returned", id), "journald has taken in the last line"
    )
    entries = [entry for entry in journal(machine) if entry.get("_SYSTEMD_UNIT") == "bluegreen.service"]
    lines = [(entry["PRIORITY"], json.loads(entry["MESSAGE"])) for entry in entries if entry["MESSAGE"].startswith("{")]
    levels = {"debug": "7", "info": "6", "warning": "4", "error": "3", "critical": "2"}
    assert all(priority == levels[line["level"]] for priority, line in lines)
    of_it = {line["event"]: priority for priority, line in lines if line.get("deployment") == id}
    assert (of_it["traffic.switched"], of_it["traffic.returned"]) == ("6", "4")


def test_the_failsafe_sends_users_back_when_nobody_watches(machine: Machine) -> None:
    with watched(machine, "1.1.0"), broken(machine):
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "bluegreen")
        machine.eventually(lambda: serves(machine) == "blue", "users are back")
        machine.eventually(
            lambda: machine.shown("bluegreen-failsafe", "ActiveState") == "inactive", "the failsafe has ended"
        )
        assert machine.shown("bluegreen-failsafe", "Result") == "success"
        assert machine.shown("bluegreen", "ActiveState") == "failed"
        assert "Start request repeated too quickly" in machine.run("journalctl", "--unit=bluegreen", "--lines=20")
        mend(machine)
        machine.eventually(lambda: phase(machine) == "REVERTED", "the daemon takes it as it is")
    assert serves(machine) == "blue"


def test_a_configuration_that_cannot_be_used_is_given_up_at_once_and_nobody_watched_means_nothing_is_done(
    machine: Machine,
) -> None:
    with misconfigured(machine):
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "bluegreen")
        machine.eventually(lambda: machine.shown("bluegreen", "ActiveState") == "failed", "it is given up")
        assert machine.shown("bluegreen", "ExecMainStatus") == "78"
        assert machine.shown("bluegreen", "NRestarts") == "1"
        machine.eventually(
            lambda: "nothing was done" in machine.run("journalctl", "--unit=bluegreen-failsafe", "--lines=5"),
            "the failsafe looked",
        )
        assert serves(machine) == "blue"
    mend(machine)
    assert status(machine)["traffic"]["colour"] == "blue"
