"""Continuity: what users hold is tried both ways before they are moved, and on the live colour after the migrations."""

import asyncio
from typing import Any

import pytest

from bluegreen.adapters.checks.memory import MemoryContinuity
from bluegreen.app.requests import PlanRequest
from bluegreen.domain.checks import Given
from bluegreen.domain.errors import RequestRefused
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
LIVE = ["mint blue", "use blue on blue", "end blue"]
"""What PREPARING tries on the live colour alone."""


@pytest.fixture
def login() -> MemoryContinuity:
    return MemoryContinuity("login")


@pytest.fixture
def outside(login: MemoryContinuity) -> Outside:
    outside = Outside()
    outside.continuity = (login,)
    return outside


async def told(daemon: Daemon, phase: Phase) -> str:
    """Why a phase ended."""
    events = [event for event in await daemon.events() if event.facts.get("previous") == phase]
    return str(events[-1].facts["answer"])


async def plan_text(daemon: Daemon, phase: Phase, **wishes: object) -> str:
    plan = await daemon.service.plan(PlanRequest("1.1.0", **wishes), ANN)  # type: ignore[arg-type]
    return next(step.text for step in plan.steps if step.phase is phase)


async def test_a_release_that_takes_what_users_hold_goes_live(outside: Outside, login: MemoryContinuity) -> None:
    async with running(outside) as daemon:
        assert (await plan_text(daemon, P.TESTING)).endswith(
            "; see that what blue gives its users holds on green, and the reverse (login)"
        )
        await daemon.deploy()
        ended = await daemon.end()
        why = await told(daemon, P.TESTING)
    assert ended.phase is P.LIVE
    assert why == "1 smoke check passed; both ways hold: login"
    across = ["mint blue", "use blue on green", "end blue", "mint green", "use green on blue", "end green"]
    assert login.said == [*LIVE, *across]


@pytest.mark.parametrize(
    ("gives", "way", "means"),
    [
        (
            Given.SESSION,
            (BLUE, GREEN),
            "a session created on blue is not valid on green: everyone would be logged out by the switch",
        ),
        (
            Given.SESSION,
            (GREEN, BLUE),
            "a session created on green is not valid on blue: whoever logged in on green would be logged out",
        ),
        (Given.TOKEN, (BLUE, GREEN), "a token issued by blue does not verify on green: every client that holds one"),
        (Given.TOKEN, (GREEN, BLUE), "a token issued by green does not verify on blue: what green issued would be"),
    ],
)
async def test_a_release_that_would_log_everyone_out_is_given_up_before_users_meet_it(
    outside: Outside, gives: Given, way: tuple[object, object], means: str
) -> None:
    login = MemoryContinuity("login", gives)
    login.refused[way] = "expected status 200, got 401"  # type: ignore[index]
    outside.continuity = (login,)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (P.ABANDONED, False)
    assert means in ended.reason
    assert "compare the secrets of both colours: bluegreen env check (expected status 200, got 401)" in ended.reason
    assert outside.serving() == {BLUE}
    assert login.said[-1] == "end green", "both ways are tried and given back, whatever failed"
    assert "bluegreen env check" in ended.next
    assert "bluegreen env smoke green --continuity -v" in ended.next


async def test_what_does_not_even_hold_where_it_was_made_is_not_blamed_on_the_other_colour(
    outside: Outside, login: MemoryContinuity
) -> None:
    login.refused |= {(GREEN, BLUE): "got 401", (GREEN, GREEN): "got 500"}
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert "login: a session of green does not even hold on green: got 500" in ended.reason


async def test_a_colour_that_gives_nothing_is_named(outside: Outside, login: MemoryContinuity) -> None:
    login.minting[GREEN] = "expected status 303, got 500"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert "login: green gives no session: expected status 303, got 500" in ended.reason


async def test_a_colour_that_hangs_ends_it_by_the_deadline(outside: Outside, login: MemoryContinuity) -> None:
    login.hanging.add(GREEN)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (P.ABANDONED, False)
    assert "trying whether what one colour gives its users holds on the other" in ended.reason


async def test_what_cannot_be_given_back_is_told_and_no_more(outside: Outside, login: MemoryContinuity) -> None:
    login.ending = "expected status 204, got 500"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert any("it could not be given back afterwards: expected status 204" in each for each in ended.warnings)


