"""Colours that are units, under a real systemd: brought up and stopped by the installed daemon inside its sandbox, by
what polkit allows; what a broken unit, a restart of the daemon and a boot mean; what else the sandbox lets through."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.platform.installed import phase, serves, status, watched
from tests.systemd.machine import ROOT, Machine

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

APP = """\
[Unit]
ConditionFileNotEmpty=/var/lib/bluegreen/%i.env
[Service]
DynamicUser=yes
Environment=PORT_blue=8001 PORT_green=9001 PYTHONDONTWRITEBYTECODE=1
Environment=DATABASE_URL=postgresql://olympus:PASSWORD@127.0.0.1:5432/olympus
EnvironmentFile=-/var/lib/bluegreen/%i.env
ExecStartPre=/bin/sh -c 'while test -e /run/slow; do sleep 0.1; done'
ExecStart=/bin/sh -c 'if test "$RELEASE" = 1.1.6; then echo "no such table: numbers"; exit 3; fi; \
  exec /opt/bluegreen/bin/python -m bluegreen.demo.application --colour %i --service shop \
  --version "$RELEASE" --port "$PORT_%i"'
[Install]
WantedBy=multi-user.target
"""

WORKER = """\
[Unit]
ConditionFileNotEmpty=/var/lib/bluegreen/%i.env.live-only
[Service]
DynamicUser=yes
EnvironmentFile=-/var/lib/bluegreen/%i.env.live-only
ExecStart=/bin/sleep infinity
"""

ENVIRONMENT = """\
[environments.{colour}]
{release}
runner = "systemd"
[environments.{colour}.systemd]
units = ["app@{{colour}}.service"]
environment_file = "/var/lib/bluegreen/{colour}.env"

"""

WORKER_SERVICE = """\
[[services]]
name = "worker"
role = "live-only"

