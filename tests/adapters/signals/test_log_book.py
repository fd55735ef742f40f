"""Lines, seconds and patterns of a colour's log, without a process."""

import signal
from collections.abc import Iterator
from time import process_time

import pytest

from bluegreen.adapters.signals.log_book import LONGEST, NOTED, QUOTED, Book, Found, Lines, quoted
from bluegreen.adapters.signals.log_sieve import PAUSE, Sieve

ERROR: Found = {"errors": (1, "ERROR a")}


def counts(book: Book, now: float) -> object:
    return book.tell(now)["counts"]


def settled(*names: str) -> Book:
    """A book whose first second, from 0 to 1, is over."""
    book = Book(list(names or ("errors",)), 0.0)
    book.tell(1.0)
    return book


def test_a_quiet_second_is_a_good_one() -> None:
    book = Book(["errors"], 0.0)
    assert not book.due(0.999)
    assert book.due(1.0)
    assert counts(book, 1.0) == {"errors": (1, 0, "")}


def test_a_second_with_a_match_is_bad_and_told_at_once() -> None:
    book = settled()
    book.enter(3, ERROR, set())
    assert book.due(1.2)
    told = book.tell(1.2)
    assert (told["counts"], told["lines"], told["matched"]) == ({"errors": (1, 1, "ERROR a")}, 3, 1)


def test_a_second_counts_once_however_much_matches() -> None:
    book = settled()
    book.enter(1, ERROR, set())
    book.tell(1.2)
    book.enter(1, {"errors": (7, "ERROR b")}, set())
    assert not book.due(1.4)
    told = book.tell(2.0)
    assert (told["counts"], told["matched"]) == ({}, 7)
    assert counts(book, 3.0) == {"errors": (1, 0, "")}


def test_each_pattern_has_its_own_seconds() -> None:
    book = settled("errors", "panics")
    book.enter(1, ERROR, set())
    book.tell(1.2)
    assert counts(book, 2.0) == {"panics": (1, 0, "")}


def test_the_first_second_is_told_when_it_is_over_since_the_words_may_be_those_of_follow() -> None:
    book = Book(["errors"], 0.0)
    book.enter(1, ERROR, set())
    assert not book.due(0.9)
    assert counts(book, 1.0) == {"errors": (1, 1, "ERROR a")}


def test_seconds_that_were_slept_through_are_nobodys() -> None:
    book = settled()
    book.enter(1, ERROR, set())
    assert counts(book, 60.0) == {}
    assert book.ends == 61.0
    assert counts(book, 61.0) == {"errors": (1, 0, "")}


def test_a_second_in_which_a_pattern_was_not_looked_for_is_not_good() -> None:
    book = settled("errors", "panics")
    book.enter(1, {}, {"errors"})
    assert counts(book, 2.0) == {"panics": (1, 0, "")}
    assert counts(book, 3.0) == {"errors": (1, 0, ""), "panics": (1, 0, "")}


def test_what_is_only_noted_is_counted_by_lines_and_is_no_event() -> None:
    book = settled("errors", NOTED)
    book.enter(2, {NOTED: (2, "deprecated: a")}, set())
    book.enter(1, {NOTED: (1, "deprecated: b")}, set())
    assert not book.due(1.5)
    told = book.tell(2.0)
    assert (told["noted"], told["line"], told["matched"]) == (3, "deprecated: a", 0)
    assert told["counts"] == {"errors": (1, 0, "")}


def test_a_line_is_shown_short_and_without_what_a_terminal_obeys() -> None:
    line = quoted(" \x1b[31mERROR\x07 " + "x" * 1000)
    assert line.startswith("\\x1b[31mERROR\\x07 xxx")
    assert line.isprintable()
    assert len(line) <= QUOTED + 6


def test_lines_come_in_pieces_and_with_either_end() -> None:
    lines = Lines()
    assert lines.take(b"a\nb") == [b"a"]
    assert lines.take(b"b\r\n\ncc") == [b"bb", b""]
    assert lines.take(b"\n") == [b"cc"]


def test_of_a_long_line_the_first_part_is_looked_at_once() -> None:
    lines = Lines()
    assert lines.take(b"x" * 3000) == []
    assert lines.take(b"x" * 3000) == [b"x" * LONGEST]
    assert lines.take(b"y" * 1_000_000) == []
    assert lines.take(b"ERROR\nnext\n") == [b"next"]
    assert lines.take(b"z" * 100_000 + b"\nnext\n") == [b"z" * LONGEST, b"next"]


def test_a_line_without_an_end_is_looked_at_once_it_stands_still() -> None:
    lines = Lines()
    lines.take(b"ERROR: continue? ")
    assert lines.stale() == []
    assert lines.stale() == [b"ERROR: continue? "]
    assert lines.stale() == []
    assert lines.take(b"yes\nnext\n") == [b"next"]


@pytest.fixture
def armed() -> Iterator[None]:
    before = signal.getsignal(signal.SIGVTALRM)
    yield
    signal.signal(signal.SIGVTALRM, before)


def test_lines_are_found_excused_and_counted() -> None:
    sieve = Sieve({"errors": (r"\bERROR\b", "client (left|gone)"), "panics": ("^panic", None)})
    found, slow = sieve.sift([b"an ERROR: client gone", b"ERROR 1", b"\xff\x00 ERROR 2", b"fine", b"panic at 3"], 0.0)
    assert found == {"errors": (2, "ERROR 1"), "panics": (1, "panic at 3")}
    assert slow == {}


@pytest.mark.usefixtures("armed")
def test_a_pattern_that_loses_its_way_is_broken_off_and_rests_while_the_others_go_on() -> None:
    sieve = Sieve({"lost": ("^(a+)+$", None), "errors": ("ERROR", None)})
    sieve.arm()
    began = process_time()
    found, slow = sieve.sift([b"a" * 60 + b"!", b"ERROR"], 0.0)
    assert process_time() - began < 10.0  # for ever, where nothing breaks it off
    assert found == {"errors": (1, "ERROR")}
    assert slow == {"lost": 61}
    assert sieve.paused == {"lost"}
    assert sieve.sift([b"a" * 60 + b"!"], PAUSE - 0.1) == ({}, {})
    assert sieve.sift([b"aaa"], PAUSE) == ({"lost": (1, "aaa")}, {})
    assert sieve.paused == set()
