"""What else has its say: the text, errors, live queries, production's rows, and what a file accepts."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bluegreen
from bluegreen.domain.catalogue import Catalogue
from bluegreen.domain.findings import FileVerdict, Gate
from bluegreen.domain.kinds import KINDS, NEVER_RUN
from bluegreen.domain.migrations import MigrationPhase
from bluegreen.domain.schema import judge
from bluegreen.domain.seen import ErrorSeen, FileSeen, LockSeen, ProbeSeen, QuerySeen, StatementSeen, TableSize
from tests.domain.sketches import catalogue, column, index, migration, seen, table, thing, told, verdict

EXPAND, CONTRACT, BACKFILL = MigrationPhase.EXPAND, MigrationPhase.CONTRACT, MigrationPhase.BACKFILL
OLD = catalogue(
    table(), column("id", "bigint", not_null=True), column("email"),
    index("pk", "btree (id)", unique=True, primary=True),
    thing("sequence", "public.numbers", position="5"),
)  # fmt: skip
SIZES = {"public.users": TableSize(1_000_000, 10**8, 10**7, 100.0)}


def said(
    *dangers: tuple[str, str], phase: MigrationPhase = EXPAND, before: Catalogue = OLD, **changes: object
) -> dict[str, str]:
    """What becomes of a statement with these dangers."""
    return told(_said(*dangers, phase=phase, before=before, **changes))


def _said(
    *dangers: tuple[str, str], phase: MigrationPhase = EXPAND, before: Catalogue = OLD, **changes: object
) -> FileVerdict:
    statement = StatementSeen(3, "SOMETHING", dangers=dangers, before=before, after=before)
    given: dict[str, Any] = {"statements": (statement,), "sizes": SIZES, **changes}
    return judge(seen(before, before, phase, **given))


ROWS = {
    "many rows": (("unbatched-update", "users=email"), {"unbatched-update": "refuse"}),
    "one row by its key": (("unbatched-update", "public.users(id)=email"), {"rows-updated": "refuse"}),
    "one row, a new column": (("unbatched-update", "users(id)=plan"), {"rows-filled": "warn"}),
    "rows removed": (("unbatched-delete", "users(email)"), {"unbatched-delete": "refuse"}),
    "one row removed": (("unbatched-delete", "users(id)"), {"rows-deleted": "refuse"}),
    "all removed": (("truncated", "users"), {"truncated": "refuse"}),
    "rows added": (("rows-inserted", "users"), {"rows-inserted": "allow"}),
    "rows copied": (("rows-copied", "users"), {"rows-copied": "warn"}),
    "a table that came with the file": (("unbatched-update", "orders=x"), {}),
    "the same name in another schema": (("unbatched-update", "shop.users=x"), {}),
    "a sequence": (("sequence-moved", "numbers"), {"sequence-moved": "refuse"}),
    "a new sequence": (("sequence-moved", "others"), {}),
    "a sequence that nobody can name": (("sequence-moved", ""), {"sequence-moved": "refuse"}),
    "a cast that may not fit": (("rows-may-not-fit", "email::integer"), {"rows-may-not-fit": "refuse"}),
    "a cast that fits": (("rows-may-not-fit", "id::numeric"), {}),
    "a division": (("rows-may-not-fit", "/"), {"rows-may-not-fit": "refuse"}),
    "a change that was seen": (("column-dropped", "users.email"), {}),
}


@pytest.mark.parametrize(("danger", "kinds"), ROWS.values(), ids=ROWS.keys())
def test_what_a_text_says_of_rows_counts_where_the_table_was_there(
    danger: tuple[str, str], kinds: dict[str, str]
) -> None:
    assert said(danger) == kinds


def test_a_table_without_rows_can_be_changed_in_any_way() -> None:
    assert said(("unbatched-update", "users=email"), sizes={"public.users": TableSize(0, 0, 0, 0.0)}) == {}


def test_few_rows_need_no_batches_and_are_changed_all_the_same() -> None:
    few = {"public.users": TableSize(20, 8192, 8192, 100.0)}
    assert said(("unbatched-update", "users=email"), sizes=few) == {"rows-updated": "refuse"}
    assert said(("unbatched-update", "users=plan"), sizes=few) == {"rows-filled": "warn"}


def test_a_backfill_file_changes_rows() -> None:
    assert said(("unbatched-update", "users=email"), phase=BACKFILL) == {}


def test_in_a_contract_file_rows_may_go_but_not_all_in_one_go() -> None:
    assert said(("truncated", "users"), ("unbatched-delete", "users(id)"), phase=CONTRACT) == {
        "truncated": "warn",
        "rows-deleted": "warn",
    }
    assert said(("unbatched-delete", "users"), phase=CONTRACT) == {"unbatched-delete": "refuse"}


def test_a_contract_is_not_told_to_wait_for_a_contract() -> None:
    (dropped,) = (f for f in verdict(OLD, WITHOUT_EMAIL, phase=CONTRACT).findings if f.kind == "column-dropped")
    assert (dropped.gate, dropped.remedy) == (Gate.WARN, "")
    (dropped,) = (f for f in verdict(OLD, WITHOUT_EMAIL).findings if f.kind == "column-dropped")
    assert "contract file" in dropped.remedy


def test_rows_that_code_writes_without_saying_so_are_found_by_the_lock() -> None:
    lock = LockSeen("table:public.users", "public.users", "ROW EXCLUSIVE", existed=True)
    statement = StatementSeen(1, "SELECT tidy()", (lock,), before=OLD, after=OLD)
    assert told(judge(seen(OLD, OLD, statements=(statement,)))) == {"unbatched-update": "refuse"}
    inserted = replace(statement, text="INSERT …", dangers=(("rows-inserted", "users"),))
    assert told(judge(seen(OLD, OLD, statements=(inserted,)))) == {"rows-inserted": "allow"}


def test_a_lock_that_an_earlier_statement_has_left_says_nothing_of_the_next_one() -> None:
    lock = LockSeen("table:public.users", "public.users", "ROW EXCLUSIVE", existed=True)
    insert = StatementSeen(
        1, "INSERT INTO users …", (lock,), dangers=(("rows-inserted", "users"),), before=OLD, after=OLD
    )
    create = StatementSeen(2, "CREATE TABLE notes (id int)", (lock,), before=OLD, after=OLD)
    assert told(judge(seen(OLD, OLD, statements=(insert, create)))) == {"rows-inserted": "allow"}
    writing = replace(create, text="SELECT tidy()", written=(lock.table,))
    assert told(judge(seen(OLD, OLD, statements=(insert, writing))))["unbatched-update"] == "refuse"


USED = QuerySeen("SELECT id FROM users WHERE email = $1")
FEW = {"public.users": TableSize(3, 8192, 8192, 100.0)}


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ({"sizes": SIZES}, {"rows-written": "warn"}),
        ({"sizes": SIZES, "scanned": ("table:public.users",)}, {"unbatched-update": "refuse"}),
        ({"sizes": FEW, "queries": (USED,)}, {"rows-written": "warn"}),
        ({"sizes": FEW, "scanned": ("table:public.users",)}, {}),
    ],
    ids=["some rows", "all rows", "few rows that are used", "its own history"],
)
def test_a_tool_is_known_by_the_rows_it_writes(facts: dict[str, Any], kinds: dict[str, str]) -> None:
    scanned = facts.get("scanned", ())
    tool = StatementSeen(0, "", scanned=scanned, before=OLD, after=OLD, written=("table:public.users",))
    assert (
        told(judge(seen(OLD, OLD, statements=(tool,), **{k: v for k, v in facts.items() if k != "scanned"}))) == kinds
    )


@pytest.mark.parametrize("kind", sorted(NEVER_RUN))
@pytest.mark.parametrize("phase", MigrationPhase)
def test_what_reaches_beyond_its_database_is_refused_in_every_phase(kind: str, phase: MigrationPhase) -> None:
    assert said((kind, "it"), phase=phase, accepted={kind: "because"})[kind] == "refuse"


def test_where_nothing_was_run_the_text_speaks() -> None:
    statement = StatementSeen(
        3, "DROP TABLE users", dangers=(("table-dropped", "users"), ("unbatched-update", "users=email"))
    )
    found = judge(FileSeen(migration(), {}, {}, (statement,)))
    assert told(found) == {"table-dropped": "refuse", "unbatched-update": "refuse"}


def test_an_error_is_refused_with_what_postgres_said() -> None:
    statement = StatementSeen(7, "SELECT x", before=OLD, after=OLD, error=ErrorSeen("no column x", "42703"))
    (found,) = judge(seen(OLD, OLD, statements=(statement,), accepted={})).findings
    assert (found.kind, found.gate, found.line, found.message) == ("error", Gate.REFUSE, 7, "no column x (42703)")


def test_an_error_for_want_of_rows_is_a_warning_and_what_the_statement_did_still_counts() -> None:
    after = {key: each for key, each in OLD.items() if not key.startswith("column:public.users.email")}
    error = ErrorSeen("no row", "P0002", needs_rows=True)
    statement = StatementSeen(7, "DO …", before=OLD, after=after, error=error)
    assert told(judge(seen(OLD, after, statements=(statement,)))) == {"not-seen": "warn", "column-dropped": "refuse"}


def test_what_failed_in_the_middle_says_that_a_part_stays() -> None:
    statement = StatementSeen(7, "x", before=OLD, after=OLD, error=ErrorSeen("no"))
    found = told(judge(seen(OLD, OLD, statements=(statement,), half_done=True)))
    assert found == {"error": "refuse", "half-done": "refuse"}


BROKEN = QuerySeen("SELECT email FROM users", 41, True, "42703", 'column "email" does not exist')


def test_a_broken_query_is_evidence_with_its_code_and_how_often_it_was_called() -> None:
    rare = replace(BROKEN, text="SELECT id, email FROM users", calls=3)
    (found,) = verdict(OLD, OLD, queries=(rare, BROKEN)).findings
    assert (found.kind, found.gate) == ("query-broken", Gate.REFUSE)
    assert [(each.sqlstate, each.calls) for each in found.evidence] == [("42703", 41), ("42703", 3)]
    assert found.message == 'column "email" does not exist (42703): SELECT email FROM users and 1 more'


def test_a_query_that_failed_before_says_nothing() -> None:
    assert told(verdict(OLD, OLD, queries=(replace(BROKEN, verifiable=False),))) == {}


def test_a_contract_is_refused_for_queries_that_are_in_use_only() -> None:
    assert told(verdict(OLD, OLD, CONTRACT, queries=(BROKEN,))) == {"query-broken": "refuse"}
    stale = replace(BROKEN, running=False)
    assert told(verdict(OLD, OLD, CONTRACT, queries=(stale,))) == {"query-of-another-version": "warn"}
    assert told(verdict(OLD, OLD, EXPAND, queries=(stale,))) == {"query-broken": "refuse"}


@pytest.mark.parametrize(
    ("former", "insert", "kinds"),
    [
        (None, "INSERT INTO users (id) VALUES ($1)", {"default-changed": "refuse"}),
        (None, 'insert into public."users" as u ("id", Email) values (1, 2)', {"default-added": "warn"}),
        (None, "INSERT INTO users (SELECT id FROM others)", {"default-added": "warn"}),
        (None, "INSERT INTO others (id) VALUES ($1)", {"default-added": "warn"}),
        ("'x'::text", "INSERT INTO users (id, email) VALUES ($1, $2)", {"default-added": "warn"}),
        ("'x'::text", "INSERT INTO users (id) VALUES ($1)", {"default-changed": "refuse"}),
        ("'x'::text", "SELECT 1", {"default-changed": "refuse"}),
    ],
)
def test_a_default_counts_for_inserts_that_leave_its_column_out(
    former: str | None, insert: str, kinds: dict[str, str]
) -> None:
    before = {**OLD, "column:public.users.email": column("email", default=former)}
    after = {**OLD, "column:public.users.email": column("email", default="'y'::text")}
    assert told(verdict(before, after, queries=(QuerySeen(insert),))) == kinds


def test_inserts_that_miss_a_column_are_refused_and_other_columns_are_a_warning() -> None:
    queries = (
        QuerySeen("INSERT INTO users (id) VALUES ($1)", 5, missing=("public.users.plan",)),
        QuerySeen("SELECT * FROM users", 9, shape_changed="plan text is new"),
    )
    assert told(verdict(OLD, OLD, queries=queries)) == {
        "insert-misses-column": "refuse",
        "result-shape-changed": "warn",
    }


@pytest.mark.parametrize("phase", [EXPAND, CONTRACT])
def test_rows_that_do_not_fit_are_refused_and_silence_is_a_warning(phase: MigrationPhase) -> None:
    probes = (
        ProbeSeen("duplicates", "index:x", "public.x", 12),
        ProbeSeen("nulls", "column:public.users.email", "public.users.email", 0),
        ProbeSeen("orphans", "constraint:y", "y on public.users", None, "no answer within 2.0 s"),
    )
    found = verdict(OLD, OLD, phase, probes=probes)
    assert told(found) == {"rows-in-the-way": "refuse", "rows-unknown": "warn"}
    assert found.findings[0].message == "public.x: 12 or more rows (duplicates)"


WITHOUT_EMAIL = {key: each for key, each in OLD.items() if key != "column:public.users.email"}


def test_what_is_accepted_counts_as_a_warning_and_keeps_its_reason() -> None:
    found = verdict(OLD, WITHOUT_EMAIL, accepted={"column-dropped": "nobody reads it"})
    (finding,) = found.findings
    assert (finding.gate, finding.weight, finding.accepted, found.gate) == (
        Gate.REFUSE, Gate.WARN, "nobody reads it", Gate.WARN,
    )  # fmt: skip


def test_what_is_not_accepted_is_still_refused() -> None:
    assert verdict(OLD, {}, accepted={"column-dropped": "x"}).gate is Gate.REFUSE


def test_an_accept_of_nothing_is_a_warning() -> None:
    assert told(verdict(OLD, OLD, accepted={"column-dropped": "x"})) == {"accepted-nothing": "warn"}


def test_the_strictest_finding_decides_and_the_worst_comes_first_in_its_line() -> None:
    found = verdict(OLD, WITHOUT_EMAIL, queries=(QuerySeen("SELECT * FROM users", shape_changed="email is gone"),))
    assert [str(finding.gate) for finding in found.findings] == ["refuse", "warn"]
    assert found.gate is Gate.REFUSE


DOCS = Path(bluegreen.__file__).parent.parent / "docs" / "rehearsal.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\w+) \| (\w+) \| (.*) \| (.*) \|$", re.MULTILINE)


def test_the_manual_tells_of_every_kind_what_it_is() -> None:
    rows = {match[1]: match.groups()[1:] for match in ROW.finditer(DOCS.read_text())}
    kinds = {k.name: (str(k.expand), str(k.contract), k.meaning, k.remedy) for k in KINDS.values()}
    assert rows == kinds


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_kind_that_refuses_says_what_to_write_instead(kind: object) -> None:
    assert isinstance(kind, type(KINDS["error"]))
    assert kind.remedy or Gate.REFUSE not in (kind.expand, kind.contract)
    assert kind.remedy.format(object="a.b", table="a", name="b").count("{") == 0
