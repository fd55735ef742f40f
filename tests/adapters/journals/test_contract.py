"""What every journal does, in memory or in a file: nothing acknowledged is lost, nothing is half there."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bluegreen.adapters.journals import memory, sqlite
from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.adapters.journals.sqlite import SqliteJournal
from bluegreen.domain.deployments import Answer, Cause
from bluegreen.domain.errors import JournalUnwritable
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import AuditRow, Event, Fact, Intent
from bluegreen.ports import Journal
from tests.domain.examples import deployment
from tests.virtual_time import EPOCH


class Subject:
    """A journal that can be closed and opened again, as a new daemon does."""

    def __init__(self, make: Callable[[], MemoryJournal | SqliteJournal]) -> None:
        self._make = make
        self.journal = make()

    async def reopen(self) -> Journal:
        await self.journal.close()
        self.journal = self._make()
        await self.journal.open()
        return self.journal


@pytest.fixture(params=["memory", "sqlite"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    memory = MemoryJournal()
    subject = Subject(lambda: memory if request.param == "memory" else SqliteJournal(tmp_path / "journal.sqlite"))
    await subject.journal.open()
    yield subject
    await subject.journal.close()


@pytest.fixture
def journal(subject: Subject) -> Journal:
    return subject.journal


def event(name: str = "phase.entered", deployment: str = "d-1", **facts: object) -> Event:
    return Event(name, EPOCH, deployment, Phase.STARTING, facts)


def intent(id: str = "i-1", **detail: object) -> Intent:
    return Intent(id, "d-1", Phase.SWITCHING, "switch", detail, EPOCH)


def named(events: tuple[Event, ...]) -> list[str]:
    return [event.name for event in events]


# --- deployments


async def test_a_deployment_is_found_as_it_was_saved_down_to_the_last_field(subject: Subject) -> None:
    told = Answer(Outcome.FAILED, "größer als 5 %", Cause.REGRESSED, ("bluegreen show d-1",), {"verdict": {"n": [1]}})
    saved = replace(
        deployment(Phase.WATCHING, elapsed=12.25, attempt=3, moved=True, moved_at=EPOCH, stopped=True),
        warnings=("a", "b"),
    ).advance(told, EPOCH + timedelta(microseconds=1))
    await subject.journal.save(saved)
    journal = await subject.reopen()
    assert await journal.deployment("d-1") == saved


async def test_a_deployment_that_was_never_saved_is_not_found(journal: Journal) -> None:
    assert await journal.deployment("d-none") is None
    assert await journal.deployments(10) == ()


async def test_the_latest_state_of_a_deployment_replaces_the_one_before(journal: Journal) -> None:
    await journal.save(deployment())
    await journal.save(deployment(Phase.STARTING))
    assert [found.phase for found in await journal.deployments(10)] == [Phase.STARTING]


async def test_deployments_come_latest_first_page_by_page(journal: Journal) -> None:
    for number in range(5):
        await journal.save(deployment(id=f"d-{number}"))
    await journal.save(deployment(Phase.LIVE, id="d-1"))  # saved again: its place in the order stays

    async def page(limit: int, before: str = "") -> list[str]:
        return [found.id for found in await journal.deployments(limit, before)]

    assert await page(2) == ["d-4", "d-3"]
    assert await page(2, "d-3") == ["d-2", "d-1"]
    assert await page(2, "d-1") == ["d-0"]
    assert await page(2, "d-0") == []
    assert await page(2, "d-unknown") == []


# --- events and intents


async def test_a_state_its_events_and_its_intents_are_saved_together(subject: Subject) -> None:
    told = await subject.journal.save(deployment(moved=True), event("first"), intent(to="green"), event("second"))
    journal = await subject.reopen()
    found = await journal.deployment("d-1")
    assert found is not None
    assert found.moved
    assert await journal.events(0) == told
    assert named(told) == ["first", "second"]
    assert await journal.intents("d-1") == (intent(to="green"),)


async def test_the_audit_and_facts_are_saved_with_a_state_too(subject: Subject) -> None:
    row = AuditRow(EPOCH, "uid 0 (root)", "socket", "deploy", "d-1", "why", "idle", "PREPARING")
    value: dict[str, object] = {"deployment": "d-1", "phase": Phase.LIVE}
    await subject.journal.save(deployment(), row, Fact("idempotency", "k", value), Fact("idempotency", "l", 1))
    value["deployment"] = "d-2"
    journal = await subject.reopen()
    assert await journal.audited(9) == (row,)
    assert await journal.facts("idempotency") == {"k": {"deployment": "d-1", "phase": "LIVE"}, "l": 1}


async def test_events_are_numbered_and_the_numbers_grow_over_restarts(subject: Subject) -> None:
    first = await subject.journal.record(event("one"))
    (second,) = await subject.journal.save(deployment(), event("two"))
    journal = await subject.reopen()
    third = await journal.record(event("three"))
    assert 0 < first.seq < second.seq < third.seq
    assert await journal.events(0) == (first, second, third)


async def test_events_are_read_on_from_a_number_for_one_deployment_and_up_to_a_limit(journal: Journal) -> None:
    for number in range(6):
        await journal.record(event(f"e{number}", f"d-{number % 2}", size=number))
    second = (await journal.events(0))[1]
    assert named(await journal.events(second.seq)) == ["e2", "e3", "e4", "e5"]
    assert named(await journal.events(0, "d-1")) == ["e1", "e3", "e5"]
    assert named(await journal.events(0, "d-1", 2)) == ["e1", "e3"]
    assert named(await journal.events(second.seq, "d-1", 1)) == ["e3"]
    assert await journal.events(second.seq + 100) == ()


async def test_an_event_keeps_its_facts(journal: Journal) -> None:
    told = await journal.record(event(number=1.5, text="ü", nothing=None, list=[1, {"a": True}]))
    assert told == replace(event(number=1.5, text="ü", nothing=None, list=[1, {"a": True}]), seq=told.seq)
    assert await journal.events(0) == (told,)


async def test_an_intent_is_open_until_it_is_concluded_and_then_has_its_outcome(journal: Journal) -> None:
    await journal.save(deployment(), intent("i-1"), intent("i-2"))
    await journal.conclude("i-1", Outcome.FAILED, "Caddy said no")
    first, second = await journal.intents("d-1")
    assert (first.outcome, first.note) == (Outcome.FAILED, "Caddy said no")
    assert second.outcome is None


async def test_intents_come_in_the_order_in_which_they_were_made_whatever_the_wall_clock_says(journal: Journal) -> None:
    await journal.save(deployment(), intent("b"))
    await journal.save(deployment(), replace(intent("c"), at=EPOCH - timedelta(hours=1)))
    await journal.save(deployment(), intent("a"))
    await journal.conclude("b", Outcome.DONE)
    assert [found.id for found in await journal.intents("d-1")] == ["b", "c", "a"]


async def test_intents_of_another_deployment_are_not_shown(journal: Journal) -> None:
    await journal.save(deployment(), intent())
    assert await journal.intents("d-2") == ()


async def test_concluding_what_was_never_intended_changes_nothing(journal: Journal) -> None:
    await journal.save(deployment(), intent())
    await journal.conclude("i-unknown", Outcome.DONE)
    assert await journal.intents("d-1") == (intent(),)


# --- the audit


async def test_an_audit_row_and_the_facts_of_its_action_are_saved_together(subject: Subject) -> None:
    row = AuditRow(EPOCH, "ann", "socket", "promote", "d-1", "", "AWAITING", "AWAITING")
    await subject.journal.audit(row, Fact("order", "d-1", {"promoted": True}), Fact("order", "d-2", None))
    journal = await subject.reopen()
    assert await journal.audited(9) == (row,)
    assert await journal.facts("order") == {"d-1": {"promoted": True}, "d-2": None}


async def test_audit_rows_come_latest_first(journal: Journal) -> None:
    rows = [
        AuditRow(EPOCH, "uid 0 (root)", "socket", verb, "d-1", "why", "AWAITING", "CANARYING") for verb in ("a", "b")
    ]
    for row in rows:
        await journal.audit(row)
    assert await journal.audited(10) == (rows[1], rows[0])
    assert await journal.audited(1) == (rows[1],)
    latest = (await journal.audited(1))[0]
    assert await journal.audited(10, latest.seq) == (rows[0],)
    assert [row.seq for row in await journal.audited(10)] == [latest.seq, latest.seq - 1]


# --- facts


async def test_a_fact_is_kept_replaced_and_forgotten(subject: Subject) -> None:
    await subject.journal.keep("wanted", "colour", "blue")
    await subject.journal.keep("wanted", "colour", "green")
    journal = await subject.reopen()
    assert await journal.fact("wanted", "colour") == "green"
    await journal.forget("wanted", "colour")
    await journal.forget("wanted", "colour")
    assert await journal.fact("wanted", "colour") is None


async def test_a_fact_is_claimed_once(journal: Journal) -> None:
    assert await journal.claim("notice", "k", {"first": True})
    assert not await journal.claim("notice", "k", {"first": False})
    assert await journal.fact("notice", "k") == {"first": True}
    assert await journal.claim("notice", "other", None)


async def test_a_fact_is_what_json_makes_of_it_and_later_changes_do_not_reach_it(journal: Journal) -> None:
    value = {"rows": [(1, 2.5)], "phase": Phase.LIVE}
    await journal.keep("watch", "d-1", value)
    value["rows"] = []
    found = await journal.fact("watch", "d-1")
    found["phase"] = "changed"
    assert await journal.fact("watch", "d-1") == {"rows": [[1, 2.5]], "phase": "LIVE"}


async def test_facts_of_one_kind_come_oldest_first_and_replacing_keeps_the_place(journal: Journal) -> None:
    for key in ("z", "a", "m"):
        await journal.keep("inspect", key, key)
    await journal.keep("other", "z", "no")
    await journal.keep("inspect", "z", "again")
    assert list((await journal.facts("inspect")).items()) == [("z", "again"), ("a", "a"), ("m", "m")]
    assert await journal.facts("nothing") == {}


# --- what is forgotten


async def _three_deployments(journal: Journal) -> None:
    for number in (1, 2, 3):
        id = f"d-{number}"
        await journal.save(
            deployment(Phase.LIVE, id=id),
            event("begun", id),
            replace(intent(f"i-{number}"), deployment=id),
            AuditRow(EPOCH, "uid 0 (root)", "socket", "deploy", id, "", "", ""),
            Fact("ended", id, "LIVE"),
            Fact("notice", f"{id}:14:LIVE", {}),
        )


async def test_the_oldest_deployments_are_forgotten_with_all_that_is_theirs_but_the_audit(subject: Subject) -> None:
    await _three_deployments(subject.journal)
    await subject.journal.keep("wanted", "colour", "green")
    assert await subject.journal.prune(2) == 1
    assert await subject.journal.prune(2) == 0
    journal = await subject.reopen()
    assert [found.id for found in await journal.deployments(9)] == ["d-3", "d-2"]
    assert {event.deployment for event in await journal.events(0)} == {"d-2", "d-3"}
    assert await journal.intents("d-1") == ()
    assert len(await journal.intents("d-2")) == 1
    assert list(await journal.facts("ended")) == ["d-2", "d-3"]
    assert list(await journal.facts("notice")) == ["d-2:14:LIVE", "d-3:14:LIVE"]
    assert await journal.fact("wanted", "colour") == "green"
    assert [row.deployment for row in await journal.audited(9)] == ["d-3", "d-2", "d-1"]


async def test_a_deployment_that_has_not_ended_is_never_forgotten(journal: Journal) -> None:
    await journal.save(deployment(Phase.WATCHING, id="d-0"))
    await _three_deployments(journal)
    await journal.prune(1)
    assert [found.id for found in await journal.deployments(9)] == ["d-3", "d-0"]


async def test_a_deployment_whose_id_begins_alike_keeps_what_is_its_own(journal: Journal) -> None:
    for id in ("d-1", "d-10"):
        await journal.save(deployment(Phase.LIVE, id=id), event("begun", id), Fact("ended", id, "LIVE"))
    await journal.prune(1)
    assert list(await journal.facts("ended")) == ["d-10"]
    assert [found.deployment for found in await journal.events(0)] == ["d-10"]


async def test_the_numbers_of_events_go_on_after_some_were_forgotten(subject: Subject) -> None:
    await _three_deployments(subject.journal)
    last = (await subject.journal.events(0))[-1].seq
    await subject.journal.prune(0)
    journal = await subject.reopen()
    assert (await journal.record(event("later"))).seq > last


async def test_of_what_comes_without_end_the_latest_are_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (memory, sqlite):
        monkeypatch.setattr(module, "FACTS_KEPT", {"alert": 2, "plan": 1})
        monkeypatch.setattr(module, "EVENTS_KEPT", 1)
    for number in range(4):
        await journal.keep("alert", f"a-{number}", number)
        await journal.keep("plan", f"p-{number}", number)
        await journal.keep("quarantine", f"1.{number}.0", number)
        await journal.record(event(f"e-{number}", ""))
    await journal.prune(10)
    assert list(await journal.facts("alert")) == ["a-2", "a-3"]
    assert list(await journal.facts("plan")) == ["p-3"]
    assert len(await journal.facts("quarantine")) == 4
    assert named(await journal.events(0)) == ["e-3"]


async def test_the_room_that_is_left_is_told(journal: Journal) -> None:
    assert await journal.room() > 1_000_000


# --- a full disk


@pytest.fixture
def fill(subject: Subject) -> Callable[[bool], object]:
    """Fills the disk under the journal, and frees it again."""
    journal = subject.journal
    if isinstance(journal, MemoryJournal):
        return lambda full: setattr(journal, "full", full)
    return lambda full: _limit_pages(journal, full)


def _limit_pages(journal: SqliteJournal, full: bool) -> None:
    assert journal._file._db is not None
    used = journal._file._db.execute("PRAGMA page_count").fetchone()[0]
    journal._file._db.execute(f"PRAGMA max_page_count = {used if full else 1_000_000}")


BIG = "x" * 20_000
"""More than fits into what is left of a page."""


async def test_on_a_full_disk_every_write_is_refused_and_nothing_of_it_stays(
    journal: Journal, fill: Callable[[bool], object]
) -> None:
    await journal.save(deployment(), event("before"))
    fill(True)
    row = AuditRow(EPOCH, BIG, "socket", "deploy", "d-1", "", "", "")
    for write in (
        lambda: journal.save(deployment(Phase.WATCHING), event("lost"), intent(big=BIG)),
        lambda: journal.save(deployment(Phase.WATCHING), row, Fact("plan", "p-1", BIG)),
        lambda: journal.record(event("lost", big=BIG)),
        lambda: journal.audit(row),
        lambda: journal.keep("plan", "p-1", BIG),
        lambda: journal.claim("notice", "k", BIG),
    ):
        with pytest.raises(JournalUnwritable):
            await write()
    found = await journal.deployment("d-1")
    assert found is not None
    assert found.phase is Phase.PREPARING
    assert named(await journal.events(0)) == ["before"]
    assert (await journal.intents("d-1"), await journal.audited(9)) == ((), ())
    assert (await journal.fact("plan", "p-1"), await journal.fact("notice", "k")) == (None, None)


async def test_when_the_disk_is_free_again_the_journal_works_on(
    journal: Journal, fill: Callable[[bool], object]
) -> None:
    before = await journal.record(event("before"))
    fill(True)
    with pytest.raises(JournalUnwritable):
        await journal.record(event("lost", big=BIG))
    fill(False)
    after = await journal.record(event("after", big=BIG))
    assert await journal.events(0) == (before, after)
    assert after.seq > before.seq


async def test_a_series_grows_chunk_by_chunk_and_is_read_in_order(journal: Journal) -> None:
    await journal.append("history", "5xx", 7, [[7, 100, 1]])
    await journal.append("history", "5xx", 3, [[3, 50, 0]])
    await journal.append("history", "auth", 5, "another series")
    assert await journal.chunks("history", "5xx") == ((3, [[3, 50, 0]]), (7, [[7, 100, 1]]))
    assert await journal.chunks("history", "5xx", after=3) == ((7, [[7, 100, 1]]),)
    assert await journal.chunks("history", "5xx", limit=1) == ((3, [[3, 50, 0]]),)


async def test_a_chunk_of_the_same_number_is_replaced(journal: Journal) -> None:
    await journal.append("history", "5xx", 3, "before")
    await journal.append("history", "5xx", 3, "after")
    assert await journal.chunks("history", "5xx") == ((3, "after"),)


async def test_a_series_is_shortened_from_its_beginning(journal: Journal) -> None:
    for number in range(4):
        await journal.append("samples", "d-1", number, number)
    await journal.append("samples", "d-2", 0, "another series")
    await journal.shorten("samples", "d-1", 2)
    await journal.shorten("samples", "d-1", 2)
    assert await journal.chunks("samples", "d-1") == ((2, 2), (3, 3))
    assert await journal.chunks("samples", "d-2") == ((0, "another series"),)
