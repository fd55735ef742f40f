"""What the library raises becomes ours once, and what happened first is what is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest

from bluegreen.adapters.postgres.connections import Access, application_name, describe, translated
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.domain.errors import DatabaseUnreachable, MigrationFailed
from tests.adapters.waiting import LONG


@pytest.mark.parametrize(
    "first",
    [MigrationFailed("0001_a.expand.sql:3: no"), asyncio.CancelledError()],
    ids=["an error of ours", "a cancellation"],
)
def test_a_rollback_that_fails_does_not_hide_what_happened_first(first: BaseException) -> None:
    with pytest.raises(type(first)) as caught, translated("database app", DatabaseUnreachable):
        _fail_and_roll_back(first)
    assert caught.value is first


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "database app: does not answer in time"),
        (ConnectionRefusedError("refused"), "database app: does not answer: refused"),
        (ConnectionResetError(), "database app: does not answer: ConnectionResetError"),
        (asyncpg.InvalidPasswordError("no such password"), "database app: no such password (SQLSTATE 28P01)"),
    ],
)
def test_every_error_of_the_library_is_told_as_ours(error: Exception, text: str) -> None:
    with pytest.raises(DatabaseUnreachable) as caught, translated("database app", DatabaseUnreachable):
        raise error
    assert caught.value.detail == text
    assert caught.value.__cause__ is error


def test_detail_and_hint_of_the_server_are_told() -> None:
    fields = {"S": "ERROR", "C": "23505", "M": "duplicate key", "D": "Key (id)=(1) exists", "H": "Use another"}
    error = asyncpg.PostgresError.new(fields)
    assert describe(error) == "duplicate key. Key (id)=(1) exists. Use another (SQLSTATE 23505)"


def test_the_name_of_a_session_fits_the_server() -> None:
    assert application_name("bluegreen ünï" + "x" * 99) == "bluegreen ?n?" + "x" * 50


def _fail_and_roll_back(first: BaseException) -> None:
    try:
        raise first
    finally:
        raise asyncpg.InterfaceError("the underlying connection is closed")


@pytest.mark.real
@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_a_server_that_has_fallen_silent_keeps_nobody_and_hides_no_cancellation(database: str, how: str) -> None:
    patience = 0.3 if how == "late" else LONG
    asked = asyncio.Event()

    async def ask(access: Access) -> None:
        async with access.session(failure=MigrationFailed) as connection, connection.transaction():
            asked.set()
            await connection.execute("SELECT pg_sleep(60)", timeout=patience)

    async def outcome(access: Access) -> MigrationFailed | None:
        try:
            await ask(access)
        except MigrationFailed as exc:
            return exc
        return None

    async with asyncio.timeout(LONG), asyncio.TaskGroup() as group, _line_to(database, group) as (dsn, alive):
        asking = group.create_task(outcome(Access(Dsn.parse(dsn), LONG, 0.5)), name="asking")
        await asked.wait()
        alive.clear()
        if how == "cancelled":
            asking.cancel()
        await asyncio.wait({asking})
    assert asking.cancelled() if how == "cancelled" else isinstance(asking.result(), MigrationFailed)


@asynccontextmanager
async def _line_to(dsn: str, group: asyncio.TaskGroup) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A line to a server that says nothing any more once the event is cleared; as after a pulled plug."""
    there = urlsplit(dsn)
    alive = asyncio.Event()
    alive.set()
    ends: list[asyncio.StreamWriter] = []
    lines: list[asyncio.Task[None]] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await alive.wait()
            writer.write(data)
        writer.close()

    def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        lines.append(group.create_task(further(reader, writer), name="a line"))

    async def further(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection(there.hostname, there.port)
        ends.append(on)
        lines.append(group.create_task(pass_on(back, writer), name="a line back"))
        await pass_on(reader, on)

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield dsn.replace(f":{there.port}/", f":{port}/"), alive
    finally:
        server.close()
        for line in lines:
            line.cancel()
        if lines:
            await asyncio.wait(lines)
        for end in ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()
