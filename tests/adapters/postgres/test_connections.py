"""What the library raises becomes ours once, and what happened first is what is told."""

import asyncio

import asyncpg
import pytest

from bluegreen.adapters.postgres.connections import application_name, describe, translated
from bluegreen.domain.errors import DatabaseUnreachable, MigrationFailed


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
