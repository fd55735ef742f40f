"""The host of the README with bluegreen on it, under a real systemd, and what tests do to it. One for the whole run."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bluegreen.demo.children import EmbeddedFailed
from tests.platform.parts import missing
from tests.systemd import host
from tests.systemd.machine import Machine, NoMachine, rootfs, wheels

HASTE = """\
[Service]
WatchdogSec=6s
TimeoutAbortSec=1s
RestartSec=200ms
"""
"""What a test does not want to wait for."""

BROKEN = "/run/systemd/system/bluegreen.service.d/broken.conf"


@pytest.fixture(scope="session")
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
            missing("a machine with a systemd", str(exc))
        try:
            host.furnish(machine)
            yield machine
        finally:
            machine.stop()


@pytest.fixture(scope="session")
def installed(bare: Machine) -> str:
    """What was printed by the installation, all of which succeeded."""
    return host.install(bare)


@pytest.fixture(scope="session")
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
