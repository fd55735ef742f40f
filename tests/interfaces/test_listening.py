"""Listening: what may stand at the socket's path, what is refused, and what is left behind (nothing)."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from bluegreen.domain.errors import AlreadyRunning, ConfigurationError
from bluegreen.interfaces import socket_watch
from bluegreen.interfaces.hooks import make_hooks
from bluegreen.interfaces.listening import serve_hooks
from tests.app.outside import side_by_side
from tests.interfaces.conftest import serving, session
from tests.interfaces.scripts import ScriptedService


async def answers(path: Path) -> bool:
    async with session(path) as client, client.get("/healthz") as answer:
        return answer.status == 200


async def test_everybody_may_connect_and_nothing_is_left_behind(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path):
        assert stat.S_IMODE(socket_path.lstat().st_mode) == 0o666
        assert await answers(socket_path)
    assert list(socket_path.parent.iterdir()) == []


async def test_the_umask_is_as_it_was(service: ScriptedService, socket_path: Path) -> None:
    before = os.umask(0o027)
    try:
        async with serving(service, socket_path):
            during = os.umask(0o027)
        assert during == 0o027
    finally:
        os.umask(before)


async def test_a_dead_socket_of_ours_is_replaced(service: ScriptedService, socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    async with serving(service, socket_path):
        assert await answers(socket_path)


async def test_a_socket_on_which_somebody_answers_is_not_stolen(service: ScriptedService, socket_path: Path) -> None:
    async with serving(service, socket_path):
        with pytest.raises(AlreadyRunning):
            async with serving(ScriptedService(), socket_path):
                pass
        assert await answers(socket_path)


async def test_a_symlink_is_refused_and_its_target_untouched(service: ScriptedService, socket_path: Path) -> None:
    target = socket_path.with_name("target")
    socket_path.symlink_to(target)
    with pytest.raises(ConfigurationError, match="no socket stands there"):
        async with serving(service, socket_path):
            pass
    assert socket_path.is_symlink()
    assert not target.exists()


async def test_a_file_is_refused_and_kept(service: ScriptedService, socket_path: Path) -> None:
    socket_path.write_text("precious")
    with pytest.raises(ConfigurationError, match=r"daemon\.socket"):
        async with serving(service, socket_path):
            pass
    assert socket_path.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket that belongs to another user")
async def test_a_socket_of_another_user_is_refused(service: ScriptedService, socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(socket_path))
    os.chown(socket_path, 23_456, 23_456)
    with pytest.raises(ConfigurationError, match="uid 23456"):
        async with serving(service, socket_path):
            pass


@pytest.mark.parametrize("path", ["no/such/directory/api.sock", "x" * 120])
async def test_a_path_that_cannot_be_bound_is_a_configuration_error(
    service: ScriptedService, tmp_path: Path, path: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"daemon\.socket"):
        async with serving(service, tmp_path / path):
            pass


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, False), (0o775, False)])
async def test_a_directory_in_which_others_could_replace_the_socket_is_refused(
    service: ScriptedService, tmp_path: Path, mode: int, refused: bool
) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(mode)
    path = directory / "api.sock"
    if not refused:
        async with serving(service, path):
            assert await answers(path)
        return
    with pytest.raises(ConfigurationError, match="everybody may write"):
        async with serving(service, path):
            pass
    assert list(directory.iterdir()) == []


async def test_a_socket_that_leads_nowhere_is_told_once_and_so_is_its_return(
    service: ScriptedService, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, looks = socket_watch._identity, list[object]()

    def look(path: Path) -> tuple[int, int] | None:
        found = identity(path)
        looks.append(found)
        return found

    monkeypatch.setattr(socket_watch, "_identity", look)

    async def told(events: list[str]) -> None:
        async with asyncio.timeout(30):
            while [entry["event"] for entry in log] != events:
                await asyncio.sleep(0.01)

    aside = socket_path.with_name("aside")
    with capture_logs() as log:
        async with (
            serving(service, socket_path),
            side_by_side(("socket", socket_watch.watch_socket(socket_path, every=0.01))),
        ):
            async with asyncio.timeout(30):
                while not looks:  # it knows now what is ours
                    await asyncio.sleep(0.01)
            socket_path.rename(aside)
            await told(["socket.lost"])
            assert log[0]["reason"] == "it was deleted"
            aside.rename(socket_path)
            await told(["socket.lost", "socket.regained"])
            socket_path.rename(aside)
            socket_path.write_text("another's")
            await told(["socket.lost", "socket.regained", "socket.lost"])
            assert log[2]["reason"] == "something else stands there"


async def test_a_socket_that_somebody_put_in_our_place_is_left_alone(
    service: ScriptedService, socket_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        async with serving(service, socket_path):
            socket_path.rename(socket_path.with_name("moved"))
            other.bind(str(socket_path))
        assert socket_path.is_socket()


async def test_hooks_listen_where_they_are_told(service: ScriptedService) -> None:
    async with serve_hooks(make_hooks(service, {}), "127.0.0.1:0") as (host, port):
        async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}/v1/status") as answer:
            assert answer.status == 404
        with pytest.raises(ConfigurationError, match=r"hooks\.listen"):
            async with serve_hooks(make_hooks(service, {}), f"{host}:{port}"):
                pass


@pytest.mark.parametrize("listen", ["", "9095", "localhost:9095", "127.0.0.1:http", "127.0.0.1:99999", "[::1]"])
async def test_an_address_that_is_none_is_a_configuration_error(service: ScriptedService, listen: str) -> None:
    with pytest.raises(ConfigurationError, match=r"hooks\.listen"):
        async with serve_hooks(make_hooks(service, {}), listen):
            pass
