"""The variables of the colours in the story: told in the plan, refused where everyone would be logged out, and the
rotation of a secret as three deployments that change nothing else."""

import asyncio

import pytest

from bluegreen.adapters.variables.memory import MemoryVariables
from bluegreen.app.requests import DeployRequest, PlanRequest
from bluegreen.app.upkeep_answers import VariableCheck
from bluegreen.domain.errors import GateRefused, NotFound, PlanStale, ReleaseInvalid, VariablesUnreadable
from bluegreen.domain.papers import Papers
from bluegreen.domain.phases import Phase
from bluegreen.domain.plans import Plan
from bluegreen.domain.variables import Kind, Level
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
SAME = "SECRETS_COOKIE=old\nLOG=info\n"


def give(outside: Outside, blue: str, green: str) -> MemoryVariables:
    """Each colour's file."""
    outside.variables = MemoryVariables({BLUE: blue, GREEN: green})
    return outside.variables


async def planned(daemon: Daemon, release: str = "1.1.0", reason: str = "", *, force: bool = False) -> Plan:
    return await daemon.service.plan(PlanRequest(release, force=force, reason=reason), ANN)


async def checked(daemon: Daemon, release: str = "") -> VariableCheck:
    return await daemon.service.check_variables(release, ANN)


async def test_the_plan_says_what_is_missing_new_renamed_and_changed(outside: Outside) -> None:
    give(outside, "SECRETS_COOKIE=old\nOLD_URL=x\nLOG=info\n", "SECRETS_COOKIE=old\nOLD_URL=x\nLOG=debug\nTYPO=1\n")
    example = "SECRETS_COOKIE=\nNEW_URL=\nLOG=info\nMORE=\n"
    outside.papers.papers = Papers("## 1.1.0\n- `OLD_URL` renamed to `NEW_URL`\n", example)
    async with running(outside) as daemon:
        plan = await planned(daemon)
    said = {(each.kind, each.keys) for each in plan.variables}
    assert said == {
        (Kind.RENAMED, ("OLD_URL", "NEW_URL")),
        (Kind.MISSING, ("MORE",)),
        (Kind.UNKNOWN, ("TYPO",)),
        (Kind.CHANGED, ("LOG",)),
    }
    assert "variables: new in the example of 1.1.0 and not set on green: MORE" in plan.warnings
    assert not any("LOG" in warning for warning in plan.warnings), "a note is no warning"


async def test_a_secret_that_would_log_everyone_out_is_refused_before_anything_begins(outside: Outside) -> None:
    give(outside, "SECRETS_COOKIE=old", "SECRETS_COOKIE=new")
    async with running(outside) as daemon:
        with pytest.raises(GateRefused) as caught:
            await planned(daemon)
        with pytest.raises(GateRefused):
            await daemon.deploy()
    assert "SECRETS_COOKIE would log everyone out" in caught.value.detail
    assert caught.value.next[0] == "bluegreen env check 1.1.0"
    assert not any(outside.runners[colour].calls for colour in (BLUE, GREEN))


async def test_who_says_why_not_is_let_through_and_it_is_recorded(outside: Outside) -> None:
    give(outside, "SECRETS_COOKIE=old", "SECRETS_COOKIE=new")
    async with running(outside) as daemon:
        await daemon.deploy(force=True, reason="the old one leaked")
        ended = await daemon.end()
        (row,) = [row for row in await daemon.service.audit(10) if row.verb == "deploy"]
    assert ended.phase is P.LIVE
    assert ["SECRETS_COOKIE" in text for text in ended.plan.overridden] == [True]
    assert any("would log everyone out" in warning for warning in ended.warnings)
    assert row.reason.startswith("the old one leaked")
    assert "SECRETS_COOKIE" in row.reason


async def test_preparing_looks_again(outside: Outside) -> None:
    variables = give(outside, SAME, SAME)
    async with running(outside) as daemon:
        await daemon.deploy()
        variables.files[GREEN] = "SECRETS_COOKIE=new"  # between the plan and PREPARING
        ended = await daemon.end()
    assert ended.phase is P.ABANDONED
    assert "SECRETS_COOKIE would log everyone out" in ended.reason
    assert "bluegreen env check 1.1.0" in ended.next
    assert outside.database.runs == []


