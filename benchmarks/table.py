"""One table of plain text, and the figures that stand in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Table", "median", "micro", "milli", "p99"]


@dataclass
class Table:
    """What was measured (`title`), how it came out, and what one must know to read it (`notes`)."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        cells = [list(self.columns), *(list(row) for row in self.rows)]
        widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
        lines = [self.title, "-" * len(self.title), *(_aligned(row, widths) for row in cells)]
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "   ".join(cells).rstrip()


def p99(values: Sequence[float]) -> float:
    """The 99th percentile by nearest rank: the worst of all where there are fewer than 100."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def milli(seconds: float) -> str:
    """A duration in milliseconds: `12.3 ms`."""
    return f"{1e3 * seconds:,.1f} ms" if seconds < 1.0 else f"{1e3 * seconds:,.0f} ms"


def micro(seconds: float) -> str:
    """A duration in microseconds: `12.3 µs`."""
    return f"{1e6 * seconds:,.1f} µs"
