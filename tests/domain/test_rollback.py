"""The rollback-safety ledger: which release may serve on a schema, by what was applied and when each served."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.migrations import Applied, Backup, MigrationKind, MigrationPhase, MigrationState
from bluegreen.domain.phases import FINAL, NEXT, Outcome, Phase
from bluegreen.domain.rollback import (
    Effect,
    Life,
    backup_before,
    came_before,
    effect,
    fit,
    lives,
    needs_old_shape,
    older,
    why_held,
)
from tests.domain.examples import deployment
from tests.domain.examples import plan as a_plan
from tests.virtual_time import EPOCH

EXPAND, BACKFILL, CONTRACT = MigrationPhase


def at(hours: float) -> datetime:
    return EPOCH + timedelta(hours=hours)


def row(version: str = "0001_a", phase: MigrationPhase = CONTRACT, **changes: Any) -> Applied:
    """A row of the ledger: a contract that was applied for 1.2.0 at hour 10."""
    usual: dict[str, Any] = {
        "database": "main",
        "source": "app",
        "version": version,
        "phase": phase,
        "state": "done",
        "deployment": "d-2",
        "checksum": "c",
        "statements_total": 1,
        "statements_done": 1,
        "finished_at": at(10),
        "release": "1.2.0",
    }
    return Applied(**usual | changes)


KNOWN = {"1.0.0": Life(at(0), at(2)), "1.1.0": Life(at(2), at(8)), "1.2.0": Life(at(8), at(20))}


@pytest.mark.parametrize(
    ("given_row", "expected"),
    [
        pytest.param(row(phase=EXPAND), Effect.EXPAND, id="a file that expands"),
        pytest.param(row(phase=BACKFILL), Effect.BACKFILL, id="a backfill"),
        pytest.param(row(), Effect.CONTRACT, id="a contract"),
        pytest.param(row(phase=EXPAND, kind=MigrationKind.COMMAND), Effect.UNKNOWN, id="a tool that was not rehearsed"),
        pytest.param(
            row(phase=EXPAND, kind=MigrationKind.COMMAND, gate="warn"), Effect.EXPAND, id="a tool that was rehearsed"
        ),
        pytest.param(
            row(phase=EXPAND, gate="warn", accepted=("column-dropped",)), Effect.UNKNOWN, id="a break that was accepted"
        ),
    ],
)
def test_each_migration_has_an_effect(given_row: Applied, expected: Effect) -> None:
    assert effect(given_row) is expected


@pytest.mark.parametrize(
    ("release", "serves", "doubted"),
    [
        pytest.param("1.2.0", True, False, id="the one that it was applied for"),
        pytest.param("1.1.0", False, False, id="the one before"),
        pytest.param("1.0.0", False, False, id="one long before"),
        pytest.param("1.3.0", True, False, id="one that never served, and is newer"),
        pytest.param("1.0.7", True, True, id="one that never served, and is older by its number"),
        pytest.param("sha-abcdef", True, False, id="one that never served, and has no number"),
    ],
)
def test_what_served_before_a_contract_may_not_serve_after_it(release: str, serves: bool, doubted: bool) -> None:
    found = fit(release, [row("0000_z", EXPAND), row()], KNOWN)
    assert (found.serves, bool(found.doubts)) == (serves, doubted)
    assert [barrier.label for barrier in found.barriers] == ([] if serves else ["app/0001_a.contract"])


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({"state": "failed", "statements_done": 1}, id="half done"),
        pytest.param(
            {"state": "running", "statements_done": 0, "finished_at": None}, id="running when the daemon died"
        ),
    ],
)
def test_a_contract_that_may_have_taken_effect_counts(left: dict[str, Any]) -> None:
    assert not fit("1.1.0", [row(**left)], KNOWN).serves


def test_a_contract_that_left_nothing_does_not_count() -> None:
    assert fit("1.1.0", [row(state="failed", statements_done=0)], KNOWN).serves


def test_what_served_after_a_contract_may_serve_again_whatever_was_first() -> None:
    assert fit("1.1.0", [row()], KNOWN | {"1.1.0": Life(at(2), at(12))}).serves


def test_of_a_tool_that_was_not_rehearsed_nobody_can_tell() -> None:
    found = fit("1.1.0", [row("1.2.0", EXPAND, kind=MigrationKind.COMMAND)], KNOWN)
    assert (found.serves, [doubt.label for doubt in found.doubts]) == (True, ["app/1.2.0.expand"])


def test_where_the_journal_does_not_know_the_release_of_a_contract_its_time_decides() -> None:
    known = {"1.1.0": KNOWN["1.1.0"], "1.3.0": Life(at(12), at(13))}
    assert came_before("1.1.0", row(release="9.9.9"), known) is True
    assert came_before("1.3.0", row(release="9.9.9"), known) is False


def test_after_a_restore_the_ledger_has_no_contract_and_all_may_serve() -> None:
    assert fit("1.0.0", [row("0000_z", EXPAND)], KNOWN).serves


@given(
    st.lists(st.tuples(st.sampled_from(list(MigrationPhase)), st.sampled_from(sorted(KNOWN))), max_size=8),
    st.sampled_from(sorted(KNOWN)),
)
def test_a_release_is_refused_only_for_contracts_of_releases_after_it(
    applied: list[tuple[MigrationPhase, str]], release: str
) -> None:
    rows = [
        row(f"{number:04}_x", phase, release=own, finished_at=at(30)) for number, (phase, own) in enumerate(applied)
    ]
    found = fit(release, rows, KNOWN)
    assert found.serves == (not any(phase is CONTRACT and own > release for phase, own in applied))


def test_when_a_release_served_is_known_from_the_deployments() -> None:
    first = deployment(
        id="d-1", created_at=at(1), phase=Phase.LIVE, moved=True, moved_at=at(2), ended_at=at(3), plan=a_plan()
    )
    known = lives([first], "1.1.0", at(9))
    assert known == {"1.0.0": Life(at(1), at(1)), "1.1.0": Life(at(2), at(9))}


def test_what_was_only_tried_served_from_the_moment_that_users_met_it() -> None:
    tried = deployment(id="d-1", created_at=at(1), phase=Phase.REVERTED, moved=True, moved_at=at(2), ended_at=at(3))
    assert lives([tried], "1.0.0", at(9))["1.1.0"] == Life(at(2), at(2))
    never = deployment(id="d-2", created_at=at(1), phase=Phase.ABANDONED)
    assert "1.1.0" not in lives([never], "1.0.0", at(9))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1.0.0", "1.0.1", True),
        ("1.10.0", "1.9.0", False),
        ("v1.2", "1.2.1", True),
        ("1.2.0-rc1", "1.3.0", True),
        ("main", "1.3.0", None),
        ("1.3.0", "", None),
    ],
)
def test_versions_are_compared_number_by_number(one: str, other: str, expected: bool | None) -> None:
    assert older(one, other) is expected


def state(phase: MigrationPhase, how: str) -> MigrationState:
    return MigrationState("main", "app", "0001_a", phase, MigrationKind.SQL, how)


@pytest.mark.parametrize(
    ("expand", "backfill", "expected"),
    [
        ("done", "done", ""),
        ("pending", "done", "its expand was never applied"),
        ("done", "pending", "its backfill was never applied"),
        ("done", "interrupted", "its backfill is interrupted"),
        ("skipped", "skipped", ""),
    ],
)
def test_a_contract_waits_for_its_expand_and_its_backfill(expand: str, backfill: str, expected: str) -> None:
    contract = state(CONTRACT, "pending")
    assert why_held(contract, [state(EXPAND, expand), state(BACKFILL, backfill), contract]) == expected


def test_a_contract_that_has_neither_waits_for_nothing() -> None:
    assert why_held(state(CONTRACT, "pending"), [state(CONTRACT, "pending")]) == ""


def backup(id: str, hour: float, deployment: str = "", database: str = "main") -> Backup:
    return Backup(id, database, "f", 1, "0", "restore", 1, 1, at(hour), 1.0, deployment, "")


def test_the_backup_to_restore_is_the_last_one_from_before_the_contract() -> None:
    kept = [backup("after", 11), backup("before", 9), backup("long-before", 1), backup("other", 9.5, database="shop")]
    found = backup_before(row(), kept)
    assert found is not None
    assert found.id == "before"
    assert backup_before(row(), [backup("after", 11)]) is None


def test_its_own_deployments_backup_is_the_one_whatever_the_two_clocks_say() -> None:
    found = backup_before(row(), [backup("own", 10.1, "d-2"), backup("before", 9)])
    assert found is not None
    assert found.id == "own"


def test_nothing_leads_from_contracting_to_where_a_cutback_would_go_to_the_old_colour() -> None:
    """STANDING_BY with a contract done is impossible: from CONTRACTING only LIVE follows, from LIVE nothing."""
    assert set(NEXT[Phase.CONTRACTING].values()) == {Phase.LIVE}
    assert Phase.LIVE in FINAL
    assert Phase.LIVE not in NEXT
    leads_there = {phase for phase, moves in NEXT.items() if Phase.CONTRACTING in moves.values()}
    assert leads_there == {Phase.RETIRING}
    assert NEXT[Phase.RETIRING][Outcome.DONE] is Phase.CONTRACTING


def expand(**changes: Any) -> Applied:
    return row(phase=EXPAND, release="1.1.0", deployment="d-1", finished_at=at(2), **changes)


@pytest.mark.parametrize(
    ("serving", "by_hand", "needs"),
    [
        pytest.param("1.0.0", False, True, id="it served before the release that the expand came for"),
        pytest.param("1.1.0", False, False, id="the expand came for it"),
        pytest.param("1.2.0", False, False, id="it came later"),
        pytest.param("1.1.0", True, True, id="it served while somebody expanded by hand"),
        pytest.param("1.2.0", True, False, id="it came after somebody expanded by hand"),
        pytest.param("unknown", False, True, id="nobody knows what serves"),
    ],
)
def test_a_contract_is_held_while_what_serves_may_need_the_old_shape(serving: str, by_hand: bool, needs: bool) -> None:
    own = replace(expand(), deployment="by-hand-1") if by_hand else expand()
    assert needs_old_shape(serving, own, KNOWN) is needs


@pytest.mark.parametrize(
    ("given_row", "left_something"),
    [
        pytest.param(row(phase=EXPAND), True, id="done"),
        pytest.param(row(phase=EXPAND, state="failed", statements_done=0), False, id="a transaction that failed"),
        pytest.param(row(phase=EXPAND, state="failed", statements_done=2), True, id="some statements of a file"),
        pytest.param(row(phase=EXPAND, state="failed", statements_done=0, in_flight=True), True, id="one in flight"),
        pytest.param(
            row(phase=EXPAND, state="failed", statements_done=0, kind=MigrationKind.COMMAND),
            True,
            id="a tool that failed",
        ),
        pytest.param(
            row(phase=EXPAND, state="interrupted", statements_done=0, kind=MigrationKind.COMMAND),
            True,
            id="a tool, cut off",
        ),
        pytest.param(row(phase=BACKFILL, state="interrupted", statements_done=0), True, id="batches of a backfill"),
        pytest.param(row(phase=EXPAND, state="skipped", statements_done=0), False, id="taken as applied by hand"),
    ],
)
def test_what_may_have_left_something_counts_as_begun(given_row: Applied, left_something: bool) -> None:
    assert given_row.begun is left_something
