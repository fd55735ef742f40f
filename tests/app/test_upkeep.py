"""What is done by hand: alone, never on the live colour, never beside a deployment, and never lost from the audit."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bluegreen.app.requests import AlertEffect
from bluegreen.domain.errors import (
    BackupFailed,
    DeploymentInProgress,
    LiveColourProtected,
    NotFound,
    NotifierFailed,
    ReleaseInvalid,
    RequestRefused,
    RunnerFailed,
)
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, alert, running, until
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN


async def _verify_latest(daemon: Daemon) -> None:
    latest = (await daemon.service.backups())[0]
    assert (await daemon.service.verify_backup(latest.id, ANN)).id == latest.id


async def _commands_of_latest(daemon: Daemon) -> None:
    assert (await daemon.service.restore_commands((await daemon.service.backups())[0].id)).lines


ALONE: dict[str, Callable[[Daemon], Awaitable[object]]] = {
    "backup now": lambda daemon: daemon.service.back_up(ANN),
    "env up": lambda daemon: daemon.service.start_colour(GREEN, "1.0.0", ANN),
    "env down": lambda daemon: daemon.service.stop_colour(GREEN, ANN),
}
ALWAYS: dict[str, Callable[[Daemon], Awaitable[object]]] = {
    "migrate status": lambda daemon: daemon.service.migrations(),
    "backup list": lambda daemon: daemon.service.backups(),
    "backup verify": _verify_latest,
    "backup restore-command": _commands_of_latest,
    "env smoke": lambda daemon: daemon.service.smoke_colour(BLUE, ANN),
    "env logs": lambda daemon: daemon.service.environment_logs(BLUE, 10),
    "notify test": lambda daemon: daemon.service.test_receiver("memory", ANN),
    "audit": lambda daemon: daemon.service.audit(10),
}


async def _watching(daemon: Daemon) -> None:
    await daemon.deploy()
    await daemon.reach(Phase.WATCHING)


async def _stranded(daemon: Daemon) -> None:
    outside = daemon.outside
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))
    outside.at("after journal REVERTING", lambda: outside.front_door.statuses.update({BLUE: None}))
    await daemon.deploy()
    assert (await daemon.end()).phase is Phase.STRANDED


@pytest.mark.parametrize("reach", [_watching, _stranded])
@pytest.mark.parametrize("verb", ALONE)
async def test_beside_a_deployment_nothing_is_done_by_hand_and_the_refusal_names_it(
    verb: str, reach: Callable[[Daemon], Awaitable[None]], outside: Outside
) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        await reach(daemon)
        calls, rows = list(outside.runners[GREEN].calls), await daemon.service.audit(50)
        with pytest.raises(DeploymentInProgress) as refused:
            await ALONE[verb](daemon)
        assert refused.value.facts["deployment"] == (await daemon.current()).id
        assert refused.value.next
        assert outside.runners[GREEN].calls == calls
        assert await daemon.service.audit(50) == rows


@pytest.mark.parametrize("reach", [_watching, _stranded])
@pytest.mark.parametrize("verb", ALWAYS)
async def test_what_only_looks_is_always_allowed(
    verb: str, reach: Callable[[Daemon], Awaitable[None]], outside: Outside
) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        await reach(daemon)
        before = await daemon.current()
        await ALWAYS[verb](daemon)
        assert (await daemon.current()).phase is before.phase


async def test_while_a_backup_is_taken_by_hand_no_deployment_starts_and_no_second_one_either(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        outside.database.backup_hangs = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(daemon.service.back_up(ANN, "before the holidays"), name="backup")
            await until(lambda: daemon.engine.by_hand)
            assert (await daemon.service.status()).doing.startswith("a backup by hand is being taken")
            for verb in (daemon.deploy, *(lambda verb=verb: verb(daemon) for verb in ALONE.values())):
                with pytest.raises(DeploymentInProgress, match="a backup by hand is being taken"):
                    await verb()  # type: ignore[operator]
            outside.database.backup_hangs.set()
        (backup,) = taking.result()
        assert (backup.deployment, backup.release) == ("by-hand", "1.0.0")
        assert await daemon.service.backups() == (backup,)
        (row,) = await daemon.service.audit(10)
        assert (row.verb, row.who, row.reason, row.after) == ("backup", ANN.who, "before the holidays", "main")
        outside.database.backup_hangs = None
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.LIVE


async def test_a_backup_that_fails_is_told_and_hinders_nobody(outside: Outside) -> None:
    outside.database.backup_error = "no room"
    async with running(outside) as daemon:
        with pytest.raises(BackupFailed, match="no room"):
            await daemon.service.back_up(ANN)
        assert [event.facts["reason"] for event in await daemon.events() if event.name == "backup.failed"] == [
            "no room"
        ]
        outside.database.backup_error = ""
        await daemon.service.back_up(ANN)


async def test_what_a_backup_by_hand_leaves_when_the_daemon_is_killed_is_removed_by_the_next(outside: Outside) -> None:
    outside.database.backup_hangs = asyncio.Event()
    async with running(outside) as daemon, asyncio.TaskGroup() as group:
        taking = group.create_task(daemon.service.back_up(ANN), name="backup")
        await until(lambda: daemon.engine.by_hand)
        await asyncio.sleep(1)
        taking.cancel()
    assert outside.database.tidied == []
    outside.database.backup_hangs = None
    async with running(outside) as daemon:
        await asyncio.sleep(5)
        assert outside.database.tidied == ["by-hand"]
        await daemon.service.back_up(ANN)
    async with running(outside):
        await asyncio.sleep(5)
    assert outside.database.tidied == ["by-hand"], "a backup that ended well leaves nothing"


async def test_a_kept_backup_that_is_spoilt_is_found_out(outside: Outside) -> None:
    async with running(outside) as daemon:
        (backup,) = await daemon.service.back_up(ANN)
        outside.database.spoilt[backup.id] = "its sha256 is another one"
        with pytest.raises(BackupFailed, match="is not what was taken"):
            await daemon.service.verify_backup(backup.id, ANN)
        with pytest.raises(NotFound):
            await daemon.service.verify_backup("another", ANN)


async def test_the_idle_colour_is_brought_up_and_stopped_by_hand(outside: Outside) -> None:
    async with running(outside) as daemon:
        started = await daemon.service.start_colour(GREEN, "1.1.0", ANN, "to look at it")
        assert (started.release, outside.runners[GREEN].running) == ("1.1.0", "1.1.0")
        assert (await daemon.service.status()).releases[GREEN] == "1.1.0"
        again = await daemon.service.start_colour(GREEN, "", ANN)
        assert again.release == "1.1.0", "what the journal says it runs"
        await daemon.service.stop_colour(GREEN, ANN)
        assert outside.runners[GREEN].running == ""
        assert (await daemon.service.status()).releases[GREEN] == ""
        rows = await daemon.service.audit(10)
        assert [(row.verb, row.before, row.after) for row in rows] == [
            ("env down", "green 1.1.0", "green to be stopped"),
            ("env up", "green 1.1.0", "green to run 1.1.0"),
            ("env up", "green", "green to run 1.1.0"),
        ]


async def test_a_colour_that_was_stopped_comes_up_with_what_it_ran_last_and_not_with_the_configured_release(
    outside: Outside,
) -> None:
    outside.releases[GREEN] = "0.9.0"
    async with running(outside) as daemon:
        assert (await daemon.service.status()).releases[GREEN] == "0.9.0", "nothing else is known"
        await daemon.service.start_colour(GREEN, "1.1.0", ANN)
        await daemon.service.stop_colour(GREEN, ANN)
        assert (await daemon.service.status()).releases[GREEN] == "", "it runs nothing"
        assert (await daemon.service.start_colour(GREEN, "", ANN)).release == "1.1.0"


async def test_the_live_colour_is_not_touched_by_hand(outside: Outside) -> None:
    async with running(outside) as daemon:
        for verb in (daemon.service.start_colour(BLUE, "1.0.0", ANN), daemon.service.stop_colour(BLUE, ANN)):
            with pytest.raises(LiveColourProtected) as refused:
                await verb
            assert refused.value.next
        assert outside.runners[BLUE].calls == []
        assert await daemon.service.audit(10) == (), "what was refused changed nothing"
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.LIVE


async def test_a_colour_of_which_nobody_knows_the_release_needs_its_name(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(RequestRefused, match="name the release"):
            await daemon.service.start_colour(GREEN, "", ANN)
        with pytest.raises(ReleaseInvalid):
            await daemon.service.start_colour(GREEN, "nonsense", ANN)


async def test_a_colour_brought_up_by_hand_is_not_stopped_by_the_inspection_that_it_was_left_for(
    outside: Outside,
) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.REVERTED
        await daemon.service.start_colour(GREEN, "", ANN)
        await asyncio.sleep(outside.terms.inspect * 3)
        assert outside.runners[GREEN].running == "1.1.0"


async def test_a_command_that_fails_by_hand_is_told_and_hinders_nobody(outside: Outside) -> None:
    outside.runners[GREEN].failing["up"] = "exit 1"
    async with running(outside) as daemon:
        with pytest.raises(RunnerFailed):
            await daemon.service.start_colour(GREEN, "1.1.0", ANN)
        assert (await daemon.service.status()).releases[GREEN] == ""
        assert "colour.not_started" in [event.name for event in await daemon.events()]
        outside.runners[GREEN].failing.clear()
        await daemon.service.start_colour(GREEN, "1.1.0", ANN)


async def test_smoke_shows_every_check_whether_it_passes_or_not(outside: Outside) -> None:
    async with running(outside) as daemon:
        good = await daemon.service.smoke_colour(BLUE, ANN)
        assert (good.passed, good.release, len(good.checks)) == (True, "1.0.0", len(outside.readiness) + 1)
        outside.smoke.failures[GREEN] = "login: HTTP 500"
        bad = await daemon.service.smoke_colour(GREEN, ANN)
        assert not bad.passed
        assert [check.detail for check in bad.checks if not check.passed] == ["login: HTTP 500"]


async def test_a_database_that_is_away_is_named_and_hides_no_other(outside: Outside) -> None:
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        (found,) = await daemon.service.migrations()
        assert [(item.label, item.state) for item in found.items] == [("app/0001_a.expand", "pending")]
        outside.database.unreachable = True
        (found,) = await daemon.service.migrations()
        assert (found.items, found.problem) == ((), "database main does not answer")


async def test_a_test_notice_is_marked_and_reaches_the_receiver_or_says_why_not(outside: Outside) -> None:
    async with running(outside) as daemon:
        sent = await daemon.service.test_receiver("memory", ANN)
        (notice,) = outside.notifier.sent
        assert (notice.key, notice.event, notice.facts["test"]) == (sent.key, "receiver.tested", True)
        assert ANN.who in notice.text
        outside.notifier.failing = "no route to host"
        with pytest.raises(NotifierFailed, match="no route to host"):
            await daemon.service.test_receiver("memory", ANN)
        with pytest.raises(NotFound, match="memory"):
            await daemon.service.test_receiver("pager", ANN)


async def test_what_a_firing_alert_would_do_is_foreseen_without_doing_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        await asyncio.sleep(10)
        assert daemon.service.foresee(alert(daemon)) == (AlertEffect.RECORDED, "no deployment is running")
        await _watching(daemon)
        assert daemon.service.foresee(alert(daemon)) == (AlertEffect.CUTBACK, "")
        assert (await daemon.end()).phase is Phase.LIVE