async def test_nothing_is_tried_with_a_live_colour_that_is_down(outside: Outside, login: MemoryContinuity) -> None:
    outside.database.add("0001_a")
    outside.kill(BLUE)
    wishes: dict[str, Any] = {"live_is_down": True, "reason": "it burns"}
    async with running(outside) as daemon:
        assert "continuity is not tried (login), as blue is left behind" in await plan_text(daemon, P.TESTING, **wishes)
        await daemon.deploy(**wishes)
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert login.said == []


async def test_what_the_live_colour_gave_before_the_migrations_holds_after_them(
    outside: Outside, login: MemoryContinuity
) -> None:
    outside.database.add("0001_a")
    said: list[list[str]] = []
    outside.at("after journal PROVING", lambda: said.append(list(login.said)))
    outside.at("after journal STARTING", lambda: said.append(list(login.said)))
    async with running(outside) as daemon:
        assert "and that what it gave them before still holds (login)" in await plan_text(daemon, P.PROVING)
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert said == [[*LIVE, "mint blue"], [*LIVE, *LIVE]]


async def test_a_migration_that_ends_every_session_strands_it_before_users_are_moved(
    outside: Outside, login: MemoryContinuity
) -> None:
    outside.database.add("0001_a")
    outside.at("after journal PROVING", lambda: login.refused.update({(BLUE, BLUE): "expected status 200, got 401"}))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.moved) == (P.STRANDED, False)
    assert "login: a session that blue gave before is not valid there any more: expected status 200" in ended.reason


async def test_where_the_live_colour_gives_nothing_no_migration_is_applied(
    outside: Outside, login: MemoryContinuity
) -> None:
    outside.database.add("0001_a")
    outside.at("after journal EXPANDING", lambda: login.minting.update({BLUE: "expected status 303, got 500"}))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.ABANDONED
    assert "login: blue gives no session" in ended.reason
    assert "EXPANDING" in ended.facts["phase_seconds"]
    assert "PROVING" not in ended.facts["phase_seconds"]


@pytest.mark.parametrize(("good_for", "mints"), [(None, 1), (1e6, 1), (5.0, 2)])
async def test_what_may_have_expired_meanwhile_is_had_anew(
    outside: Outside, good_for: float | None, mints: int
) -> None:
    login = MemoryContinuity("login", good_for=good_for)
    outside.continuity = (login,)
    outside.database.add("0001_a")
    proving: list[list[str]] = []
    outside.at("after journal PROVING", lambda: asyncio.sleep(10))
    outside.at("after journal STARTING", lambda: proving.append(list(login.said)))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
    assert proving[0] == [*LIVE, *["mint blue"] * mints, "use blue on blue", "end blue"]


async def test_after_a_restart_it_is_had_anew_and_nothing_of_it_was_written(
    outside: Outside, login: MemoryContinuity
) -> None:
    outside.database.add("0001_a")
    outside.at("after journal PROVING", lambda: login.hanging.add(BLUE))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.PROVING)
    assert login.said == [*LIVE, "mint blue", "use blue on blue"]
    login.hanging.clear()
    async with running(outside) as daemon:
        ended = await daemon.end()
        events = repr(await daemon.events())
    assert ended.phase is P.LIVE
    assert login.said[5:8] == LIVE
    assert "session-" not in events + repr(ended)


async def test_a_live_colour_with_which_nothing_can_be_tried_is_known_before_anything_is_done(
    outside: Outside, login: MemoryContinuity
) -> None:
    login.minting[BLUE] = "expected status 303, got 401"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.ABANDONED
    assert "login: blue gives no session: expected status 303, got 401" in ended.reason
    assert "BACKING_UP" not in ended.facts["phase_seconds"]
    assert "bluegreen env smoke blue --continuity -v" in ended.next


async def test_it_can_be_tried_by_hand(outside: Outside, login: MemoryContinuity) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        for colour in (BLUE, GREEN):
            alone = await daemon.service.smoke_colour(colour, ANN)
            answer = await daemon.service.smoke_colour(colour, ANN, with_continuity=True)
            assert [check.detail for check in answer.checks[len(alone.checks) :]] == [
                "a session of blue holds on green",
                "a session of green holds on blue",
            ]
        login.refused[BLUE, GREEN] = "got 401"
        assert not (await daemon.service.smoke_colour(GREEN, ANN, with_continuity=True)).passed


async def test_by_hand_it_is_refused_where_nothing_is_configured(outside: Outside) -> None:
    outside.continuity = ()
    async with running(outside) as daemon:
        with pytest.raises(RequestRefused, match=r"no \[\[continuity\]\] is configured") as refused:
            await daemon.service.smoke_colour(GREEN, ANN, with_continuity=True)
    assert refused.value.next == ("bluegreen config docs continuity",)
