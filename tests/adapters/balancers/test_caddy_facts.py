"""What Caddy does, measured with 2.11.7, on which the adapter rests: a release that changes it turns this red."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from bluegreen.adapters.balancers.caddy_routes import handlers
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.ports import free_ports
from tests.adapters.balancers.sites import (
    Json,
    admin_of,
    config,
    olympus,
    patch,
    read,
    route,
    server,
)

pytestmark = pytest.mark.real

SERVERS = "/config/apps/http/servers"
HERA = f"{SERVERS}/srv0/routes/2/handle/0/upstreams"
BLUE, GREEN = [{"dial": "127.0.0.1:18301"}], [{"dial": "127.0.0.1:18401"}]


def stamped(upstreams: Json, generation: int) -> Json:
    return [each | {"@id": f"bluegreen-hera-1-g{generation}"} for each in upstreams]


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


# --- conditional writes, and what a timeout means


async def test_an_etag_is_a_hash_of_the_content_with_its_path(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, _, blue = await read(caddy.admin, HERA)
    path, _, digest = blue.strip('"').partition(" ")
    assert path == HERA
    assert digest
    await patch(caddy.admin, HERA, GREEN)
    assert (await read(caddy.admin, HERA))[2] != blue
    await patch(caddy.admin, HERA, BLUE)
    assert (await read(caddy.admin, HERA))[2] == blue


async def test_a_fresh_if_match_succeeds_and_a_stale_one_is_412_without_effect(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, _, etag = await read(caddy.admin, HERA)
    assert (await patch(caddy.admin, HERA, GREEN, {"If-Match": etag}))[0] == 200
    assert (await patch(caddy.admin, HERA, BLUE, {"If-Match": etag}))[0] == 412
    assert (await read(caddy.admin, HERA))[1] == GREEN


async def test_the_etag_of_all_servers_guards_a_write_below_them(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, _, etag = await read(caddy.admin, SERVERS)
    assert (await patch(caddy.admin, HERA, GREEN, {"If-Match": etag}))[0] == 200
    _, _, etag = await read(caddy.admin, SERVERS)
    elsewhere = f"{SERVERS}/private/routes/0/handle/0/body"
    assert (await patch(caddy.admin, elsewhere, "changed"))[0] == 200
    assert (await patch(caddy.admin, HERA, BLUE, {"If-Match": etag}))[0] == 412


async def test_a_request_that_timed_out_on_a_frozen_caddy_lands_when_it_goes_on(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, _, etag = await read(caddy.admin, HERA)
    caddy.pause()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await patch(caddy.admin, HERA, GREEN, {"If-Match": etag})
    caddy.unpause()
    async with asyncio.timeout(20.0):
        while (await read(caddy.admin, HERA))[1] != GREEN:
            await asyncio.sleep(0.02)


async def test_without_a_generation_a_stale_write_lands_once_the_colour_is_back(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, _, etag = await read(caddy.admin, HERA)
    await patch(caddy.admin, HERA, GREEN)
    await patch(caddy.admin, HERA, BLUE)
    assert (await patch(caddy.admin, HERA, GREEN, {"If-Match": etag}))[0] == 200


async def test_with_a_generation_in_the_id_a_stale_write_does_not_land(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    await patch(caddy.admin, HERA, stamped(BLUE, 1))
    _, _, etag = await read(caddy.admin, HERA)
    await patch(caddy.admin, HERA, stamped(BLUE, 2))
    assert (await patch(caddy.admin, HERA, stamped(GREEN, 1), {"If-Match": etag}))[0] == 412


async def test_an_id_may_stand_only_once_in_the_configuration(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    twice = [{"dial": "127.0.0.1:1", "@id": "same"}, {"dial": "127.0.0.1:2", "@id": "same"}]
    status, said = await patch(caddy.admin, HERA, twice)
    assert status >= 400
    assert "duplicate" in said.lower()
    assert (await read(caddy.admin, HERA))[1] == BLUE


# --- reloads


@asynccontextmanager
async def kept_alive(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's idle keep-alive connection, used once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await once_more(reader, writer)
    yield reader, writer
    writer.close()


async def once_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(20.0):
        writer.write(b"GET / HTTP/1.1\r\nHost: hera.example.org\r\n\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 502")
        assert b"content-length: 0\r\n" in answer.lower()


async def test_a_change_closes_idle_keep_alive_connections(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    await caddy.start(olympus(f"127.0.0.1:{port}"))
    async with kept_alive(port) as (reader, _):
        await patch(caddy.admin, HERA, GREEN)
        async with asyncio.timeout(20.0):
            assert await reader.read() == b""


async def test_a_change_that_alters_nothing_reloads_nothing(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    await caddy.start(olympus(f"127.0.0.1:{port}"))
    async with kept_alive(port) as (reader, writer):
        assert (await patch(caddy.admin, HERA, BLUE))[0] == 200
        await once_more(reader, writer)


# --- what it accepts, and how it says no


async def test_a_nonsense_dial_is_accepted_and_then_fails_every_user(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    await caddy.start(olympus(f"127.0.0.1:{port}"))
    assert (await patch(caddy.admin, HERA, [{"dial": "127.0.0.1:notaport"}]))[0] == 200
    assert await status_of(port, "hera.example.org") == 502


async def test_an_unknown_field_is_answered_with_500_and_has_no_effect(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    _, before, _ = await read(caddy.admin)
    status, said = await patch(caddy.admin, HERA, [{"dial": "127.0.0.1:1", "nonsense": 1}])
    assert status == 500
    assert 'unknown field \\"nonsense\\"' in said
    assert (await read(caddy.admin))[1] == before


async def test_a_missing_key_is_200_null_and_what_is_below_it_400(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    assert (await read(caddy.admin, "/config/apps/nothing"))[:2] == (200, None)
    status, said, _ = await read(caddy.admin, "/config/apps/nothing/below")
    assert status == 400
    assert "invalid traversal path" in said["error"]


async def test_an_unknown_id_is_404(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    assert (await read(caddy.admin, "/id/the-operators-own"))[0] == 200
    assert (await read(caddy.admin, "/id/nobodys"))[0] == 404


# --- what survives


async def test_a_restart_without_resume_forgets_what_the_api_changed(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    await patch(caddy.admin, HERA, stamped(GREEN, 1))
    await caddy.restart()
    assert (await read(caddy.admin, HERA))[1] == BLUE


async def test_a_reload_from_the_caddyfile_forgets_it_too(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    caddyfile = short_directory / "Caddyfile"
    caddyfile.write_text(site_on(free_ports(1)[0], "to 127.0.0.1:18301"))
    await caddy.start(caddyfile)
    adapted = await servers_of(caddy)
    await patch(caddy.admin, place_of("127.0.0.1:18301", adapted), stamped(GREEN, 1))
    assert await servers_of(caddy) != adapted
    await caddy.reload(caddyfile)
    assert await servers_of(caddy) == adapted


async def test_a_snippet_in_the_proxys_block_survives_a_restart_and_a_reload(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    snippet, caddyfile = short_directory / "hera.caddy", short_directory / "Caddyfile"
    snippet.write_text("to 127.0.0.1:18301\n")
    caddyfile.write_text(site_on(free_ports(1)[0], f"import {snippet}", "lb_policy first", "fail_duration 5s"))
    await caddy.start(caddyfile)
    assert handler_dialling("127.0.0.1:18301", await servers_of(caddy))
    snippet.write_text("to 127.0.0.1:18401 127.0.0.1:18402\n")
    await caddy.reload(caddyfile)
    reloaded = handler_dialling("127.0.0.1:18401", await servers_of(caddy))
    await caddy.restart()
    restarted = handler_dialling("127.0.0.1:18401", await servers_of(caddy))
    assert reloaded == restarted
    assert [each["dial"] for each in restarted["upstreams"]] == ["127.0.0.1:18401", "127.0.0.1:18402"]
    assert restarted["load_balancing"]["selection_policy"] == {"policy": "first"}
    assert restarted["health_checks"]["passive"]["fail_duration"] == 5_000_000_000


async def test_a_missing_snippet_makes_the_start_fail(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    snippet, caddyfile = short_directory / "hera.caddy", short_directory / "Caddyfile"
    caddyfile.write_text(site_on(free_ports(1)[0], f"import {snippet}"))
    with pytest.raises(EmbeddedFailed, match="Caddy ended at start"):  # `caddy run` does not even say why
        await caddy.start(caddyfile)
    snippet.write_text("to 127.0.0.1:18301\n")
    await caddy.start(caddyfile)


@pytest.mark.parametrize("own", [(), ("transport http {\n tls_server_name hera.example.org\n }",)])
async def test_https_in_a_snippet_turns_on_the_transports_tls(
    caddy: EmbeddedCaddy, short_directory: Path, own: tuple[str, ...]
) -> None:
    snippet, caddyfile = short_directory / "hera.caddy", short_directory / "Caddyfile"
    snippet.write_text("to https://127.0.0.1:18301 https://127.0.0.1:18302\n")
    caddyfile.write_text(site_on(free_ports(1)[0], f"import {snippet}", *own))
    await caddy.start(caddyfile)
    handler = handler_dialling("127.0.0.1:18301", await servers_of(caddy))
    assert [each["dial"] for each in handler["upstreams"]] == ["127.0.0.1:18301", "127.0.0.1:18302"]
    assert handler["transport"]["protocol"] == "http"
    assert "tls" in handler["transport"]


# --- who answered, from the access log


async def test_the_access_log_names_the_upstream_also_of_a_502(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    (port,) = free_ports(1)
    log, caddyfile = short_directory / "access.log", short_directory / "Caddyfile"
    logged = f"log {{\n output file {log} {{\n mode 0640\n }}\n }}"
    appended = "log_append upstream {http.reverse_proxy.upstream.hostport}\nlog_append short {rp.hostport}"
    caddyfile.write_text(f"http://:{port} {{\n{logged}\n{appended}\nreverse_proxy 127.0.0.1:18301\n}}\n")
    await caddy.start(caddyfile)
    assert await status_of(port, "hera.example.org") == 502
    await until(lambda: log.exists() and log.read_bytes().endswith(b"\n"))
    line = msgspec.json.decode(log.read_bytes())
    assert (line["status"], line["upstream"], line["short"]) == (502, "127.0.0.1:18301", None)
    assert stat.S_IMODE(log.stat().st_mode) == 0o640


# --- who may ask


async def test_an_origin_header_is_refused_on_the_socket(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    async with (
        admin_of(caddy.admin) as session,
        session.get("/config/", headers={"Origin": "http://127.0.0.1"}) as answer,
    ):
        assert answer.status == 403


async def test_the_socket_is_its_owners_alone_unless_a_mode_is_given(caddy: EmbeddedCaddy) -> None:
    await caddy.start(olympus())
    socket = Path(caddy.admin.removeprefix("unix/"))
    assert stat.S_IMODE(socket.stat().st_mode) == 0o200
    await patch(caddy.admin, "/config/", olympus() | {"admin": {"listen": f"{caddy.admin}|0220"}})
    await until(lambda: socket.exists() and stat.S_IMODE(socket.stat().st_mode) == 0o220)


# --- what arms rest on (more of it in test_caddy_arms.py, where the arms themselves are asked)


def saying(text: str, **match: Json) -> dict[str, Json]:
    said = route({"handler": "static_response", "body": text}, terminal=True)
    return said | ({"match": [match]} if match else {})


async def test_a_file_is_read_again_for_each_request_and_its_last_newline_is_not_in_the_value(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    (port,), file = free_ports(1), short_directory / "live"
    await caddy.start(config(srv0=server(saying(f"<{{file.{file}}}>"), listen=f"127.0.0.1:{port}")))
    said = [await answer_of(port)]
    for text in ("green g1\n", "blue", "two\nlines\n"):
        fresh = short_directory / "new"
        fresh.write_text(text)
        fresh.rename(file)
        said.append(await answer_of(port))
    assert said == ["<>", "<green g1>", "<blue>", "<two\nlines>"], "missing is empty"


async def test_a_variable_is_matched_by_its_name_and_a_placeholder_by_its_braces(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    word = {"vars_regexp": {"to": {"pattern": r"^green(\s|$)"}}}
    agent = {"vars_regexp": {"{http.request.header.User-Agent}": {"name": "who", "pattern": "^(a+)"}}}
    routes = [
        route({"handler": "vars", "to": "{http.request.header.To}"}),
        saying("green", **word),
        saying("{http.regexp.who.1}", **agent),
        saying("neither"),
    ]
    await caddy.start(config(srv0=server(*routes, listen=f"127.0.0.1:{port}")))
    asked = ({"To": "green g7"}, {"To": "greenish"}, {"User-Agent": "aab"})
    assert [await answer_of(port, headers) for headers in asked] == ["green", "neither", "aa"]


async def test_two_variables_in_one_matcher_are_alternatives(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    either = {"vars_regexp": {"{http.request.header.A}": {"pattern": "x"}, "{http.request.header.B}": {"pattern": "x"}}}
    await caddy.start(config(srv0=server(saying("yes", **either), saying("no"), listen=f"127.0.0.1:{port}")))
    assert [await answer_of(port, headers) for headers in ({"A": "x"}, {"B": "x"}, {})] == ["yes", "yes", "no"]


async def test_the_first_of_two_cookies_of_one_name_counts(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    said = saying("{http.request.cookie.bluegreen}")
    await caddy.start(config(srv0=server(said, listen=f"127.0.0.1:{port}")))
    assert await answer_of(port, {"Cookie": "bluegreen=001; bluegreen=fff"}) == "001"


async def test_the_uuid_of_a_request_is_one_and_random_from_its_first_digit(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    said = saying("{http.request.uuid} {http.request.uuid}")
    await caddy.start(config(srv0=server(said, listen=f"127.0.0.1:{port}")))
    answers = [(await answer_of(port)).split() for _ in range(200)]
    assert all(first == second for first, second in answers)
    assert len({first[0] for first, _ in answers}) > 10
    assert {first[14] for first, _ in answers} == {"4"}, "version 4"


def site_on(port: int, *inside: str) -> str:
    lines = "\n".join(inside)
    return f"http://hera.example.org:{port} {{\nreverse_proxy {{\n{lines}\n}}\n}}\n"


async def servers_of(caddy: EmbeddedCaddy) -> Json:
    return (await read(caddy.admin, SERVERS))[1]


def handler_dialling(dial: str, servers: Json) -> Json:
    return next(each.value for each in handlers(servers) if dial in each.dials)


def place_of(dial: str, servers: Json) -> str:
    return next(each.place for each in handlers(servers) if dial in each.dials) + "/upstreams"


async def answer_of(port: int, headers: Mapping[str, str] | None = None) -> str:
    """What a user reads."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20.0)) as session,
        session.get(f"http://127.0.0.1:{port}/", headers=headers) as answer,
    ):
        return await answer.text()


async def status_of(port: int, host: str) -> int:
    """What a user gets; tried again, since a connection right after a change may be closed without an answer."""
    timeout = aiohttp.ClientTimeout(total=20.0)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.timeout(20.0):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/", headers={"Host": host}) as answer:
                    return answer.status
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
