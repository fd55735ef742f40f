"""What a release is held to before anything begins: its pins, the step of its version, and what people should read."""

import pytest

from bluegreen.app.requests import DeployRequest, PlanRequest
from bluegreen.domain.errors import GateRefused, ReleaseInvalid
from bluegreen.domain.papers import Papers
from bluegreen.domain.phases import Phase
from bluegreen.domain.pins import ReleaseRules
from bluegreen.domain.plans import ComponentChange, Plan, Release
from bluegreen.domain.versions import VersionRules
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
DIGEST = f"sha256:{'0' * 64}"
CHANGELOG = """\
## 1.3.0
- **Breaking:** log in again
## 1.2.0
- quiet
## 1.1.0
- CVE-2026-1: fixed
- more
"""


@pytest.fixture
def strict(outside: Outside) -> Outside:
    outside.rules = ReleaseRules()
    return outside


async def planned(daemon: Daemon, release: str, *, force: bool = False, reason: str = "") -> Plan:
    return await daemon.service.plan(PlanRequest(release, force=force, reason=reason), ANN)


# --- the step of its version


async def test_a_skipped_minor_is_refused_by_plan_and_deploy_until_somebody_insists_with_a_reason(
    strict: Outside,
) -> None:
    async with running(strict) as daemon:
        for refused in (
            planned(daemon, "1.2.0"),
            planned(daemon, "1.2.0", force=True),
            daemon.deploy("1.2.0"),
            daemon.deploy("1.2.0", reason="it is urgent"),
        ):
            with pytest.raises(GateRefused, match=r"1\.0\.0 to 1\.2\.0 skips the minor version 1\.1") as why:
                await refused
            assert why.value.next == ("bluegreen plan 1.1.0", "bluegreen deploy 1.2.0 --force --reason '...'")
        assert await daemon.service.deployments(1) == ()


async def test_what_was_let_through_stays_with_the_deployment_and_in_the_audit(strict: Outside) -> None:
    async with running(strict) as daemon:
        await daemon.deploy("1.2.0", force=True, reason="the vendor says so")
        ended = await daemon.end()
        (row,) = await strict.journal.audited(1)
    assert ended.phase is P.LIVE
    assert "skips the minor version 1.1" in ended.plan.overridden[0]
    assert any("let through, because: the vendor says so" in warning for warning in ended.warnings)
    assert row.reason.startswith("the vendor says so (past the gate: 1.0.0 to 1.2.0 skips")


async def test_a_plan_that_was_forced_is_deployed_as_it_was_shown(strict: Outside) -> None:
    async with running(strict) as daemon:
        plan = await planned(daemon, "1.2.0", force=True, reason="we know")
        deployed = await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)
        assert (await daemon.end()).phase is P.LIVE
    assert deployed.plan.overridden == plan.overridden != ()


async def test_a_retry_passes_the_gate_for_the_reason_that_was_given_once(strict: Outside) -> None:
    strict.smoke.failures[GREEN] = "HTTP 500"
    async with running(strict) as daemon:
        first = await daemon.deploy("1.2.0", force=True, reason="we know")
        assert (await daemon.end()).phase is P.ABANDONED
        strict.smoke.failures.clear()
        again = await daemon.service.retry(first.id, ANN)
        assert (await daemon.end()).phase is P.LIVE
    assert again.plan.overridden != ()


async def test_what_the_changelog_never_mentioned_is_not_skipped(strict: Outside) -> None:
    strict.papers.papers = Papers("## 1.2.0\n- x\n## 1.0.0\n- y\n", changelog_file="/CHANGELOG.md")
    async with running(strict) as daemon:
        assert (await planned(daemon, "1.2.0")).overridden == ()
        strict.papers.papers = Papers("## 1.0.0\n- y\n", changelog_file="/CHANGELOG.md")
        with pytest.raises(GateRefused):
            await planned(daemon, "1.2.0")


async def test_a_rollback_is_told_that_it_goes_back_and_is_never_refused(strict: Outside) -> None:
    strict.rules = ReleaseRules(VersionRules(downgrade="never"))
    async with running(strict) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.end()
        with pytest.raises(GateRefused, match="downgrade"):
            await planned(daemon, "1.0.0")
        back = await daemon.service.rollback("", ANN)
        assert (await daemon.end()).phase is P.LIVE
    assert any("1.0.0 is older than 1.1.0" in warning for warning in back.warnings)


@pytest.mark.parametrize(
    ("live", "said"), [("nightly-3", "nightly-3: not of the form"), ("", "the live release is not known")]
)
async def test_what_cannot_be_compared_is_a_warning(live: str, said: str, strict: Outside) -> None:
    strict.releases = {BLUE: live} if live else {}
    async with running(strict) as daemon:
        plan = await planned(daemon, "1.9.0")
    assert any(said in warning for warning in plan.warnings)


# --- pins


