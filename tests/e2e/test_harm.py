"""How many users get a bad answer until they are back, counted by the users themselves.

The colours are played by Caddy's `respond`, so that the machine measures the daemon and not an application; users do
not wait for each other (benchmarks/open_model.py). What a busy machine adds, it adds to some runs: of three, the best
one is what the daemon needs. A thousand requests a second need a machine with nothing else to do: BLUEGREEN_HARM=all.
"""

import asyncio
import os
from time import monotonic

import pytest

from benchmarks.open_model import Users
from benchmarks.outage import HISTORY, LEARN, Harm, Spell, remember
from benchmarks.stand import Stand, standing
from bluegreen.demo.caddy import caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour

QUIET = pytest.mark.skipif(
    os.environ.get("BLUEGREEN_HARM") != "all", reason="needs a quiet machine: BLUEGREEN_HARM=all, or make bench"
)
RUNS = 3
GOOD = 1.5
"""Seconds in which the release serves well."""

AFTER = 1.0
"""Seconds after the way back that still count: late answers."""


async def spell(stand: Stand, how: str, release: str) -> Spell:
    """A release goes live, serves well, and fails until the daemon has taken users back."""
    id = await stand.deploy(release)
    await stand.reached(id, Phase.WATCHING)
    await asyncio.sleep(GOOD)
    began = monotonic()
    stand.fail(Colour.GREEN, how)
    back = await stand.reached(id, Phase.REVERTED)
    assert back.cause is Cause.REGRESSED, back.reason
    await asyncio.sleep(AFTER)
    stand.recover(Colour.GREEN)
    return Spell("bluegreen", how, began, monotonic(), noticed=True)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("rate", "how", "most"),
    [
        pytest.param(50.0, "out", 10, id="an outage at 50 requests a second"),
        pytest.param(50.0, "some", 12, id="5 % errors at 50 requests a second"),
        pytest.param(1000.0, "out", 150, id="an outage at 1,000 requests a second", marks=QUIET),
    ],
)
async def test_a_release_that_fails_costs_few_answers(rate: float, how: str, most: int) -> None:
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    async with standing(logged=True, breakable=True) as stand:
        users = Users(stand, rate)
        child = users.begin()
        try:
            await stand.start_daemon(stand.admin_socket)
            remember(stand)
            await asyncio.sleep(LEARN)
            spells = [await spell(stand, how, f"1.1.{number}") for number in range(RUNS)]
        finally:
            await child.stop()
        answers = users.answers()
    harms = [Harm.of(each, answers) for each in spells]
    assert min(harm.bad for harm in harms) <= most, harms
    assert all(0 < harm.bad < HISTORY for harm in harms), harms
    good = [answer for answer in answers if answer.good]
    assert {answer.said for answer in good} == {"blue", "green"}
