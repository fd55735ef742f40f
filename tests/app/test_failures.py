"""Each step fails once: the deployment ends where the table says, users are where they should be, people know why."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bluegreen.domain.deployments import Cause
from bluegreen.domain.migrations import DatabaseFacts, MigrationKind, MigrationPhase
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour
from tests.app.daemons import outcomes, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

ABANDONED, REVERTED, STRANDED, LIVE = Phase.ABANDONED, Phase.REVERTED, Phase.STRANDED, Phase.LIVE


@dataclass(frozen=True)
class Failure:
    """What is broken before the deployment begins (or, by `outside.at`, in its middle), and what comes of it."""

    id: str
    breaks: Callable[[Outside], object]
    tail: tuple[Phase, ...]
    reason: str
    cause: Cause | None = Cause.STEP_FAILED
    users_on: Colour = BLUE
    green_runs: bool = False
    contract: bool = False


def unready(colour: Colour) -> Callable[[Outside], None]:
    def breaks(outside: Outside) -> None:
        outside.readiness[1].failures[colour] = "HTTP 503"

    return breaks


def failing_smoke(colour: Colour) -> Callable[[Outside], None]:
    return lambda outside: outside.smoke.failures.update({colour: "login: HTTP 500"})


def later(what: str, breaks: Callable[[Outside], object]) -> Callable[[Outside], None]:
    return lambda outside: outside.at(what, lambda: breaks(outside))


def both(*breaks: Callable[[Outside], object]) -> Callable[[Outside], None]:
    def all_of_them(outside: Outside) -> None:
        for one in breaks:
            one(outside)

    return all_of_them


def expand(version: str, error: str = "") -> Callable[[Outside], None]:
    def breaks(outside: Outside) -> None:
        outside.database.add(version)
        if error:
            outside.database.failing[version] = error

    return breaks


def no_backup(outside: Outside) -> None:
    outside.database.backup_error = "no space left on device"


def crowded(outside: Outside) -> None:
    outside.connection_budgets = {"main": 20}
    outside.database.facts_now = DatabaseFacts(160_004, 8_000_000, 100, 90, may_create_database=True)


def contract_fails(outside: Outside) -> None:
    outside.database.add("0000_drop", MigrationPhase.CONTRACT)
    outside.database.failing["0000_drop"] = "it is still used"


def old_colour_is_dead(outside: Outside) -> None:
    outside.front_door.statuses[BLUE] = None


FAILURES = [
    Failure(
        "PREPARING: the database does not answer",
        lambda outside: setattr(outside.database, "unreachable", True),
        (Phase.PREPARING, ABANDONED),
        "does not answer",
    ),
    Failure("PREPARING: there are too few connections", crowded, (Phase.PREPARING, ABANDONED), "only 7 of 97 are free"),
    Failure("PREPARING: no backup could be taken", no_backup, (Phase.PREPARING, ABANDONED), "no space left"),
    Failure("PREPARING: the live colour is not ready", unready(BLUE), (Phase.PREPARING, ABANDONED), "blue is not"),
    Failure("PREPARING: live smoke fails", failing_smoke(BLUE), (Phase.PREPARING, ABANDONED), "login: HTTP 500"),
    Failure(
        "PREPARING: the access log does not name the colour",
        lambda outside: setattr(outside.front_door, "logged", False),
        (Phase.PREPARING, ABANDONED),
        "no access-log line names the colour",
    ),
    Failure(
        "PREPARING: a migration came after the plan",
        later("before journal PREPARING", expand("0001_late")),
        (Phase.PREPARING, ABANDONED),
        "pending is app/0001_late.expand",
    ),
    Failure(
        "BACKING_UP: the backup fails",
        later("after journal BACKING_UP", no_backup),
        (Phase.BACKING_UP, ABANDONED),
        "no space left",
    ),
    Failure(
        "EXPANDING: the first migration fails",
        expand("0001_a", "relation exists"),
        (Phase.EXPANDING, Phase.ASSESSING, ABANDONED),
        "app/0001_a.expand: relation exists",
    ),
    Failure(
        "EXPANDING: the lock is held",
        both(expand("0001_a"), lambda outside: setattr(outside.database, "holder", "somebody")),
        (Phase.EXPANDING, Phase.ASSESSING, ABANDONED),
        "held by somebody",
    ),
    Failure(
        "ASSESSING: the live colour is hurt by what was applied",
        both(
            expand("0001_a"),
            expand("0002_b", "syntax error"),
            later("after journal ASSESSING", failing_smoke(BLUE)),
        ),
        (Phase.EXPANDING, Phase.ASSESSING, STRANDED),
        "hurt by the changed schema (applied and kept: app/0001_a.expand)",
    ),
    Failure(
        "PROVING: the live colour is hurt by the expand",
        both(expand("0001_a"), later("after journal PROVING", failing_smoke(BLUE))),
        (Phase.PROVING, STRANDED),
        "users on blue are hurt by the changed schema (applied and kept: app/0001_a.expand)",
    ),
    Failure(
        "STARTING: the command fails",
        lambda outside: outside.runners[GREEN].failing.update(up="no such image"),
        (Phase.STARTING, Phase.ABANDONING, ABANDONED),
        "no such image",
    ),
    Failure(
        "TESTING: smoke fails",
        failing_smoke(GREEN),
        (Phase.TESTING, Phase.ABANDONING, ABANDONED),
        "green fails its smoke checks: login works: login: HTTP 500",
    ),
    Failure(
        "ABANDONING: the idle colour cannot be stopped",
        both(failing_smoke(GREEN), lambda outside: outside.runners[GREEN].failing.update(down="it hangs")),
        (Phase.TESTING, Phase.ABANDONING, ABANDONED),
        "it hangs",
        green_runs=True,
    ),
    Failure(
        "SWITCHING: the new colour is not ready any more",
        later("after journal SWITCHING", unready(GREEN)),
        (Phase.SWITCHING, Phase.REVERTING, REVERTED),
        "green is not ready",
        green_runs=True,
    ),
    Failure(
        "SWITCHING: the new colour's smoke fails at the last moment",
        later("after journal SWITCHING", failing_smoke(GREEN)),
        (Phase.SWITCHING, Phase.REVERTING, REVERTED),
        "green fails its smoke checks",
        green_runs=True,
    ),
    Failure(
        "SWITCHING: nothing shows that the new colour answers",
        later("after balancer green 1", lambda outside: setattr(outside.front_door, "logged", False)),
        (Phase.SWITCHING, Phase.REVERTING, REVERTED),
        "the front door does not answer from green: web: HTTP 200 and no access-log line names the colour",
        green_runs=True,
    ),
    Failure(
        "SWITCHING: probes of the new colour fail",
        lambda outside: outside.front_door.statuses.update({GREEN: 502}),
        (Phase.SWITCHING, Phase.REVERTING, REVERTED),
        "probe of web failures in a row: 3, limit 3",
        Cause.REGRESSED,
        green_runs=True,
    ),
    Failure(
        "WATCHING: users get errors",
        later("after journal WATCHING", lambda outside: outside.users.failing.update({GREEN: 0.5})),
        (Phase.WATCHING, Phase.REVERTING, REVERTED),
        "5xx",
        Cause.REGRESSED,
        green_runs=True,
    ),
    Failure(
        "STANDING_BY: users get errors",
        later("after journal STANDING_BY", lambda outside: outside.users.failing.update({GREEN: 0.5})),
        (Phase.STANDING_BY, Phase.REVERTING, REVERTED),
        "5xx",
        Cause.REGRESSED,
        green_runs=True,
    ),
    Failure(
        "REVERTING: the old colour does not answer users",
        later(
            "after journal WATCHING",
            both(lambda outside: outside.users.failing.update({GREEN: 0.5}), old_colour_is_dead),
        ),
        (Phase.WATCHING, Phase.REVERTING, STRANDED),
        "Caddy points at blue, but it does not answer users",
        Cause.REGRESSED,
        green_runs=True,
    ),
    Failure(
        "RETIRING: the old colour cannot be stopped",
        lambda outside: outside.runners[BLUE].failing.update(down="it hangs"),
        (Phase.RETIRING, LIVE),
        "it hangs",
        users_on=GREEN,
        green_runs=True,
    ),
    Failure(
        "RETIRING: a restarted Caddy would still come up on the old colour",
        lambda outside: setattr(outside.balancer, "disk_full", True),
        (Phase.RETIRING, LIVE),
        "blue stays up: the snippet files still name it",
        users_on=GREEN,
        green_runs=True,
    ),
    Failure(
        "CONTRACTING: the migration fails",
        contract_fails,
        (Phase.CONTRACTING, LIVE),
        "it is still used",
        users_on=GREEN,
        green_runs=True,
        contract=True,
    ),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.id)
async def test_a_failing_step_ends_where_the_table_says(failure: Failure, outside: Outside) -> None:
    failure.breaks(outside)
    async with running(outside) as daemon:
        await daemon.deploy(contract=failure.contract)
        ended = await daemon.end()
        status = await daemon.service.status()
    assert ended.path[-len(failure.tail) :] == failure.tail
    assert failure.reason in ended.reason
    assert ended.cause is failure.cause
    assert status.traffic is not None
    assert status.traffic.colour is failure.users_on
    assert bool(outside.runners[GREEN].running) == failure.green_runs
    assert await outside.journal.fact("quarantine", "1.1.0") is None or failure.cause is Cause.REGRESSED
    (notice,) = outcomes(outside)
    assert failure.reason in notice.text
    assert notice.severity == ("critical" if ended.phase is STRANDED else "warning")


@pytest.mark.parametrize("failure", [f for f in FAILURES if f.tail[-1] is STRANDED], ids=lambda failure: failure.id)
async def test_who_is_called_is_told_what_to_type(failure: Failure, outside: Outside) -> None:
    failure.breaks(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    (notice,) = outcomes(outside)
    assert any(ended.id in command or "retry" in command for command in ended.next)
    assert ended.next[0] in notice.text


async def test_all_that_speaks_against_it_is_named_at_once(outside: Outside) -> None:
    crowded(outside)
    unready(BLUE)(outside)
    outside.front_door.logged = False
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert "only 7 of 97 are free" in ended.reason
    assert "blue is not ready" in ended.reason
    assert "no access-log line" in ended.reason
    assert len(ended.next) == 2


@pytest.mark.parametrize(
    "failure", [f for f in FAILURES if f.tail[0] in (Phase.PREPARING, Phase.BACKING_UP)], ids=lambda failure: failure.id
)
async def test_before_the_schema_changes_nothing_was_touched(failure: Failure, outside: Outside) -> None:
    failure.breaks(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
    assert outside.runners[GREEN].calls == []
    assert outside.database.runs == []
    assert outside.balancer.written == []


async def test_what_was_applied_before_a_migration_failed_stays_and_is_named(outside: Outside) -> None:
    expand("0001_a")(outside)
    expand("0002_b", "syntax error")(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.path[-3:] == (Phase.EXPANDING, Phase.ASSESSING, ABANDONED)
    assert "app/0001_a.expand" in ended.facts["applied"]
    assert "blue passes its checks" in ended.facts["applied"]
    assert outside.runners[GREEN].calls == []


async def test_what_a_tool_left_that_failed_is_named_and_the_live_colour_proved_on_it(outside: Outside) -> None:
    expand("1.1.0", "ended with 3, after two of its five steps")(outside)
    outside.database.migrations[-1] = replace(outside.database.migrations[-1], kind=MigrationKind.COMMAND)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.path[-3:] == (Phase.EXPANDING, Phase.ASSESSING, ABANDONED)
    assert "app/1.1.0.expand (failed)" in ended.facts["applied"]
    assert "blue passes its checks" in ended.facts["applied"]


async def test_where_nothing_was_applied_the_live_colour_is_not_asked_again(outside: Outside) -> None:
    expand("0001_a", "relation exists")(outside)
    failing_later = failing_smoke(BLUE)
    outside.at("after journal ASSESSING", lambda: failing_later(outside))
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is ABANDONED
    assert "nothing was applied" in ended.facts["applied"]


async def test_the_next_deployment_needs_no_hand_work_after_a_failure(outside: Outside) -> None:
    failing_smoke(GREEN)(outside)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        outside.smoke.failures.clear()
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is LIVE
