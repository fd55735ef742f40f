"""Rows of a history (domain/history.py) as the journal keeps them, of two histories added up."""

from typing import Any

Row = list[Any]
"""[block, n, bad] with raw counts behind it where they differ, or ["asked", hour, ...]."""


def joined(mine: list[Row], theirs: list[Row]) -> list[Row]:
    """Their rows, each with what mine have of the same ten seconds, or of the same hour, added to it."""
    known = {_name(row): row for row in mine}
    return [_sum(row, known[_name(row)]) if _name(row) in known else row for row in theirs]


def blocks(rows: list[Row]) -> list[int]:
    """The numbers of the blocks among them."""
    return [row[0] for row in rows if row[0] != "asked"]


def _name(row: Row) -> tuple[Any, ...]:
    """Which ten seconds, or which hour."""
    return tuple(row[:2]) if row[0] == "asked" else (row[0],)


def _sum(one: Row, other: Row) -> Row:
    name, counts, more = _name(one), one[len(_name(one)) :], other[len(_name(one)) :]
    if len(counts) != len(more):  # one of them has raw counts beside: where they do not differ they are left out
        counts, more = [*counts, *counts][:4], [*more, *more][:4]
    return [*name, *(a + b for a, b in zip(counts, more, strict=True))]
