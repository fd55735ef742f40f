"""The journal in one SQLite file: what is stored how. The file itself, its thread and its faults: sqlite_file.py."""

import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bluegreen.adapters.journals.pruning import prune
from bluegreen.adapters.journals.sqlite_file import SqliteFile
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Outcome
from bluegreen.domain.records import EVENTS_KEPT, FACTS_KEPT, AuditRow, Event, Fact, Intent, Json, Record
from bluegreen.ports import Timed, untimed

_pack = msgspec.json.encode


class SqliteJournal:
    """The Journal port on a file. `open` first."""

    def __init__(self, path: Path, *, timeout: float = 5.0, timed: Timed = untimed) -> None:
        """`timeout` in seconds for each read or write; `timed` is told of each "read" and "write"."""
        self._file = SqliteFile(path, timeout, timed, _legible)

    async def open(self) -> None:
        """Open or create the file. Raises JournalUnwritable, JournalUnreadable."""
        await self._file.open()

    async def close(self) -> None:
        """Close the file; harmless twice."""
        await self._file.close()

    async def save(self, deployment: Deployment, *records: Record) -> tuple[Event, ...]:
        def work(db: sqlite3.Connection) -> tuple[Event, ...]:
            _put_deployment(db, deployment)
            for record in records:
                _put(db, record)
            return tuple(_put_event(db, record) for record in records if isinstance(record, Event))

        return await self._file.write(work)

    async def deployment(self, id: str) -> Deployment | None:
        rows = await self._file.read("SELECT body FROM deployment WHERE id = ?", id)
        return self._file.decoded(rows[0][0], Deployment) if rows else None

    async def deployments(self, limit: int, before: str = "") -> tuple[Deployment, ...]:
        rows = await self._file.read(
            "SELECT body FROM deployment WHERE ? = '' OR seq < (SELECT seq FROM deployment WHERE id = ?)"
            " ORDER BY seq DESC LIMIT ?",
            before,
            before,
            limit,
        )
        return tuple(self._file.decoded(body, Deployment) for (body,) in rows)

    async def conclude(self, intent: str, outcome: Outcome, note: str = "") -> None:
        def work(db: sqlite3.Connection) -> None:
            for (body,) in db.execute("SELECT body FROM intent WHERE id = ?", (intent,)).fetchall():
                _put_intent(db, replace(self._file.decoded(body, Intent), outcome=outcome, note=note))

        await self._file.write(work)

    async def intents(self, deployment: str) -> tuple[Intent, ...]:
        rows = await self._file.read("SELECT body FROM intent WHERE deployment = ? ORDER BY rowid", deployment)
        return tuple(self._file.decoded(body, Intent) for (body,) in rows)

    async def record(self, event: Event) -> Event:
        return await self._file.write(lambda db: _put_event(db, event))

    async def events(self, after: int, deployment: str = "", limit: int = 1000) -> tuple[Event, ...]:
        rows = await self._file.read(
            "SELECT seq, body FROM event WHERE seq > ? AND (? = '' OR deployment = ?) ORDER BY seq LIMIT ?",
            after,
            deployment,
            deployment,
            limit,
        )
        return tuple(_numbered(self._file.decoded(body, Event), seq) for seq, body in rows)

    async def audit(self, row: AuditRow, *facts: Fact) -> None:
        records: tuple[Record, ...] = (row, *facts)

        def work(db: sqlite3.Connection) -> None:
            for record in records:
                _put(db, record)

        await self._file.write(work)

    async def audited(self, limit: int, before: int = 0) -> tuple[AuditRow, ...]:
        statement = "SELECT seq, body FROM audit WHERE ? = 0 OR seq < ? ORDER BY seq DESC LIMIT ?"
        rows = await self._file.read(statement, before, before, limit)
        return tuple(replace(self._file.decoded(body, AuditRow), seq=seq) for seq, body in rows)

    async def keep(self, kind: str, key: str, value: Json) -> None:
        await self._file.write(lambda db: _put(db, Fact(kind, key, value)))

    async def claim(self, kind: str, key: str, value: Json) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            statement = "INSERT INTO fact (kind, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return db.execute(statement, (kind, key, _pack(value))).rowcount == 1

        return await self._file.write(work)

    async def fact(self, kind: str, key: str) -> Any:
        rows = await self._file.read("SELECT value FROM fact WHERE kind = ? AND key = ?", kind, key)
        return self._file.decoded(rows[0][0], Any) if rows else None

    async def facts(self, kind: str) -> Mapping[str, Json]:
        rows = await self._file.read("SELECT key, value FROM fact WHERE kind = ? ORDER BY seq", kind)
        return {key: self._file.decoded(value, Any) for key, value in rows}

    async def append(self, kind: str, key: str, number: int, value: Json) -> None:
        packed, statement = _pack(value), "INSERT OR REPLACE INTO chunk (kind, key, number, value) VALUES (?, ?, ?, ?)"
        # Compressed in the file's thread: it takes tens of milliseconds, and a bad line may come meanwhile.
        await self._file.write(lambda db: db.execute(statement, (kind, key, number, zlib.compress(packed))).rowcount)

    async def chunks(self, kind: str, key: str, after: int = -1, limit: int = 1000) -> tuple[tuple[int, Json], ...]:
        statement = "SELECT number, value FROM chunk WHERE kind = ? AND key = ? AND number > ? ORDER BY number LIMIT ?"
        rows = await self._file.read(statement, kind, key, after, limit)
        return tuple((number, self._file.decoded(_unpacked(value), Any)) for number, value in rows)

    async def shorten(self, kind: str, key: str, before: int) -> None:
        statement = "DELETE FROM chunk WHERE kind = ? AND key = ? AND number < ?"
        await self._file.write(lambda db: db.execute(statement, (kind, key, before)).rowcount)

    async def prune(self, deployments: int) -> int:
        return await self._file.write(lambda db: prune(db, deployments, FACTS_KEPT, EVENTS_KEPT))

    async def room(self) -> int:
        return await self._file.room()

    async def forget(self, kind: str, key: str) -> None:
        await self._file.write(lambda db: db.execute("DELETE FROM fact WHERE kind = ? AND key = ?", (kind, key)))


