"""A good release goes live, by exactly the path of the table, and leaves everything as it should be."""

import asyncio

from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.phases import Outcome, Phase
from tests.app.daemons import ANN, outcomes, pages, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

PATH = (
    *(Phase.PREPARING, Phase.BACKING_UP, Phase.REHEARSING, Phase.EXPANDING, Phase.PROVING, Phase.STARTING),
    *(Phase.TESTING, Phase.AWAITING, Phase.CANARYING, Phase.SWITCHING, Phase.WATCHING, Phase.STANDING_BY),
    *(Phase.RETIRING, Phase.CONTRACTING, Phase.LIVE),
)


async def test_a_good_release_goes_live_by_exactly_the_path_of_the_table(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.path == PATH
    assert (ended.phase, ended.cause, ended.reason, ended.moved, ended.stopped) == (Phase.LIVE, None, "", True, True)


async def test_with_nothing_configured_the_phases_without_work_pass_and_the_plan_says_so(outside: Outside) -> None:
    outside.with_databases = outside.with_smoke = False
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.path == PATH
    idle = {step.phase for step in ended.plan.steps if not step.does}
    assert idle == {Phase.BACKING_UP, Phase.REHEARSING, Phase.EXPANDING, Phase.PROVING, Phase.TESTING, Phase.AWAITING,
                    Phase.CANARYING, Phase.CONTRACTING}  # fmt: skip


async def test_after_it_users_are_on_the_new_colour_and_the_old_one_is_stopped(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        status = await daemon.service.status()
    assert status.traffic is not None
    assert status.traffic.colour is GREEN
    assert (outside.runners[GREEN].running, outside.runners[BLUE].running) == ("1.1.0", "")
    assert outside.balancer.written == [(GREEN, 1)]
    assert outside.balancer.persisted() is GREEN
    assert status.releases[GREEN] == "1.1.0"
    assert await outside.journal.fact("wanted", "colour") == "green"


async def test_people_get_one_message_about_it_and_nobody_is_called(outside: Outside) -> None:
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.end()
        await asyncio.sleep(60)
    (notice,) = outcomes(outside)
    assert (notice.event, notice.severity, notice.deployment) == ("deployment.live", "info", deployed.id)
    assert notice.text == "olympus: 1.1.0 is live on green."
    assert pages(outside) == []


async def test_the_card_is_written_before_the_switch_and_closed_before_the_old_colour_is_stopped(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.end()
    order = [what for what in outside.told if what.startswith(("card", "balancer"))]
    assert order == ["card open", "balancer green 1", "card closed"]
    first, last = outside.cards.written[0], outside.cards.written[-1]
    assert (first.deployment, first.colour, first.open, first.failsafe) == (deployed.id, BLUE, True, True)
    assert not last.open


async def test_the_intent_is_in_the_journal_before_the_switch_and_its_outcome_after(outside: Outside) -> None:
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.end()
    switched = outside.told.index("balancer green 1")
    assert "journal SWITCHING" in outside.told[switched - 3 : switched]
    assert outside.told[switched + 1] == "journal conclude"
    intents = await outside.journal.intents(deployed.id)
    assert {intent.outcome for intent in intents} == {Outcome.DONE}
    assert [intent.action for intent in intents] == ["back_up", "start", "switch", "stop"]


async def test_the_next_one_goes_the_other_way_with_the_next_generation(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.end()
        await daemon.deploy("1.2.0")
        ended = await daemon.end()
    assert (ended.old, ended.new, ended.plan.live_release) == (GREEN, BLUE, "1.1.0")
    assert outside.balancer.written == [(GREEN, 1), (BLUE, 2)]
    assert [card.colour for card in outside.cards.written if card.open] == [BLUE, GREEN]
    assert (outside.runners[BLUE].running, outside.runners[GREEN].running) == ("1.2.0", "")


async def test_the_switch_waits_for_a_person_where_promotion_is_manual(outside: Outside) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployed = await daemon.deploy()
        await daemon.reach(Phase.AWAITING)
        await asyncio.sleep(600)
        assert outside.balancer.written == []
        assert [notice.event for notice in outside.notifier.sent] == ["gate"]
        await daemon.service.promote(deployed.id, ANN)
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE


async def test_its_warning_is_kept_when_too_few_samples_came_to_call_it_good(outside: Outside) -> None:
    outside.users.rate = 0.5
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE
    assert any("undecided" in warning for warning in ended.warnings)


# --- contract migrations


async def test_contract_files_run_when_they_are_asked_for_after_a_backup(outside: Outside) -> None:
    outside.database.add("0000_drop", MigrationPhase.CONTRACT)
    async with running(outside) as daemon:
        await daemon.deploy(contract=True)
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE
    assert outside.database.runs == ["0000_drop"]
    assert len(outside.database.shelf) == 2


async def test_contract_files_stay_when_nobody_asked_for_them(outside: Outside) -> None:
    outside.database.add("0000_drop", MigrationPhase.CONTRACT)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is Phase.LIVE
    assert outside.database.runs == []


async def test_contract_files_run_by_themselves_where_the_configuration_says_so(outside: Outside) -> None:
    outside.contracts_after_standby = frozenset({"app"})
    outside.database.add("0000_drop", MigrationPhase.CONTRACT)
    outside.database.add("0000_other", MigrationPhase.CONTRACT, source="other")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
    assert outside.database.runs == ["0000_drop"]


async def test_a_contract_file_never_runs_in_the_deployment_that_applied_its_own_expand(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0001_a", MigrationPhase.CONTRACT)
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0", contract=True)
        await daemon.end()
        assert [key[2] for key in outside.database.ledger] == [MigrationPhase.EXPAND]
        await daemon.deploy("1.2.0", contract=True)
        await daemon.end()
    assert [key[2] for key in outside.database.ledger] == [MigrationPhase.EXPAND, MigrationPhase.CONTRACT]
