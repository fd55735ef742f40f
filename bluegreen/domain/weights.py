"""How long users of a table would wait: what a statement does to big tables, scaled to production's sizes.

Rates are what a small machine did (2 cores that were busy, Postgres 16, 2M rows of 100 bytes, warm cache; decision
023). Others are as much as four times as fast or as slow: so each estimate is a range.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bluegreen.domain.catalogue import Thing
from bluegreen.domain.differences import Look
from bluegreen.domain.seen import FileSeen, LockSeen, StatementSeen, TableSize

STRENGTH = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)  # fmt: skip
STRONG = frozenset(STRENGTH[4:])
"""Locks that stop writers of a table, or readers as well (Postgres manual, 13.3.1)."""

LONGEST = 3.0
"""Seconds: a statement under a strong lock is cut off then (adapters/postgres/rules.py), and the migration fails."""

SCAN = 300e6
REWRITE = 60e6
INDEXED = 25e6
"""Bytes a second: reading a heap while checking its rows, writing one anew, building indexes (bytes of indexes)."""
INDEX_ROWS = 1.0e6
UPDATE_ROWS = 100e3
"""Rows a second: building one index, updating rows with two indexes."""
FASTER, SLOWER = 4.0, 4.0
MOMENT = (0.0, 0.05)
"""Seconds that a change of the catalogue alone takes."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Work:
    """What one statement does to all rows of one table that was there: rewrite, index-build or scan. `seconds` None:
    production's size is not known."""

    kind: str
    table: str
    seconds: Range | None


@dataclass(frozen=True, slots=True)
class Weight:
    """One thing to say of a statement: a lock, what is worked under it, and for how long."""

    kind: str
    statement: StatementSeen
    table: str
    name: str
    lock: str
    says: str
    seconds: Range | None


def stronger(locks: Iterator[LockSeen] | tuple[LockSeen, ...], table: str) -> str:
    """The strongest lock on a table, "" for none."""
    modes = [lock.mode for lock in locks if lock.table == table]
    return max(modes, key=lambda mode: STRENGTH.index(mode) if mode in STRENGTH else -1, default="")


def size_of(seen: FileSeen, table: Thing | None) -> TableSize | None:
    """How big a table is on production; None where nobody knows."""
    if table is None:
        return None
    if any(probe.kind == "rows" and probe.key == table.key and probe.found == 0 for probe in seen.probes):
        return TableSize(0, 0, 0, 0.0)
    size = seen.sizes.get(table.name)
    if size is None or (size.rows >= 0 and (size.rows or not size.bytes)):
        return size
    guessed = int(size.bytes / (size.row_bytes or 100.0))
    return TableSize(guessed, size.bytes, size.index_bytes, size.row_bytes)


def work_of(seen: FileSeen, statement: StatementSeen) -> tuple[Work, ...]:
    """What a statement does to tables that were there."""
    emptied = any(kind == "truncated" for kind, _ in statement.dangers)
    moved = [] if emptied else [key for key in statement.rewritten if key in seen.before]
    found = [Work("rewrite", key, _seconds("rewrite", seen, key)) for key in moved]
    done = {work.table for work in found}
    for key, thing in statement.after.items():
        table = seen.before.get(thing.of)
        new = thing.kind == "index" and key not in statement.before
        if new and table is not None and table.key not in done and not table.facts.get("partitioned"):
            found.append(Work("index-build", table.key, _seconds("index-build", seen, table.key)))
    done = {work.table for work in found}
    scanned = [key for key in statement.scanned if key in seen.before and key not in done]
    return (*found, *(Work("scan", key, _seconds("scan", seen, key)) for key in scanned))


def _seconds(kind: str, seen: FileSeen, key: str) -> Range | None:
    size = size_of(seen, seen.before.get(key))
    if size is None:
        return None
    if kind == "rewrite":
        likely = size.bytes / REWRITE + size.index_bytes / INDEXED
    elif kind == "index-build":
        likely = size.bytes / SCAN + size.rows / INDEX_ROWS
    else:
        likely = size.bytes / SCAN
    return rounded((likely / FASTER, likely * SLOWER + MOMENT[1]))


def update_seconds(size: TableSize | None) -> Range | None:
    """How long changing all rows in one go takes."""
    if size is None or size.rows < 0:
        return None
    likely = size.rows / UPDATE_ROWS
    return rounded((likely / FASTER, likely * SLOWER))


def rounded(seconds: Range) -> Range:
    """To two digits that mean something."""
    low, high = (float(f"{value:.2g}") for value in seconds)
    return low, high


def weights(seen: FileSeen, look: Look) -> Iterator[Weight]:
    """What is to be said of locks, statement by statement."""
    held: dict[str, LockSeen] = {}
    spent: dict[str, float] = {}
    told: set[str] = set()
    for statement in seen.statements:
        if not (statement.transactional and seen.migration.transactional):
            held, spent = {}, {}
        strong = {
            lock.table: lock
            for lock in sorted(
                statement.locks, key=lambda lock: STRENGTH.index(lock.mode) if lock.mode in STRENGTH else 0
            )
            if lock.mode in STRONG and lock.existed and lock.table in seen.before
        }
        held |= strong
        works = work_of(seen, statement)
        yield from _under_locks(look, statement, works, held, spent)
        busy = {work.table for work in works}
        for table, lock in strong.items():
            if table not in busy and table not in told:
                yield Weight(
                    "lock", statement, table, _name(look, table, lock), lock.mode, "is locked for a moment", MOMENT
                )
        told |= set(strong)


def _under_locks(
    look: Look, statement: StatementSeen, works: tuple[Work, ...], held: dict[str, LockSeen], spent: dict[str, float]
) -> Iterator[Weight]:
    """The work that is done while tables are locked; `spent` adds up, per locked table, until the transaction ends."""
    # Of a command ("") it is the time of all of it, most of which it spends without any lock.
    slow = statement.seconds if statement.text and statement.seconds > 1.0 else 0.0
    for work in works or ((Work("scan", "", (slow, slow)),) if slow else ()):
        longest: Weight | None = None
        for table, lock in held.items():
            before = spent.get(table, 0.0)
            spent[table] = before + max(work.seconds[1] if work.seconds else 0.0, slow)
            if spent[table] > LONGEST and not before > LONGEST:
                says = _waits(look, work, table)
                seconds = rounded((min(work.seconds[0] if work.seconds else 0.0, spent[table]), spent[table]))
                longest = Weight(
                    "too-long-under-lock", statement, table, _name(look, table, lock), lock.mode, says, seconds
                )
                if table == work.table:
                    break
        if longest is not None:
            yield longest
        elif work.table in held:
            lock = held[work.table]
            says = _waits(look, work, work.table)
            yield Weight(work.kind, statement, work.table, _name(look, work.table, lock), lock.mode, says, work.seconds)


WORDS = {"rewrite": "written anew", "index-build": "read for an index", "scan": "read to its end"}


def _waits(look: Look, work: Work, locked: str) -> str:
    if not work.table:
        return "stays locked while the statement runs"
    if work.table == locked:
        unknown = "; how big it is on production is not known" if work.seconds is None else ""
        return f"is {WORDS[work.kind]} under this lock{unknown}"
    other = look.before.get(work.table)
    return f"stays locked while {other.name if other else work.table} is {WORDS[work.kind]}"


def _name(look: Look, key: str, lock: LockSeen) -> str:
    thing = look.before.get(key)
    return thing.name if thing is not None else lock.name
