"""Drift reads like a diff: what is wanted and not there, and what is there instead."""

import pytest

from bluegreen.domain.arming import Armed, Arms
from bluegreen.domain.drift import Steering, difference
from bluegreen.domain.traffic import Colour, ServiceTraffic, Traffic
from tests.domain.examples import BLUE, GREEN, SERVICES, traffic


def test_where_all_is_as_wanted_there_is_no_difference() -> None:
    assert difference(SERVICES, traffic(BLUE), BLUE) == ()


def test_only_services_that_are_elsewhere_are_named_with_their_paths() -> None:
    assert difference(SERVICES, traffic(BLUE, api=GREEN), BLUE) == (
        "api, at /apps/http/api",
        "- api dials 127.0.0.1:1003 (blue)",
        "+ api dials 127.0.0.1:2003 (green)",
    )


def test_dials_of_both_colours_and_of_none_are_told_apart() -> None:
    mixed = ServiceTraffic("web", ("/a", "/b"), ("localhost:1001", "127.0.0.1:2001", "10.9.9.9:80"), None, None)
    nothing = ServiceTraffic("api", ("/c",), (), None, None)
    assert difference(SERVICES, Traffic((mixed, nothing)), GREEN) == (
        "web, at /a, /b",
        "- web dials 127.0.0.1:2001 (green)",
        "+ web dials localhost:1001 (blue), 127.0.0.1:2001 (green), 10.9.9.9:80 (of neither colour)",
        "api, at /c",
        "- api dials 127.0.0.1:2003 (green)",
        "+ api dials nothing",
    )


# --- mode "pointer"


def steering(says: str | None, web: Armed = Armed.OURS, api: Armed = Armed.OURS, fault: str = "") -> Steering:
    return Steering("/d/live", says, (Arms("web", web, ("/a",), fault), Arms("api", api, ("/b",))))


@pytest.mark.parametrize(
    ("says", "live", "lines"),
    [
        ("green g7", GREEN, ()),
        ("blue # by hand", BLUE, ("- /d/live says green", '+ /d/live says "blue # by hand"')),
        ("green-or-blue g7", GREEN, ()),
        (None, GREEN, ("- /d/live says green", "+ there is no /d/live: users get whichever colour is alive")),
    ],
    ids=["as wanted", "by hand", "with the fallback", "missing"],
)
def test_the_file_that_steers_users_is_named_where_it_says_something_else(
    says: str | None, live: Colour, lines: tuple[str, ...]
) -> None:
    found = difference(SERVICES, traffic(live), GREEN, steering(says))
    assert found[: len(lines)] == lines
    assert bool(found) is bool(lines)


def test_a_word_that_is_none_is_called_so() -> None:
    nowhere = Traffic(tuple(ServiceTraffic(name, ("/a",), ("127.0.0.1:1001",), None, None) for name in SERVICES))
    lines = difference(SERVICES, nowhere, GREEN, steering("purple"))
    assert lines[1] == '+ /d/live says "purple", which is no word of ours: users get whichever colour lives'


def test_arms_that_are_gone_and_arms_that_were_edited_are_named() -> None:
    edited = steering("green g7", web=Armed.OUTDATED, api=Armed.BARE, fault="arm green dials 10.0.0.9:1")
    lines = difference(SERVICES, traffic(GREEN, api=BLUE), GREEN, edited)
    assert lines == (
        "web: arm green dials 10.0.0.9:1",
        "api: the arms are gone, its route dials 127.0.0.1:1003 (blue) by itself again",
        "api, at /apps/http/api",
        "- api dials 127.0.0.1:2003 (green)",
        "+ api dials 127.0.0.1:1003 (blue)",
    )
