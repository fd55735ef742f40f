"""What `make test` leaves out and `make test-all` does not: thorough.txt says which, and what holds the promise too."""

import os
from collections.abc import Sequence
from pathlib import Path

ALL = os.environ.get("BLUEGREEN_TESTS") == "all"
"""Whether nothing is left out."""

FILE = Path(__file__).with_name("thorough.txt")


def left_out() -> dict[str, str]:
    """The beginnings of the ids of tests that are left out, and what else holds the promise of each."""
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    return {id.strip(): held.strip() for id, _, held in (line.partition(" | ") for line in lines)}


def parted(ids: Sequence[str]) -> tuple[list[int], list[int]]:
    """The places of those that are run, and of those that are left out."""
    out = tuple(left_out())
    places = range(len(ids))
    return [p for p in places if not ids[p].startswith(out)], [p for p in places if ids[p].startswith(out)]
