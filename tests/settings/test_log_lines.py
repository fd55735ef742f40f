"""[[watch.log_lines]], [watch] deprecations and `follow`, as an operator writes and miswrites them."""

import pytest

from bluegreen.adapters.clock import SystemClock
from bluegreen.domain.rules import SignalRule
from bluegreen.settings import load
from bluegreen.settings.judged import signal_rules
from bluegreen.wiring_log_lines import log_lines
from tests.settings.conftest import SMALLEST, Write
from tests.settings.test_refusals import texts

FOLLOWED = SMALLEST.replace('down = ["true"]\n', 'down = ["true"]\nfollow = ["tail", "-F", "/x/{colour}.log"]\n')
ERRORS = "[[watch.log_lines]]\nname = 'errors'\npattern = 'ERROR'\n"


def refused(write: Write, added: str, base: str = FOLLOWED) -> str:
    (text,) = texts(write(added, base=base))
    return text.partition(": ")[2]


def test_its_signal_has_its_own_name_and_a_part_of_the_evidence(write: Write) -> None:
    settings = load(write(ERRORS + "weight = 0.25\ncritical = true\n", base=FOLLOWED))
    (rule,) = [rule for rule in signal_rules(settings.watch, ()) if rule.source == "log_lines"]
    assert rule == SignalRule("log:errors", weight=0.2, critical=True, source="log_lines", label="log lines of errors")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(ERROR", '"(ERROR" is not a regular expression of Python: missing ), unterminated subpattern at position 0'),
        ("ERROR|", '"ERROR|" matches an empty line, and so every line'),
        (".*", '".*" matches an empty line, and so every line'),
        ("[[a]b]", '"[[a]b]" is not a regular expression of Python: Possible nested set at position 1'),
        (
            "x{99999999999}",
            '"x{99999999999}" is not a regular expression of Python: the repetition number is too large',
        ),
    ],
    ids=["broken", "empty side", "everything", "means something else later", "too large"],
)
def test_a_pattern_that_cannot_be_meant_is_refused(write: Write, pattern: str, why: str) -> None:
    assert refused(write, ERRORS.replace("'ERROR'", f"'{pattern}'")) == f"watch.log_lines.pattern: {why}"
    assert refused(write, f"[watch]\ndeprecations = '{pattern}'\n") == f"watch.deprecations: {why}"
    assert refused(write, ERRORS + f"except = '{pattern}'\n") == f"watch.log_lines.except: {why}"


def test_a_name_stands_once(write: Write) -> None:
    text = refused(write, ERRORS * 2)
    assert text == 'watch.log_lines.name: "errors" is the name of more than one of the [[watch.log_lines]]'


def test_both_colours_need_a_log(write: Write) -> None:
    found = texts(write(ERRORS))
    assert [text.split(": ")[1] for text in found] == ["environments.blue.follow", "environments.green.follow"]
    assert "[[watch.log_lines]] errors needs the log of both colours: write the command that prints it" in found[0]


def test_nothing_is_followed_where_nothing_is_looked_for_or_nothing_can_be_followed(write: Write) -> None:
    clock = SystemClock()
    assert log_lines(load(write()), clock) is None
    silent = load(write("[watch]\ndeprecations = ''\n", base=FOLLOWED))
    assert log_lines(silent, clock) is None
    assert log_lines(load(write(base=FOLLOWED)), clock) is not None
