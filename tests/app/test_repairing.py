"""`migrate repair`: what a person takes as it is, alone, told and audited; and drift that a deployment warns of."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bluegreen.domain.errors import DeploymentInProgress, LockBusy, MigrationFailed, NotFound
from bluegreen.domain.migrations import SchemaDrift
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside

HOTFIX = "column public.users.hotfix is new"
VERBS: dict[str, Callable[[Daemon], Awaitable[object]]] = {
    "repair": lambda daemon: daemon.service.repair(ANN, indexes=True),
    "settle": lambda daemon: daemon.service.settle("app/0001_a.expand", ANN, applied=True),
}


def drifted(outside: Outside) -> None:
    outside.database.drift = SchemaDrift("app/0000_z.expand", outside.clock.now(), (HOTFIX, "index public.i is new"))


async def test_a_changed_schema_is_taken_as_it_is_and_that_is_told_and_audited(outside: Outside) -> None:
    drifted(outside)
    async with running(outside) as daemon:
        (found,) = await daemon.service.migrations()
        assert found.drift is not None
        (repaired,) = await daemon.service.repair(ANN, "a hotfix of last night")
        assert repaired.done[0].endswith(HOTFIX)
        assert (await daemon.service.migrations())[0].drift is None
        (event,) = [event for event in await daemon.events() if event.name == "ledger.repaired"]
        assert event.facts["done"] == list(repaired.done)
        (row,) = await daemon.service.audit(10)
        assert (row.verb, row.reason, row.after) == ("migrate repair", "a hotfix of last night", "main")


async def test_what_was_done_by_hand_is_settled_and_does_not_run(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.service.settle("app/0001_a.expand", ANN, "by hand", applied=True)
        await asyncio.sleep(10)
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.LIVE
    assert outside.database.runs == []


async def test_what_nobody_knows_cannot_be_settled(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(NotFound):
            await daemon.service.settle("app/0001_a.expand", ANN, applied=True)
        outside.database.add("0002_b")
        with pytest.raises(NotFound, match="there is no migration app/0001_a"):
            await daemon.service.settle("app/0001_a.expand", ANN, applied=True)
        with pytest.raises(MigrationFailed):
            await daemon.service.settle("app/0002_b.expand", ANN, applied=False)
        assert [event.name for event in await daemon.events()][-1] == "migration.not_settled"


@pytest.mark.parametrize("verb", VERBS)
async def test_beside_a_deployment_nothing_is_repaired(verb: str, outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        with pytest.raises(DeploymentInProgress):
            await VERBS[verb](daemon)


@pytest.mark.parametrize("verb", VERBS)
async def test_while_somebody_else_migrates_nothing_is_repaired(verb: str, outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        outside.database.holder = "another daemon"
        with pytest.raises(LockBusy, match="another daemon"):
            await VERBS[verb](daemon)


async def test_a_deployment_warns_of_a_schema_that_was_changed_past_us(outside: Outside) -> None:
    drifted(outside)
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        (warning,) = [text for text in (await daemon.current()).warnings if "past bluegreen" in text]
    assert f"since app/0000_z.expand: {HOTFIX} and 1 more" in warning
