"""The embedded Postgres starts, stops, survives a kill, and dies with us; also for root."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from bluegreen.demo.children import Child, EmbeddedFailed, spawn
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.processes import environment, run_command
from tests.real_parts import execute

pytestmark = pytest.mark.real


async def _value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10.0)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_both_majors_answer_as_what_they_are(postgres: EmbeddedPostgres, postgres18: EmbeddedPostgres) -> None:
    for server, major in ((postgres, 16), (postgres18, 18)):
        number = await _value(server.dsn(), "SELECT current_setting('server_version_num')::int / 10000")
        assert number == major
        said = await run_command([str(server.bin_dir / "pg_dump"), "--version"], timeout=30.0, env={})
        assert f" {major}." in said.output


async def test_it_does_not_run_as_a_superuser_of_the_machine_and_listens_on_loopback_only(
    postgres: EmbeddedPostgres,
) -> None:
    assert await _value(postgres.dsn(), "SHOW listen_addresses") == "127.0.0.1"
    assert postgres.pid is not None
    owner = Path(f"/proc/{postgres.pid}/status").read_text()
    ours, its = (Path(f"/proc/{pid}/ns/user").readlink() for pid in ("self", postgres.pid))
    assert ours != its or "Uid:\t0" not in owner


async def test_stopping_keeps_the_data_and_the_address(short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory)
    await server.start()
    await server.start()
    await execute(server.dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    dsn, pid = server.dsn(), server.pid
    await server.stop()
    await server.stop()
    assert server.pid is None
    assert pid is not None
    assert Child.of(pid) is None
    assert "database system is shut down" in server.log.read_text()
    await server.start()
    try:
        assert server.dsn() == dsn
        assert await _value(dsn, "SELECT n FROM kept") == 7
    finally:
        await server.stop()


async def test_after_a_kill_it_starts_again_and_has_what_was_committed(
    short_directory: Path,
) -> None:
    server = EmbeddedPostgres(short_directory)
    await server.start()
    session = await asyncpg.connect(server.dsn())
    await session.execute("CREATE TABLE kept AS SELECT 7 AS n")
    await server.kill()
    session.terminate()
    assert (server.data / "postmaster.pid").exists()
    await server.start()
    try:
        assert await _value(server.dsn(), "SELECT n FROM kept") == 7
    finally:
        await server.stop()


async def test_a_lock_file_whose_pid_is_somebody_elses_by_now_does_not_stop_it(short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory)
    await server.start()
    await server.kill()
    stranger = spawn(["sleep", "60"], env=environment(), log=short_directory / "stranger.log")
    for lock in (server.data / "postmaster.pid", *short_directory.glob(".s.PGSQL.*.lock")):
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().splitlines()[1:]]) + "\n")
    try:
        await server.start()
        assert stranger.alive
    finally:
        await stranger.kill()
        await server.stop()


async def test_a_second_server_on_the_directory_is_refused_with_the_pid_to_stop(
    short_directory: Path,
) -> None:
    server, second = EmbeddedPostgres(short_directory), EmbeddedPostgres(short_directory)
    await server.start()
    try:
        with pytest.raises(EmbeddedFailed, match=r"runs in .* already") as refusal:
            await second.start()
        assert refusal.value.next == (f"kill -INT {server.pid}",)
    finally:
        await server.stop()


async def test_a_taken_port_is_reported_with_the_servers_own_words(
    postgres: EmbeddedPostgres, short_directory: Path
) -> None:
    second = EmbeddedPostgres(short_directory, port=postgres.port)
    with pytest.raises(EmbeddedFailed, match="Address already in use"):
        await second.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
async def test_without_user_namespaces_root_runs_it_as_an_unprivileged_account(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = short_directory / "bin"
    programs.mkdir()
    for name in ("setpriv", "ls"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    short_directory.chmod(0o711)
    server = EmbeddedPostgres(short_directory / "pg")
    if any(parent.stat().st_mode & 0o1 == 0 for parent in server.bin_dir.parents):
        pytest.skip(f"other accounts cannot walk to {server.bin_dir}")
    await server.start()
    try:
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert server.data.stat().st_uid == Path(f"/proc/{server.pid}").stat().st_uid
        assert short_directory.stat().st_uid == 0
    finally:
        await server.stop()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
@pytest.mark.parametrize("outlives", [False, True], ids=["dies with us", "outlives us"])
async def test_when_whoever_started_it_is_killed(short_directory: Path, outlives: bool) -> None:
    argv = [sys.executable, "-c", STARTER, str(short_directory), str(outlives)]
    starter = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    server = Child.of(int(await starter.stdout.readline()))
    starter.kill()
    await starter.wait()
    assert server is not None
    try:
        if outlives:
            assert not await server.ended(0.5)
        else:
            assert await server.ended(30.0)
    finally:
        await server.stop(signal.SIGINT)


STARTER = """
import asyncio, sys
from pathlib import Path
from bluegreen.demo.postgres import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]), outlives_us=sys.argv[2] == "True")
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
