"""One line per event, for journald or for people, and never a secret in it."""

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from bluegreen import logs
from bluegreen.logs import Masking, configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_off_a_terminal_a_line_is_json_with_time_level_and_event_first() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    structlog.get_logger("bluegreen").info("traffic.switched", colour="green", generation=43, path=Path("/x"))
    (line,) = written(stream)
    assert list(line) == ["timestamp", "level", "event", "colour", "generation", "path"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["generation"], line["path"]) == ("info", "traffic.switched", 43, "/x")


def test_on_a_terminal_a_line_is_for_people_and_cannot_move_the_cursor() -> None:
    stream = Terminal()
    configure(stream=stream)
    structlog.get_logger("bluegreen").info("runner.failed", output="\x1b[2Jgone")
    assert "runner.failed" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert "\\x1b[2Jgone" in stream.getvalue()


def test_on_a_terminal_the_fields_stand_in_the_order_in_which_they_were_told() -> None:
    stream = Terminal()
    configure("console", stream=stream)
    structlog.get_logger("bluegreen").info("phase.ended", phase="STARTING", outcome="done", attempt=1)
    line = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert line.rstrip().endswith("phase=STARTING outcome=done attempt=1")


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    configure(stream=stream)
    structlog.get_logger("bluegreen").warning("traffic.drifted")
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("format", "stream"), [("json", Terminal()), ("console", io.StringIO())])
def test_the_format_can_be_chosen(format: Any, stream: io.StringIO) -> None:
    configure(format, stream=stream)
    structlog.get_logger("bluegreen").info("daemon.started")
    assert stream.getvalue().startswith("{") is (format == "json")


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    configure(level="warning", stream=stream)
    structlog.get_logger("bluegreen").info("daemon.started")
    logging.getLogger("library").info("a detail")
    structlog.get_logger("bluegreen").error("caddy.unreachable")
    assert [line["event"] for line in written(stream)] == ["caddy.unreachable"]


def test_what_is_bound_to_a_task_stands_on_each_of_its_lines() -> None:
    stream = io.StringIO()
    configure(stream=stream)
    with structlog.contextvars.bound_contextvars(deployment="d-7"):
        structlog.get_logger("bluegreen").info("phase.entered", phase="WATCHING")
        logging.getLogger("library").warning("of the same task")
    structlog.get_logger("bluegreen").info("daemon.stopped")
    assert [line.get("deployment") for line in written(stream)] == ["d-7", "d-7", None]


def test_lines_of_libraries_come_out_alike() -> None:
    stream = io.StringIO()
    configure(stream=stream, secrets=["correct-horse"])
    logging.getLogger("aiohttp.server").error("cannot use %s", "correct-horse")
    (line,) = written(stream)
    assert (line["level"], line["event"], line["logger"]) == ("error", "cannot use ***", "aiohttp.server")


def test_configuring_twice_writes_each_line_once() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(stream=first)
    log = structlog.get_logger("bluegreen")
    log.info("daemon.started")
    configure(stream=second)
    log.info("daemon.reloaded")
    assert [line["event"] for line in written(first)] == ["daemon.started"]
    assert [line["event"] for line in written(second)] == ["daemon.reloaded"]


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)]
)
def test_under_journald_a_line_carries_its_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, priority: int
) -> None:
    with (tmp_path / "stdout").open("w+") as stream:
        facts = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")
        configure(level="debug", stream=stream)
        getattr(structlog.get_logger("bluegreen"), level)("traffic.switched")
        stream.seek(0)
        text = stream.read()
    assert text.startswith(f'<{priority}>{{"timestamp"')


@pytest.mark.parametrize("journal", ["", "1:2", "nonsense"])
def test_elsewhere_no_priority_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, journal: str) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", journal)
    with (tmp_path / "stdout").open("w") as stream:
        assert not logs.under_journald(stream)
    assert not logs.under_journald(io.StringIO())


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("password", "hunter2", "***"),
        ("DB_PASSWORD", "hunter2", "***"),
        ("PGPASSWORD", "hunter2", "***"),
        ("token", "abc", "***"),
        ("dsn", "postgresql://h/db", "***"),
        ("authorization", "Bearer abc", "***"),
        ("api_key", "abc", "***"),
        ("headers", {"Cookie": "a=b", "accept": "*/*"}, {"Cookie": "***", "accept": "*/*"}),
        ("argv", ["x", "--dsn=postgresql://u:pw@h/db"], ["x", "--dsn=postgresql://u:***@h/db"]),
        ("reason", "cannot connect to postgresql://u:p@ss@h/db", "cannot connect to postgresql://u:***@h/db"),
        ("reason", "sent Authorization: Bearer abcdef123456", "sent Authorization: Bearer ***"),
        ("reason", "host=h password=hunter2 dbname=db", "host=h password=*** dbname=db"),
        ("reason", "before known-secret-1 after", "before *** after"),
        ("reason", ("known-secret-1", {"deep": "known-secret-1 x"}), ["***", {"deep": "*** x"}]),
        ("has_token", True, True),
        ("token", "", ""),
        ("tokens_left", 5, 5),
        ("release", "1.2.0", "1.2.0"),
        ("url", "http://127.0.0.1:2019/config/", "http://127.0.0.1:2019/config/"),
        ("monkey", "bananas", "bananas"),
        ("passed", "yes", "yes"),
        ("seconds", 0.25, 0.25),
        ("colour", None, None),
    ],
)
def test_a_secret_is_masked_by_name_by_look_and_where_it_is_known(field: str, value: object, expected: object) -> None:
    masked = Masking(["known-secret-1", "pw"])(None, "info", {"event": "x", field: value})
    assert masked[field] == expected


def test_a_short_known_secret_does_not_blank_out_words() -> None:
    assert Masking(["post"]).text("postgres") == "postgres"


def test_the_longest_known_secret_is_masked_first() -> None:
    assert Masking(["secret-a", "secret-a-and-more"]).text("secret-a-and-more") == "***"


def test_a_traceback_is_masked_too() -> None:
    stream = io.StringIO()
    configure(stream=stream, secrets=["correct-horse"])
    try:
        raise ValueError("no correct-horse here")
    except ValueError:
        structlog.get_logger("bluegreen").exception("step.failed")
    assert "correct-horse" not in stream.getvalue()
    assert "ValueError: no *** here" in written(stream)[0]["exception"]


def test_on_a_terminal_a_traceback_is_masked_too() -> None:
    stream = Terminal()
    configure(stream=stream, secrets=["correct-horse"])
    try:
        raise ValueError("no correct-horse here")
    except ValueError:
        structlog.get_logger("bluegreen").exception("step.failed")
    assert "correct-horse" not in stream.getvalue()
    assert "ValueError: no *** here" in stream.getvalue()


def test_a_line_that_cannot_be_written_is_told_without_its_content(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError("nobody reads")

    configure(stream=Broken(), secrets=["correct-horse"])
    structlog.get_logger("bluegreen").info("traffic.switched", note="correct-horse")
    told = capsys.readouterr().err
    assert "a log line of bluegreen was lost: BrokenPipeError('nobody reads')" in told
    assert "correct-horse" not in told


def test_stdout_is_where_lines_go_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    structlog.get_logger("bluegreen").info("daemon.started")
    assert json.loads(capsys.readouterr().out)["event"] == "daemon.started"
    assert sys.stdout is not None
