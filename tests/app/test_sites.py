"""Sites: added and removed alone, nobody is moved by it, and a switch moves whom it should."""

import pytest

from bluegreen.adapters.sites.memory import MemorySites
from bluegreen.app.requests import SiteRequest
from bluegreen.domain.errors import ChangeUnknown, DeploymentInProgress, NotFound, RequestRefused, StepFailed
from bluegreen.domain.phases import Phase
from bluegreen.domain.sites import Left, answers_for
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

STATIC = SiteRequest("static", "static.test", dials=("127.0.0.1:9",), reason="new")
SHOP = SiteRequest("web", "web.test", service="web")


@pytest.fixture
def sites(outside: Outside) -> MemorySites:
    """Where they are set up."""
    outside.sites = MemorySites()
    return outside.sites


async def named(daemon: Daemon) -> list[str]:
    return [event.name for event in await daemon.events()]


@pytest.mark.parametrize(
    ("pattern", "host", "means"),
    [
        ("web.test", "WEB.test", True),
        ("*.test", "web.test", True),
        ("*.test", "a.web.test", False),
        ("web.test", "shop.test", False),
    ],
)
def test_a_site_as_it_is_configured_means_a_host_or_every_label_before_it(pattern: str, host: str, means: bool) -> None:
    assert answers_for(pattern, host) is means


async def test_a_site_for_given_addresses_is_added_told_and_written_down(outside: Outside, sites: MemorySites) -> None:
    async with running(outside) as daemon:
        done = await daemon.service.add_site(STATIC, ANN)
        assert (done.written, done.site.service, done.site.site.dials) == (True, "", ("127.0.0.1:9",))
        assert (await daemon.service.add_site(STATIC, ANN)).written is False
        assert [shown.site.name for shown in (await daemon.service.sites()).items] == ["static"]
        assert (await daemon.service.remove_site("static", ANN)).site.site.host == "static.test"
        assert [name for name in await named(daemon) if name.startswith("site.")] == [
            "site.added",
            "site.added",
            "site.removed",
        ]
        assert [row.verb for row in await daemon.service.audit(3)] == ["site remove", "site add", "site add"]


async def test_a_site_of_a_service_goes_to_the_live_colour_and_is_followed_by_a_switch(
    outside: Outside, sites: MemorySites
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).phase is Phase.LIVE
        outside.balancer.remove("web")  # its site is new: nothing serves it yet
        sites.takes_effect = lambda: outside.balancer.point("web", *SERVICES["web"].addresses[GREEN])
        done = await daemon.service.add_site(SHOP, ANN)
        assert (done.site.service, done.site.site.dials) == ("web", SERVICES["web"].addresses[GREEN])
        with pytest.raises(RequestRefused, match=r"users of web come by web\.test") as refused:
            await daemon.service.remove_site("web", ANN)
        assert refused.value.next == ("bluegreen site remove web --force",)
        sites.takes_effect = lambda: outside.balancer.remove("web")
        await daemon.service.remove_site("web", ANN, force=True)


async def test_where_nobody_knows_the_live_colour_the_addresses_are_asked_for(
    outside: Outside, sites: MemorySites
) -> None:
    outside.balancer.remove("web")
    async with running(outside) as daemon:
        with pytest.raises(RequestRefused, match="nobody knows which colour is live"):
            await daemon.service.add_site(SHOP, ANN)
        assert sites.standing == {}


async def test_whoever_is_moved_by_it_makes_it_be_undone(outside: Outside, sites: MemorySites) -> None:
    sites.takes_effect = lambda: outside.balancer.point("api", *SERVICES["api"].addresses[GREEN])
    sites.undo = lambda: outside.balancer.point("api", *SERVICES["api"].addresses[BLUE])
    async with running(outside) as daemon:
        with pytest.raises(StepFailed, match="would have moved users of api"):
            await daemon.service.add_site(STATIC, ANN)
        assert sites.standing == {}
        sites.takes_effect = lambda: outside.balancer.remove("api")
        with pytest.raises(StepFailed, match="it cannot be told where users go"):
            await daemon.service.add_site(STATIC, ANN)
        assert "site.not_added" in await named(daemon)
        assert daemon.engine.by_hand == ""


async def test_a_site_that_a_switch_would_leave_behind_is_undone(outside: Outside, sites: MemorySites) -> None:
    real = sites.sites

    async def elsewhere() -> object:
        return tuple(site for site in await real() if site.name != "web")

    async with running(outside) as daemon:
        sites.sites = elsewhere  # type: ignore[method-assign,assignment] # its route is found for nobody
        with pytest.raises(StepFailed, match=r"cannot be told|would not move"):
            await daemon.service.add_site(SHOP, ANN)
        assert sites.standing == {}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (SiteRequest("x", "other.test", service="web"), "a switch would not move other.test"),
        (SiteRequest("x", "x.test", service="nobody"), "there is no service nobody"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    outside: Outside, sites: MemorySites, request_: SiteRequest, why: str
) -> None:
    async with running(outside) as daemon:
        with pytest.raises(RequestRefused, match=why) as refused:
            await daemon.service.add_site(request_, ANN)
        assert refused.value.next
        assert sites.standing == {}


async def test_nothing_is_done_beside_a_deployment_nor_where_there_is_no_caddy(
    outside: Outside, sites: MemorySites
) -> None:
    outside.change(auto_promote=False)
    async with running(outside) as daemon:
        deployment = await daemon.deploy()
        await daemon.reach(Phase.AWAITING)
        with pytest.raises(DeploymentInProgress, match=deployment.id):
            await daemon.service.add_site(STATIC, ANN)
        with pytest.raises(DeploymentInProgress, match=deployment.id):
            await daemon.service.remove_site("static", ANN)
        await daemon.service.sites()
    outside.sites = None
    async with running(outside) as daemon:
        assert (await daemon.service.sites()).items == ()
        with pytest.raises(RequestRefused, match="set up in Caddy alone"):
            await daemon.service.add_site(STATIC, ANN)


async def test_what_fails_is_told_and_the_daemon_is_free_again(outside: Outside, sites: MemorySites) -> None:
    async with running(outside) as daemon:
        sites.refusal = ChangeUnknown("no answer in time")
        with pytest.raises(ChangeUnknown):
            await daemon.service.add_site(STATIC, ANN)
        with pytest.raises(NotFound):
            await daemon.service.remove_site("nobody", ANN)
        assert daemon.engine.by_hand == ""
        await daemon.service.add_site(STATIC, ANN)


async def test_what_a_killed_daemon_left_is_told_at_the_next_start_and_in_the_status(
    outside: Outside, sites: MemorySites
) -> None:
    sites.leaves = Left("/state/site-x.before.json", ("to go back: curl", "to keep what is: rm"))
    async with running(outside) as daemon:
        await daemon.service.tell_left_site()
        assert "site.unfinished" in await named(daemon)
        (trouble,) = [each for each in (await daemon.service.status()).troubles if each.startswith("site-unfinished")]
        assert "/state/site-x.before.json" in trouble
        assert "curl" not in trouble, "after a deployment it would undo that"
        with pytest.raises(RequestRefused):
            await daemon.service.add_site(STATIC, ANN)
        sites.leaves = None
        await daemon.service.sites()
        assert (await daemon.service.status()).troubles == ()
