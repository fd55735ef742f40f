"""The verbs as real processes, on a real terminal and off it: asking, repainting, Ctrl-C, a daemon that restarts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen.domain.phases import Phase
from tests.interfaces.conftest import Served, in_thread, serving
from tests.interfaces.scripts import ScriptedService, a_status, at, until
from tests.interfaces.terminals import Terminal, run, start


def test_deploy_asks_on_a_terminal_and_a_no_starts_nothing(served: Served) -> None:
    with Terminal(served.path, "deploy", "1.1.0") as terminal:
        seen = terminal.wait_for("[y/N]")
        assert "▶ SWITCHING" in seen
        assert "Deploy 1.1.0 to green?" in seen
        terminal.type("n\n")
        code, seen = terminal.end()
    assert code == 1
    assert "Nothing was started." in seen
    assert [call[0] for call in served.service.calls] == ["plan"]


def test_deploy_repaints_a_terminal_and_ends_with_how_it_stands(served: Served) -> None:
    served.service.play(*until(Phase.STANDING_BY))
    with Terminal(served.path, "deploy", "1.1.0") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y\n")
        code, seen = terminal.end()
    assert code == 0
    assert "\x1b[1A" in terminal.raw
    assert "✔ SWITCHING" in seen
    assert "1.1.0 serves all users on green" in seen
    assert [call[0] for call in served.service.calls] == ["plan", "deploy"]


def test_ctrl_c_at_the_question_starts_nothing(served: Served) -> None:
    with Terminal(served.path, "deploy", "1.1.0") as terminal:
        terminal.wait_for("[y/N]")
        terminal.interrupt()
        while not terminal.ends_within(2):
            terminal.interrupt()  # CPython loses a signal that comes just before its read of a line
        code, seen = terminal.end()
    assert code == 1
    assert "Nothing was started." in seen
    assert [call[0] for call in served.service.calls] == ["plan"]


def test_ctrl_c_detaches_and_says_how_to_come_back(served: Served) -> None:
    served.service.play(at(Phase.AWAITING))
    with Terminal(served.path, "deploy", "1.1.0", "-y") as terminal:
        terminal.wait_for("bluegreen promote d-1")
        terminal.interrupt()
        code, seen = terminal.end()
    assert code == 130
    assert "Deployment d-1 goes on without you." in seen
    assert "next: bluegreen watch d-1" in seen
    assert "or: bluegreen abort d-1" in seen
    assert [call[0] for call in served.service.calls] == ["plan", "deploy"]


def test_ctrl_c_ends_status_watch_without_a_word(served: Served) -> None:
    with Terminal(served.path, "status", "-w") as terminal:
        terminal.wait_for("nothing is moving")
        terminal.interrupt()
        code, seen = terminal.end()
    assert code == 130
    assert "Traceback" not in seen


@pytest.mark.parametrize("how", [{"NO_COLOR": "1"}, {"words": "--no-color"}])
def test_without_colour_no_code_paints(served: Served, how: dict[str, str]) -> None:
    words = [how["words"]] if "words" in how else []
    more = {key: value for key, value in how.items() if key != "words"}
    with Terminal(served.path, *words, "status", **more) as terminal:
        code, seen = terminal.end()
    assert code == 0
    assert "\x1b" not in terminal.raw
    assert seen.startswith("● blue serves 1.0.0")


def test_with_colour_the_words_are_the_same(served: Served) -> None:
    with Terminal(served.path, "status") as terminal:
        _, seen = terminal.end()
    assert "\x1b[" in terminal.raw
    assert seen.strip() == "● blue serves 1.0.0 (accounts, shop); nothing is moving"


def test_long_lines_are_wrapped_for_the_terminal_and_whole_for_grep(served: Served) -> None:
    trouble = "caddy-unreachable: " + "connection refused " * 8 + "at last"
    served.service.picture = a_status(troubles=(trouble,))
    with Terminal(served.path, "status") as terminal:
        _, seen = terminal.end()
    assert max(len(line) for line in seen.splitlines()) <= 80
    assert seen.count("refused") == 8
    assert trouble in run(served.path, "status")[1]


def test_a_dumb_terminal_is_not_repainted(served: Served) -> None:
    served.service.play(*until(Phase.STANDING_BY))
    with Terminal(served.path, "watch", TERM="dumb") as terminal:
        code, seen = terminal.end()
    assert code == 0
    assert "\x1b[1A" not in terminal.raw
    assert "▶ deployment d-1" in seen


def test_off_a_terminal_nothing_is_repainted_or_painted(served: Served) -> None:
    served.service.play(*until(Phase.STANDING_BY))
    code, output, errors = run(served.path, "deploy", "1.1.0", "-y")
    assert (code, errors) == (0, "")
    assert "\x1b" not in output


def test_off_a_terminal_deploy_does_not_ask_but_refuses(served: Served) -> None:
    code, output, errors = run(served.path, "deploy", "1.1.0")
    assert (code, output) == (2, "")
    assert "add -y" in errors
    assert served.service.calls == []


def test_status_watch_appends_a_line_for_each_change_off_a_terminal(served: Served) -> None:
    with start(served.path, "status", "-w") as process:
        assert process.stdout is not None
        assert "nothing is moving" in process.stdout.readline()
        served.service.picture = a_status(at(Phase.WATCHING))
        assert "WATCHING" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")


def test_a_deployment_is_followed_through_a_restart_of_the_daemon(service: ScriptedService, socket_path: Path) -> None:
    path = socket_path
    service.play(at(Phase.WATCHING))
    with in_thread(lambda: serving(service, path)):
        process = start(path, "watch")
        assert process.stdout is not None
        assert process.stdout.readline()
    assert any("Trying again" in line for line in process.stdout)
    again = ScriptedService()
    again.told = [*service.told]
    again.play(at(Phase.STANDING_BY))
    with in_thread(lambda: serving(again, path)), process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"✔ {Phase.WATCHING}" in output
    assert "1.1.0 serves all users on green" in output


def test_a_pipe_that_closes_early_is_no_traceback(served: Served) -> None:
    served.service.past = [at(Phase.LIVE, id=f"d-{number}") for number in range(200)]
    with start(served.path, "history", "-n", "200") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert "Traceback" not in errors


def test_a_terminal_without_unicode_still_gets_the_words(served: Served) -> None:
    code, output, errors = run(served.path, "status", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (code, errors) == (0, "")
    assert "blue serves 1.0.0" in output


HEAVY = ("pydantic", "pydantic_settings", "asyncpg", "structlog", "rich", "aiohttp.web", "bluegreen.settings")


def test_a_verb_imports_nothing_that_it_does_not_need(served: Served) -> None:
    program = (
        "import sys; from bluegreen.__main__ import bluegreen; bluegreen(['status'], standalone_mode=False); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "BLUEGREEN_SOCKET": str(served.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
