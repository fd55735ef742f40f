"""The embedded Caddy serves what it is given, over either kind of admin address, and is gone when stopped."""

from pathlib import Path

import aiohttp
import pytest

from bluegreen.demo.caddy import EmbeddedCaddy
from bluegreen.demo.children import Child, EmbeddedFailed
from bluegreen.demo.ports import free_ports

pytestmark = pytest.mark.real


def _config(port: int, text: str) -> dict[str, object]:
    handle = [{"handler": "static_response", "body": text}]
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": handle}],
    }
    return {"apps": {"http": {"servers": {"main": server}}}}


def _caddyfile(path: Path, port: int, text: str) -> Path:
    path.write_text(f'http://127.0.0.1:{port} {{\n\trespond "{text}"\n}}\n')
    return path


async def _get(port: int) -> str:
    timeout = aiohttp.ClientTimeout(total=10.0)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        return await answer.text()


async def test_it_serves_a_json_configuration_once_start_has_returned(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    await caddy.start(_config(port, "from json"))
    assert await _get(port) == "from json"
    assert caddy.admin == f"unix/{caddy.directory}/admin.sock"
    assert (caddy.directory / "admin.sock").is_socket()


async def test_it_serves_a_caddyfile_and_reloads_another(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    (port,) = free_ports(1)
    await caddy.start(_caddyfile(short_directory / "Caddyfile", port, "first"))
    assert await _get(port) == "first"
    before = caddy.pid
    await caddy.reload(_caddyfile(short_directory / "Caddyfile", port, "second"))
    assert await _get(port) == "second"
    assert caddy.pid == before


async def test_a_tcp_admin_endpoint_is_started_and_reloaded_alike(short_directory: Path) -> None:
    port, admin = free_ports(2)
    server = EmbeddedCaddy(short_directory, f"http://127.0.0.1:{admin}")
    await server.start(_config(port, "first"))
    try:
        await server.reload(_caddyfile(short_directory / "Caddyfile", port, "second"))
        assert await _get(port) == "second"
        async with aiohttp.ClientSession() as session, session.get(f"{server.admin}/config/") as answer:
            assert answer.status == 200
    finally:
        await server.stop()


async def test_a_restart_forgets_what_was_changed_while_it_ran(caddy: EmbeddedCaddy, short_directory: Path) -> None:
    (port,) = free_ports(1)
    await caddy.start(_config(port, "started with"))
    await caddy.reload(_caddyfile(short_directory / "Caddyfile", port, "changed to"))
    await caddy.restart()
    assert await _get(port) == "started with"
    await caddy.restart(_config(port, "new"))
    assert await _get(port) == "new"


async def test_a_paused_caddy_answers_after_it_goes_on_and_not_before(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    await caddy.start(_config(port, "alive"))
    caddy.pause()
    timeout = aiohttp.ClientTimeout(total=0.3)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises(TimeoutError):
            await session.get(f"http://127.0.0.1:{port}/")
    assert caddy.pid is not None
    caddy.unpause()
    assert await _get(port) == "alive"


@pytest.mark.parametrize("paused", [False, True], ids=["running", "paused"])
async def test_after_stop_nothing_of_it_runs(caddy: EmbeddedCaddy, paused: bool) -> None:
    await caddy.start({"apps": {}})
    pid = caddy.pid
    assert pid is not None
    if paused:
        caddy.pause()
    await caddy.stop()
    await caddy.stop()
    assert caddy.pid is None
    assert Child.of(pid) is None


async def test_a_configuration_that_caddy_refuses_is_reported_in_its_words(
    caddy: EmbeddedCaddy, short_directory: Path
) -> None:
    (port,) = free_ports(1)
    with pytest.raises(EmbeddedFailed, match="unknown module"):
        await caddy.start({"apps": {"nonsense": {}}})
    await caddy.start(_config(port, "fine"))
    broken = short_directory / "Caddyfile"
    broken.write_text("http://127.0.0.1 {\n\tnonsense\n}\n")
    with pytest.raises(EmbeddedFailed, match="unrecognized directive: nonsense"):
        await caddy.reload(broken)
    assert await _get(port) == "fine"


async def test_it_keeps_its_files_in_its_own_directory(caddy: EmbeddedCaddy) -> None:
    (port,) = free_ports(1)
    await caddy.start(_config(port, "x"))
    assert (caddy.directory / "caddy" / "autosave.json").exists()


async def test_an_admin_socket_with_too_long_a_path_is_refused_before_anything_starts(tmp_path: Path) -> None:
    server = EmbeddedCaddy(tmp_path / ("d" * 100))
    with pytest.raises(EmbeddedFailed, match="too long for a socket's path"):
        await server.start({"apps": {}})
    assert server.pid is None
