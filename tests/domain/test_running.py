"""What really runs, held against what was started."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.running import Started, differences, moved_tags
from tests.virtual_time import EPOCH

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
WEB = Part("web", PartState.RUNNING, "app:1.1.0", A, EPOCH, "healthy")
LATER = EPOCH + timedelta(hours=3)


def told(now: list[Part], *, images: dict[str, str] | None = None, was: Part = WEB, alone: tuple[str, ...] = ()) -> str:
    started = Started("1.1.0", EPOCH, (was,), images or {})
    return "; ".join(difference.text for difference in differences(started, now, alone))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param([WEB], "", id="as it was"),
        pytest.param([replace(WEB, started_at=EPOCH + timedelta(milliseconds=400))], "", id="times that are rounded"),
        pytest.param([WEB, Part("job", PartState.STOPPED)], "", id="something of somebody else"),
        pytest.param([replace(WEB, health="starting")], "", id="health is being looked at"),
        pytest.param([replace(WEB, digest="")], "", id="nobody can tell the digest now"),
        pytest.param([replace(WEB, properties={"main process": "77"})], "", id="what changes by itself"),
        pytest.param([], "web is gone: nothing of this name is there any more", id="gone"),
        pytest.param(
            [replace(WEB, state=PartState.FAILED, detail="exit code 137, out of memory")],
            "web is failed: exit code 137, out of memory",
            id="died",
        ),
        pytest.param([replace(WEB, state=PartState.STOPPED)], "web is stopped", id="stopped by somebody"),
        pytest.param([replace(WEB, started_at=LATER)], "web was started again at 2026-", id="began again"),
        pytest.param([replace(WEB, health="unhealthy")], "web is unhealthy", id="unhealthy"),
        pytest.param([replace(WEB, state=PartState.FAILED, health="unhealthy")], "web is unhealthy", id="ill"),
        pytest.param(
            [replace(WEB, digest=B)],
            "web runs sha256:bbbbbbbbbbbb, and was started with sha256:aaaaaaaaaaaa",
            id="other",
        ),
    ],
)
def test_what_differs_from_what_was_started(now: list[Part], expected: str) -> None:
    said = told(now)
    assert said.startswith(expected)
    assert bool(said) == bool(expected)


@pytest.mark.parametrize(
    ("wanted", "part", "expected"),
    [
        ("app:1.1.0", WEB, ""),
        ("app:1.1.0", replace(WEB, image="docker.io/library/app:1.1.0"), ""),
        ("app:1.1.0", replace(WEB, image=""), ""),
        ("app:1.1.0", replace(WEB, image=A), ""),
        ("app:1.2.0", WEB, "web runs app:1.1.0, and 1.1.0 says app:1.2.0"),
        (f"app@{A}", WEB, ""),
        (f"app@{B}", WEB, f"web runs sha256:aaaaaaaaaaaa, and 1.1.0 says app@{B}"),
    ],
)
def test_an_image_that_is_not_the_release_s(wanted: str, part: Part, expected: str) -> None:
    assert told([part], images={"web": wanted}, was=part) == expected


def test_a_further_replica_is_held_to_the_image_of_its_service() -> None:
    assert "web-2 runs old:1" in told([WEB, replace(WEB, name="web-2", image="old:1")], images={"web": "app:1.1.0"})


def test_live_only_parts_start_and_end_with_the_traffic() -> None:
    assert told([], alone=("web",)) == ""
    assert told([replace(WEB, started_at=LATER)], alone=("web",)) == ""
    started = Started("1.1.0", EPOCH, (replace(WEB, name="web-2"),))
    assert differences(started, (), ("web",)) == (), "nor do further replicas"


@pytest.mark.parametrize(("at_home", "expected"), [(True, ["worker is failed: exit code 1"]), (False, [])])
def test_a_live_only_part_that_died_is_told_where_it_should_run(at_home: bool, expected: list[str]) -> None:
    started = Started("1.1.0", EPOCH, (WEB,))
    died = Part("worker", PartState.FAILED, detail="exit code 1")
    found = differences(started, (WEB, died), ("worker",), at_home=at_home)
    assert [difference.text for difference in found] == expected


def test_one_that_begins_again_and_again_is_one_thing_within_an_hour() -> None:
    started = Started("1.1.0", EPOCH, (WEB,))
    keys = [
        differences(started, [replace(WEB, started_at=LATER + timedelta(seconds=seconds))], ())[0].key
        for seconds in (0, 60, 3600)
    ]
    assert keys[0] == keys[1] != keys[2]


def test_a_tag_that_was_pushed_over_is_noticed() -> None:
    assert moved_tags([WEB], {"app:1.1.0": B}) == (("app:1.1.0", B, A),)
    assert moved_tags([WEB], {"app:1.1.0": A}) == ()
    assert moved_tags([replace(WEB, digest="")], {"app:1.1.0": B}) == ()
