"""REHEARSING: what would break the running version ends the deployment before anything is touched; what passed is held
to its verdict in EXPANDING, after a restart too."""

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.app.boundaries import Boundary, pass_on
from bluegreen.domain.deployments import Cause
from bluegreen.domain.findings import Finding, Gate
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.phases import Phase
from tests.app.daemons import ANN, running
from tests.app.outside import Outside
from tests.verb_table import Keeper

P = Phase


def finding(gate: Gate = Gate.REFUSE, **changes: Any) -> Finding:
    usual: dict[str, Any] = {
        "kind": "column-dropped",
        "gate": gate,
        "message": "column public.users.email is dropped",
        "remedy": "drop it in a contract file",
        "line": 3,
        "object": "public.users.email",
        "lock": "ACCESS EXCLUSIVE",
        "estimate_s": (0.01, 0.2),
    }
    return Finding(**usual | changes)


async def test_a_migration_that_would_break_the_running_version_is_refused_and_nothing_is_touched(
    outside: Outside,
) -> None:
    outside.database.add("0001_a")
    outside.database.found["0001_a"] = (finding(),)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
        events = await daemon.events()
    assert (ended.phase, ended.cause, ended.moved) == (P.ABANDONED, Cause.GATE, False)
    for said in ("0001_a.expand.sql:3", "email is dropped", "column-dropped", "write instead: drop it in a contract"):
        assert said in ended.reason
    assert ended.next == ("bluegreen migrate plan",)
    assert P.EXPANDING not in ended.path
    assert (outside.database.runs, outside.balancer.written) == ([], [])
    (told,) = [event.facts for event in events if event.name == "migration.rehearsed"]
    assert (told["migration"], told["gate"]) == ("app/0001_a.expand", "refuse")
    assert told["findings"][0]["estimate_s"] == [0.01, 0.2]


async def test_of_many_findings_a_refusal_names_some_and_counts_the_rest(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.found["0001_a"] = tuple(finding(line=line) for line in range(1, 7))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert "0001_a.expand.sql:3" in ended.reason
    assert "0001_a.expand.sql:4" not in ended.reason
    assert ended.reason.endswith("and 3 more")


async def test_what_is_only_warned_of_goes_on_and_is_told_once(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.found["0001_a"] = (finding(Gate.WARN), finding(Gate.WARN, line=5), finding(Gate.ALLOW, line=7))
    outside.database.not_seen = ("no pg_stat_statements",)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert outside.database.runs == ["0001_a"]
    said = [warning for warning in ended.warnings if "rehears" in warning or "expand" in warning]
    first = "0001_a.expand.sql:3: column public.users.email is dropped (column-dropped, ACCESS EXCLUSIVE, up to 0.2 s)"
    assert said == [f"{first}, and 1 more", "the rehearsal did not see: no pg_stat_statements"]


async def test_what_the_file_accepts_is_a_warning_and_stands_in_the_ledger(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.found["0001_a"] = (finding(accepted="nobody reads it"),)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    (row,) = outside.database.ledger.values()
    assert (row.gate, row.accepted) == ("warn", ("column-dropped",))


async def test_a_rehearsal_that_cannot_be_run_refuses(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.rehearsal_error = "the copy cannot be made: no space left on device"
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, ended.cause) == (P.ABANDONED, Cause.STEP_FAILED)
    assert "no space left" in ended.reason
    assert outside.database.runs == []


async def test_where_nothing_is_pending_nothing_is_copied(outside: Outside) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).phase is P.LIVE
        await daemon.service.rollback("", ANN)
        assert (await daemon.end()).phase is P.LIVE
    assert outside.database.rehearsed == []


async def test_a_backfill_that_cannot_run_is_refused_before_anything_is_touched(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0002_b", MigrationPhase.BACKFILL)
    outside.database.found["0002_b"] = (finding(kind="not-a-backfill"),)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, outside.database.runs) == (P.ABANDONED, [])
    assert "not-a-backfill" in ended.reason


async def test_leftovers_of_killed_rehearsals_are_dropped_at_the_start_and_before_each(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.swept = ("bluegreen_scratch_1",)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        swept = [event for event in await daemon.events() if event.name == "rehearsal.swept"]
    assert [event.phase for event in swept] == ["", "REHEARSING"]
    assert swept[0].facts["dropped"] == ["bluegreen_scratch_1"]


# --- held to the verdict


@pytest.mark.parametrize("phase", [P.REHEARSING, P.EXPANDING])
async def test_a_restart_goes_on_with_the_verdicts_that_were_written_down(phase: Phase, outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.found["0001_a"] = (finding(Gate.WARN),)
    outside.at_boundary = keeper = Keeper((phase, Boundary.BEFORE_INTENT))
    async with running(outside) as daemon:
        await daemon.deploy()
        await keeper.there.wait()
    outside.at_boundary = pass_on
    async with running(outside) as daemon:
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    (row,) = outside.database.ledger.values()
    assert row.gate == "warn"
    assert len(outside.database.rehearsed) == 1


async def test_a_file_that_changed_after_its_rehearsal_is_not_applied(outside: Outside) -> None:
    migration = outside.database.add("0001_a")

    def change() -> None:
        outside.database.migrations[0] = replace(migration, checksum="another")

    outside.at("after journal EXPANDING", change)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, outside.database.runs) == (P.ABANDONED, [])
    assert "app/0001_a.expand was changed after it was rehearsed" in ended.reason


async def test_a_file_that_came_after_the_rehearsal_is_not_applied_nor_are_those_with_it(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.at("after journal EXPANDING", lambda: outside.database.add("0002_b"))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert (ended.phase, outside.database.runs) == (P.ABANDONED, [])
    assert "app/0002_b.expand was not rehearsed" in ended.reason
