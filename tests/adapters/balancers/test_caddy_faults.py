"""What a real Caddy can do to us: rows of the table in docs/caddy.md, named by their number."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from bluegreen.adapters.balancers.caddy import CaddyBalancer
from bluegreen.adapters.balancers.memory import Fault
from bluegreen.app.arrival import prove
from bluegreen.app.attempts import FOREIGN_WRITERS
from bluegreen.app.world import World
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports
from bluegreen.domain.checks import FrontDoorAnswer
from bluegreen.domain.errors import (
    AddressInvalid,
    BalancerUnreachable,
    ChangeRefused,
    ConnectionLost,
    ForeignChange,
    MovedOutside,
    RouteAmbiguous,
    RouteNotFound,
    StepFailed,
)
from bluegreen.domain.traffic import Colour, Service
from tests.adapters.balancers.gate import Address, Gate
from tests.adapters.balancers.sites import (
    HERA,
    KRATOS,
    SERVICES,
    StoppedClock,
    config,
    olympus,
    patch,
    proxy,
    read,
    route,
    server,
)

pytestmark = pytest.mark.real

BLUE, GREEN = Colour.BLUE, Colour.GREEN
OTHERS = "/config/apps/http/servers/srv0/routes/3/handle/0/upstreams/0/dial"
HERAS = "/config/apps/http/servers/srv0/routes/2/handle/0/upstreams"


def balancer_at(admin: str, *services: Service) -> CaddyBalancer:
    return CaddyBalancer(admin, services or SERVICES, timeout=5.0, clock=StoppedClock())


@asynccontextmanager
async def gated(caddy: EmbeddedCaddy) -> AsyncIterator[tuple[Gate, CaddyBalancer]]:
    """A balancer behind a gate; each foreign change there points another site somewhere else again."""
    outer, ports = f"http://127.0.0.1:{free_ports(1)[0]}", iter(range(18900, 18999))

    async def meddle() -> None:
        status, said = await patch(caddy.admin, OTHERS, f"127.0.0.1:{next(ports)}")
        assert status == 200, said

    async with Gate(Address(caddy.admin), Address(outer), meddle) as gate, balancer_at(outer) as balancer:
        yield gate, balancer


async def test_c05_a_foreign_change_between_read_and_write_is_412_and_named_and_the_next_read_sees_it(
    caddy: EmbeddedCaddy,
) -> None:
    await caddy.start(olympus())
    async with gated(caddy) as (gate, balancer):
        gate.faults.append(Fault.FOREIGN_CHANGE)
        with pytest.raises(ForeignChange, match=f"^Somebody else changed {OTHERS} between our read and our write"):
            await balancer.switch(GREEN, 7, expected=BLUE)
        await balancer.switch(GREEN, 7, expected=BLUE)
        assert gate.statuses == [412, 200]
    assert (await read(caddy.admin, OTHERS))[1] == "127.0.0.1:18900", "what the others wrote stays"


async def test_c05_a_reload_that_brings_the_old_configuration_meanwhile_is_re_planned(caddy: EmbeddedCaddy) -> None:
    """`caddy reload` from a stale file between our read and our write: on green already, the way is not overwritten."""
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"

    async def reload() -> None:
        await patch(caddy.admin, "/config/", olympus())

    async with Gate(Address(caddy.admin), Address(outer), reload) as gate, balancer_at(outer) as balancer:
        await balancer.switch(GREEN, 7, expected=BLUE)
        gate.faults.append(Fault.FOREIGN_CHANGE)
        with pytest.raises(ForeignChange, match=r"routes/1.*routes/2"):
            await balancer.switch(GREEN, 8, expected=GREEN)
        with pytest.raises(MovedOutside):
            await balancer.switch(GREEN, 8, expected=GREEN)
        assert (await balancer.observe()).colour is BLUE


async def test_c06_in_a_hostile_loop_each_attempt_fails_without_effect_and_names_the_place(
    caddy: EmbeddedCaddy,
) -> None:
    await caddy.start(olympus())
    async with gated(caddy) as (gate, balancer):
        gate.faults.extend([Fault.FOREIGN_CHANGE] * FOREIGN_WRITERS)
        for _ in range(FOREIGN_WRITERS):
            with pytest.raises(ForeignChange, match=OTHERS):
                await balancer.switch(GREEN, 7, expected=BLUE)
        assert gate.statuses == [412] * FOREIGN_WRITERS
        assert (await balancer.observe()).colour is BLUE


async def test_c06_a_change_that_was_taken_back_at_once_is_still_somebody_elses(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    outer = f"http://127.0.0.1:{free_ports(1)[0]}"
    undone = False

    async def meddle() -> None:
        await patch(caddy.admin, OTHERS, "127.0.0.1:18900")

    async with Gate(Address(caddy.admin), Address(outer), meddle) as gate, balancer_at(outer) as balancer:
        answer = gate.forward

        async def undo(request: bytes) -> bytes:
            nonlocal undone
            got = await answer(request)
            if b" 412 " in got and not undone:
                undone = True
                await patch(caddy.admin, OTHERS, "127.0.0.1:18999")
            return got

        gate.forward = undo  # type: ignore[method-assign]
        gate.faults.append(Fault.FOREIGN_CHANGE)
        with pytest.raises(ForeignChange, match="and back again"):
            await balancer.switch(GREEN, 7, expected=BLUE)


@pytest.mark.parametrize(("fault", "lands"), [(Fault.LOST_WITH_EFFECT, True), (Fault.LOST_WITHOUT_EFFECT, False)])
async def test_c09_after_a_connection_lost_before_the_reply_a_read_tells(
    fault: Fault, lands: bool, caddy: EmbeddedCaddy
) -> None:
    await caddy.start(olympus())
    async with gated(caddy) as (gate, balancer):
        gate.faults.append(fault)
        with pytest.raises(ConnectionLost):
            await balancer.switch(GREEN, 7, expected=BLUE)
        assert len(gate.statuses) == lands, "nothing is sent a second time"
        traffic = await balancer.observe()
    assert (traffic.colour, traffic.generation) == ((GREEN, 7) if lands else (BLUE, None))


async def test_c10_a_yes_without_effect_is_seen_when_read_back(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with gated(caddy) as (gate, balancer):
        gate.faults.append(Fault.NO_EFFECT)
        await balancer.switch(GREEN, 7, expected=BLUE)
        traffic = await balancer.observe()
    assert (traffic.colour, traffic.highest_generation) == (BLUE, 0)


async def test_c11_a_refused_configuration_is_sent_once_and_not_again(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with gated(caddy) as (gate, balancer):
        gate.faults.append(Fault.REFUSED)
        with pytest.raises(ChangeRefused, match="HTTP 500"):
            await balancer.switch(GREEN, 7, expected=BLUE)
        assert gate.statuses == [500]
        assert (await balancer.observe()).colour is BLUE


async def test_c12_a_nonsense_address_is_refused_before_anything_is_written(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    nonsense = replace(HERA, addresses={BLUE: HERA.addresses[BLUE], GREEN: ("127.0.0.1:notaport",)})
    async with balancer_at(caddy.admin, KRATOS, nonsense) as balancer:
        with pytest.raises(AddressInvalid, match="'notaport' is not a number"):
            await balancer.validate()


@pytest.mark.parametrize("stamped", [False, True], ids=["without our stamp", "with our stamp"])
async def test_c12_a_nonsense_address_that_others_wrote_is_seen_and_the_way_back_overwrites_ours(
    stamped: bool, caddy: EmbeddedCaddy
) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(GREEN, 7, expected=BLUE)
        nonsense = {"dial": "127.0.0.1:notaport"} | ({"@id": "bluegreen-hera-1-g7"} if stamped else {})
        assert (await patch(caddy.admin, HERAS, [nonsense]))[0] == 200
        if not stamped:
            with pytest.raises(RouteNotFound, match=r"hera.*127\.0\.0\.1:notaport"):
                await balancer.observe()
            return
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.services[1].dials) == (None, ("127.0.0.1:notaport",))
        await balancer.switch(BLUE, 8)
        assert (await balancer.observe()).colour is BLUE


# --- C-13: what a restart with --resume finds


def saved_in(caddy: EmbeddedCaddy) -> Path:
    (found,) = caddy.directory.glob("caddy/autosave.json")
    return found


@pytest.mark.parametrize("left", ["whole", "absent"])
async def test_c13_after_a_resume_the_colour_is_what_was_saved_or_else_what_the_file_says(
    left: str, caddy: EmbeddedCaddy
) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(GREEN, 7)
        await caddy.kill()
        if left == "absent":
            saved_in(caddy).unlink()
        await caddy.start(caddy.directory / "caddy.json", resume=True)
        traffic = await balancer.observe()
        assert (traffic.colour, traffic.generation) == ((GREEN, 7) if left == "whole" else (BLUE, None))


async def test_c13_an_empty_autosave_is_a_caddy_without_routes(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(GREEN, 7)
        await caddy.kill()
        saved_in(caddy).write_bytes(b"")
        await caddy.start(caddy.directory / "caddy.json", resume=True)
        with pytest.raises(RouteNotFound, match="no reverse_proxy handler at all"):
            await balancer.observe()
        with pytest.raises(RouteNotFound):
            await balancer.switch(BLUE, 8)


async def test_c13_a_torn_autosave_is_a_caddy_that_does_not_start(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with balancer_at(caddy.admin) as balancer:
        await balancer.switch(GREEN, 7)
        await caddy.kill()
        whole = saved_in(caddy).read_bytes()
        saved_in(caddy).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(EmbeddedFailed, match="Caddy ended at start"):
            await caddy.start(caddy.directory / "caddy.json", resume=True)
        with pytest.raises(BalancerUnreachable):
            await balancer.observe()


# --- C-14: two of them


@asynccontextmanager
async def saying(colour: Colour, address: str) -> AsyncIterator[None]:
    """An application that says its colour."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=colour)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(address.rpartition(":")[2])).start()
    try:
        yield
    finally:
        await runner.cleanup()


