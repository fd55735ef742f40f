"""After many deployments (I8): what is kept, what is remembered and what runs is no more than after a few."""

import asyncio

from bluegreen.domain.phases import Outcome, Phase
from tests.app.daemons import ANN, alert, running
from tests.app.outside import Outside
from tests.domain.examples import GREEN

MANY = 100
KEPT = 20


async def test_the_daemon_remembers_no_more_than_it_is_told_to_keep(outside: Outside) -> None:
    """The file itself, filled by 1,000: tests/adapters/journals/test_bounded.py."""
    outside.change(window=1.0, standby=1.0, drain=0.0)
    outside.keep_deployments = KEPT
    tasks = []
    async with running(outside) as daemon:
        for number in range(MANY):
            await daemon.deploy(f"1.{number}.0")
            await daemon.service.alert(alert(daemon, fingerprint=f"f-{number}"))
            await daemon.end()
            tasks.append(len(asyncio.all_tasks()))
        journal = outside.journal
        assert len(await journal.deployments(MANY)) == KEPT
        assert {event.deployment for event in await journal.events(0, limit=1_000_000)} - {""} == {
            each.id for each in await journal.deployments(MANY)
        }
        assert len(await journal.facts("ended")) == KEPT
        assert len(await journal.facts("notice")) <= 2 * KEPT
        assert not await journal.facts("order")
        assert not await journal.facts("watch")
        assert len(await journal.audited(MANY)) == MANY
        open_intents = [
            intent
            for each in await journal.deployments(MANY)
            for intent in await journal.intents(each.id)
            if intent.outcome is None
        ]
        assert not open_intents
        await daemon.service.rollback("", ANN)
        assert (await daemon.end()).phase is Phase.LIVE
    assert max(tasks[50:]) <= max(tasks[:50])


async def test_an_action_that_was_cut_off_has_an_outcome_once_its_deployment_has_ended(outside: Outside) -> None:
    outside.runners[GREEN].hanging.add("up")
    outside.change(deadlines={Phase.STARTING: 5.0})
    async with running(outside) as daemon:
        id = (await daemon.deploy()).id
        assert (await daemon.end()).phase is Phase.ABANDONED
    (start,) = [intent for intent in await outside.journal.intents(id) if intent.action == "start"]
    assert start.outcome is Outcome.ABORTED
    assert "before this was answered" in start.note
