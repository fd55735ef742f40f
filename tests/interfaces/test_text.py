"""Text for people: untrusted words are made harmless, times are said as people say them."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from bluegreen.domain.phases import Phase
from bluegreen.interfaces import text
from tests.interfaces.scripts import a_plan, at

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "trick",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\r",
        "\n",
        "\b",
        "\x00",
        "\x7f",
        "\u202e",
        "\u2066",
        "\u2028",
        "\ud800",
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(trick: str) -> None:
    shown = text.clean(f"1.0{trick}.0")
    assert all(character.isprintable() for character in shown)
    assert shown.startswith("1.0")
    assert shown.endswith(".0")


def test_letters_of_all_languages_are_left_alone() -> None:
    assert text.clean("Größe 版本 версия 1.0 ✔") == "Größe 版本 версия 1.0 ✔"


def test_every_text_of_an_object_is_cleaned_and_nothing_else_changes() -> None:
    deployment = at(Phase.WATCHING, reason="a\x1b[31mb", facts={"k\x07": ["\x9b", 7, None]}, warnings=("x\ny",))
    shown = text.cleaned(deployment)
    assert (shown.reason, shown.warnings) == ("a�[31mb", ("x y",))
    assert shown.facts == {"k�": ["�", 7, None]}
    assert shown.phase is Phase.WATCHING
    assert text.cleaned(a_plan()) == a_plan()


def test_a_block_keeps_its_lines() -> None:
    assert text.block("one\n\ttwo\x1b[1m\r\nthree") == ["one", "        two�[1m", "three"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (0.0004, "0s"),
        (0.04, "40ms"),
        (0.0949, "95ms"),
        (0.096, "0.1s"),
        (0.26, "0.3s"),
        (1, "1s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m"),
        (60, "1m"),
        (185, "3m 5s"),
        (3600, "1h"),
        (3660, "1h 1m"),
        (86_400, "1d"),
        (350_000, "4d 1h"),
        (-3, "0s"),
    ],
)
def test_durations_are_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert text.duration(seconds) == said


def test_a_time_of_another_day_names_the_day() -> None:
    assert len(text.until(NOW + timedelta(minutes=5), NOW)) == len("12:05")
    assert " " in text.until(NOW + timedelta(days=2), NOW)


def test_a_long_line_goes_on_below_where_its_text_began() -> None:
    line = f"  {text.mark(text.RUNNING)} SWITCHING    {text.strong('send all')} traffic of accounts and shop to green"
    pieces = [click.unstyle(piece) for piece in text.wrapped(line, 40)]
    assert pieces == [
        "  ▶ SWITCHING    send all traffic of",
        "                 accounts and shop to",
        "                 green",
    ]


def test_a_line_that_fits_is_left_as_it_is() -> None:
    assert text.wrapped("  why         it is so", 22) == ["  why         it is so"]
    below = f"{' ' * 14}undecided; usual 0 %"
    assert text.wrapped(below, 26) == [f"{' ' * 14}undecided;", f"{' ' * 14}usual 0 %"], "no label, and still below"


def test_a_word_that_is_too_long_is_not_lost() -> None:
    assert "".join(text.wrapped(f"  next: {'x' * 90}", 40)).count("x") == 91