async def test_a_plan_is_stale_when_the_variables_are_others(outside: Outside) -> None:
    variables = give(outside, SAME, SAME)
    async with running(outside) as daemon:
        plan = await planned(daemon)
        variables.files[GREEN] = SAME.replace("info", "debug")
        with pytest.raises(PlanStale):
            await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)


async def test_variables_that_cannot_be_read_are_a_doubt_in_the_plan_and_refused_in_preparing(outside: Outside) -> None:
    give(outside, SAME, SAME).unreadable.add(GREEN)
    async with running(outside) as daemon:
        assert "variables: .env.green does not exist" in (await planned(daemon)).warnings
        await daemon.deploy()
        ended = await daemon.end()
        with pytest.raises(VariablesUnreadable):
            await checked(daemon)
    assert ended.phase is P.ABANDONED
    assert "variables: .env.green does not exist" in ended.reason


async def test_the_live_colours_variables_are_only_a_doubt(outside: Outside) -> None:
    give(outside, SAME, SAME).unreadable.add(BLUE)
    async with running(outside) as daemon:
        await daemon.deploy()
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert "variables: blue is not compared: .env.blue does not exist" in ended.warnings


@pytest.mark.parametrize("problem", ["hangs", "unreadable", "no example at all"])
async def test_an_example_that_cannot_be_read_is_only_a_doubt(outside: Outside, problem: str) -> None:
    give(outside, SAME, SAME)
    outside.papers.hanging = problem == "hangs"
    broken = Papers(example_file="env", example="a b c") if problem == "no example at all" else None
    outside.papers.papers = broken or Papers(example_file="env", example_problem="env: permission denied")
    async with running(outside) as daemon:
        plan = await planned(daemon)
    assert any(text.startswith("variables: ") and "not compared" in text for text in plan.warnings)


async def test_a_rollback_is_only_warned(outside: Outside) -> None:
    variables = give(outside, SAME, SAME)
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).phase is P.LIVE
        variables.files[BLUE] = "SECRETS_COOKIE=other"
        await daemon.service.rollback("", ANN, "1.1.0 is no good")
        ended = await daemon.end()
    assert (ended.phase, ended.new) == (P.LIVE, BLUE)
    assert any("would log everyone out" in warning for warning in ended.warnings)
    assert ended.plan.overridden == ()


async def test_past_a_live_colour_that_is_down_it_is_only_warned(outside: Outside) -> None:
    give(outside, "SECRETS_COOKIE=old", "SECRETS_COOKIE=new")
    outside.kill(BLUE)
    async with running(outside) as daemon:
        await daemon.deploy(live_is_down=True, reason="blue burns")
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert any("would log everyone out" in warning for warning in ended.warnings)


async def test_the_release_that_is_live_already_is_a_change_of_the_configuration_alone(outside: Outside) -> None:
    variables = give(outside, SAME, SAME.replace("info", "debug"))
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.0.0")
        variables.files[GREEN] = SAME
        same = await planned(daemon, "1.0.0")
    assert "configuration only: blue runs 1.0.0 already; other values on green: LOG" in plan.warnings
    assert "configuration only: blue runs 1.0.0 already, and no variable differs" in same.warnings


STEPS = ("old,new", "new,old", "new")


async def test_a_secret_is_rotated_by_three_deployments_of_the_same_release(outside: Outside) -> None:
    """Each changes the file of the idle colour alone, and at no step anybody would be logged out, also by a cutback."""
    variables = give(outside, "SECRETS_COOKIE=old", "SECRETS_COOKIE=old")
    said = []
    async with running(outside) as daemon:
        for number, value in enumerate(STEPS):
            idle = (GREEN, BLUE)[number % 2]
            variables.files[idle] = f"SECRETS_COOKIE={value}"
            plan = await planned(daemon, "1.0.0")
            (finding,) = plan.variables
            said.append((finding.level, finding.text))
            await daemon.deploy("1.0.0")
            ended = await daemon.end()
            assert (ended.phase, ended.new) == (P.LIVE, idle)
            await asyncio.sleep(1)
    assert said == [
        (Level.NOTE, "SECRETS_COOKIE accepts one more secret: sessions stay valid both ways"),
        (
            Level.NOTE,
            "SECRETS_COOKIE signs with another secret, which both colours accept: sessions stay valid both ways",
        ),
        (Level.WARNING, "SECRETS_COOKIE accepts 1 secret(s) less: sessions that those signed end"),
    ]


