"""The HTTP check against real servers: every address, the site's name, and servers that misbehave."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from bluegreen.adapters.checks.http import LONGEST, HttpCheck, HttpSpec
from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.ports import free_ports
from bluegreen.domain.answers import Expectations
from bluegreen.domain.checks import CheckResult
from tests.adapters.checks.colours import GREEN, service, serving, target
from tests.adapters.waiting import LONG

WELL = HttpSpec("front-page", "web", timeout=LONG)


async def ok(_: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


async def sick(_: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="sick")


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def ask(spec: HttpSpec, *addresses: str, release: str = "1.2.0") -> CheckResult:
    return await HttpCheck(spec).check(target(service(*addresses), release=release))


async def test_every_address_must_pass_and_each_failure_is_named() -> None:
    (nowhere,) = free_ports(1)
    async with serving(ok) as one, serving(sick) as two:
        assert (await ask(WELL, one, one)).passed
        result = await ask(WELL, one, two, f"127.0.0.1:{nowhere}")
    assert not result.passed
    assert result.detail == (
        f"web at {two}: expected status 200-299, got 503: 'sick'; "
        f"web at 127.0.0.1:{nowhere}: cannot connect: Connection refused"
    )


async def test_without_a_service_every_service_is_asked() -> None:
    spec = HttpSpec("all", None, timeout=LONG)
    async with serving(ok) as one, serving(sick) as two:
        both = target(service(one, name="web"), service(two, name="api"))
        result = await HttpCheck(spec).check(both)
        assert (await HttpCheck(WELL).check(both)).passed, "the named service alone"
    assert result.detail == f"api at {two}: expected status 200-299, got 503: 'sick'"


@pytest.mark.parametrize("name", ["absent", "web"])
async def test_nobody_to_ask_is_a_failure(name: str) -> None:
    result = await HttpCheck(HttpSpec("check", name)).check(target(service()))
    assert (result.passed, result.detail) == (False, f"green has no address of {name}")


async def test_the_request_is_sent_as_configured_with_the_sites_name() -> None:
    seen: list[tuple[str, str, str | None, str, bytes]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.raw_path, request.host, request.headers["X-Own"], await request.read()))
        return web.Response(headers={"X-Version": "1.2.0"})

    spec = HttpSpec("post", "web", "POST", "/a%2Fb?c=d%20e", {"X-Own": "yes"}, b'{"name": "smoke"}', timeout=LONG)
    async with serving(note) as address:
        assert (await HttpCheck(spec).check(target(service(address, site="web.test")))).passed
        assert (await HttpCheck(spec).check(target(service(address)))).passed
    method, path, body = "POST", "/a%2Fb?c=d%20e", b'{"name": "smoke"}'
    assert seen == [(method, path, "web.test", "yes", body), (method, path, address, "yes", body)]


async def test_a_redirect_is_an_answer() -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        assert request.path == "/"
        return web.Response(status=302, headers={"Location": "/elsewhere", "Set-Cookie": "a=b"})

    async with serving(redirect) as address:
        assert (await ask(HttpSpec("login", "web", expect=Expectations(range(302, 303))), address)).passed


async def test_a_server_that_hangs_fails_the_check_within_its_timeout() -> None:
    async with serving(hang) as address:
        result = await ask(HttpSpec("check", "web", timeout=0.2), address)
    assert (result.passed, result.detail) == (False, f"web at {address}: no answer within 0.2 s")


async def test_addresses_are_asked_at_once() -> None:
    together = asyncio.Barrier(3)

    async def meet(_: web.Request) -> web.StreamResponse:
        await together.wait()
        return web.Response()

    async with serving(meet) as one, serving(meet) as two, serving(meet) as three:
        assert (await ask(WELL, one, two, three)).passed


async def test_a_failed_check_is_asked_again_as_often_as_it_may() -> None:
    asked = 0

    async def third_time(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.Response(status=200 if asked == 3 else 500)

    async with serving(third_time) as address:
        assert not (await ask(HttpSpec("check", "web", retries=1, retry_delay=0.01), address)).passed
        assert asked == 2
        asked = 0
        assert (await ask(HttpSpec("check", "web", retries=5, retry_delay=0.01), address)).passed
        assert asked == 3


async def test_a_body_without_end_is_read_up_to_the_cap() -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begin")
        while True:
            await response.write(b"x" * 65536)

    async with serving(flood) as address:
        assert (await ask(HttpSpec("check", "web", timeout=LONG, expect=Expectations(body="begin")), address)).passed
        expect = Expectations(body="y")
        result = await ask(HttpSpec("check", "web", timeout=LONG, expect=expect), address)
    assert result.detail.startswith(f"web at {address}: expected a body with 'y', got: 'beginxxx")
    assert len(result.detail) < 300
    assert LONGEST == 1024 * 1024


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "it closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is not HTTP that can be read"),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie\x00: s3cret\r\n\r\n", "its answer is not HTTP that can be read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", "its answer was broken off"),
    ],
    ids=["nothing", "not HTTP", "bad header", "broken off"],
)
async def test_what_is_no_answer_is_a_result(answer: bytes, reason: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        result = await ask(WELL, address)
    assert result.detail == f"web at {address}: {reason}"


async def test_secrets_of_the_request_are_in_no_detail() -> None:
    spec = HttpSpec("check", "web", "GET", "/?token=s3cret", {"Authorization": "Bearer s3cret"}, timeout=LONG)
    broken = HttpSpec("check", "web", headers={"Cookie": "s3cret\r\nX: y"}, timeout=LONG)
    async with serving(sick) as address:
        for one in (spec, broken):
            result = await ask(one, address, f"127.0.0.1:{free_ports(1)[0]}", "not an address:99999")
            assert not result.passed
            assert "s3cret" not in result.detail


TLS = """
{{
    skip_install_trust
    persist_config off
    auto_https disable_redirects
}}
https://web.test:{port} {{
    bind 127.0.0.1
    tls internal
    respond "{{http.request.host}} {{http.request.tls.server_name}}"
}}
"""


@pytest.mark.real
@pytest.mark.parametrize(
    ("verify", "with_ca", "passes"),
    [(None, False, True), (None, True, True), (True, True, True), (False, True, True), (True, False, False)],
    ids=["default", "default with a CA", "verified", "not verified", "verified without its CA"],
)
async def test_over_tls_the_sites_name_is_in_host_and_sni(
    caddy: EmbeddedCaddy, short_directory: Path, verify: bool | None, with_ca: bool, passes: bool
) -> None:
    (port,) = free_ports(1)
    caddyfile = short_directory / "Caddyfile"
    caddyfile.write_text(TLS.format(port=port))
    await caddy.start(caddyfile)
    (authority,) = caddy.directory.rglob("root.crt")
    spec = HttpSpec(
        "check", "web", expect=Expectations(body="web.test web.test"), timeout=LONG,
        verify=verify, ca_file=authority if with_ca else None,
    )  # fmt: skip
    secure = service(f"127.0.0.1:{port}", site="web.test", scheme="https")
    certified = HttpSpec(
        "certified", "web", timeout=LONG, retries=600, retry_delay=0.05
    )  # Caddy issues it after its start
    assert (await HttpCheck(certified).check(target(secure))).passed
    result = await HttpCheck(spec).check(target(secure))
    assert result.passed is passes, result.detail
    if not passes:
        assert "certificate is not trusted" in result.detail


async def test_a_ca_file_that_cannot_be_read_is_a_result(tmp_path: Path) -> None:
    spec = HttpSpec("check", "web", ca_file=tmp_path / "absent.crt", timeout=LONG)
    result = await HttpCheck(spec).check(target(service("127.0.0.1:1", scheme="https"), colour=GREEN))
    assert result.detail == "web at 127.0.0.1:1: no answer: No such file or directory"


async def test_a_cancelled_check_lets_go() -> None:
    async with serving(hang) as address:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ask(WELL, address), name="check under test")
            await asyncio.sleep(0.1)
            task.cancel()
        assert task.cancelled()
