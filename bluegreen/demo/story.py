"""The demonstration: a good release goes live, a broken one is taken back by itself, and a report says what it cost.

Everything is real and embedded: Caddy, Postgres, the sample application in two colours, users, the daemon, and the
command line that an operator types. All of it lies in one directory that is removed at the end.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import click

from bluegreen.demo.children import EmbeddedFailed
from bluegreen.demo.load import Load
from bluegreen.demo.postgres import EmbeddedPostgres
from bluegreen.demo.report import report_lines
from bluegreen.demo.scenery import SITES, Pace
from bluegreen.demo.stage import Stage
from bluegreen.demo.sweep import remember
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.records import Event
from bluegreen.processes import environment

RATE = 50.0
USERS = 25
BASELINE = 10.0
"""Seconds in which the daemon learns how the live colour serves."""

AFTERWARDS = 4.0
"""Seconds in which users go on after the cutback: do their sessions still work?"""

LONGEST = 600.0
"""Seconds after which even forgotten users stop asking."""

GOOD, BROKEN = "1.1.0", "1.2.0"


@dataclass(frozen=True)
class Attempt:
    """One deployment of the demonstration: the release, how the command line ended, what happened."""

    release: str
    code: int
    events: tuple[Event, ...]


def main(keep: bool) -> int:
    """Play the demonstration; returns the exit code. Ctrl-C ends it and cleans up."""
    try:
        return asyncio.run(_play(keep))
    except KeyboardInterrupt:
        click.echo("\nStopped; everything that was started is gone.", err=True)
        return 130
    except BluegreenError as exc:
        click.echo(f"✖ {exc.detail}", err=True)
        for command in exc.next:
            click.echo(f"  next: {command}", err=True)
        return 1


async def _play(keep: bool) -> int:
    async with AsyncExitStack() as stack:
        stage, postgres = await stack.enter_async_context(_stage(keep))
        load = Load(stage.front, SITES, rate=RATE, users=USERS, requests=int(RATE * LONGEST))
        async with asyncio.TaskGroup() as group:
            users = group.create_task(load.run(), name="users")
            try:
                attempts = await _story(stage)
            finally:
                load.stop()
            await users
        _say("")
        for line in report_lines(load.records, attempts):
            _say(line)
        if keep:
            remember(stage.directory, [*stage.pids, postgres.pid])
            _say_how_to_explore(stage)
    return 0 if [attempt.code for attempt in attempts] == [0, 21] else 1


async def _story(stage: Stage) -> list[Attempt]:
    _say(f"blue serves 1.0.0 of two services; {USERS} users log in and make {RATE:g} requests a second.")
    _say(f"For {BASELINE:g} s the daemon learns how users fare with it.")
    await asyncio.sleep(BASELINE)
    _say(f"\nA good release, with a migration: {GOOD}")
    good = await _deploy(stage, GOOD)
    _say(f"\nA release whose login is broken for some users: {BROKEN}")
    broken = await _deploy(stage, BROKEN)
    await asyncio.sleep(AFTERWARDS)
    return [good, broken]


async def _deploy(stage: Stage, release: str) -> Attempt:
    """Deploy as an operator does, on this very terminal."""
    _say(f"$ bluegreen deploy {release} -y --wait-final")
    argv = ["-m", "bluegreen", "--socket", str(stage.socket), "deploy", release, "-y", "--wait-final"]
    path = {"PYTHONPATH": ":".join(sys.path)}
    env = environment(path, passed=("TERM", "COLUMNS", "LINES", "NO_COLOR", "PYTHONIOENCODING"))
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, env=env)
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    async with stage.client as client:
        story = (await client.logs("current")).value
    return Attempt(release, code, story.items)


@asynccontextmanager
async def _stage(keep: bool) -> AsyncIterator[tuple[Stage, EmbeddedPostgres]]:
    """Everything running; on leaving, everything ended and the directory gone, unless it is kept and nothing failed."""
    directory = Path(tempfile.mkdtemp(prefix="bluegreen-demo-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        _say(f"Starting Postgres, Caddy, the sample application and the daemon in {directory}")
        postgres = EmbeddedPostgres(directory / "postgres", outlives_us=keep)
        stack.push_async_callback(postgres.stop)
        await postgres.start()
        await _create_database(postgres)
        stage = Stage(
            directory, postgres.dsn("olympus"), postgres.bin_dir, Pace(window="10s", standby="4s", slow_factor="2.0")
        )
        stage.caddy.outlives_us = keep
        stack.push_async_callback(stage.tear_down)
        await stage.set_up()
        await stage.start_daemon()
        yield stage, postgres
        if keep:
            stack.pop_all()


async def _create_database(postgres: EmbeddedPostgres) -> None:
    try:
        connection = await asyncpg.connect(postgres.dsn(), timeout=10.0)
        try:
            await connection.execute("CREATE DATABASE olympus", timeout=30.0)
        finally:
            await connection.close(timeout=10.0)
    except (OSError, TimeoutError, asyncpg.PostgresError) as exc:
        raise EmbeddedFailed(f"the embedded Postgres does not take the demonstration's database: {exc}") from exc


def _say_how_to_explore(stage: Stage) -> None:
    _say("\nEverything goes on running. To explore it:")
    for verb in ("status", "history", "show current", "logs current"):
        _say(f"  {sys.executable} -m bluegreen --socket {stage.socket} {verb}")
    _say(f"  curl -H 'Host: {SITES['shop']}' {stage.front}/")
    _say(f"To end it: {sys.executable} -m bluegreen.demo.sweep {stage.directory}")


def _say(line: str) -> None:
    click.echo(line)
