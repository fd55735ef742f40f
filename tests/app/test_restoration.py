"""`backup restore`: nobody is surprised, users come back whatever happens, and what was cut off is carried on."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from bluegreen.adapters.backups.memory import MemoryRestorations
from bluegreen.app.restoration import Step
from bluegreen.domain.errors import (
    BackupFailed,
    BluegreenError,
    DeploymentInProgress,
    JournalUnwritable,
    NotFound,
    ReleaseInvalid,
    RequestRefused,
    StepFailed,
)
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Release
from bluegreen.domain.restorations import Restored, Session
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Dying, Outside
from tests.domain.examples import BLUE, GREEN

USER = Session(7, "blue", "app", "10.0.0.1", 60.0)


def _server(outside: Outside) -> MemoryRestorations:
    return outside.database.restorations


async def _taken(daemon: Daemon) -> str:
    return (await daemon.service.back_up(ANN))[0].id


async def _restore(daemon: Daemon, id: str, **rest: Any) -> Restored:
    return await daemon.service.restore(id, ANN, **{"confirm": "main", **rest})


def _seen(outside: Outside) -> list[str]:
    """What was promised never to happen happened only because it was ordered."""
    seen, outside.broken = outside.broken, []
    return seen


async def test_the_backup_serves_the_former_state_is_dumped_and_kept_and_everybody_is_told(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        restored = await _restore(daemon, id, reason="the import went wrong")
        assert _server(outside).serving == id
        assert (restored.backup.id, restored.colours, restored.warnings) == (id, (), ())
        assert restored.kept.startswith("main_broken_")
        assert restored.present.endswith("before-restore")
        assert outside.database.needed == {id}, "what is being restored is not removed meanwhile"
        assert [call.calls for call in outside.runners.values()] == [[], []]
        row = (await daemon.service.audit(1))[0]
        assert (row.verb, row.before, row.after, row.reason) == ("restore", "main", id, "the import went wrong")
        await asyncio.sleep(1)
        notice = outside.notifier.sent[-1]
        assert (notice.event, notice.severity) == ("backup.restored", "warning")
        steps = [event.facts["step"] for event in await daemon.events() if event.name == "restoration.advanced"]
        assert steps == [Step.STOPPING, Step.KEEPING, Step.RESTORING, Step.SWAPPING]
        status = await daemon.service.status()
        assert (status.doing, status.troubles) == ("", ())
        assert await outside.journal.facts("restoration") == {}


async def test_it_is_refused_while_somebody_is_in_the_database_and_they_are_named(outside: Outside) -> None:
    _server(outside).others = [USER]
    async with running(outside) as daemon:
        id = await _taken(daemon)
        rows = await daemon.service.audit(50)
        with pytest.raises(
            RequestRefused, match=r"main is in use: pid 7 \(blue, user app from 10\.0\.0\.1\)"
        ) as refused:
            await _restore(daemon, id)
        assert refused.value.next[0].startswith(f"bluegreen backup restore {id} --stop-colours")
        assert await daemon.service.audit(50) == rows
        assert "restore_beside" not in _server(outside).calls


async def test_with_stop_colours_those_that_ran_are_stopped_first_and_started_again(outside: Outside) -> None:
    _server(outside).others = [USER]
    async with running(outside) as daemon:
        id = await _taken(daemon)
        doing = []
        outside.at("after runner blue down", lambda: doing.append(daemon.engine.by_hand))
        restored = await _restore(daemon, id, stop_colours=True)
        assert [(each.colour, each.release, each.problem) for each in restored.colours] == [(BLUE, "1.0.0", "")]
        assert restored.ended == 1
        assert outside.runners[BLUE].calls == [("down", ""), ("up", "1.0.0")]
        assert outside.runners[GREEN].calls == []
        assert "users get errors" in doing[0]
        assert (await daemon.service.status()).releases[BLUE] == "1.0.0"
        assert len(_seen(outside)) == 2, "the live colour was touched, as it was ordered"


async def test_who_comes_in_meanwhile_stops_it_and_everything_is_undone(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        server, before = _server(outside), _server(outside).serving

        async def restoring(what: str) -> None:
            if server.beside:
                server.others = [USER]

        outside.story = restoring
        with pytest.raises(RequestRefused, match="in use"):
            await _restore(daemon, id)
        assert (server.serving, server.beside, server.kept) == (before, {}, {})
        assert await outside.journal.facts("restoration") == {}


FAILING = {
    "the backup cannot be restored": ("restore_beside", "public.t: 3 in the database, 2 in the dump"),
    "the swap is refused": ("swap", "main stays in service: somebody is in it"),
}


async def test_a_colour_whose_release_file_is_gone_is_started_with_what_it_ran(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.LIVE

    async def gone(name: str) -> Release:
        raise ReleaseInvalid(f"there is no release {name}")

    outside.read_release = gone  # type: ignore[method-assign]
    async with running(outside) as daemon:
        restored = await _restore(daemon, await _taken(daemon), stop_colours=True)
    assert [(each.colour, each.release, each.problem) for each in restored.colours] == [(GREEN, "1.1.0", "")]
    assert outside.runners[GREEN].running == "1.1.0"
    _seen(outside)


@pytest.mark.parametrize("stop_colours", [False, True])
@pytest.mark.parametrize("case", FAILING)
async def test_a_failure_before_the_swap_undoes_everything_and_users_are_served_again(
    case: str, stop_colours: bool, outside: Outside
) -> None:
    call, why = FAILING[case]
    _server(outside).failing[call] = why
    async with running(outside) as daemon:
        id = await _taken(daemon)
        with pytest.raises(BackupFailed, match=why):
            await _restore(daemon, id, stop_colours=stop_colours)
        server = _server(outside)
        assert (server.serving, server.beside, server.kept) == ("", {}, {})
        assert outside.runners[BLUE].running == "1.0.0"
        assert await outside.journal.facts("restoration") == {}
        await asyncio.sleep(10)
        assert outside.notifier.sent[-1].event == "backup.not_restored"
        assert (await daemon.deploy()).id, "the next deployment may begin"
        assert bool(_seen(outside)) == stop_colours


async def test_a_present_state_that_cannot_be_dumped_is_kept_as_a_database_and_said(outside: Outside) -> None:
    _server(outside).failing["keep_present"] = "could not read block 7"
    async with running(outside) as daemon:
        restored = await _restore(daemon, await _taken(daemon))
        assert restored.present == ""
        assert "could not read block 7" in restored.warnings[0]
        assert restored.kept


async def test_a_swap_whose_answer_is_lost_is_recognised_by_the_names(outside: Outside) -> None:
    _server(outside).lost_answer = True
    async with running(outside) as daemon:
        id = await _taken(daemon)
        restored = await _restore(daemon, id)
        assert _server(outside).serving == id
        assert restored.kept.startswith("main_broken_")


async def test_where_nobody_can_see_how_far_it_came_the_same_order_goes_on(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        server = _server(outside)
        server.failing |= {"swap": "the connection broke", "drop_beside": "does not answer"}
        with pytest.raises(BackupFailed, match="how far it came cannot be seen") as caught:
            await _restore(daemon, id)
        assert caught.value.next[0] == f"bluegreen backup restore {id}"
        with pytest.raises(DeploymentInProgress, match="between two databases") as refused:
            await daemon.deploy()
        assert refused.value.next == (f"bluegreen backup restore {id}",)
        assert "restoration-cut-off" in (await daemon.service.status()).troubles[-1]
        server.failing.clear()
        await _restore(daemon, id)
        assert server.serving == id
        assert len(server.kept) == 1


async def test_users_are_served_again_also_where_the_copy_beside_cannot_be_dropped(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        _server(outside).failing |= {"restore_beside": "no space left", "drop_beside": "main_restore_1 was not dropped"}
        with pytest.raises(BackupFailed, match="no space left; and main_restore_1 was not dropped"):
            await _restore(daemon, id, stop_colours=True)
        assert outside.runners[BLUE].running == "1.0.0"
        assert await outside.journal.facts("restoration") == {}
        assert _seen(outside)


async def test_a_swap_that_comes_about_late_is_recognised_once_nothing_is_left_to_drop(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        server = _server(outside)
        swap = server.swap

        async def late(attempt: str) -> None:
            server.failing.clear()
            await swap(attempt, end_sessions=True)

        server.failing["swap"] = "the connection broke"
        monkeypatch.setattr(server, "drop_beside", late)
        restored = await _restore(daemon, id)
        assert server.serving == id
        assert restored.kept.startswith("main_broken_")


async def test_a_colour_that_cannot_be_started_again_is_started_by_the_same_order(outside: Outside) -> None:
    outside.runners[BLUE].failing["up"] = "no space left"
    async with running(outside) as daemon:
        id = await _taken(daemon)
        with pytest.raises(StepFailed, match=r"is in service, but blue: .*no space left") as caught:
            await _restore(daemon, id, stop_colours=True)
        assert caught.value.next[0].startswith(f"bluegreen backup restore {id}")
        assert _server(outside).serving == id
        outside.runners[BLUE].failing.clear()
        calls = list(_server(outside).calls)
        restored = await _restore(daemon, id)
        assert [each.problem for each in restored.colours] == [""]
        assert "restore_beside" not in _server(outside).calls[len(calls) :]
        _seen(outside)


async def test_a_colour_that_is_not_well_again_is_said(outside: Outside) -> None:
    outside.smoke.failures[BLUE] = "login is broken"
    async with running(outside) as daemon:
        restored = await _restore(daemon, await _taken(daemon), stop_colours=True)
        assert "login is broken" in restored.colours[0].problem
        outside.readiness[0].failures[BLUE] = "connection refused"
        restored = await _restore(daemon, await _taken(daemon), stop_colours=True)
        assert "connection refused" in restored.colours[0].problem
        _seen(outside)


@pytest.mark.parametrize("point", range(1, 50))
async def test_killed_anywhere_one_of_both_serves_and_the_same_order_ends_it(point: int, outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
    dying = Dying(point)
    outside.story = dying
    async with running(outside) as daemon, asyncio.TaskGroup() as group:

        async def order() -> None:
            with suppress(BluegreenError):  # it is dead by then
                await _restore(daemon, id, stop_colours=True)

        task = group.create_task(order(), name="order")
        dead = group.create_task(dying.dead.wait(), name="dead")
        await asyncio.wait({task, dead}, return_when=asyncio.FIRST_COMPLETED)
        survived = task.done() and not dying.dead.is_set()
        task.cancel()
        dead.cancel()
    outside.story = _nobody
    server = _server(outside)
    assert server.serving in ("", id)
    if not survived:
        async with running(outside) as daemon:
            await _restore(daemon, id, stop_colours=True)
    assert server.serving == id
    assert outside.runners[BLUE].running == "1.0.0"
    assert server.beside == {}
    assert await outside.journal.facts("restoration") == {}
    _seen(outside)


async def _nobody(what: str) -> None:
    """Hears nothing."""


async def test_the_next_daemon_calls_people_and_another_backup_has_to_wait(outside: Outside) -> None:
    async with running(outside) as daemon:
        first, second = await _taken(daemon), await _taken(daemon)
        outside.database.restoring.failing |= {"swap": "the connection broke", "drop_beside": "does not answer"}
        with pytest.raises(BackupFailed):
            await _restore(daemon, first)
    async with running(outside) as daemon:
        await daemon.service.tell_cut_off()
        await asyncio.sleep(1)
        assert "restoration.cut_off" in [notice.event for notice in outside.notifier.sent]
        with pytest.raises(RequestRefused, match="that comes first"):
            await _restore(daemon, second)


async def test_without_the_name_of_the_database_nothing_is_done(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        with pytest.raises(RequestRefused, match="name the database that goes back: main"):
            await _restore(daemon, id, confirm="yes")
        with pytest.raises(NotFound):
            await _restore(daemon, "none")
        assert _server(outside).calls == []


async def test_a_live_colour_of_which_nobody_knows_what_it_runs_is_not_stopped(outside: Outside) -> None:
    outside.releases = {}
    async with running(outside) as daemon:
        id = await _taken(daemon)
        with pytest.raises(RequestRefused, match="nobody knows what it runs"):
            await _restore(daemon, id, stop_colours=True)
        assert outside.runners[BLUE].calls == []
        assert await outside.journal.facts("restoration") == {}


async def test_a_journal_that_cannot_be_written_stops_it_before_anything_is_stopped(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)

        async def full(what: str) -> None:
            if what == "before journal keep restoration":
                raise JournalUnwritable("the disk is full")

        outside.story = full
        with pytest.raises(JournalUnwritable):
            await _restore(daemon, id, stop_colours=True)
        assert ("down", "") not in outside.runners[BLUE].calls
        _seen(outside)


async def test_beside_a_deployment_it_is_refused(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        await asyncio.sleep(10)
        await daemon.deploy()
        await daemon.reach(Phase.WATCHING)
        with pytest.raises(DeploymentInProgress):
            await _restore(daemon, id)
        assert (await daemon.service.restore_commands(id)).lines[0].startswith("#")
        assert (await daemon.service.losses(id)).tables[0].now == 15


async def test_where_the_ledger_cannot_be_read_every_backup_is_needed(outside: Outside) -> None:
    async with running(outside) as daemon:
        id = await _taken(daemon)
        outside.database.unreachable = True
        (backup,) = await daemon.service.backups()
        assert backup.id == id
        assert "cannot be told" in backup.needed


async def test_what_is_needed_says_why(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        by_hand = await _taken(daemon)
        deployment = await daemon.deploy()
        await daemon.reach(Phase.STANDING_BY)
        needed = {backup.id: backup.needed for backup in await daemon.service.backups()}
        assert needed[by_hand] == ""
        assert needed[next(id for id in needed if deployment.id in id)] == f"{deployment.id} is STANDING_BY"
        await daemon.end()
        needed = {backup.id: backup.needed for backup in await daemon.service.backups()}
        assert "made 1.1.0 live" in needed[next(id for id in needed if deployment.id in id)]