async def test_an_image_that_is_not_pinned_as_configured_is_refused_and_no_reason_helps(outside: Outside) -> None:
    outside.described["1.1.0"] = Release("1.1.0", file="/r/1.1.0.toml", images={"web": "app:1.1.0"})
    outside.rules = ReleaseRules(pin="digest")
    async with running(outside) as daemon:
        for refused in (
            planned(daemon, "1.1.0"),
            daemon.deploy("1.1.0", force=True, reason="please"),
            daemon.service.start_colour(GREEN, "1.1.0", ANN),
        ):
            with pytest.raises(GateRefused, match=r"the image of web, app:1\.1\.0, is pinned by a tag") as why:
                await refused
            assert why.value.next[0] == "$EDITOR /r/1.1.0.toml"
        assert outside.runners[GREEN].calls == []


async def test_a_rollback_is_no_way_around_the_rules_for_what_is_newer(strict: Outside) -> None:
    async with running(strict) as daemon:
        with pytest.raises(GateRefused, match=r"1\.2\.0 is newer than 1\.0\.0.*skips the minor version 1") as refused:
            await daemon.service.rollback("1.2.0", ANN)
        assert refused.value.next == ("bluegreen plan 1.2.0", "bluegreen rollback 1.2.0 --reason '...'")
        assert await daemon.service.deployments(1) == ()
        back = await daemon.service.rollback("1.2.0", ANN, "we left it an hour ago")
        assert any("let through, as a rollback" in warning for warning in back.warnings)


async def test_a_rollback_to_what_was_pinned_less_tightly_once_is_a_warning(outside: Outside) -> None:
    outside.described["1.0.0"] = Release("1.0.0", images={"web": "app:edge"})
    async with running(outside) as daemon:
        await daemon.deploy("1.1.0")
        await daemon.end()
    outside.rules = ReleaseRules(VersionRules(True, True, "any"), moving=frozenset({"edge"}))
    async with running(outside) as daemon:
        back = await daemon.service.rollback("", ANN)
        assert (await daemon.end()).phase is P.LIVE
    assert any("has a tag that moves" in warning for warning in back.warnings)


async def test_a_tag_that_says_another_version_is_a_warning(outside: Outside) -> None:
    outside.described["1.1.0"] = Release("1.1.0", images={"web": "app:1.0.0", "db": f"pg@{DIGEST}"})
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.1.0")
    assert [w for w in plan.warnings if w.startswith("the image of web is tagged 1.0.0, and web should be 1.1.0")]


# --- what belongs to it


async def test_files_after_the_last_one_of_the_release_stay_pending(outside: Outside) -> None:
    outside.database.add("0001_a")
    outside.database.add("0002_b")
    outside.described["1.1.0"] = Release("1.1.0", migrations={"app": "0001_a"})
    outside.migrates = {"app": "main"}
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.1.0")
        await daemon.deploy("1.1.0")
        assert (await daemon.end()).phase is P.LIVE
    assert plan.migrations == ("app/0001_a.expand",)
    assert outside.database.runs == ["0001_a"]


@pytest.mark.parametrize(
    ("migrations", "why"), [({"app": "0009_z"}, "0009_z"), ({"other": "0001_a"}, "other, which is no source")]
)
async def test_a_migration_that_does_not_exist_refuses_the_plan(
    migrations: dict[str, str], why: str, outside: Outside
) -> None:
    outside.database.add("0001_a")
    outside.migrates = {"app": "main"}
    outside.described["1.1.0"] = Release("1.1.0", file="/r/1.1.0.toml", migrations=migrations)
    async with running(outside) as daemon:
        with pytest.raises(ReleaseInvalid, match=why):
            await planned(daemon, "1.1.0")


async def test_the_plan_shows_each_component_that_changes(outside: Outside) -> None:
    outside.described["1.0.0"] = Release("1.0.0", components={"identity": "26.1", "web": "1.0.0"})
    outside.described["1.1.0"] = Release("1.1.0", components={"identity": "26.2", "web": "1.0.0", "mail": "3"})
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.1.0")
    assert plan.components == (
        ComponentChange("identity", "26.1", "26.2"),
        ComponentChange("web", "1.0.0", "1.0.0"),
        ComponentChange("mail", "", "3"),
    )


# --- the changelog


async def test_the_plan_carries_the_changelog_and_the_deployment_what_is_marked_in_it(outside: Outside) -> None:
    outside.papers.papers = Papers(CHANGELOG, changelog_file="/CHANGELOG.md")
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.3.0")
        deployed = await daemon.service.deploy(DeployRequest(plan=plan.id), ANN)
        await daemon.end()
    assert [(line.version, line.marks) for line in plan.changelog] == [
        ("1.3.0", ("breaking",)),
        ("1.2.0", ()),
        ("1.1.0", ("security",)),
        ("1.1.0", ()),
    ]
    assert [line.line for line in deployed.plan.changelog] == ["- **Breaking:** log in again", "- CVE-2026-1: fixed"]


async def test_a_changelog_that_cannot_be_read_is_a_warning(outside: Outside) -> None:
    outside.papers.papers = Papers(changelog_file="/C.md", changelog_problem="/C.md cannot be read: No such file")
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.1.0")
    assert "the changelog is not shown: /C.md cannot be read: No such file" in plan.warnings


async def test_a_disk_that_hangs_holds_no_plan_up(outside: Outside) -> None:
    outside.papers.hanging = True
    async with running(outside) as daemon:
        plan = await planned(daemon, "1.1.0")
    assert any("was not read within 10 s" in warning for warning in plan.warnings)
