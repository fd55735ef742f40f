"""Drift reads like a diff: what is wanted and not there, and what is there instead."""

from bluegreen.domain.drift import difference
from bluegreen.domain.traffic import ServiceTraffic, Traffic
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
