"""How long users would wait: locks, and what is worked under them."""

import pytest

from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.findings import FileVerdict
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.schema import judge
from bluegreen.domain.seen import FileSeen, LockSeen, ProbeSeen, StatementSeen, TableSize
from tests.domain.sketches import catalogue, column, index, migration, table, told

BEFORE = catalogue(table(), column("id", "bigint"), table("public.orders"))
SMALL, BIG = TableSize(10_000, 1_000_000, 200_000, 100.0), TableSize(50_000_000, 5_000_000_000, 10**9, 100.0)
EMPTY = TableSize(0, 0, 0, 0.0)
USERS, ORDERS = "table:public.users", "table:public.orders"


def lock(table: str = USERS, mode: str = "ACCESS EXCLUSIVE", *, existed: bool = True) -> LockSeen:
    return LockSeen(table, table.partition(":")[2], mode, existed)


def statement(line: int, *locks: LockSeen, after: Catalogue = BEFORE, **facts: object) -> StatementSeen:
    return StatementSeen(line, f"statement {line}", locks, before=BEFORE, after=after, **facts)  # type: ignore[arg-type]


def weighed(
    *statements: StatementSeen, size: TableSize | None = SMALL, orders: TableSize | None = SMALL, **facts: object
) -> FileVerdict:
    sizes = {name: each for name, each in (("public.users", size), ("public.orders", orders)) if each}
    transactional = bool(facts.pop("transactional", True))
    kind = migration(transactional=transactional)
    return judge(FileSeen(kind, BEFORE, BEFORE, statements, sizes=sizes, **facts))  # type: ignore[arg-type]


def test_a_lock_for_a_moment_is_told_and_allowed() -> None:
    found = weighed(statement(1, lock()), size=BIG)
    assert told(found) == {"lock": "allow"}
    assert (found.findings[0].lock, found.findings[0].estimate_s) == ("ACCESS EXCLUSIVE", (0.0, 0.05))


def test_a_lock_on_a_new_table_or_one_that_stops_nobody_is_not_told() -> None:
    weak = lock(mode="SHARE UPDATE EXCLUSIVE")
    assert told(weighed(statement(1, weak, lock("table:public.new", existed=False)), size=BIG)) == {}


@pytest.mark.parametrize(
    ("size", "kinds"),
    [
        (SMALL, {"rewrite": "warn"}),
        (BIG, {"too-long-under-lock": "refuse"}),
        (EMPTY, {"rewrite": "warn"}),
        (None, {"rewrite": "warn"}),
        (TableSize(-1, 5_000_000_000, 0, 0.0), {"too-long-under-lock": "refuse"}),
    ],
    ids=["small", "big", "empty", "unknown", "never analysed"],
)
def test_a_rewrite_is_weighed_by_the_size_on_production(size: TableSize | None, kinds: dict[str, str]) -> None:
    assert told(weighed(statement(1, lock(), rewritten=(USERS,)), size=size)) == kinds


def test_an_estimate_is_a_range_that_grows_with_the_table() -> None:
    def estimate(rows: int) -> tuple[float, float]:
        size = TableSize(rows, rows * 100, rows * 20, 100.0)
        (found,) = weighed(statement(1, lock(), scanned=(USERS,)), size=size).findings
        assert found.estimate_s is not None
        return found.estimate_s

    low, high = estimate(1_000_000)
    assert 0 < low < 0.4 < high < 3
    assert estimate(2_000_000)[1] > high


def test_of_a_size_that_nobody_knows_there_is_no_estimate() -> None:
    (found,) = weighed(statement(1, lock(), scanned=(USERS,)), size=None).findings
    assert (found.kind, found.estimate_s, "not known" in found.message) == ("scan", None, True)


def test_work_without_a_strong_lock_hurts_nobody() -> None:
    assert told(weighed(statement(1, scanned=(USERS,)), size=BIG)) == {}


def test_an_index_is_weighed_unless_it_is_built_concurrently() -> None:
    after = {**BEFORE, "index:public.i": index("i", "btree (id)")}
    assert told(weighed(statement(1, lock(mode="SHARE"), after=after), size=BIG)) == {"too-long-under-lock": "refuse"}
    assert told(weighed(statement(1, lock(mode="SHARE"), after=after))) == {"index-build": "warn"}
    assert told(weighed(statement(1, after=after), size=BIG, transactional=False)) == {}


def test_an_early_lock_is_kept_while_a_later_statement_works() -> None:
    statements = (statement(1, lock()), statement(2, lock(ORDERS), scanned=(ORDERS,)))
    found = weighed(*statements, orders=BIG)
    late = [finding for finding in found.findings if finding.kind == "too-long-under-lock"]
    assert [(finding.line, finding.lock) for finding in late] == [(2, "ACCESS EXCLUSIVE")]
    assert told(weighed(*statements, orders=BIG, transactional=False))["lock"] == "allow"


def test_without_a_transaction_a_lock_ends_with_its_statement() -> None:
    statements = (statement(1, lock()), statement(2, scanned=(ORDERS,)))
    assert told(weighed(*statements, orders=BIG, transactional=False)) == {"lock": "allow"}
    assert told(weighed(*statements, orders=BIG)) == {"lock": "allow", "too-long-under-lock": "refuse"}


def test_many_small_pieces_of_work_add_up() -> None:
    size = TableSize(2_000_000, 100_000_000, 0, 50.0)
    statements = [statement(n, *([lock()] if n == 1 else []), scanned=(USERS,)) for n in range(1, 9)]
    assert told(weighed(statements[0], size=size)) == {"scan": "warn"}
    assert told(weighed(*statements, size=size))["too-long-under-lock"] == "refuse"


def test_what_is_slow_on_the_copy_itself_is_slow_on_production() -> None:
    assert told(weighed(statement(1, lock()), statement(2, seconds=10.0)))["too-long-under-lock"] == "refuse"


def test_production_is_believed_when_it_says_that_a_table_is_empty() -> None:
    empty = ProbeSeen("rows", USERS, "public.users", 0)
    found = weighed(statement(1, lock(), rewritten=(USERS,)), size=BIG, probes=(empty,))
    assert told(found) == {"rewrite": "warn"}


def test_in_a_contract_file_too_long_is_too_long() -> None:
    seen = FileSeen(
        migration(MigrationPhase.CONTRACT),
        BEFORE,
        BEFORE,
        (statement(1, lock(), rewritten=(USERS,)),),
        sizes={"public.users": BIG},
    )
    assert told(judge(seen)) == {"too-long-under-lock": "refuse"}