def _legible(db: sqlite3.Connection) -> None:
    """What a daemon must read to begin. Raises sqlite3.DatabaseError."""
    for (body,) in db.execute("SELECT body FROM deployment ORDER BY seq DESC LIMIT 1"):
        try:
            msgspec.json.decode(body, type=Deployment)
        except msgspec.MsgspecError as exc:
            raise sqlite3.DatabaseError(f"the latest deployment: {exc}") from exc


def _put_deployment(db: sqlite3.Connection, deployment: Deployment) -> None:
    db.execute(
        "INSERT INTO deployment (id, seq, phase, body)"
        " VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM deployment), ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, body = excluded.body",
        (deployment.id, deployment.phase, _pack(deployment)),
    )


def _unpacked(value: bytes) -> bytes:
    """A chunk as it was; nothing where it was damaged, which reads as no JSON does."""
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""


def _put(db: sqlite3.Connection, record: Record) -> None:
    """Store what has no number of its own."""
    match record:
        case Intent():
            _put_intent(db, record)
        case AuditRow():
            db.execute("INSERT INTO audit (body) VALUES (?)", (_pack(record),))
        case Fact():
            _put_fact(db, record)


def _put_fact(db: sqlite3.Connection, fact: Fact) -> None:
    db.execute(
        "INSERT INTO fact (kind, key, value) VALUES (?, ?, ?)"
        " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
        (fact.kind, fact.key, _pack(fact.value)),
    )


def _put_intent(db: sqlite3.Connection, intent: Intent) -> None:
    db.execute(
        "INSERT INTO intent (id, deployment, at, outcome, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, body = excluded.body",
        (intent.id, intent.deployment, intent.at.isoformat(), intent.outcome, _pack(intent)),
    )


def _put_event(db: sqlite3.Connection, event: Event) -> Event:
    statement = "INSERT INTO event (deployment, body) VALUES (?, ?)"
    return _numbered(event, db.execute(statement, (event.deployment, _pack(event))).lastrowid or 0)


def _numbered(event: Event, seq: int) -> Event:
    return Event(event.name, event.at, event.deployment, event.phase, event.facts, seq)
