"""The verbs that stand on settings and wiring: config, serve, demo. And that the rest needs neither."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bluegreen.__main__ import bluegreen

MINIMAL = """
project = "olympus"
[environments.blue]
up = ["true"]
down = ["true"]
[environments.green]
up = ["true"]
down = ["true"]
[[services]]
name = "accounts"
site = "accounts.example"
blue = ["127.0.0.1:7001"]
green = ["127.0.0.1:7002"]
[hooks]
listen = "127.0.0.1:9095"
[hooks.alerts]
kind = "generic"
token = "hunter2hunter2"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bluegreen.toml"
    path.write_text(MINIMAL)
    path.chmod(0o600)
    return path


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(bluegreen, [str(word) for word in words])


def test_a_configuration_in_order_is_said_to_be(file: Path) -> None:
    result = invoke("config", "check", "--config", file)
    assert (result.exit_code, result.stdout) == (0, f"✔ {file} is in order\n")


def test_the_environment_names_the_file(file: Path) -> None:
    result = CliRunner().invoke(bluegreen, ["config", "check"], env={"BLUEGREEN_CONFIG": str(file)})
    assert result.exit_code == 0


def test_what_should_not_stay_so_is_warned_about(file: Path) -> None:
    file.chmod(0o644)
    result = invoke("config", "check", "--config", file)
    assert result.exit_code == 0
    assert result.stdout.startswith("! ")
    assert "hunter2" not in result.stdout
    document = json.loads(invoke("config", "check", "--config", file, "-o", "json").stdout)
    assert (document["problems"], len(document["warnings"])) == ([], 1)


@pytest.mark.parametrize("words", [["config", "check"], ["config", "show"], ["serve"]])
def test_a_configuration_that_cannot_be_used_is_told_by_line_and_key(file: Path, words: list[str]) -> None:
    file.write_text(MINIMAL.replace("site =", "sitee ="))
    result = invoke(*words, "--config", file)
    assert result.exit_code == 78
    assert f"{file}:11: services.sitee" in result.stderr
    assert 'did you mean "site"?' in result.stderr
    assert "next: bluegreen config docs" in result.stderr


def test_problems_are_there_for_programs_too(file: Path) -> None:
    file.write_text(MINIMAL.replace("site =", "sitee ="))
    result = invoke("-o", "json", "config", "check", "--config", file)
    assert result.exit_code == 78
    assert json.loads(result.stdout)["problems"][0]["key"] == "services.sitee"


def test_no_configuration_at_all_says_how_to_get_one(tmp_path: Path) -> None:
    result = invoke("config", "check", "--config", tmp_path / "none.toml")
    assert result.exit_code == 78
    assert "There is no configuration" in result.stderr
    assert "next: " in result.stderr


@pytest.mark.parametrize("output", ["text", "json"])
def test_the_configuration_in_force_hides_its_secrets(file: Path, output: str) -> None:
    result = invoke("config", "show", "--config", file, "-o", output)
    assert result.exit_code == 0
    assert "hunter2" not in result.stdout
    if output == "json":
        assert json.loads(result.stdout)["hooks"]["alerts"]["match"] == {}
    else:
        assert 'project = "olympus"' in result.stdout.splitlines()
        assert 'services[0].site = "accounts.example"' in result.stdout.splitlines()


def test_a_key_is_explained_and_a_misspelt_one_is_found() -> None:
    told = invoke("config", "docs", "watch.window").stdout
    assert "watch.window" in told
    assert 'default: "30m"' in told
    wrong = invoke("config", "docs", "watch.windw")
    assert wrong.exit_code == 78
    assert 'Did you mean "watch.window"?' in wrong.stderr


def test_all_keys_are_explained() -> None:
    told = invoke("config", "docs").stdout
    for key in ("[caddy]", "[hooks.<name>]", "daemon.state_dir"):
        assert key in told
    entries = json.loads(invoke("config", "docs", "-o", "json").stdout)
    assert {"key", "type", "default", "description"} == set(entries[0])


def test_the_schema_of_the_configuration_is_json() -> None:
    schema = json.loads(invoke("config", "schema").stdout)
    assert schema["title"] == "bluegreen.toml"
    assert "services" in schema["required"]


def test_the_doctor_says_what_is_wrong_with_a_configuration_and_ends_with_1(tmp_path: Path) -> None:
    result = invoke("doctor", "--config", str(tmp_path / "none.toml"), "-o", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["ok"]
    assert found["checks"][0]["check"] == "config"
    assert found["checks"][0]["next"]


def test_every_verb_has_its_help_and_the_global_options() -> None:
    names = invoke("--help").stdout
    for name in bluegreen.list_commands(bluegreen.make_context("bluegreen", ["status"])):
        assert f"  {name}" in names
        told = invoke(name, "--help")
        assert told.exit_code == 0
        assert "--socket" in told.stdout


@pytest.mark.parametrize("verb", ["setup", "caddy reload", "site change", "migrate down", "hook show"])
def test_a_verb_of_later_is_unknown(verb: str) -> None:
    result = invoke(*verb.split())
    assert result.exit_code == 2
    assert "No such command" in result.stderr


def test_the_program_starts_by_its_module_and_by_its_name() -> None:
    name = Path(sys.executable).with_name("bluegreen")
    for program in ([sys.executable, "-m", "bluegreen"], [str(name)]):
        done = subprocess.run([*program, "--version"], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("bluegreen 0.")


@pytest.mark.parametrize("verb", [["explain", "23"], ["config", "schema"], ["config", "docs"]])
def test_a_full_disk_behind_the_output_is_one_line_and_no_traceback(verb: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bluegreen", *verb],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "✖ The output cannot be written: No space left on device.\n  next: bluegreen status\n"


def test_a_verb_whose_output_is_closed_does_what_it_is_told_all_the_same(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m bluegreen --socket {tmp_path / 'nobody'} cutback >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=60).returncode == 3, "the daemon was asked"


def test_a_daemon_that_may_not_have_its_state_directory_says_so(file: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "bluegreen", "serve", "--config", str(file)],
        env={**os.environ, "BLUEGREEN_DAEMON__STATE_DIR": str(blocked / "state")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 78, done.stderr
    assert "Traceback" not in done.stderr
    assert str(blocked) in done.stderr
