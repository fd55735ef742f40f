"""A number never stands without its unit, and what is printed can be read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.settings.units import (
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_percent,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("30s", 30.0),
        ("10m", 600.0),
        ("4h", 14_400.0),
        ("1d", 86_400.0),
        ("1h30m", 5_400.0),
        ("1.5s", 1.5),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong", [30, 1.5, True, "", "30", "30 s", "s", "-5s", "1e3s", "30 minutes", "10M", "1m s", "٣s"]
)
def test_what_is_no_duration_is_refused_with_what_to_write(wrong: object) -> None:
    with pytest.raises(ValueError, match=r'write a number with a unit \(ms, s, m, h, d\), for example "30s"'):
        parse_duration(wrong)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("3GiB", 3 * 2**30),
        ("500MB", 500_000_000),
        ("1.5KiB", 1536),
        ("0B", 0),
        ("2TB", 2 * 10**12),
        ("10 MiB", 10 * 2**20),
    ],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("wrong", [1024, "3", "3G", "3gib", "-1MB", "many", None])
def test_what_is_no_size_is_refused_with_what_to_write(wrong: object) -> None:
    with pytest.raises(ValueError, match=r'is not a size: write a number with a unit .* for example "3GiB"'):
        parse_size(wrong)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.1%", 0.001), ("100%", 1.0), ("0 %", 0.0)])
def test_a_percentage_is_read_as_a_share(text: str, share: float) -> None:
    assert parse_percent(text) == pytest.approx(share)


@pytest.mark.parametrize("wrong", [0.01, 1, "1", "101%", "-1%", "one %"])
def test_what_is_no_percentage_is_refused_with_what_to_write(wrong: object) -> None:
    with pytest.raises(ValueError, match='write a percentage from 0% to 100%, for example "1%"'):
        parse_percent(wrong)


@given(st.integers(min_value=0, max_value=10**10))
def test_a_printed_duration_reads_back_as_the_same(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.integers(min_value=0, max_value=2**50))
def test_a_printed_size_reads_back_as_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.integers(min_value=0, max_value=100_000))
def test_a_printed_share_reads_back_as_the_same(thousandths: int) -> None:
    share = thousandths / 100_000
    assert parse_percent(format_percent(share)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (format_duration(1800.0), "30m"),
        (format_duration(5400.0), "1h30m"),
        (format_duration(0.2), "200ms"),
        (format_duration(0.0), "0s"),
        (format_size(2**30), "1GiB"),
        (format_size(500_000_000), "500MB"),
        (format_size(0), "0B"),
        (format_percent(0.001), "0.1%"),
    ],
)
def test_values_are_printed_as_an_operator_writes_them(printed: str, expected: str) -> None:
    assert printed == expected
