"""What the sample application keeps in the shared Postgres: accounts, login sessions, orders.

Works on the schema of release 1.0.0 and on the expanded one; releases from 1.1 on need the column that their
migration adds (`accounts.display_name`).
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from asyncpg.pool import PoolConnectionProxy

CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 10.0
POOL_SIZE = 4
SHOWN_ORDERS = 10

SIGN_UP = "INSERT INTO accounts (name, password) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"

FIND_SESSION = """
    SELECT a.id, a.name, {greeting} AS greeting, s.colour FROM sessions s JOIN accounts a ON a.id = s.account_id
     WHERE s.token = $1
"""


class StoreFailed(Exception):
    """The database did not answer, or not as this release needs it; the reason is in the text."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose session it is; `greeting` is the name to show, `colour` the one that made the session."""

    id: int
    name: str
    greeting: str
    colour: str = ""


class Store:
    """The queries of both services, on a small pool whose connections bear the colour's name."""

    def __init__(self, dsn: str, colour: str, version: str) -> None:
        self._dsn = dsn
        self._colour = colour
        self._version = version
        self._greets = _number(version) >= (1, 1)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @property
    def colour(self) -> str:
        """The colour whose store it is."""
        return self._colour

    @property
    def version(self) -> str:
        """The release that uses it."""
        return self._version

    async def open(self) -> None:
        """Connect; StoreFailed when the database does not answer within CONNECT_TIMEOUT."""
        try:
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=POOL_SIZE,
                timeout=CONNECT_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                server_settings={"application_name": self._colour},
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise StoreFailed(f"{type(exc).__name__}: {exc}") from exc

    async def close(self) -> None:
        """Close the connections at once; harmless when it was not opened."""
        if self._pool is not None:
            self._pool.terminate()

    async def sign_in(self, name: str, password: str) -> str | None:
        """A new session's token, None for a wrong password; an unknown name becomes a new account."""
        digest = await asyncio.to_thread(_digest, name, password)
        async with self._connection() as db:
            await db.execute(SIGN_UP, name, digest)
            row = await db.fetchrow("SELECT id, password FROM accounts WHERE name = $1", name)
            if row is None or not secrets.compare_digest(row["password"], digest):
                return None
            token = secrets.token_urlsafe(24)
            await db.execute(
                "INSERT INTO sessions (token, account_id, colour) VALUES ($1, $2, $3)",
                _hashed(token),
                row["id"],
                self._colour,
            )
            return token

    async def sign_out(self, token: str) -> None:
        """End a session; harmless when there is none."""
        async with self._connection() as db:
            await db.execute("DELETE FROM sessions WHERE token = $1", _hashed(token))

    async def account(self, token: str) -> Account | None:
        """Whose session this is, whichever colour made it; None when there is no such session."""
        greeting = "coalesce(a.display_name, a.name)" if self._greets else "a.name"
        async with self._connection() as db:
            row = await db.fetchrow(FIND_SESSION.format(greeting=greeting), _hashed(token))
        return Account(row["id"], row["name"], row["greeting"], row["colour"]) if row is not None else None

    async def order(self, account: Account, item: str) -> int:
        """Write an order; its number."""
        async with self._connection() as db:
            number: int = await db.fetchval(
                "INSERT INTO orders (account_id, item, colour) VALUES ($1, $2, $3) RETURNING id",
                account.id,
                item,
                self._colour,
            )
        return number

    async def orders(self, account: Account) -> list[dict[str, object]]:
        """The newest orders of an account, newest first."""
        async with self._connection() as db:
            rows = await db.fetch(
                "SELECT id, item, colour FROM orders WHERE account_id = $1 ORDER BY id DESC LIMIT $2",
                account.id,
                SHOWN_ORDERS,
            )
        return [dict(row) for row in rows]

    async def probe(self) -> None:
        """Read each table once, as this release reads them; StoreFailed when one cannot be read."""
        account = await self.account("")
        await self.orders(account or Account(0, "", ""))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator["PoolConnectionProxy[asyncpg.Record]"]:
        if self._pool is None:
            raise StoreFailed("it was not opened")
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                yield connection
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise StoreFailed(f"{type(exc).__name__}: {exc}") from exc


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _digest(name: str, password: str) -> bytes:
    return hashlib.scrypt(password.encode(), salt=name.encode().ljust(16, b"\0"), n=1024, r=8, p=1)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
