"""Durations, sizes and shares: never without a unit, since a bare 30 is seconds to one and minutes to another."""

import re

from bluegreen.settings.shown import quoted

SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
BYTES = {
    "TiB": 2**40,
    "TB": 10**12,
    "GiB": 2**30,
    "GB": 10**9,
    "MiB": 2**20,
    "MB": 10**6,
    "KiB": 2**10,
    "KB": 10**3,
    "B": 1,
}

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION = re.compile(rf"(?:{NUMBER}(?:ms|[smhd]))+")
DURATION_PART = re.compile(rf"({NUMBER})(ms|[smhd])")
SIZE = re.compile(rf"({NUMBER}) ?({'|'.join(BYTES)})")
PERCENT = re.compile(rf"({NUMBER}) ?%")


def parse_duration(value: object) -> float:
    """Seconds from "200ms", "30s", "1h30m". ValueError tells what to write."""
    if isinstance(value, str) and DURATION.fullmatch(value):
        return sum(float(number) * SECONDS[unit] for number, unit in DURATION_PART.findall(value))
    raise ValueError(
        f'{quoted(value)} is not a duration: write a number with a unit (ms, s, m, h, d), for example "30s"'
    )


def format_duration(seconds: float) -> str:
    """The text that `parse_duration` reads back: "30m", "1h30m", "200ms"."""
    left = round(seconds * 1000)
    parts = []
    for unit, length in SECONDS.items():
        count, left = divmod(left, round(length * 1000))
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def parse_size(value: object) -> int:
    """Bytes from "3GiB", "500MB". ValueError tells what to write."""
    match = SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{quoted(value)} is not a size: write a number with a unit (KB, MB, GB, TB or KiB, MiB, GiB, TiB), "
            'for example "3GiB"'
        )
    return round(float(match[1]) * BYTES[match[2]])


def format_size(size: int) -> str:
    """A size in the largest unit that says it exactly."""
    unit = next((unit for unit, length in BYTES.items() if size and size % length == 0), "B")
    return f"{size // BYTES[unit]}{unit}"


def parse_percent(value: object) -> float:
    """A share (0.01) from "1%". ValueError tells what to write."""
    match = PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError(f'{quoted(value)} is not a share: write a percentage from 0% to 100%, for example "1%"')
    return float(match[1]) / 100


def format_percent(share: float) -> str:
    """A share as a percentage: "0.1%"."""
    return f"{share * 100:.10g}%"
