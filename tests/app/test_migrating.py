"""`migrate plan` at any time, and `migrate up` by hand: the same gates as in a deployment, alone, told to the end."""

import asyncio

import pytest

from bluegreen.domain.errors import (
    BackupFailed,
    DeploymentInProgress,
    GateRefused,
    MigrationFailed,
    NotFound,
    RequestRefused,
    StepFailed,
)
from bluegreen.domain.findings import Finding, Gate
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, Daemon, pages, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE

P = Phase
BREAKS = Finding("column-dropped", Gate.REFUSE, "column users.email is dropped", "drop it in a contract file", 3)


async def test_a_rehearsal_covers_all_that_is_pending_in_its_order_and_touches_nothing(outside: Outside) -> None:
    outside.database.add("0002_b", MigrationPhase.CONTRACT)
    outside.database.add("0001_a")
    outside.database.add("0001_a", MigrationPhase.BACKFILL)
    outside.database.found["0002_b"] = (BREAKS,)
    async with running(outside) as daemon:
        rehearsal = await daemon.service.rehearse({}, "", ANN)
        (told,) = [event.facts for event in await daemon.events() if event.name == "migrations.rehearsed"]
    assert [verdict.label for verdict in rehearsal.files] == [
        "app/0001_a.expand",
        "app/0001_a.backfill",
        "app/0002_b.contract",
    ]
    assert (rehearsal.gate, outside.database.runs) == (Gate.REFUSE, [])
    assert told["refused"] == ["app/0002_b.contract"]


async def test_a_rehearsal_is_allowed_beside_a_deployment_that_leaves_the_databases_alone(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        assert (await daemon.service.rehearse({}, "", ANN)).files == ()
        assert (await daemon.end()).phase is P.LIVE


async def test_a_rehearsal_is_refused_while_a_database_is_dumped_or_migrated(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.hanging.add("0001_a")
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.EXPANDING)
        await asyncio.sleep(1)
        with pytest.raises(RequestRefused, match="main is being migrated for d-"):
            await daemon.service.rehearse({}, "", ANN)
    outside.database.backup_hangs = asyncio.Event()
    outside.database.hanging.clear()
    outside.database.holder = ""


async def test_a_deployment_waits_for_a_rehearsal_by_hand_and_never_overlaps_it(outside: Outside) -> None:
    async with running(outside) as daemon:
        world = daemon.engine.world
        async with world.turn.taken("migrations are being rehearsed for ann"):
            await daemon.deploy()
            await daemon.reach(P.BACKING_UP)
            await asyncio.sleep(60)
            assert outside.database.shelf == []
        assert (await daemon.end()).phase is P.LIVE
    assert len(outside.database.shelf) == 1


async def test_files_are_rehearsed_in_the_database_of_their_source(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(RequestRefused, match="whose files these are is not clear"):
            await daemon.service.rehearse({"0001_a.expand.sql": "SELECT 1"}, "", ANN)
        with pytest.raises(NotFound, match="there is no"):
            await daemon.service.rehearse({"0001_a.expand.sql": "SELECT 1"}, "shop", ANN)


async def test_migrate_up_backs_up_rehearses_applies_and_proves(outside: Outside) -> None:
    outside.change(proving=10.0)
    outside.database.add("0001_a")
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        done = await daemon.service.migrate_up(ANN, "by hand")
        names = [event.name for event in await daemon.events()]
        assert (await daemon.service.status()).doing == ""
        assert daemon.watch.trial is None
        assert (await daemon.service.migrate_up(ANN)).applied == ()
    assert done.applied == ("app/0001_a.expand",)
    assert len(done.backups) == 1
    assert done.proved.startswith("blue passes its checks on it; watched for 10 s")
    order = ["backup.verified", "migration.rehearsed", "migration.applied", "migrations.applied"]
    assert [name for name in names if name in order] == order
    (row,) = outside.database.ledger.values()
    assert (row.release, row.deployment.startswith("by-hand-"), row.gate) == ("1.0.0", True, "allow")
    verbs = [row.verb for row in await outside.journal.audited(10)]
    assert verbs == ["migrate up", "migrate up"]


async def test_migrate_up_is_refused_by_the_same_gate(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.found["0001_a"] = (BREAKS,)
    async with running(outside) as daemon:
        with pytest.raises(GateRefused, match=r"0001_a\.expand\.sql:3: column users\.email is dropped"):
            await daemon.service.migrate_up(ANN)
        names = [event.name for event in await daemon.events()]
    assert outside.database.runs == []
    assert "migrations.not_applied" in names


async def test_migrate_up_without_a_backup_changes_nothing(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.backup_error = "no space left"
    async with running(outside) as daemon:
        with pytest.raises(BackupFailed, match="no space left"):
            await daemon.service.migrate_up(ANN)
    assert (outside.database.runs, outside.database.rehearsed) == ([], [])


async def test_what_was_applied_before_a_failure_is_named_and_proved(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0002_b")
    outside.database.failing["0002_b"] = "syntax error"
    async with running(outside) as daemon:
        with pytest.raises(MigrationFailed, match=r"syntax error; applied and kept: app/0001_a\.expand"):
            await daemon.service.migrate_up(ANN)
    assert len(outside.smoke.asked) >= 1


@pytest.mark.parametrize("how", ["smoke", "users"])
async def test_users_who_are_hurt_by_hand_call_a_human(how: str, outside: Outside) -> None:
    outside.change(proving=10.0)
    outside.database.add("0001_a")
    if how == "smoke":
        outside.smoke.failures[BLUE] = "login: HTTP 500"
    else:
        outside.at("after journal migration.applied", lambda: outside.users.failing.update({BLUE: 0.3}))
    async with running(outside) as daemon:
        await asyncio.sleep(60)
        with pytest.raises(StepFailed, match=r"users on blue are hurt by the changed schema \(app/0001_a\.expand\)"):
            await daemon.service.migrate_up(ANN)
        await asyncio.sleep(1)
    assert "schema-hurts" in pages(outside)


async def test_nothing_else_begins_while_migrations_are_applied_by_hand(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.hanging.add("0001_a")
    async with running(outside) as daemon:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_applied_by_ann(daemon), name="up")
            await asyncio.sleep(1)
            with pytest.raises(DeploymentInProgress, match="migrate up by hand"):
                await daemon.deploy()
            assert "applying app/0001_a.expand" in (await daemon.service.status()).doing
            task.cancel()
        assert (await daemon.service.status()).doing == ""


async def _applied_by_ann(daemon: Daemon) -> None:
    await daemon.service.migrate_up(ANN)


async def test_without_a_database_there_is_nothing_to_migrate(outside: Outside) -> None:
    outside.with_databases = False
    async with running(outside) as daemon:
        with pytest.raises(NotFound, match="no database is configured"):
            await daemon.service.migrate_up(ANN)
        with pytest.raises(NotFound, match="no database is configured"):
            await daemon.service.rehearse({}, "", ANN)
