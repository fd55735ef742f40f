"""Under a real systemd: the README's installation, readiness, watchdog, crashes, rights, the sandbox, the failsafe."""

import json

import pytest

from tests.platform.installed import (
    broken,
    journal,
    mend,
    misconfigured,
    phase,
    said_by_the_daemon,
    serves,
    status,
    watched,
)
from tests.systemd.machine import Machine

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]


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
