"""Sites through caddy-api-client on a real Caddy: what is asked for, and nothing else; whole or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bluegreen.adapters.sites.caddy import CaddySites
from bluegreen.adapters.sites.wire import Wire
from bluegreen.demo.caddy import EmbeddedCaddy, caddy_binary
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import (
    BalancerUnreachable,
    BluegreenError,
    JournalUnwritable,
    NotFound,
    RequestRefused,
    StepFailed,
)
from bluegreen.domain.sites import SiteWish, Tls
from tests.adapters.balancers import sites as bench

pytestmark = pytest.mark.real

Json = Any
OPERATORS = {"automation": {"policies": [{"on_demand": True, "issuers": [{"module": "internal"}]}]}}
"""A policy of the operator's for every host: one subject in it would make it a policy for that host alone."""


async def fine() -> None:
    """Nothing speaks against it."""


async def objects() -> None:
    """Somebody was moved."""
    raise StepFailed("the change would have moved users of kratos")


class Scene:
    """A Caddy with two services of ours and much else; a colour that answers for the new site; a state directory."""

    def __init__(self, caddy: EmbeddedCaddy, state: Path, front: int, backend: int) -> None:
        self.caddy, self.state, self._front = caddy, state, front
        self.wish = SiteWish("shop", "shop.example.org", (f"127.0.0.1:{backend}",))
        self.sites = CaddySites(caddy.admin, state, timeout=5.0)

    async def document(self) -> Json:
        """The whole configuration."""
        _, value, _ = await bench.read(self.caddy.admin)
        return value

    async def load(self, document: Json) -> None:
        """Begin with another configuration."""
        async with bench.admin_of(self.caddy.admin) as session, session.post("/load", json=document) as answer:
            assert answer.status == 200, await answer.text()

    async def patch(self, path: str, value: Json) -> None:
        """Somebody else changes something."""
        status, said = await bench.patch(self.caddy.admin, path, value)
        assert status == 200, said

    async def get(self, host: str) -> tuple[int, str]:
        """What a user of this host gets."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._front}/", headers={"Host": host}) as answer,
        ):
            return answer.status, await answer.text()

    def kept(self) -> list[str]:
        """The files of changes that are not settled."""
        return [path.name for path in self.state.iterdir()]


@asynccontextmanager
async def _answering(port: int) -> AsyncIterator[None]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"the shop, for {request.host}")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCaddy]:
    """One Caddy for all of these tests: each begins with the same configuration, loaded anew."""
    try:
        caddy_binary()
    except EmbeddedFailed as exc:
        pytest.skip(str(exc))
    caddy = EmbeddedCaddy(tmp_path_factory.mktemp("caddy"), f"http://127.0.0.1:{free_ports(1)[0]}")
    yield caddy
    asyncio.run(caddy.kill())


@pytest.fixture
async def scene(caddy: EmbeddedCaddy, tmp_path: Path) -> AsyncIterator[Scene]:
    """Everything runs."""
    front, backend = free_ports(2)
    state = tmp_path / "state"
    await asyncio.to_thread(state.mkdir)
    document = bench.olympus(f"127.0.0.1:{front}")
    document["apps"]["http"]["servers"]["srv0"]["logs"] = {"logger_names": {"id.example.org": ["log0"]}}
    document["apps"]["tls"] = OPERATORS
    document["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}  # this machine stays out
    await caddy.start(document)
    scene = Scene(caddy, state, front, backend)
    await scene.load(document)
    async with _answering(backend):
        yield scene


# --- add, show, remove


async def test_a_site_is_added_and_nothing_else_differs(scene: Scene) -> None:
    before = await scene.document()
    assert await scene.sites.add(scene.wish, fine) is True
    assert await scene.get("shop.example.org") == (200, "the shop, for shop.example.org")
    after = await scene.document()
    server = after["apps"]["http"]["servers"]["srv0"]
    (route,) = [each for each in server["routes"] if each.get("@id") == "bluegreen-site-shop"]
    assert route["match"] == [{"host": ["shop.example.org"]}]
    assert [each["handler"] for each in route["handle"]] == ["log_append", "reverse_proxy"], "its colour is in the log"
    server["routes"].remove(route)
    assert server["logs"]["logger_names"].pop("shop.example.org") == ["log0"]
    assert after == before, "not even the policies for certificates, which caddy-api-client would have changed"
    assert scene.kept() == []


async def test_a_site_is_shown_as_it_stands(scene: Scene) -> None:
    assert await scene.sites.sites() == ()
    await scene.sites.add(scene.wish, fine)
    (site,) = await scene.sites.sites()
    assert (site.name, site.host, site.dials, site.tls) == ("shop", "shop.example.org", scene.wish.dials, Tls.AUTO)
    _, found, _ = await bench.read(scene.caddy.admin, site.path)
    assert found["@id"] == "bluegreen-site-shop"


async def test_added_again_nothing_is_written_and_another_one_of_the_name_is_refused(scene: Scene) -> None:
    await scene.sites.add(scene.wish, fine)
    _, before, etag = await bench.read(scene.caddy.admin)
    assert await scene.sites.add(scene.wish, fine) is False
    assert (await bench.read(scene.caddy.admin))[1:] == (before, etag)
    with pytest.raises(RequestRefused, match="there is a site shop already, and it is another") as refused:
        await scene.sites.add(replace(scene.wish, dials=("127.0.0.1:1",)), fine)
    assert refused.value.next[0] == "bluegreen site remove shop"


@pytest.mark.parametrize("tls", Tls)
async def test_removed_again_the_configuration_is_what_it_was(scene: Scene, tls: Tls) -> None:
    before = await scene.document()
    await scene.sites.add(replace(scene.wish, tls=tls), fine)
    (site,) = await scene.sites.sites()
    assert site.tls is tls
    policies = (await scene.document())["apps"]["tls"]["automation"]["policies"]
    assert [policy.get("subjects") for policy in policies] == [["shop.example.org"], None][tls is Tls.AUTO :]
    assert (await scene.sites.remove("shop", fine)).host == "shop.example.org"
    assert await scene.document() == before
    assert scene.kept() == []


async def test_without_any_policy_for_certificates_none_is_left_behind(scene: Scene) -> None:
    document = await scene.document()
    del document["apps"]["tls"]
    await scene.load(document)
    before = await scene.document()
    await scene.sites.add(replace(scene.wish, tls=Tls.INTERNAL), fine)
    await scene.sites.remove("shop", fine)
    assert await scene.document() == before


async def test_what_caddy_saves_for_itself_is_what_it_serves(scene: Scene) -> None:
    saved = next(iter(await asyncio.to_thread(lambda: list(scene.caddy.directory.rglob("autosave.json")))))
    await scene.sites.add(scene.wish, fine)
    assert json.loads(await asyncio.to_thread(saved.read_bytes)) == await scene.document()
    with pytest.raises(StepFailed):
        await scene.sites.remove("shop", objects)
    assert json.loads(await asyncio.to_thread(saved.read_bytes)) == await scene.document()


async def test_several_addresses_and_tls_to_them_are_written(scene: Scene) -> None:
    wish = replace(scene.wish, dials=("127.0.0.1:1", "127.0.0.1:2"), scheme="https")
    await scene.sites.add(wish, fine)
    (site,) = await scene.sites.sites()
    _, found, _ = await bench.read(scene.caddy.admin, f"{site.path}/handle/1")
    assert site.dials == wish.dials
    assert found["transport"] == {"protocol": "http", "tls": {}}


# --- what is refused


async def test_what_was_not_added_here_is_removed_only_by_force(scene: Scene) -> None:
    with pytest.raises(NotFound, match="there is no site nobody"):
        await scene.sites.remove("nobody", fine)
    with pytest.raises(RequestRefused, match="the operator's own") as refused:
        await scene.sites.remove("other.example.org", fine)
    assert refused.value.next[0] == "bluegreen site remove other.example.org --force"
    before = await scene.document()
    await scene.sites.remove("other.example.org", fine, force=True)
    routes = before["apps"]["http"]["servers"]["srv0"]["routes"]
    routes[:] = [route for route in routes if route.get("@id") != "the-operators-own"]
    assert await scene.document() == before


async def test_a_host_that_has_a_route_is_refused_with_its_path(scene: Scene) -> None:
    before = await scene.document()
    with pytest.raises(RequestRefused, match=r"WWW.example.org has a route already, at /config/apps/http/servers/srv0"):
        await scene.sites.add(replace(scene.wish, host="WWW.example.org"), fine)
    with pytest.raises(RequestRefused, match="srv0 does not listen at :8443"):
        await scene.sites.add(replace(scene.wish, listen=":8443"), fine)
    assert (await scene.document(), scene.kept()) == (before, [])


async def test_another_server_than_the_one_that_the_client_knows_is_refused_with_lines_for_the_caddyfile(
    scene: Scene,
) -> None:
    document = await scene.document()
    servers = document["apps"]["http"]["servers"]
    servers["public"] = servers.pop("srv0")
    await scene.load(document)
    with pytest.raises(RequestRefused, match="no server srv0") as refused:
        await scene.sites.add(scene.wish, fine)
    assert "put this into the Caddyfile:\n  shop.example.org {\n" in refused.value.detail
    assert f"reverse_proxy {scene.wish.dials[0]}\n  }}" in refused.value.detail
    assert await scene.document() == document


async def test_over_a_unix_socket_it_is_refused_with_lines_for_the_caddyfile(tmp_path: Path) -> None:
    sites = CaddySites(f"unix/{tmp_path}/admin.sock", tmp_path, timeout=1.0)
    wish = SiteWish("shop", "shop.example.org", ("127.0.0.1:1",), tls=Tls.INTERNAL)
    with pytest.raises(RequestRefused, match="knows no Unix socket") as refused:
        await sites.add(wish, fine)
    assert "shop.example.org {\n  \ttls internal\n  \tlog_append" in refused.value.detail
    assert await sites.sites() == ()
    with pytest.raises(RequestRefused, match="knows no Unix socket"):
        await sites.remove("shop", fine)


async def test_a_configuration_that_the_client_cannot_read_is_refused_and_not_changed(scene: Scene) -> None:
    routes = "/config/apps/http/servers/srv0/routes"
    await scene.patch(f"{routes}/3", {"match": [{"host": ["other.example.org"]}], "handle": []})
    before = await scene.document()
    with pytest.raises(StepFailed, match=r"caddy-api-client cannot work .*: nothing was changed"):
        await scene.sites.add(scene.wish, fine)
    assert (await scene.document(), scene.kept()) == (before, [])


# --- what fails in the middle


async def test_where_the_proof_fails_the_old_configuration_is_back(scene: Scene) -> None:
    before = await scene.document()
    with pytest.raises(StepFailed, match=r"moved users of kratos; Caddy's configuration is as it was before$"):
        await scene.sites.add(scene.wish, objects)
    assert (await scene.document(), scene.kept()) == (before, [])


async def test_what_somebody_else_changes_meanwhile_is_never_overwritten(scene: Scene) -> None:
    dial = "/config/apps/http/servers/srv0/routes/{}/handle/0/upstreams/0/dial"

    async def others() -> None:
        await scene.patch(dial.format(4), "127.0.0.1:18997")
        raise StepFailed("it does not look right")

    with pytest.raises(StepFailed, match="somebody else changed it meanwhile, and that is not overwritten") as failed:
        await scene.sites.add(scene.wish, others)
    assert scene.kept() == ["site-shop.before.json"]
    assert str(scene.state / "site-shop.before.json") in failed.value.detail
    left = await scene.sites.left()
    assert left is not None
    assert left.next[0].startswith("to keep what is: rm "), "loaded whole, the old one would undo what others did"
    with pytest.raises(RequestRefused, match="settle that first"):
        await scene.sites.remove("shop", fine)
    after = await scene.document()
    assert (
        after["apps"]["http"]["servers"]["srv0"]["routes"][4]["handle"][0]["upstreams"][0]["dial"] == "127.0.0.1:18997"
    )


async def test_a_change_of_others_between_reading_and_writing_makes_it_fail_without_effect(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Wire.replace

    def late(self: Wire, value: Json, etag: str) -> None:
        asyncio.run(scene.patch("/config/apps/http/servers/srv0/routes/3/handle/0/upstreams/0/dial", "127.0.0.1:18997"))
        real(self, value, etag)

    monkeypatch.setattr(Wire, "replace", late)  # between our GET and our POST
    with pytest.raises(StepFailed, match="nothing was changed"):
        await scene.sites.add(scene.wish, fine)
    assert (await scene.sites.sites(), scene.kept()) == ((), [])


async def test_a_caddy_that_hangs_is_given_up_in_time_and_what_lands_late_is_told(scene: Scene) -> None:
    sites = CaddySites(scene.caddy.admin, scene.state, timeout=0.5)
    real, meet = Wire.replace, scene.caddy.pause

    def frozen(self: Wire, value: Json, etag: str) -> None:
        meet()
        real(self, value, etag)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "replace", frozen)  # it freezes right before the change arrives
        try:
            with pytest.raises(StepFailed, match="could not be put back") as failed:
                await sites.add(scene.wish, fine)
        finally:
            scene.caddy.unpause()
    assert scene.kept() == ["site-shop.before.json"]
    assert failed.value.next == ("systemctl status caddy", "bluegreen site show")
    async with asyncio.timeout(20):
        while not await _sites_of_one_that_wakes(scene):
            await asyncio.sleep(0.05)
    left = await sites.left()
    assert left is not None, "it landed late, and somebody has to decide"
    assert left.next[0].startswith("to go back: curl -f")


async def _sites_of_one_that_wakes(scene: Scene) -> bool:
    """Whether a site is there; a Caddy that loads what it was told while it slept may drop a connection meanwhile."""
    try:
        return bool(await scene.sites.sites())
    except BalancerUnreachable:
        return False


async def test_nobody_at_the_endpoint_is_told_and_nothing_is_kept(scene: Scene) -> None:
    await scene.caddy.stop()
    with pytest.raises(BalancerUnreachable, match="cannot be used"):
        await scene.sites.add(scene.wish, fine)
    assert scene.kept() == []


async def test_without_room_for_the_old_configuration_nothing_is_changed(scene: Scene) -> None:
    before = await scene.document()
    sites = CaddySites(scene.caddy.admin, scene.state / "missing", timeout=5.0)
    with pytest.raises(JournalUnwritable, match="nothing was changed"):
        await sites.add(scene.wish, fine)
    assert await scene.document() == before


async def test_a_daemon_killed_in_the_middle_leaves_what_is_found_and_can_be_typed(scene: Scene) -> None:
    before = await scene.document()

    async def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await _alone(lambda: scene.sites.add(scene.wish, killed))
    left = await CaddySites(scene.caddy.admin, scene.state, timeout=5.0).left()
    assert left is not None
    assert (Path(left.file).stat().st_mode & 0o777) == 0o600, "it may hold private keys"
    command = left.next[0].removeprefix("to go back: ")
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0
    assert await scene.document() == before
    assert scene.kept() == []


async def test_after_a_deployment_the_configuration_from_before_is_not_offered_any_more(scene: Scene) -> None:
    """Loaded whole, it would send all users to the colour that was live then, and may be stopped by now."""

    async def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await _alone(lambda: scene.sites.add(scene.wish, killed))
    await scene.patch("/config/apps/http/servers/srv0/routes/4/handle/0/upstreams/0/dial", "127.0.0.1:18997")
    left = await CaddySites(scene.caddy.admin, scene.state, timeout=5.0).left()
    assert left is not None
    assert not any("/load" in each for each in left.next)
    assert left.next == (
        f"to keep what is: rm {left.file}",
        f"then, to take the site away: bluegreen site remove {scene.wish.name}",
    )
    await asyncio.to_thread(lambda: Path(left.file).unlink())
    assert (await scene.sites.remove(scene.wish.name, fine)).name == scene.wish.name


async def test_a_file_of_a_change_that_had_no_effect_is_tidied_up(scene: Scene) -> None:
    raw = json.dumps(await scene.document())
    (scene.state / "site-shop.before.json").write_text(raw)
    assert await scene.sites.left() is None
    assert scene.kept() == []
    (scene.state / "site-shop.before.json").write_text("torn")
    assert await scene.sites.left() is not None


async def _alone(work: Callable[[], Awaitable[object]]) -> None:
    """What ends a process ends this, without ending the test's loop."""
    try:
        await work()
    except KeyboardInterrupt as exc:
        raise KeyboardInterrupt from exc


async def test_every_refusal_says_what_to_type(scene: Scene) -> None:
    for wrong in (replace(scene.wish, listen=":1"), replace(scene.wish, host="id.example.org")):
        with pytest.raises(BluegreenError) as refused:
            await scene.sites.add(wrong, fine)
        assert refused.value.next