class Door:
    """The FrontDoor port by the words of the applications themselves."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, service: str) -> FrontDoorAnswer:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self._port}/") as answer:
            return FrontDoorAnswer(service, Colour(await answer.text()), answer.status, 0.0)


async def prove_again_and_again(world: World) -> None:
    """One proof in 32 meets none of the other's answers."""
    for _ in range(10):
        await prove(world, GREEN, 1.0)


async def test_c14_a_second_caddy_on_the_port_is_found_by_the_proof_and_guessed_at(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    front, blue, green = free_ports(3)
    service = Service("hera", {BLUE: (f"127.0.0.1:{blue}",), GREEN: (f"127.0.0.1:{green}",)})
    both = config(srv0=server(route(proxy(*service.addresses[BLUE])), listen=f"127.0.0.1:{front}"))
    second = EmbeddedCaddy(short_directory / "second")
    parts = {"services": {"hera": service}, "front_door": Door(front), "terms": SimpleNamespace(fallback=False)}
    world = cast("World", SimpleNamespace(**parts))
    await caddy.start(both)
    try:
        async with saying(BLUE, service.addresses[BLUE][0]), saying(GREEN, service.addresses[GREEN][0]):
            async with balancer_at(caddy.admin, service) as balancer:
                await balancer.switch(GREEN, 7, expected=BLUE)
            await prove(world, GREEN, 20.0)
            await second.start(both)
            with pytest.raises(StepFailed, match=r"\d+ of \d+ answers came from blue: does a second balancer listen"):
                await prove_again_and_again(world)
    finally:
        await second.kill()


# --- C-16, C-17


async def test_c16_an_ambiguous_route_is_listed_and_nothing_is_written(caddy: EmbeddedCaddy) -> None:
    twice = server(route(proxy(*HERA.addresses[BLUE])), route(proxy(*HERA.addresses[BLUE]), host="old.example.org"))
    await caddy.start(config(srv0=twice))
    _, before, _ = await read(caddy.admin)
    async with balancer_at(caddy.admin, replace(HERA, site=None)) as balancer:
        with pytest.raises(RouteAmbiguous, match=r"routes/0/handle/0 .*routes/1/handle/0 ") as caught:
            await balancer.switch(GREEN, 7)
    assert len(cast("tuple[str, ...]", caught.value.facts["paths"])) == 2
    assert (await read(caddy.admin))[1] == before


@pytest.mark.parametrize("left", [{}, {"apps": {}}, {"apps": {"http": {}}}, {"apps": {"http": {"servers": None}}}])
async def test_c17_null_is_a_missing_configuration_and_never_no_upstreams(
    left: dict[str, object], caddy: EmbeddedCaddy
) -> None:
    await caddy.start(olympus())
    assert (await patch(caddy.admin, "/config/", left))[0] == 200
    async with balancer_at(caddy.admin) as balancer:
        with pytest.raises(RouteNotFound, match="no reverse_proxy handler at all"):
            await balancer.observe()
        with pytest.raises(RouteNotFound):
            await balancer.switch(BLUE, 7)


async def test_c17_a_handler_whose_upstreams_are_gone_is_a_route_not_found(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    handler = HERAS.removesuffix("/upstreams")
    assert (await patch(caddy.admin, handler, {"handler": "reverse_proxy"}))[0] == 200
    assert (await read(caddy.admin, HERAS))[:2] == (200, None)
    async with balancer_at(caddy.admin) as balancer:
        with pytest.raises(RouteNotFound, match="hera"):
            await balancer.observe()
