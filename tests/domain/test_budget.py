"""Whether two colours side by side find connections, from counts alone."""

import pytest

from bluegreen.domain.budget import Connections, outlook
from bluegreen.domain.traffic import Colour

BLUE, GREEN = Colour


def now(blue: int | None = None, green: int | None = None, others: int = 0, limit: int = 100) -> Connections:
    named = {colour: n for colour, n in ((BLUE, blue), (GREEN, green)) if n is not None}
    return Connections(limit, 3, others, named)


SAID = {
    "plenty": (now(10, 0, 3), 40, "", ""),
    "just enough": (now(40, 0, 17), 40, "", ""),
    "one too few": (now(40, 0, 18), 40, "green may open 40 more connections, but only 39 of 97 are free", ""),
    "what the idle colour has open it does not open again": (now(40, 5, 14), 40, "", ""),
    "the live colour may still grow": (now(10, 0, 20), 40, "", "all the 40 connections that they may, 3 are too many"),
    "names are not configured": (now(others=70), 40, "green may open 40 more connections, but only 27 of 97", ""),
    "without names nobody knows how far the live colour grows": (now(others=50), 40, "", ""),
    "more than the budget is open": (now(60, 0, 0), 30, "", ""),
    "more than all": (now(60, 50, 0), 30, "", ""),
}


@pytest.mark.parametrize(("counted", "budget", "problem", "warning"), SAID.values(), ids=SAID.keys())
def test_what_becomes_of_the_connections(counted: Connections, budget: int, problem: str, warning: str) -> None:
    found = outlook(counted, GREEN, budget)
    assert (bool(found.problem), bool(found.warning)) == (bool(problem), bool(warning))
    assert problem in found.problem
    assert warning in found.warning


def test_counts_are_said_in_words() -> None:
    assert now(7, 5, 3).describe() == "blue 7, green 5, others 3; 82 of 97 free"
    assert now(others=12).describe() == "open 12; 85 of 97 free"
    assert now(90, 20, 0).free == 0
    assert now(90, 20, 0).used == 110
