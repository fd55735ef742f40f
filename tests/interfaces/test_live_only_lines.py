"""What the status says of services that run only where users are."""

import click
import pytest

from bluegreen.app.requests import LiveOnly
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces import models_live_only as models
from bluegreen.interfaces.live_only_lines import live_only_lines

TWO = ("mailer", "scheduler")
TAKEOVER = "bluegreen env takeover blue --reason '...'"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (None, []),
        (LiveOnly(TWO, Colour.GREEN), ["  live-only   mailer, scheduler: on green"]),
        (
            LiveOnly(TWO, Colour.BLUE, known=False),
            ["  live-only   mailer, scheduler: on blue, as they were set up; they follow the next switch"],
        ),
        (
            LiveOnly(TWO, Colour.GREEN, settled=False, doing="stopping mailer, scheduler on blue"),
            ["  live-only   mailer, scheduler: on their way to green: stopping mailer, scheduler on blue"],
        ),
        (
            LiveOnly(("mailer",), Colour.BLUE, settled=False, problem="green is away", next=(TAKEOVER,)),
            ["  ! live-only mailer: green is away", f"  next: {TAKEOVER}"],
        ),
        (LiveOnly(("mailer",), Colour.GREEN, problem="users are on blue"), ["  ! live-only mailer: users are on blue"]),
    ],
    ids=["none", "settled", "never moved", "on their way", "a problem", "apart from users"],
)
def test_it_says_where_they_are_and_what_is_in_the_way(parts: LiveOnly | None, expected: list[str]) -> None:
    assert [click.unstyle(line) for line in live_only_lines(parts)] == expected


def test_the_api_tells_the_same() -> None:
    told = models.LiveOnly.model_validate(LiveOnly(TWO, Colour.GREEN, settled=False, doing="stopping"))
    assert told.model_dump(mode="json")["colour"] == "green"
    assert told.model_dump()["names"] == TWO
