"""Where users are: one colour only where every service agrees."""

import pytest

from bluegreen.domain.traffic import Colour, ServiceTraffic, Traffic, normal
from tests.domain.examples import BLUE, GREEN, traffic


@pytest.mark.parametrize("colour", list(Colour))
def test_traffic_has_the_colour_that_every_service_has(colour: Colour) -> None:
    assert traffic(colour).colour is colour


@pytest.mark.parametrize(
    "seen",
    [traffic(GREEN, api=BLUE), traffic(None), traffic(GREEN, api=None), Traffic(())],
    ids=["one service on each", "neither", "one service elsewhere", "no service at all"],
)
def test_traffic_of_both_colours_or_of_none_has_no_colour(seen: Traffic) -> None:
    assert seen.colour is None


def test_a_generation_counts_where_every_service_carries_it() -> None:
    assert traffic(GREEN, 4).generation == 4
    assert traffic(GREEN).generation is None
    assert _stamped(4, 5).generation is None
    assert _stamped(4, None).generation is None


def test_the_highest_generation_is_found_wherever_it_stands() -> None:
    assert _stamped(4, 9).highest_generation == 9
    assert _stamped(None, 3).highest_generation == 3
    assert traffic(BLUE).highest_generation == 0
    assert Traffic(()).highest_generation == 0


def test_each_colour_is_the_others_other() -> None:
    assert (BLUE.other, GREEN.other) == (GREEN, BLUE)


def test_it_is_described_by_what_each_service_dials() -> None:
    assert traffic(BLUE).describe() == "web -> 127.0.0.1:1001 127.0.0.1:1002, api -> 127.0.0.1:1003"
    assert Traffic((ServiceTraffic("web", (), (), None, None),)).describe() == "web -> nothing"


def _stamped(web: int | None, api: int | None) -> Traffic:
    return Traffic(
        (ServiceTraffic("web", (), ("w:1",), GREEN, web), ServiceTraffic("api", (), ("a:1",), GREEN, api)),
    )


@pytest.mark.parametrize(
    ("dial", "spelling"),
    [
        ("127.0.0.1:8001", "127.0.0.1:8001"),
        ("localhost:8001", "127.0.0.1:8001"),
        ("tcp/127.0.0.1:8001", "127.0.0.1:8001"),
        ("tcp/LocalHost:8001", "127.0.0.1:8001"),
        (":8001", "127.0.0.1:8001"),
        ("App.Example:80", "app.example:80"),
        ("[::1]:8001", "[::1]:8001"),
        ("unix//run/app.sock", "unix//run/app.sock"),
        ("{env.APP}", "{env.app}"),
    ],
)
def test_spellings_of_one_address_are_the_same(dial: str, spelling: str) -> None:
    assert normal(dial) == spelling
