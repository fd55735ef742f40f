"""What is particular to Caddy as a balancer: the operator's configuration stays, and every failure has its own name."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.caddy_services import Located, locate
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.errors import (
    AddressInvalid,
    BalancerError,
    BalancerUnreachable,
    ChangeRefused,
    ChangeUnknown,
    ConfigurationError,
    ForeignChange,
    RouteNotFound,
)
from bluegreen.domain.traffic import Colour
from tests.adapters.balancers.gate import DROPPED, Address, Gate
from tests.adapters.balancers.sites import (
    HERA,
    SERVICES,
    StoppedClock,
    admin_of,
    config,
    olympus,
    patch,
    paths_that_differ,
    proxy,
    read,
    route,
    server,
)

BLUE, GREEN = Colour.BLUE, Colour.GREEN


def balancer_at(admin: str, timeout: float = 5.0) -> CaddyBalancer:
    return CaddyBalancer(admin, SERVICES, timeout=timeout, clock=StoppedClock())


# --- what a switch changes, and what it leaves alone


@pytest.mark.real
async def test_the_whole_configuration_differs_only_in_our_upstreams(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, before, _ = await read(caddy.admin)
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(GREEN, 43, expected=BLUE)
    _, after, _ = await read(caddy.admin)
    routes = "/apps/http/servers/srv0/routes"
    kratos, hera = f"{routes}/1/handle/0/routes/1/handle/0/upstreams", f"{routes}/2/handle/0/upstreams/0"
    assert list(paths_that_differ(before, after)) == [kratos, hera]


@pytest.mark.real
async def test_there_and_back_leaves_every_byte_but_our_ids(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    before = await raw(caddy.admin)
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(GREEN, 43)
        await balancer.switch(BLUE, 44)
    after = await raw(caddy.admin)
    for name in ("kratos", "hera"):
        after = after.replace(f'"@id":"bluegreen-{name}-1-g44",'.encode(), b"")
    assert after == before


@pytest.mark.real
async def test_the_ids_can_be_asked_for_and_caddy_serves_on(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    green = replace(HERA, addresses={BLUE: HERA.addresses[BLUE], GREEN: (f"127.0.0.1:{free_ports(1)[0]}",)})
    await caddy.start(config(srv0=server(route(proxy(*HERA.addresses[BLUE])), listen=f"127.0.0.1:{port}")))
    async with CaddyBalancer(caddy.admin, [green], timeout=5.0, clock=StoppedClock()) as balancer:
        await balancer.switch(GREEN, 43)
    status, upstream, _ = await read(caddy.admin, "/id/bluegreen-hera-1-g43")
    assert (status, upstream["dial"]) == (200, green.addresses[GREEN][0])


@pytest.mark.real
async def test_c05_a_route_that_moved_to_another_index_meanwhile_is_not_hit(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())

    async def insert_a_route() -> None:
        async with admin_of(caddy.admin) as session:
            first = "/config/apps/http/servers/srv0/routes/0"
            async with session.put(first, json=route({"handler": "vars"}, host="new.example.org")) as answer:
                assert answer.status == 200

    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with Gate(Address(caddy.admin), Address(outer), insert_a_route) as gate, balancer_at(outer) as balancer:
        gate.faults.append(Fault.FOREIGN_CHANGE)
        with pytest.raises(ForeignChange):
            await balancer.switch(GREEN, 7)
        _, moved, _ = await read(caddy.admin)
        await balancer.switch(GREEN, 7)
        assert (await balancer.observe()).colour is GREEN
    _, after, _ = await read(caddy.admin)
    assert all("upstreams" in path for path in paths_that_differ(moved, after))


@pytest.mark.real
async def test_c17_a_caddy_without_sites_is_a_route_not_found(caddy: EmbeddedCaddy) -> None:
    await caddy.start({})
    async with balancer_at(caddy.admin) as balancer:
        with pytest.raises(RouteNotFound, match="no reverse_proxy handler at all"):
            await balancer.observe()


@pytest.mark.real
async def test_a_scheme_that_does_not_fit_the_transport_is_refused(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    secure = replace(HERA, scheme="https")
    async with CaddyBalancer(caddy.admin, [secure], timeout=5.0, clock=StoppedClock()) as balancer:
        with pytest.raises(AddressInvalid, match="hera is https, but Caddy speaks http"):
            await balancer.validate()


@pytest.mark.real
async def test_a_configuration_that_is_as_it_was_is_not_taken_apart_again(
    caddy: EmbeddedCaddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reconciler looks each second; with thousands of routes most of that would be for nothing."""
    looked: list[object] = []

    def counted(servers: object, services: object) -> tuple[Located, ...]:
        looked.append(servers)
        return locate(servers, SERVICES)

    monkeypatch.setattr("bluegreen.adapters.balancers.caddy_base.locate", counted)
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        for _ in range(3):
            assert (await balancer.observe()).colour is BLUE
        assert len(looked) == 1
        await balancer.switch(GREEN, 7, expected=BLUE)
        for _ in range(3):
            assert (await balancer.observe()).generation == 7
        assert len(looked) == 2
        await caddy.restart()
        assert (await balancer.observe()).colour is BLUE


