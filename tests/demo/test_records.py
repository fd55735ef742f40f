"""What users got adds up: failures, refusals and lost sessions are three things, and nothing is counted twice."""

from pathlib import Path

import msgspec
import pytest

from bluegreen.demo.records import (
    Record,
    Tally,
    by_colour,
    by_interval,
    due_between,
    latency_at,
    read,
    sessions_lost,
)


def _record(
    due: float = 0.0,
    status: int | None = 200,
    *,
    colour: str | None = "blue",
    user: str = "u",
    works: bool | None = None,
    latency: float = 0.1,
) -> Record:
    return Record(
        number=0, due=due, start=due, latency=latency, user=user, service="shop", method="GET", path="/",
        status=status, error=None if status else "lost", colour=colour, session_works=works,
    )  # fmt: skip


def test_a_file_that_is_still_written_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    first, second = msgspec.json.encode(_record(1)), msgspec.json.encode(_record(2))
    file.write_bytes(b"")
    assert read(file) == []
    file.write_bytes(first + b"\n" + second[:20])
    assert read(file) == [_record(1)]
    file.write_bytes(first + b"\n" + second + b"\n")
    assert read(file) == [_record(1), _record(2)]


@pytest.mark.parametrize(
    ("status", "failed", "refused"),
    [(200, 0, 0), (201, 0, 0), (404, 0, 0), (401, 0, 1), (403, 0, 1), (500, 1, 0), (502, 1, 0), (None, 1, 0)],
)
def test_an_answer_is_good_failed_or_refused(status: int | None, failed: int, refused: int) -> None:
    assert Tally.of([_record(status=status)]) == Tally(1, failed, refused)
    assert Tally.of([_record(status=status)]).bad == failed + refused


def test_intervals_are_counted_from_the_first_due_time_and_empty_ones_are_there() -> None:
    records = [_record(103.1, None), _record(100.0), _record(100.9, 500), _record(101.0)]
    assert by_interval(records, 1.0) == [Tally(2, 1), Tally(1), Tally(), Tally(1, 1)]
    assert by_interval([], 1.0) == []


def test_colours_are_told_apart_and_nobody_is_one_of_them() -> None:
    records = [_record(), _record(colour="green", status=401), _record(colour=None, status=None)]
    assert by_colour(records) == {"blue": Tally(1), "green": Tally(1, 0, 1), None: Tally(1, 1)}


def test_a_span_holds_what_was_due_in_it() -> None:
    records = [_record(due) for due in (1.0, 2.0, 3.0)]
    assert [record.due for record in due_between(records, 2.0, 3.0)] == [2.0]


def test_a_session_is_lost_when_it_is_refused_to_the_end_in_due_order() -> None:
    back = [
        _record(1, works=True, user="back"),
        _record(2, works=False, user="back"),
        _record(3, works=True, user="back"),
    ]
    gone = [_record(3, works=False, user="gone"), _record(1, works=True, user="gone")]
    unknown = [_record(1, works=True, user="unknown"), _record(2, None, works=None, user="unknown")]
    assert sessions_lost([*back, *gone, *unknown]) == ["gone"]


def test_a_latency_is_the_one_that_the_share_of_requests_kept() -> None:
    records = [_record(latency=number / 100) for number in range(1, 101)]
    assert latency_at(records, 0.99) == 0.99
    assert latency_at(records, 1.0) == 1.0
    assert latency_at(records[:1], 0.5) == 0.01
    assert latency_at([], 0.99) is None
