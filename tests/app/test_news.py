"""Events are told once and can be followed: what was stored, then what comes, without a gap."""

import asyncio

from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.app.news import PAGE, News
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from tests.app.outside import side_by_side
from tests.virtual_time import VirtualClock


async def follow(news: News, heard: list[Event], after: int = 0, deployment: str = "", slow: float = 0.0) -> None:
    async for event in news.follow(after, deployment):
        heard.append(event)
        await asyncio.sleep(slow)


async def test_a_follower_hears_what_was_stored_and_then_what_comes_in_order() -> None:
    news, heard = News(MemoryJournal(), VirtualClock()), list[Event]()
    await news.tell("one")
    async with side_by_side(("follower", follow(news, heard))):
        await asyncio.sleep(1)
        await news.tell("two")
        await asyncio.sleep(1)
        await news.tell("three")
        await asyncio.sleep(1)
    assert [event.name for event in heard] == ["one", "two", "three"]
    assert [event.seq for event in heard] == [1, 2, 3]


async def test_a_follower_may_go_on_after_a_number_and_hear_one_deployment_alone() -> None:
    news, heard = News(MemoryJournal(), VirtualClock()), list[Event]()
    for number in range(4):
        await news.tell(f"e{number}", deployment=f"d-{number % 2}")
    async with side_by_side(("follower", follow(news, heard, after=2, deployment="d-1"))):
        await news.tell("e5", deployment="d-1")
        await asyncio.sleep(1)
    assert [event.name for event in heard] == ["e3", "e5"]


async def test_a_follower_that_is_slow_misses_nothing_and_delays_nobody() -> None:
    """Guards: who was more than a page behind heard the rest only when something new came."""
    news, heard = News(MemoryJournal(), VirtualClock()), list[Event]()
    async with side_by_side(("follower", follow(news, heard, slow=0.01))):
        for number in range(2 * PAGE + 1):
            await news.tell(f"e{number}")
        assert len(heard) < PAGE
        await asyncio.sleep(60)
    assert [event.name for event in heard] == [f"e{number}" for number in range(2 * PAGE + 1)]


async def test_a_follower_that_left_is_forgotten() -> None:
    news = News(MemoryJournal(), VirtualClock())
    async with side_by_side(("follower", follow(news, []))):
        await asyncio.sleep(1)
        assert len(news._followers) == 1
    assert len(news._followers) == 0


async def test_what_cannot_be_stored_is_told_all_the_same_and_remembered_as_a_trouble() -> None:
    journal = MemoryJournal()
    news = News(journal, VirtualClock())
    journal.full = True
    assert not await news.tell("lost")
    assert "refuse writes" in news.unwritten
    journal.full = False
    assert await news.tell("kept")
    assert news.unwritten == ""


async def test_secrets_are_blanked_out_of_every_fact_and_names_of_ours_are_left_alone() -> None:
    journal = MemoryJournal()
    news = News(journal, VirtualClock(), lambda text: text.replace("hunter2", "***"))
    await news.tell(
        "x.told", reason="it said hunter2", next=["use hunter2"], seen={"a": {"b": "hunter2"}}, n=2, phase=""
    )
    (first,) = await journal.events(0)
    assert "hunter2" not in str(first.facts)
    assert first.facts == {"reason": "it said ***", "next": ["use ***"], "seen": {"a": {"b": "***"}}, "n": 2}
    assert news.event("x.told", previous=Phase.SWITCHING).facts["previous"] is Phase.SWITCHING


async def test_what_no_follower_can_hear_is_told_to_who_asked_for_it() -> None:
    journal, missed = MemoryJournal(), list[Event]()
    news = News(journal, VirtualClock())
    news.on_unstored = missed.append
    await news.tell("kept")
    journal.full = True
    await news.tell("lost")
    assert [event.name for event in missed] == ["lost"]


async def test_the_newest_event_is_known_also_of_what_an_earlier_daemon_told() -> None:
    journal, clock = MemoryJournal(), VirtualClock()
    assert await News(journal, clock).newest() == 0
    for number in range(PAGE + 5):
        await News(journal, clock).tell(f"e{number}")
    news = News(journal, clock)
    assert await news.newest() == PAGE + 5
    await news.tell("one more")
    assert await news.newest() == PAGE + 6