# --- a Caddy that hangs


@pytest.mark.real
async def test_a_frozen_caddy_is_unreachable_as_long_as_nothing_was_sent(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    caddy.pause()
    async with balancer_at(caddy.admin, timeout=0.5) as balancer:
        with pytest.raises(BalancerUnreachable, match=r"no answer within 0\.5 s"):
            await balancer.observe()
        with pytest.raises(BalancerUnreachable):
            await balancer.switch(GREEN, 7)


@pytest.mark.real
async def test_c07_the_fence_holds_against_a_change_that_a_frozen_caddy_still_had_before_it(
    caddy: EmbeddedCaddy,
) -> None:
    await caddy.start(olympus())

    async def freeze() -> None:
        caddy.pause()

    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with Gate(Address(caddy.admin), Address(outer), freeze) as gate, balancer_at(outer, 2.0) as balancer:
        gate.faults.append(Fault.FOREIGN_CHANGE)
        with pytest.raises(ChangeUnknown, match="may still take effect"):
            await balancer.switch(GREEN, 7, expected=BLUE)
        caddy.unpause()
        await fence(caddy.admin, 8)
        async with asyncio.timeout(20.0):
            while not gate.statuses:
                await asyncio.sleep(0.02)
        assert gate.statuses[0] in (200, 412, DROPPED)  # before the fence, kept out by it, or never taken in
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.generation) == (BLUE, 8)


async def fence(admin: str, generation: int) -> None:
    async with balancer_at(admin) as balancer:
        while True:
            try:
                return await balancer.switch(BLUE, generation)
            except ForeignChange:
                continue


# --- what an endpoint that is not as it should be is called