"""


RULES = "/etc/polkit-1/rules.d/50-bluegreen.rules"


def allow(machine: Machine, rules: str) -> None:
    """Put these rules in force. polkit follows the file by inotify, of which the tests beside this one may have used up
    all that there is."""
    machine.write(RULES, rules)
    machine.run("systemctl", "restart", "polkit")


@pytest.fixture(scope="module")
def driven(hasty: Machine) -> Machine:
    """The host, its colours changed from commands to units."""
    before = hasty.run("cat", "/etc/bluegreen/bluegreen.toml")
    rest = re.sub(r"(?ms)^(\[environments\.(blue|green)\]|\[\[(databases|migrations)\]\])\n.*?(?=^\[|\Z)", "", before)
    rest = rest.replace('"/health/ready" }', '"/health/ready", interval = "200ms" }')
    colours = ENVIRONMENT.format(colour="blue", release='release = "1.0.0"') + ENVIRONMENT.format(
        colour="green", release=""
    )
    hasty.write("/etc/systemd/system/app@.service", APP)
    hasty.write("/etc/systemd/system/worker@.service", WORKER)
    hasty.write("/etc/bluegreen/bluegreen.toml", rest + WORKER_SERVICE + colours, 0o640)
    rules = (ROOT / "systemd/bluegreen.rules").read_text().replace('// "worker@', '"worker@')
    allow(hasty, rules)
    hasty.write(
        "/etc/systemd/system/bluegreen.service.d/units.conf", "[Service]\nSupplementaryGroups=systemd-journal\n"
    )
    hasty.sh(
        """
        chgrp bluegreen /etc/bluegreen/bluegreen.toml
        for file in blue.env blue.env.live-only; do
          echo 'RELEASE="1.0.0"' | install -o bluegreen -m 0600 /dev/stdin /var/lib/bluegreen/$file; done
        systemctl daemon-reload
        systemctl restart app@blue worker@blue bluegreen
        """
    )
    hasty.eventually(lambda: serves(hasty) == "blue", "blue is up")
    return hasty


@pytest.fixture
def units(driven: Machine) -> Machine:
    """The same, its daemon running, and no start counted against it."""
    driven.run("systemctl", "reset-failed")
    driven.run("systemctl", "start", "bluegreen")
    return driven


def running(machine: Machine, *names: str) -> list[str]:
    """The invocations of units that run; "" for each that does not."""
    return [
        machine.shown(name, "InvocationID") if machine.shown(name, "ActiveState") == "active" else "" for name in names
    ]


@contextmanager
def on_trial(machine: Machine, release: str) -> Iterator[None]:
    """A deployment that is on its way, given up in the end."""
    machine.run("bluegreen", "deploy", release, "-y", "--no-watch", "--force", "--reason", "a test", user="alice")
    try:
        yield
    finally:
        machine.tried("bluegreen", "abort", "--reason", "the test is over", user="alice")
        machine.eventually(lambda: phase(machine) == "ABANDONED", "it is given up", 60.0)


def test_a_release_comes_up_as_units_and_survives_restarts_of_the_daemon(units: Machine) -> None:
    with watched(units, "1.1.0"):
        assert serves(units) == "green"
        assert 'RELEASE="1.1.0"' in units.run("cat", "/var/lib/bluegreen/green.env")
        before = running(units, "app@green", "app@blue")
        assert all(before)
        units.eventually(lambda: bool(*running(units, "worker@green")), "the worker follows the users")
        assert running(units, "worker@blue") == [""], "nothing runs twice"

        units.run("systemctl", "restart", "bluegreen")
        units.eventually(lambda: phase(units) == "WATCHING", "the watch goes on")
        assert running(units, "app@green", "app@blue") == before, "they live outside the daemon's cgroup"
        assert serves(units) == "green"
    units.eventually(lambda: bool(*running(units, "worker@blue")), "the worker is back")
    assert running(units, "worker@green") == [""]
    assert serves(units) == "blue"
    assert "blue can be started and stopped (app@blue.service running" in units.tried("bluegreen", "doctor")[1]


def test_a_daemon_restarted_while_a_unit_starts_brings_it_up_all_the_same(units: Machine) -> None:
    units.run("touch", "/run/slow")
    with on_trial(units, "1.1.1"):
        units.eventually(lambda: units.shown("app@green", "ActiveState") == "activating", "green starts")
        assert phase(units) == "STARTING"
        units.run("systemctl", "restart", "bluegreen")
        units.run("rm", "/run/slow")
        units.eventually(lambda: phase(units) == "AWAITING", "green is tested", 90.0)
        assert all(running(units, "app@green"))
        assert serves(units) == "blue"
    assert running(units, "app@green") == [""]
    assert units.run("cat", "/var/lib/bluegreen/green.env") == "", "a boot would start nothing"


def test_a_unit_that_does_not_come_up_never_meets_users_and_says_why(units: Machine) -> None:
    with on_trial(units, "1.1.6"):
        units.eventually(lambda: phase(units) == "ABANDONED", "it is given up", 90.0)
        reason = str(status(units)["deployment"]["reason"])
        assert "app@green.service" in reason
        assert "no such table: numbers" in reason
    assert serves(units) == "blue"
    assert units.shown("app@green", "ActiveState") == "inactive", "the failure is forgotten with the attempt"


def test_after_a_boot_only_what_should_run_is_started(units: Machine) -> None:
    units.run("systemctl", "enable", "--quiet", "app@blue", "app@green")
    invocation = running(units, "app@blue")
    units.run("systemctl", "start", "app@green", "app@blue")
    assert running(units, "app@green", "app@blue") == ["", *invocation]


@pytest.mark.parametrize(
    ("words", "user", "allowed"),
    [
        ("reset-failed app@blue", "bluegreen", True),
        ("restart worker@green", "bluegreen", True),
        ("stop worker@green", "bluegreen", True),
        ("stop app@red", "bluegreen", False),
        ("kill app@green", "bluegreen", False),
        ("enable app@green", "bluegreen", False),
        ("daemon-reload", "bluegreen", False),
        ("stop app@green", "carol", False),
        ("start ssh", "bluegreen", False),
    ],
)
def test_polkit_allows_the_units_of_the_colours_and_nothing_else(
    units: Machine, words: str, user: str, allowed: bool
) -> None:
    code, said = units.tried("systemctl", "--no-ask-password", *words.split(), user=user)
    assert (code == 0) is allowed, said


def test_what_polkit_forbids_is_told_before_anything_starts(units: Machine) -> None:
    before = units.run("cat", RULES)
    allow(units, before.replace("app@green", "app@red"))
    try:
        code, said = units.tried(
            "bluegreen", "deploy", "1.1.2", "-y", "--no-watch", "--force", "--reason", "a test", user="alice"
        )
        if code == 0:
            units.eventually(lambda: phase(units) == "ABANDONED", "it is refused", 60.0)
            said = str(status(units)["deployment"]["reason"])
        assert "systemd does not let bluegreen stop app@green.service" in said
        assert "systemd does not let bluegreen stop app@green.service" in units.tried("bluegreen", "doctor")[1]
    finally:
        allow(units, before)
    assert serves(units) == "blue"


# --- what else the sandbox lets through

SANDBOX = re.compile(
    r"(?m)^(User|Group|StateDirectory.*|Protect\w+|Private\w+|ReadWritePaths|UMask|NoNew\w+|Capab\w+|Ambient\w+|Restrict(?!art)\w+|Lock\w+|Memory\w+|System\w+|Keyring\w+|RemoveIPC|ProcSubset)=.*$"
)


def sandboxed(machine: Machine, script: str, *further: str) -> str:
    """What a command says that runs under the very lines of bluegreen.service, and `further` ones."""
    unit = (ROOT / "systemd/bluegreen.service").read_text()
    lines = [found[0] for found in SANDBOX.finditer(unit)]
    assert len(lines) > 25, "the sandbox"
    machine.write("/srv/sandboxed", f"#!/bin/sh\n{script}\n", 0o755)
    service = ["[Service]", "Type=oneshot", "ExecStart=/srv/sandboxed", "StandardOutput=journal", *lines, *further]
    machine.write("/run/systemd/system/sandboxed.service", "\n".join(service) + "\n")
    machine.run("systemctl", "daemon-reload")
    code, said = machine.tried("systemctl", "start", "sandboxed")
    id = machine.run("journalctl", "--unit=sandboxed", "--output=cat", "--lines=8")
    assert code == 0, said + id
    return id


ENGINE = """\
import os, socketserver
class Engine(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
server = socketserver.UnixStreamServer("/run/docker.sock", Engine)
os.chmod("/run/docker.sock", 0o660)
server.serve_forever()
"""

PING = """\
exec /usr/bin/python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/docker.sock"); \
s.sendall(b"GET /_ping HTTP/1.1\\r\\n\\r\\n"); print("engine says", s.recv(99).split()[-1])'"""


def test_the_sandbox_reaches_an_engine_of_containers_through_its_socket(units: Machine) -> None:
    units.write("/srv/engine.py", ENGINE)
    units.sh(
        """
        groupadd --system --force docker
        systemd-run --quiet --collect --unit=engine --property=Group=docker /usr/bin/python3 /srv/engine.py
        timeout 20 sh -c 'until test -S /run/docker.sock; do sleep 0.1; done'
        """
    )
    try:
        with pytest.raises(AssertionError, match="PermissionError"):
            sandboxed(units, PING)
        assert "engine says b'OK'" in sandboxed(units, PING, "SupplementaryGroups=docker")
    finally:
        units.run("systemctl", "stop", "engine")


SSH = """\
set -eu
options="-o BatchMode=yes -o StrictHostKeyChecking=yes -o ControlMaster=auto -o ControlPersist=5"
ssh $options -o ControlPath=/var/lib/bluegreen/link-%C deploy@127.0.0.1 'echo "here is $(id -un)"'
ssh $options -o ControlPath=/var/lib/bluegreen/link-%C deploy@127.0.0.1 'exit 7' || echo "code $?"
"""


def test_the_sandbox_reaches_another_host_by_ssh(units: Machine) -> None:
    units.sh(
        """
        id deploy >/dev/null 2>&1 || useradd --create-home --shell /bin/sh deploy
        systemctl start ssh
        install -d -o bluegreen -g bluegreen -m 0700 /var/lib/bluegreen/.ssh
        runuser -u bluegreen -- ssh-keygen -q -t ed25519 -N '' -f /var/lib/bluegreen/.ssh/id_ed25519 <<< y >/dev/null
        install -d -o deploy -m 0700 /home/deploy/.ssh
        install -o deploy -m 0600 /var/lib/bluegreen/.ssh/id_ed25519.pub /home/deploy/.ssh/authorized_keys
        echo "127.0.0.1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" |
          install -o bluegreen -m 0600 /dev/stdin /var/lib/bluegreen/.ssh/known_hosts
        """
    )
    said = sandboxed(units, SSH)
    assert "here is deploy" in said
    assert "code 7" in said
