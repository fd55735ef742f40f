"""The invariants I1 to I7 of a world, from what its witnesses recorded and from the files themselves.

Nothing here asks the daemon: the journal is read with sqlite3, Caddy's changes are those that went over the way to it,
messages are those that arrived, and users are a client that counted for itself. Each check returns what is wrong.
"""

import asyncio
import fcntl
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from bluegreen.domain.phases import NEXT, REOPENED, Phase
from tests.e2e.ground import Ground, World, ask

STATE_FILES = {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "lock", "cutback.json"}
WAY_BACK = {"LIVE": ("blue", "green"), "REVERTED": ("blue", "green", "blue"), "ABANDONED": ("blue",)}


@dataclass(frozen=True)
class History:
    """What a journal holds, as sqlite3 reads it."""

    deployments: list[dict[str, Any]] = field(default_factory=list)
    """The oldest first."""
    intents: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> "History":
        """The journal as it is now; an empty one where there is none yet."""
        if not file.exists():
            return cls()
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10.0)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'fact'").fetchone():
                return cls()
            return cls(
                [json.loads(body) for (body,) in db.execute("SELECT body FROM deployment ORDER BY seq")],
                [
                    json.loads(body) | {"outcome": outcome}
                    for body, outcome in db.execute("SELECT body, outcome FROM intent ORDER BY at, rowid")
                ],
                [json.loads(body) for (body,) in db.execute("SELECT body FROM event ORDER BY seq")],
                [json.loads(body) for (body,) in db.execute("SELECT body FROM audit ORDER BY seq")],
                {(k, key): json.loads(value) for k, key, value in db.execute("SELECT kind, key, value FROM fact")},
            )

    @property
    def last(self) -> dict[str, Any]:
        """The last deployment."""
        return self.deployments[-1]

    @property
    def settled(self) -> bool:
        """True when the last deployment has ended, and that is durable."""
        return bool(self.deployments) and self.facts.get(("ended", self.last["id"])) == self.last["phase"]

    def of_last(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those rows that belong to the last deployment."""
        return [row for row in rows if row.get("deployment") == self.last["id"]]


async def broken(world: World, colours: tuple[str, ...], *, bad_from: str = "", audited: tuple[str, ...]) -> list[str]:
    """All that is not as it should be, once the last deployment is over and no daemon runs.

    `colours`: who served users, one after the other; `bad_from`: the colour whose release may fail them;
    `audited`: the verbs of people.
    """
    history = History.read(world.journal)
    found = [
        *_users(world, colours, bad_from),
        *_generations(world),
        *_acknowledged(world, history),
        *_live(world, history),
        *_path(history),
        *_told(world, history, audited),
        *_open_ends(world, history),
    ]
    return [*found, *await _locked(world), *await _left_in_postgres(world.ground, world.database)]


def _users(world: World, colours: tuple[str, ...], bad_from: str) -> Iterator[str]:
    """I1."""
    wrong = [a for a in world.answers if not a.good and (a.colour is None or a.colour != bad_from)]
    if wrong:
        yield f"I1: {len(wrong)} of {len(world.answers)} requests failed, first {wrong[0]}"
    for service in {answer.service for answer in world.answers}:
        seen = [answer.colour for answer in world.answers if answer.service == service]
        met = tuple(colour for colour, _ in groupby(seen))
        # a way that was walked between two requests of one client is seen by none
        if met != colours and not (colours == WAY_BACK["REVERTED"] and met == ("blue",)):
            yield f"I1: users of {service} met {met}, expected {colours}"


def _generations(world: World) -> Iterator[str]:
    """I2."""
    landed = [change.generation for change in world.proxy.sent if change.status == 200]
    if any(later <= earlier for earlier, later in pairwise(landed)) or 0 in landed:
        yield f"I2: generations reached Caddy as {landed}"


def _acknowledged(world: World, history: History) -> Iterator[str]:
    """I3."""
    known = {deployment["id"] for deployment in history.deployments}
    lost = set(world.acknowledged) - known
    if lost:
        yield f"I3: acknowledged and lost: {lost}"


def _live(world: World, history: History) -> Iterator[str]:
    """I4."""
    if not history.deployments or history.last["phase"] != "LIVE":
        return
    spent = {
        event["facts"]["previous"]: event["facts"]["seconds"]
        for event in history.of_last(history.events)
        if "previous" in event["facts"]
    }
    terms = history.last["plan"]["terms"]
    for phase, key in (("WATCHING", "window"), ("STANDING_BY", "standby")):
        if spent.get(phase, 0.0) < terms[key] - 0.001:
            yield f"I4: {phase} lasted {spent.get(phase)} s of {terms[key]} s"
    if "TESTING" not in history.last["path"]:
        yield "I4: live without smoke checks"
    if not history.last["facts"].get("verdict"):
        yield "I4: live without a verdict"


def _path(history: History) -> Iterator[str]:
    """I5."""
    for deployment in history.deployments:
        path = [Phase(phase) for phase in deployment["path"]]
        moves = [(a, b) for a, b in pairwise(path) if b not in {*NEXT.get(a, {}).values(), REOPENED.get(a)}]
        if moves or path[0] is not Phase.PREPARING or path[-1] != deployment["phase"]:
            yield f"I5: {path} is no path of the table: {moves}"
        entered = [
            event["phase"]
            for event in history.events
            if event["deployment"] == deployment["id"] and event["name"] in ("phase.entered", "deployment.ended")
        ]
        if entered != deployment["path"][1:]:
            yield f"I5: the events tell another story, {entered}, than the path, {deployment['path']}"


def _told(world: World, history: History, audited: tuple[str, ...]) -> Iterator[str]:
    """I6."""
    if not history.deployments:
        return
    # by its key: what was delivered when the daemon died, and not yet crossed off, comes again
    own = {n["key"]: n["event"] for n in world.notices if n["deployment"] == history.last["id"]}
    ends = [event for event in own.values() if event.startswith("deployment.")]
    if ends != [f"deployment.{history.last['phase'].lower()}"]:
        yield f"I6: people were told {ends} of {history.last['phase']}"
    rows = tuple(row["verb"] for row in history.of_last(history.audit))
    if rows != audited:
        yield f"I6: the audit has {rows}, expected {audited}"


def _open_ends(world: World, history: History) -> Iterator[str]:
    """I7, on this machine."""
    if history.deployments:
        unsettled = [f"{i['action']} in {i['phase']}" for i in history.of_last(history.intents) if not i["outcome"]]
        if unsettled:
            yield f"I7: intents without an outcome: {unsettled}"
    state = world.case / "state"
    strange = {file.name for file in state.iterdir()} - STATE_FILES
    if strange:
        yield f"I7: left in the state directory: {strange}"
    partial = [str(file) for file in world.case.rglob("*") if file.name.endswith((".partial", ".new", ".tmp"))]
    if partial:
        yield f"I7: left: {partial}"
    card = state / "cutback.json"
    if card.exists() and json.loads(card.read_bytes())["open"]:
        yield "I7: the cutback card is still open"
    yield from (f"I7: a process is left: {argv}" for argv in _processes(world))


async def _locked(world: World) -> list[str]:
    """I7. The threads of a process that was just killed may still be leaving when it is a zombie already."""
    for _ in range(50):
        with (world.case / "state" / "lock").open() as lock, suppress(BlockingIOError):
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return []
        await asyncio.sleep(0.1)
    return ["I7: the lock of the state directory is still held"]


def _processes(world: World) -> Iterator[list[str]]:
    """Processes that were started for this case: its directory or its database stands in their words."""
    marks = (str(world.case).encode() + b"/", world.database.encode())
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words, variables = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is not ours
        # a server's backend is not ours to end: it shows the database it is in until it is gone
        if words and not words.startswith(b"postgres:") and any(mark in words + variables for mark in marks):
            yield words.decode(errors="replace").split("\0")


async def _left_in_postgres(ground: Ground, database: str) -> list[str]:
    """I7, in the database server, which notices a moment later that somebody is gone."""
    found = await _in_postgres(ground, database)
    for _ in range(50):
        if not found:
            break
        await asyncio.sleep(0.1)
        found = await _in_postgres(ground, database)
    return found


async def _in_postgres(ground: Ground, database: str) -> list[str]:
    admin = ground.postgres.dsn()
    scratch = await ask(admin, "SELECT datname FROM pg_database WHERE datname LIKE 'bluegreen\\_scratch\\_%'")
    locks = await ask(admin, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
    sessions = await ask(
        admin,
        "SELECT application_name, query FROM pg_stat_activity WHERE backend_type = 'client backend'"
        " AND (datname = $1 OR (application_name LIKE 'bluegreen%' AND pid <> pg_backend_pid()))",
        database,
    )
    return [
        *(f"I7: a scratch database is left: {row['datname']}" for row in scratch),
        *(f"I7: an advisory lock is held by backend {row['pid']}" for row in locks),
        *(f"I7: a session is left: {dict(row)}" for row in sessions),
    ]