@pytest.mark.real
async def test_c11_caddys_own_words_say_why_a_change_was_refused(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with Gate(Address(caddy.admin), Address(outer), asyncio.Event().wait) as gate, balancer_at(outer) as balancer:
        gate.faults.append(Fault.REFUSED)
        with pytest.raises(ChangeRefused, match=r'HTTP 500: .*unknown field "dail"$') as caught:
            await balancer.switch(GREEN, 7)
    assert caught.value.facts["status"] == 500
    assert len(caught.value.detail) < 500


@pytest.mark.real
async def test_c11_an_id_of_ours_that_somebody_else_uses_is_refused_without_effect(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    taken = "/config/apps/http/servers/srv0/routes/3/handle/0/upstreams/0"
    await patch(caddy.admin, taken, {"dial": "127.0.0.1:18999", "@id": "bluegreen-hera-1-g7"})
    async with balancer_at(caddy.admin) as balancer:
        with pytest.raises(ChangeRefused, match="bluegreen-hera-1-g7"):
            await balancer.switch(GREEN, 7)
        assert (await balancer.observe()).colour is BLUE
        await balancer.switch(GREEN, 8)


async def test_a_socket_that_is_not_there_is_unreachable_with_what_to_type(short_directory: Path) -> None:
    socket = short_directory / "admin.sock"
    async with balancer_at(f"unix/{socket}") as balancer:
        with pytest.raises(BalancerUnreachable, match=f"unix/{socket} cannot be used: No such file") as caught:
            await balancer.observe()
    assert caught.value.next == ("systemctl status caddy", f"curl --unix-socket {socket} http://127.0.0.1/config/")


async def test_a_file_where_the_socket_should_be_is_no_socket(short_directory: Path) -> None:
    (short_directory / "admin.sock").touch()
    async with balancer_at(f"unix/{short_directory}/admin.sock") as balancer:
        with pytest.raises(BalancerUnreachable, match="something else than a socket"):
            await balancer.observe()


@pytest.mark.real
async def test_c15_a_socket_of_a_foreign_user_is_not_asked(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    socket = Path(caddy.admin.removeprefix("unix/"))
    try:
        os.chown(socket, 54321, -1)
    except PermissionError:
        pytest.skip("only root can give a socket to somebody else")
    async with balancer_at(caddy.admin) as balancer:
        with pytest.raises(BalancerUnreachable, match="belongs to uid 54321"):
            await balancer.observe()


@pytest.mark.real
async def test_a_socket_of_the_user_that_caddy_runs_as_is_asked(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    try:
        os.chown(caddy.admin.removeprefix("unix/"), 65534, -1)
    except PermissionError:
        pytest.skip("only root can give a socket to somebody else")
    nobody = CaddyBalancer(caddy.admin, SERVICES, timeout=5.0, clock=StoppedClock(), socket_owner="nobody")
    async with nobody as balancer:
        assert (await balancer.observe()).colour is BLUE


@pytest.mark.real
async def test_the_mode_that_caddy_writes_behind_a_socket_is_no_part_of_its_path(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(f"{caddy.admin}|0220") as balancer:
        assert (await balancer.observe()).colour is BLUE


@pytest.mark.real
async def test_an_endpoint_that_refuses_us_is_unreachable_with_its_words(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    strict = {"listen": f"127.0.0.1:{port}", "enforce_origin": True, "origins": ["elsewhere"]}
    await caddy.start(olympus())
    await patch(caddy.admin, "/config/", olympus() | {"admin": strict})
    async with balancer_at(f"http://127.0.0.1:{port}") as balancer:
        with pytest.raises(BalancerUnreachable, match=r"answered HTTP 403: .*host not allowed"):
            await balancer.observe()


async def test_something_else_that_answers_there_is_no_caddy() -> None:
    async with answering("<html>") as admin, balancer_at(admin) as balancer:
        with pytest.raises(BalancerUnreachable, match="is no Caddy"):
            await balancer.observe()


async def test_a_caddy_without_etags_is_never_written_to() -> None:
    servers = msgspec.json.encode(olympus()["apps"]["http"]["servers"]).decode()
    async with answering(servers) as admin, balancer_at(admin) as balancer:
        assert (await balancer.observe()).colour is BLUE
        with pytest.raises(ChangeRefused, match="gave no ETag"):
            await balancer.switch(GREEN, 7)


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_the_answer_of_a_proxy_in_between_does_not_tell_what_became_of_the_change(status: int) -> None:
    servers = msgspec.json.encode(olympus()["apps"]["http"]["servers"]).decode()
    async with answering(servers, etag="e1", changes=status) as admin, balancer_at(admin) as balancer:
        with pytest.raises(ChangeUnknown, match=f"HTTP {status}: it may still take effect"):
            await balancer.switch(GREEN, 7)


async def test_a_reload_that_hangs_is_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.adapters.balancers.caddy_base.RELOAD_SECONDS", 0.2)
    admin = "http://127.0.0.1:1"
    balancer = CaddyBalancer(admin, SERVICES, timeout=5.0, clock=StoppedClock(), reload=["sleep", "60"])
    with pytest.raises(BalancerError, match=r"was not reloaded: sleep did not end within 0\.2 s") as caught:
        await balancer.reload()
    assert caught.value.next == ("sleep 60",)


async def test_what_a_reload_says_last_is_passed_on() -> None:
    reload = ["sh", "-c", "echo reloading; echo done"]
    balancer = CaddyBalancer("http://127.0.0.1:1", SERVICES, timeout=5.0, clock=StoppedClock(), reload=reload)
    assert await balancer.reload() == "done"


@pytest.mark.parametrize(
    "admin",
    ["", "127.0.0.1:2019", "unix/run/caddy.sock", "https://127.0.0.1:2019", "http://127.0.0.1:port", "http://[::1:2019",
     "http://127.0.0.1:2019/config", "http://user:secret@127.0.0.1:2019"],
)  # fmt: skip
def test_an_endpoint_in_another_form_is_refused_at_once(admin: str) -> None:
    with pytest.raises(ConfigurationError, match="neither a Unix socket nor an http:// address"):
        balancer_at(admin)


@pytest.mark.parametrize("admin", ["http://127.0.0.1:2019", "http://localhost:2019/", "http://[::1]:2019"])
def test_endpoints_on_this_host_are_taken(admin: str) -> None:
    balancer_at(admin)


@pytest.mark.parametrize("admin", ["http://192.0.2.1:2019", "http://caddy.example.org:2019", "http://0.0.0.0:2019"])
def test_an_endpoint_beyond_this_host_is_refused_unless_it_is_allowed(admin: str) -> None:
    with pytest.raises(ConfigurationError, match="allow_remote_admin = true"):
        balancer_at(admin)
    CaddyBalancer(admin, SERVICES, timeout=5.0, clock=StoppedClock(), allow_remote_admin=True)


async def test_cancelling_passes_through() -> None:
    async with answering(None) as admin, balancer_at(admin, timeout=60.0) as balancer, asyncio.TaskGroup() as group:
        asking = group.create_task(balancer.observe(), name="observe")
        await asyncio.sleep(0.1)
        asking.cancel()
    assert asking.cancelled()


@asynccontextmanager
async def answering(text: str | None, *, etag: str = "", changes: int = 405) -> AsyncIterator[str]:
    """A server on loopback that answers every GET with this text (with None never), and changes with this status."""

    async def handle(_: web.Request) -> web.Response:
        if text is None:
            await asyncio.Event().wait()
        return web.Response(text=text, headers={"ETag": etag} if etag else {})

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=changes)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    app.router.add_patch("/{path:.*}", refuse)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def raw(admin: str) -> bytes:
    async with admin_of(admin) as session, session.get("/config/") as answer:
        return await answer.read()
