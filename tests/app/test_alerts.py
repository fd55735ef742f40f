"""Alerts may move users to the safe side, once, and only for the release that users are on."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.phases import Phase
from tests.app.daemons import Daemon, alert, pages, running
from tests.app.outside import Outside

P = Phase
CUTBACK, RECORDED, DUPLICATE = AlertEffect.CUTBACK, AlertEffect.RECORDED, AlertEffect.DUPLICATE


async def watched(daemon: Daemon) -> None:
    await daemon.deploy()
    await daemon.reach(P.WATCHING)
    await asyncio.sleep(1)


@pytest.mark.parametrize("labels", [{}, {"colour": "green"}, {"color": "green", "severity": "page"}])
async def test_an_alert_about_the_new_release_takes_it_back(labels: dict[str, str], outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        answer = await daemon.service.alert(alert(daemon, labels=labels, summary="logins fail"))
        ended = await daemon.end()
        told = [event for event in await daemon.events() if event.name == "alert.received"]
    assert (answer.effect, answer.reason, answer.durable) == (CUTBACK, "", True)
    assert (ended.phase, ended.cause, ended.reason) == (P.REVERTED, "alert", "alert from prom: logins fail")
    assert [(event.deployment, event.facts["effect"]) for event in told] == [(ended.id, "cutback")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"firing": False}, "it is resolved"),
        ({"matches": False}, "its labels do not match the hook's"),
        ({"blind": True}, "its rule got no data: that says nothing of users"),
        ({"effect": "record"}, "this hook only records"),
        ({"labels": {"colour": "blue"}}, "it is about blue, and users are moving to green"),
    ],
)
async def test_any_other_alert_is_recorded_with_the_reason(
    changes: dict[str, Any], reason: str, outside: Outside
) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        answer = await daemon.service.alert(alert(daemon, **changes))
        assert (answer.effect, answer.reason) == (RECORDED, reason)
        assert (await daemon.end()).phase is P.LIVE
    assert pages(outside) == []


async def test_an_alert_that_fired_before_users_met_the_release_says_nothing_about_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        early = alert(daemon)
        await watched(daemon)
        answer = await daemon.service.alert(early)
    assert (answer.effect, answer.reason) == (RECORDED, "it began before users met the new release")


async def test_the_same_alert_again_is_a_duplicate_and_one_that_fires_anew_is_not(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        first = alert(daemon, labels={"colour": "blue"})
        assert (await daemon.service.alert(first)).effect is RECORDED
        assert (await daemon.service.alert(first)).effect is DUPLICATE
        anew = alert(daemon, labels={"colour": "blue"}, starts_at=first.starts_at + timedelta(seconds=1))
        assert (await daemon.service.alert(anew)).effect is RECORDED
        resolved = alert(daemon, labels={"colour": "blue"}, starts_at=first.starts_at, firing=False)
        assert (await daemon.service.alert(resolved)).effect is RECORDED


async def test_an_alert_that_was_recorded_before_a_restart_is_known_after_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        fired = alert(daemon, labels={"colour": "blue"})
        await daemon.service.alert(fired)
    async with running(outside) as daemon:
        assert (await daemon.service.alert(fired)).effect is DUPLICATE


async def test_an_alert_that_did_not_count_cuts_back_once_it_does(outside: Outside) -> None:
    async with running(outside) as daemon:
        await watched(daemon)
        fired = alert(daemon)
        assert (await daemon.service.alert(replace(fired, effect="record"))).effect is RECORDED
        assert (await daemon.service.alert(fired)).effect is CUTBACK
        assert (await daemon.service.alert(fired)).effect is DUPLICATE
        ended = await daemon.end()
    assert ended.phase is P.REVERTED


async def test_memory_for_duplicates_is_bounded(outside: Outside) -> None:
    async with running(outside) as daemon:
        for number in range(10_100):
            daemon.service._remember_alert(str(number), acted=False)
        assert len(daemon.service._alerts) <= 10_000


@pytest.mark.parametrize("phase", [P.RETIRING, P.CONTRACTING])
async def test_when_the_way_back_is_being_given_up_an_alert_calls_people(phase: Phase, outside: Outside) -> None:
    outside.at(f"after journal {phase}", lambda: asyncio.sleep(10))
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(phase)
        answer = await daemon.service.alert(alert(daemon))
        ended = await daemon.end()
    assert (answer.effect, answer.reason) == (RECORDED, f"the deployment is in {phase}")
    assert ended.phase is P.LIVE
    assert pages(outside) == ["alert-held"]
