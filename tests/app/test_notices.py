"""People are told: once, by each receiver, and no receiver delays another or the deployment."""

import asyncio

from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.adapters.notifiers.memory import MemoryNotifier
from bluegreen.adapters.notifiers.wishes import Wishes
from bluegreen.app.notices import ATTEMPTS, Outbox
from bluegreen.domain.records import Notice
from tests.app.outside import side_by_side
from tests.virtual_time import EPOCH


def notice(key: str = "k1", severity: str = "info") -> Notice:
    return Notice(key, "deployment.live", severity, "it is live", EPOCH, "d-1", {"n": 1})


async def test_every_receiver_that_wants_a_notice_gets_it_once() -> None:
    wants, rejects = MemoryNotifier("wants"), MemoryNotifier("rejects", wishes=Wishes(severity="critical"))
    outbox = Outbox(MemoryJournal(), (wants, rejects))
    async with side_by_side(("outbox", outbox.run())):
        assert await outbox.post(notice())
        assert not await outbox.post(notice())
        await asyncio.sleep(1)
    assert wants.sent == [notice()]
    assert rejects.sent == []


async def test_a_receiver_that_hangs_does_not_delay_another() -> None:
    hangs, works = MemoryNotifier("hangs"), MemoryNotifier("works")
    hangs.hanging = True
    outbox = Outbox(MemoryJournal(), (hangs, works))
    async with side_by_side(("outbox", outbox.run())):
        began = asyncio.get_running_loop().time()
        await outbox.post(notice())
        assert asyncio.get_running_loop().time() == began
        await asyncio.sleep(0.1)
        assert works.sent == [notice()]


async def test_a_receiver_that_fails_is_asked_again_for_a_while() -> None:
    receiver = MemoryNotifier()
    receiver.failing = "HTTP 503"
    outbox = Outbox(MemoryJournal(), (receiver,))
    async with side_by_side(("outbox", outbox.run())):
        await outbox.post(notice())
        await asyncio.sleep(1.2)
        receiver.failing = ""
        await asyncio.sleep(10)
    assert receiver.sent == [notice()]


async def test_a_receiver_that_never_works_is_given_up_and_the_next_notice_is_tried() -> None:
    receiver = MemoryNotifier()
    receiver.failing = "HTTP 404"
    journal = MemoryJournal()
    outbox = Outbox(journal, (receiver,))
    async with side_by_side(("outbox", outbox.run())):
        await outbox.post(notice("k1"))
        await asyncio.sleep(ATTEMPTS * 30)
        receiver.failing = ""
        await outbox.post(notice("k2"))
        await asyncio.sleep(1)
    assert [sent.key for sent in receiver.sent] == ["k2"]
    assert (await journal.fact("notice", "k1"))["waiting"] == []


async def test_what_an_earlier_daemon_left_is_delivered_and_what_it_delivered_is_not() -> None:
    journal, receiver = MemoryJournal(), MemoryNotifier()
    outbox = Outbox(journal, (receiver,))
    async with side_by_side(("outbox", outbox.run())):
        await outbox.post(notice("delivered"))
        await asyncio.sleep(1)
    await Outbox(journal, (receiver,)).post(notice("left"))
    await asyncio.sleep(1)
    async with side_by_side(("outbox", Outbox(journal, (receiver,)).run())):
        await asyncio.sleep(1)
    assert [sent.key for sent in receiver.sent] == ["delivered", "left"]
    assert receiver.sent[1] == notice("left")


async def test_what_is_posted_before_the_outbox_runs_is_delivered_once() -> None:
    journal, receiver = MemoryJournal(), MemoryNotifier()
    outbox = Outbox(journal, (receiver,))
    await outbox.post(notice())
    async with side_by_side(("outbox", outbox.run())):
        await asyncio.sleep(1)
    assert receiver.sent == [notice()]


async def test_what_an_earlier_daemon_posted_and_this_one_posts_again_is_delivered_once() -> None:
    """Guards: it was neither taken as new nor as left."""
    journal, receiver = MemoryJournal(), MemoryNotifier()
    await Outbox(journal, (receiver,)).post(notice())
    outbox = Outbox(journal, (receiver,))
    assert not await outbox.post(notice())
    async with side_by_side(("outbox", outbox.run())):
        await asyncio.sleep(1)
    assert receiver.sent == [notice()]


async def test_what_an_earlier_daemon_delivered_is_not_delivered_when_it_is_posted_again() -> None:
    journal, receiver = MemoryJournal(), MemoryNotifier()
    outbox = Outbox(journal, (receiver,))
    async with side_by_side(("outbox", outbox.run())):
        await outbox.post(notice())
        await asyncio.sleep(1)
    outbox = Outbox(journal, (receiver,))
    async with side_by_side(("outbox", outbox.run())):
        assert not await outbox.post(notice())
        await asyncio.sleep(1)
    assert receiver.sent == [notice()]


async def test_a_journal_that_refuses_keeps_nobody_from_being_told() -> None:
    journal, receiver = MemoryJournal(), MemoryNotifier()
    journal.full = True
    outbox = Outbox(journal, (receiver,))
    async with side_by_side(("outbox", outbox.run())):
        assert await outbox.post(notice())
        assert not await outbox.post(notice())
        await asyncio.sleep(1)
    assert receiver.sent == [notice()]


async def test_a_receiver_that_was_taken_out_of_the_configuration_is_passed_over() -> None:
    journal, stays = MemoryJournal(), MemoryNotifier("stays")
    await Outbox(journal, (stays, MemoryNotifier("gone"))).post(notice())
    async with side_by_side(("outbox", Outbox(journal, (stays,)).run())):
        await asyncio.sleep(1)
    assert stays.sent == [notice()]


async def test_secrets_are_blanked_out_of_every_message_also_in_the_journal() -> None:
    journal, receiver = MemoryJournal(), MemoryNotifier()
    outbox = Outbox(journal, (receiver,), lambda text: text.replace("hunter2", "***"))
    said = Notice("k1", "gate", "info", "use hunter2", EPOCH, "d-1", {"next": ["login hunter2"]})
    async with side_by_side(("outbox", outbox.run())):
        await outbox.post(said)
        await asyncio.sleep(1)
    (sent,) = receiver.sent
    assert (sent.text, sent.facts) == ("use ***", {"next": ["login ***"]})
    assert "hunter2" not in str(await journal.facts("notice"))


async def test_what_waits_and_what_was_given_up_is_counted_by_receiver() -> None:
    fails, hangs = MemoryNotifier("fails"), MemoryNotifier("hangs")
    fails.failing, hangs.hanging = "HTTP 503", True
    outbox = Outbox(MemoryJournal(), (fails, hangs))
    async with side_by_side(("outbox", outbox.run())):
        await outbox.post(notice())
        assert outbox.undelivered() == {"fails": 1, "hangs": 1}
        await asyncio.sleep(20)
        assert outbox.undelivered() == {"fails": 0, "hangs": 1}
        assert outbox.undeliverable == {"fails": 1, "hangs": 0}
