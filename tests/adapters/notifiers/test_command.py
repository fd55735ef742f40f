"""The command notifier: what it runs and what it says of a failure."""

from pathlib import Path

import pytest

from bluegreen.adapters.notifiers.command import CommandNotifier
from bluegreen.domain.errors import NotifierFailed
from tests.adapters.notifiers.test_contract import NOTICE
from tests.adapters.waiting import LONG


async def test_the_command_runs_as_configured(tmp_path: Path) -> None:
    argv = ["sh", "-c", 'echo "$0 $CHANNEL $(pwd)" > told', "{release}"]
    await CommandNotifier("pager", argv, environment={"CHANNEL": "ops"}, cwd=tmp_path, timeout=LONG).send(NOTICE)
    assert (tmp_path / "told").read_text() == f"{{release}} ops {tmp_path}\n"


@pytest.mark.parametrize(
    ("argv", "detail"),
    [
        (["sh", "-c", "echo no signal; exit 2"], "notifier pager: sh ended with exit code 2: no signal"),
        (["no-such-program"], "notifier pager: no-such-program cannot be started: .*"),
    ],
    ids=["exit code", "missing"],
)
async def test_a_failure_says_why(argv: list[str], detail: str) -> None:
    with pytest.raises(NotifierFailed, match=detail):
        await CommandNotifier("pager", argv, timeout=LONG).send(NOTICE)


async def test_a_command_that_does_not_read_its_input_has_been_told_all_the_same() -> None:
    await CommandNotifier("pager", ["true"], timeout=LONG).send(NOTICE)
