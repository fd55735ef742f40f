"""A copy of production, made ready for a rehearsal, with what is known of production beside it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bluegreen.adapters.postgres.catalogue import look
from bluegreen.adapters.postgres.clients import Clients
from bluegreen.adapters.postgres.connections import Access, Connection, application_name
from bluegreen.adapters.postgres.queries import questions
from bluegreen.adapters.postgres.scratch import scratch
from bluegreen.adapters.rehearsal import live_queries, seeds, sizes, tools
from bluegreen.adapters.rehearsal.books import copy_books
from bluegreen.adapters.rehearsal.clone import Cloner, cut_off, populate
from bluegreen.adapters.rehearsal.live_queries import LiveQueries
from bluegreen.adapters.rehearsal.roles import WAITING, Login, temporary_role
from bluegreen.adapters.rehearsal.rules import RehearsalRules
from bluegreen.adapters.rehearsal.writing import Writes
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.errors import OutsideError, RehearsalFailed
from bluegreen.domain.migrations import Backup
from bluegreen.domain.seen import TableSize

own = questions(__package__, "copies.sql")


@dataclass(frozen=True, slots=True)
class Rights:
    """What the role of the DSN may do on the server."""

    superuser: bool
    create_database: bool
    create_role: bool

    @classmethod
    async def of(cls, connection: Connection) -> "Rights":
        """Ask."""
        record = await connection.fetchrow(own("rights"))
        return cls(**dict(record)) if record else cls(False, False, False)


@dataclass
class Stage:
    """The copy, a desk on it, and a session on production, to read; `owner` is who owns what is in it ("": we), `login`
    whom tools run as (None: we), `watched` whether the locks of tools are noted. `tables` are those that were there
    from the start, `failed` the sources with a migration that failed, `books` whether tools want their own tables as
    production has them."""

    production: Connection
    copy: Access
    desk: Connection
    application: str
    owner: str
    login: Login | None
    copied: str
    live: LiveQueries
    sizes: Mapping[str, TableSize]
    watched: bool = False
    catalogue: Catalogue = field(default_factory=dict)
    tables: Sequence[str] = ()
    writes: Writes = field(default_factory=Writes)
    failed: set[str] = field(default_factory=set)
    not_seen: list[str] = field(default_factory=list)
    books: bool = False

    async def clear(self) -> None:
        """Take out the rows, ours with those that earlier migrations put into tables that were there before."""
        now = await look(self.desk)
        if names := [now[key].name for key in self.tables if key in now]:
            await self.desk.execute(f"TRUNCATE {', '.join(names)} CASCADE")

    async def sow(self) -> None:
        """Put a row into each table that has none, and for tools into the small ones what production has in them."""
        if self.books:
            self.not_seen += await copy_books(self.desk, self.production)
        self.not_seen += await seeds.sow(self.desk, self.production)

    @asynccontextmanager
    async def session(self, timeout: float) -> AsyncIterator[Connection]:
        """A connection for one file, as on production a fresh one; `timeout` seconds for each statement."""
        settings = {"statement_timeout": f"{round(timeout * 1000)}ms", **({"role": self.owner} if self.owner else {})}
        async with self.copy.session(
            application=self.application, settings=settings, failure=RehearsalFailed
        ) as connection:
            yield connection


@dataclass(frozen=True, slots=True)
class Stages:
    """Makes stages of one database. `has_tools`: there are migrations that nobody can read."""

    name: str
    project: str
    access: Access
    admin_database: str
    rules: RehearsalRules
    clients: Clients
    rights: Rights
    has_tools: bool

    @asynccontextmanager
    async def open(self, purpose: str, backup: Backup | None, production: Connection) -> AsyncIterator[Stage]:
        """A stage that is ready; its copy and its role are dropped when it is left. Raises RehearsalFailed."""
        purpose = f"rehearsal {purpose}"
        where = (self.access, self.admin_database, self.project, self.name, purpose)
        live = await live_queries.collect(self.access, self.rules.queries, self.rules.probe_budget)
        measured = await sizes.measure(production)
        said = list(live.not_seen)
        async with AsyncExitStack() as stack:
            login = await stack.enter_async_context(temporary_role(*where)) if self._lends(said) else None
            owner = login.name if login else ""
            copy = await stack.enter_async_context(scratch(*where, failure=RehearsalFailed, owner=owner))
            application = application_name(f"bluegreen {purpose}")
            copied = await self._fill(copy, application, owner, backup, said)
            desk = await stack.enter_async_context(
                copy.session(application=application, settings=WAITING, failure=RehearsalFailed)
            )
            login = await _usable(login, copy, said)
            place = (production, copy, desk, application, owner, login)
            stage = Stage(*place, copied=copied, live=live, sizes=measured, not_seen=said)
            await self._prepare(stage)
            yield stage

    def _lends(self, said: list[str]) -> bool:
        """Whether tools are to run as a temporary role; otherwise why not."""
        if not self.has_tools or self.rules.tool_role == "own":
            return False
        if not self.rights.create_role:
            said.append(
                "no CREATEROLE: tools ran on the copy as the role of the DSN, which may also change production; only"
                " that production is unchanged was looked at"
            )
        return self.rights.create_role

    async def _fill(self, copy: Access, application: str, owner: str, backup: Backup | None, said: list[str]) -> str:
        keeps_owners = self.rights.superuser and not owner
        cloner = Cloner(self.clients, self.access, application, owner, keeps_owners, self.rules.timeout)
        copied = self._what(backup, said)
        if copied == "backup" and backup:
            await cloner.rows(copy, Path(backup.file))
        else:
            said += await cloner.schema(copy)
        await cloner.settings(copy)
        return copied

    def _what(self, backup: Backup | None, said: list[str]) -> str:
        if self.rules.copy == "schema":
            return "schema"
        if backup is None:
            said.append('[rehearsal] from = "backup", but there is no backup: only the schema was copied')
            return "schema"
        if backup.size > self.rules.max_size:
            said.append(f"the backup has {backup.size} bytes, above [rehearsal] max_size: only the schema was copied")
            return "schema"
        return "backup"

    async def _prepare(self, stage: Stage) -> None:
        desk = stage.desk
        await cut_off(desk)
        if self.has_tools and self.rights.superuser:
            await tools.watch(desk)
            stage.watched = True
        elif self.has_tools:
            stage.not_seen.append("no superuser: which locks a tool takes could not be seen")
        stage.books = self.has_tools and stage.copied == "schema"
        await stage.sow()
        stage.not_seen += await populate(desk)
        stage.not_seen += await stage.live.prepare(desk)
        stage.catalogue = await look(desk, positions=True)
        stage.not_seen += await stage.writes.prepare(desk, stage.catalogue)
        if stage.writes.before:  # what was taken back has moved sequences
            stage.catalogue = await look(desk, positions=True)
        stage.tables = [key for key, thing in stage.catalogue.items() if thing.kind == "table"]


async def _usable(login: Login | None, copy: Access, said: list[str]) -> Login | None:
    """The role if it can log in: pg_hba.conf may know nothing of it."""
    if login is None:
        return None
    try:
        async with login.to(copy).session(failure=RehearsalFailed):
            return login
    except OutsideError as exc:
        said.append(
            "the temporary role may not log in (pg_hba.conf), so tools ran on the copy as the role of the DSN, which"
            f" may also change production; only that production is unchanged was looked at: {exc.detail}"
        )
        return None