async def test_a_colour_that_runs_with_other_variables_is_stopped_before_it_is_started(outside: Outside) -> None:
    """Whoever runs it would find that it runs the release already, and leave its processes as they are."""
    variables = give(outside, SAME, SAME)
    async with running(outside) as daemon:
        await daemon.service.start_colour(GREEN, "1.1.0", ANN)
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        as_it_was = [verb for verb, _ in outside.runners[GREEN].calls if verb in ("up", "down")]
        await daemon.cutback()
        assert (await daemon.end()).phase is P.REVERTED
        outside.runners[GREEN].calls.clear()
        variables.files[GREEN] = SAME.replace("info", "debug")
        await daemon.deploy(force=True, reason="more is logged now")
        await daemon.reach(P.WATCHING)
        changed = [verb for verb, _ in outside.runners[GREEN].calls if verb in ("up", "down")]
    assert as_it_was == ["up", "up"]
    assert changed == ["down", "up"]


async def test_files_that_were_edited_under_a_running_colour_are_told(outside: Outside) -> None:
    variables = give(outside, SAME, SAME)
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        before = await checked(daemon)
        variables.files[GREEN] = SAME.replace("info", "debug")
        after = await checked(daemon)
    assert before.doubts == ()
    assert after.doubts == ("variables: the files of green were changed since it was started: it runs with others",)


async def test_the_variables_of_the_live_release_count_for_the_live_colour(outside: Outside) -> None:
    """A release that carries its own variable differs in nothing when it is deployed again."""
    give(outside, "A=1", "A=1")
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.end()
        found = await checked(daemon)
    assert (found.release, found.live, found.changed, found.passed) == ("1.1.0", GREEN, (), True)


async def test_the_check_by_hand_tells_the_same_and_is_in_the_audit(outside: Outside) -> None:
    give(outside, "SECRETS_COOKIE=old", "SECRETS_COOKIE=new\nHTTP_PORT=1")
    outside.papers.papers = Papers(example="SECRETS_COOKIE=\n")
    async with running(outside) as daemon:
        found = await checked(daemon, "1.1.0")
        rows = await daemon.service.audit(10)
    assert (found.passed, found.changed) == (False, ("SECRETS_COOKIE",))
    assert found.findings[0].level is Level.REFUSED
    assert found.counts == {"example": 1, "blue": 1, "green": 2}
    assert [(row.verb, row.after) for row in rows] == [("env check", "1.1.0")]


async def test_the_check_by_hand_without_files_or_release_says_what_to_do(outside: Outside) -> None:
    async with running(outside) as daemon:
        with pytest.raises(NotFound) as caught:
            await checked(daemon)
        with pytest.raises(ReleaseInvalid):
            await checked(daemon, "broken")
    assert caught.value.next == ("bluegreen config docs environments.green.env_files",)


async def test_no_value_and_no_fingerprint_is_told_or_kept_anywhere(outside: Outside) -> None:
    variables = give(outside, "SECRETS_COOKIE=hunter1\nA=hunter2", "SECRETS_COOKIE=hunter3\nA=hunter4")
    prints = [each.whole for colour in (BLUE, GREEN) for each in (await variables.of(colour) or {}).values()]
    async with running(outside) as daemon:
        await daemon.deploy(force=True, reason="it leaked")
        await daemon.end()
        told = repr(await checked(daemon, "1.1.0")) + repr(await daemon.current()) + repr(outside.notifier.__dict__)
        told += repr(await daemon.service.events(0)) + repr(await daemon.service.status())
    kept = told + repr(outside.journal.__dict__)
    assert "hunter" not in kept
    assert not any(each in kept for each in prints)


async def test_without_a_name_it_says_whose_release_has_no_file(outside: Outside) -> None:
    give(outside, SAME, SAME)
    outside.releases = {BLUE: "0.9.0"}
    async with running(outside) as daemon:
        with pytest.raises(ReleaseInvalid, match=r"blue runs 0\.9\.0, .*: there is no release 0\.9\.0") as refused:
            await checked(daemon, "")
    assert refused.value.next == ("bluegreen env check RELEASE",)
