"""Where what is bad came from: counted per route, bounded, kept, and in words."""

import json

import pytest

from bluegreen.domain.breakdown import KEPT, OTHER, Breakdown
from bluegreen.domain.signals import Measured, Part
from bluegreen.domain.traffic import Colour

FIRST = "12:03:04.120 UTC POST /login 502 in 12 ms by 127.0.0.1:9001"


def counted(*parts: Part) -> Breakdown:
    breakdown = Breakdown()
    breakdown.count("5xx", parts)
    return breakdown


def test_the_words_name_the_route_that_most_of_it_came_from_and_the_first_line() -> None:
    breakdown = Breakdown()
    breakdown.count("5xx", [Part("web", "POST /login", 20, 11, FIRST), Part("web", "GET /", 90, 9, "later")])
    breakdown.count("5xx", [Part("web", "POST /login", 30, 20, "later too")])
    assert breakdown.words("5xx") == f"mostly POST /login of web (31 of 40), first: {FIRST}"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        pytest.param([], "", id="nothing seen"),
        pytest.param([Part("web", "GET /", 50, 0)], "", id="nothing bad"),
        pytest.param([Part("web", "GET /", 5, 2, "l")], "all at GET / of web (2 of 5 there), first: l", id="one route"),
        pytest.param(
            [Part("web", f"GET /{name}", 9, 3 if name == "b" else 2) for name in "abcde"],
            "3 at GET /b of web, 2 at GET /a of web, 2 at GET /c of web and the rest at 2 more routes",
            id="no route has most of it",
        ),
        pytest.param([Part("", "", 1, 1, "ERROR: no")], "first: ERROR: no", id="a line without a route"),
        pytest.param([Part("web", "GET /", 4, 2), Part("api", "GET /", 4, 2)],
                     "2 at GET / of api, 2 at GET / of web", id="services are told apart"),
    ],
)  # fmt: skip
def test_the_words(parts: list[Part], words: str) -> None:
    assert counted(*parts).words("5xx") == words


def test_a_signal_that_nobody_counted_has_no_words() -> None:
    assert (Breakdown().words("5xx"), Breakdown().first("5xx"), Breakdown().parts("5xx")) == ("", "", ())


def test_values_above_the_limit_are_the_bad_ones_of_their_route() -> None:
    breakdown = Breakdown()
    values, routes = (0.1, 0.5, 0.7, 0.2), ("GET /a", "GET /b", "GET /b", "GET /b")
    breakdown.measure(Measured("log", "slow", Colour.GREEN, "web", values, routes=routes), 0.3)
    assert breakdown.parts("slow") == (
        Part("web", "GET /b", 3, 2, "GET /b in 500 ms"),
        Part("web", "GET /a", 1, 0),
    )
    assert breakdown.words("slow") == "all at GET /b of web (2 of 3 there), first: GET /b in 500 ms"


def test_values_without_routes_say_nothing() -> None:
    breakdown = Breakdown()
    breakdown.measure(Measured("log", "slow", Colour.GREEN, "web", (9.0,)), 0.3)
    assert breakdown.words("slow") == ""


def test_it_stays_small_and_keeps_the_routes_that_are_worst() -> None:
    breakdown = counted(Part("web", "POST /login", 100, 40, FIRST))
    for number in range(50 * KEPT):
        breakdown.count("5xx", [Part("web", f"GET /{number}", 1, 0)])
        assert len(breakdown.parts("5xx")) <= 2 * KEPT
    assert breakdown.parts("5xx")[0] == Part("web", "POST /login", 100, 40, FIRST)
    assert sum(part.n for part in breakdown.parts("5xx")) == 100 + 50 * KEPT, "none is lost"
    assert OTHER in {part.route for part in breakdown.parts("5xx")}


def test_it_survives_a_restart_exactly() -> None:
    before = counted(Part("web", "POST /login", 100, 40, FIRST), Part("api", "GET /:id", 10, 1, "second"))
    after = Breakdown.from_json(json.loads(json.dumps(before.to_json())))
    assert after.parts("5xx") == before.parts("5xx")
    after.count("5xx", [Part("web", "POST /login", 1, 1, "a later one")])
    assert after.words("5xx") == f"mostly POST /login of web (41 of 42), first: {FIRST}"


def test_a_trial_that_was_kept_without_one_begins_with_an_empty_one() -> None:
    assert Breakdown.from_json(None).parts("5xx") == ()


@pytest.mark.parametrize(
    "kept",
    [{"sums": 1}, {"parts": {"5xx": [["web"]]}}, {"parts": 3}, {"parts": {"5xx": [["web", "GET /", "1", 1, ""]]}}],
)
def test_what_another_program_kept_is_refused(kept: object) -> None:
    with pytest.raises(ValueError, match="not of this program"):
        Breakdown.from_json(kept)
