"""A number from the shared database: how it is loaded by each colour, or a query of the operator's.

Asked in a read-only transaction that ends in a rollback, over one connection that is opened for the question: one
that idles between questions would stand in the way of whoever renames or drops the database. A colour's sessions are
known by their application_name. Outside fact: what sessions of other roles do is shown to members of
pg_read_all_stats alone; the others see NULL (postgresql.org/docs/current/monitoring-stats.html).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

import asyncpg

from bluegreen.adapters.postgres.connections import Access, Connection, describe
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.signals.names import Names
from bluegreen.adapters.signals.questions import Answer
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.traffic import Colour

BuiltIn = Literal["connections", "active", "waiting_for_locks"]
COLOUR, PATTERN = "{colour}", "$1"
MANY, PORT = 2, 5432
NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric", "bool"})

query = questions(__package__, "signals.sql")


@dataclass(frozen=True, slots=True)
class SqlQuestions:
    """`asked` is a built-in question or SQL that gives one row of one number; `total`, SQL too: then both are counters.

    `applications`: how each colour's sessions are called (* and ? as in a shell); $1 in SQL becomes that name as a
    pattern for LIKE, and {colour} the colour.
    """

    name: str
    access: Access
    asked: str
    total: str | None = None
    built_in: bool = False
    applications: Mapping[Colour, str] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    @property
    def colours(self) -> tuple[Colour | None, ...]:
        """Each colour where the question tells them apart, else whoever serves."""
        text = self.asked + (self.total or "")
        return tuple(Colour) if self.built_in or COLOUR in text or PATTERN in text else (None,)

    async def ask(self) -> Sequence[Answer]:
        """The value for each colour, one after the other on one connection."""
        await self._resolved()
        async with self.access.session(
            application=f"bluegreen signal {self.name}", settings=self._settings(), failure=SignalFailed
        ) as connection:
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    return await self._answers(connection)
            except asyncpg.PostgresError as exc:
                raise SignalFailed(f"{self.access.dsn}: {describe(exc)}{_place(exc)}") from exc

    async def _answers(self, connection: Connection) -> Sequence[Answer]:
        if self.built_in:
            return self._sessions(await connection.fetch(query("sessions")))
        return [await self._answer(connection, colour) for colour in self.colours]

    async def _resolved(self) -> None:
        """Fail here where the server's name cannot be looked up: asyncpg would leave a waiting thread behind."""
        server = urlsplit(self.access.dsn.safe)
        if not server.hostname or "," in server.netloc:
            return
        try:
            async with asyncio.timeout(self.access.connect_timeout):
                await self.names.known(server.hostname, server.port or PORT)
        except TimeoutError:
            raise SignalFailed(f"{self.access.dsn}: its name is not looked up in time") from None
        except OSError as exc:
            raise SignalFailed(f"{self.access.dsn}: {exc.strerror or exc}") from exc

    def _settings(self) -> dict[str, str]:
        # Shorter than ours: so it is the server that gives up, says why, and goes on to be of use to others.
        budget = f"{max(int(self.access.answer_timeout * 800), 1)}ms"
        return {"statement_timeout": budget, "lock_timeout": budget, "default_transaction_read_only": "on"}

    def _sessions(self, rows: Sequence[asyncpg.Record]) -> list[Answer]:
        return [self._load(colour, pattern, rows) for colour, pattern in self.applications.items()]

    def _load(self, colour: Colour, pattern: str, rows: Sequence[asyncpg.Record]) -> Answer:
        mine = [row for row in rows if fnmatchcase(row["application"], pattern)]
        if self.asked != "connections":
            if sum(row["hidden"] for row in mine):
                return Answer(colour, trouble=f"no data: {self._hidden()}")
            if sum(row["untracked"] for row in mine):
                return Answer(colour, trouble="no data: track_activities is off for these sessions")
        return Answer(colour, float(sum(row[self.asked] for row in mine)))

    def _hidden(self) -> str:
        return (
            f"our role may not see what other roles' sessions in the {self.access.dsn} do; type there: "
            "GRANT pg_read_all_stats TO our role"
        )

    async def _answer(self, connection: Connection, colour: Colour | None) -> Answer:
        try:
            total = None if self.total is None else await self._number(connection, self.total, colour)
            return Answer(colour, await self._number(connection, self.asked, colour), total)
        except SignalFailed as exc:
            return Answer(colour, trouble=f"{self.access.dsn}: {exc.detail}")

    async def _number(self, connection: Connection, sql: str, colour: Colour | None) -> float:
        given = [_like(self.applications[colour])] if PATTERN in sql and colour is not None else []
        statement = await connection.prepare(sql.replace(COLOUR, colour or ""))
        _check([(column.name, column.type.name) for column in statement.get_attributes()])
        try:
            cursor = await statement.cursor(*given)
        except asyncpg.InterfaceError as exc:  # $1 is used as something else than a text, or there is a $2
            raise SignalFailed(f"the query cannot be asked: {str(exc).splitlines()[0]}") from exc
        return _one(await cursor.fetch(MANY))


def _check(columns: Sequence[tuple[str, str]]) -> None:
    """Before it runs: a text may be of any size, and all of it would come. Raises SignalFailed in words."""
    if len(columns) != 1:
        raise SignalFailed(f"the query gives {len(columns)} columns, and one row of one number is needed")
    if columns[0][1] not in NUMBERS:
        raise SignalFailed(f"the query gives {columns[0][1]}, and a number is needed; cast it, as in (...)::float8")


def _one(rows: Sequence[asyncpg.Record]) -> float:
    """The one number. Raises SignalFailed in words: nothing is not zero."""
    if not rows:
        raise SignalFailed("no data: the query gives no row; where that means zero, ask for count(*) or coalesce(...)")
    if len(rows) > 1:
        raise SignalFailed("no data: the query gives several rows, and one row of one number is needed")
    if rows[0][0] is None:
        raise SignalFailed("no data: the query gives NULL; where that means zero, write coalesce(..., 0)")
    return float(rows[0][0])


def _like(pattern: str) -> str:
    """A pattern with * and ? as LIKE has it."""
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, f"\\{special}")
    return pattern.replace("*", "%").replace("?", "_")


def _place(exc: BaseException) -> str:
    position = getattr(exc, "position", None)
    return f", at character {position} of the query" if position else ""
