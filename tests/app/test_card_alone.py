"""The way back by the card alone: no daemon, no journal. It writes above all that is known, and is harmless twice."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bluegreen.adapters.balancers.memory import Fault, MemoryBalancer
from bluegreen.adapters.cards.memory import MemoryCards
from bluegreen.app.card_alone import TRY_FOR, End, Order, Told, go_back, why_not_watched
from bluegreen.domain.errors import RouteNotFound
from bluegreen.domain.traffic import Card, Colour, Mark, Split, Traffic
from tests.domain.examples import BLUE, GREEN, SERVICES
from tests.virtual_time import EPOCH, VirtualClock

ANN = Order("uid 0 (root) for ann", "looks odd")
FAILSAFE = Order("uid 990 (bluegreen)", failsafe=True)
CARD = Card(
    deployment="d-1",
    endpoint="memory",
    colour=BLUE,
    generation=7,
    services=tuple(SERVICES.values()),
    paths={},
    snippets="",
    open=True,
    failsafe=True,
    written_at=EPOCH,
)


async def alive(card: Card) -> str:
    return ""


async def gone(card: Card) -> str:
    return "web: 127.0.0.1:1001: Connection refused"


class Scene:
    """Users are on green by the switch of generation 7, and no daemon runs."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.cards = MemoryCards()
        self.balancer = MemoryBalancer(tuple(SERVICES.values()), clock=self.clock, serving=BLUE, snippets=True)

    async def switch(self) -> None:
        await self.balancer.switch(GREEN, 7)
        await self.balancer.persist(GREEN)
        self.balancer.written.clear()

    async def back(self, card: Card = CARD, order: Order = ANN, dead: Callable[[Card], Awaitable[str]] = alive) -> Told:
        return await go_back(card, self.balancer, self.cards, self.clock, order, dead)


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.switch()
    return made


async def test_users_are_back_under_a_higher_generation_the_snippets_follow_and_a_mark_is_left(scene: Scene) -> None:
    told = await scene.back()
    assert (told.end, told.generation) == (End.BACK, 8)
    assert scene.balancer.written == [(BLUE, 8)]
    assert scene.balancer.persisted() is BLUE
    mark = await scene.cards.marked()
    assert mark is not None
    assert (mark.deployment, mark.colour, mark.generation, mark.by) == ("d-1", BLUE, 8, "uid 0 (root) for ann")
    assert (mark.reason, mark.failsafe) == ("looks odd", False)


async def test_where_the_route_cannot_be_told_it_is_written_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traefik's file, torn by somebody: only the write makes it readable again."""

    async def torn() -> Traffic:
        raise RouteNotFound("bluegreen.yml is not the JSON that bluegreen keeps there")

    switch = scene.balancer.switch

    async def written_anew(
        colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        monkeypatch.undo()
        await switch(colour, generation, expected=expected, fallback=fallback)

    monkeypatch.setattr(scene.balancer, "observe", torn)
    monkeypatch.setattr(scene.balancer, "switch", written_anew)
    told = await scene.back()
    assert (told.end, told.generation) == (End.BACK, 8)


async def test_the_mark_is_there_before_the_write_for_a_daemon_that_still_looks(scene: Scene) -> None:
    seen: list[Mark | None] = []
    switch = scene.balancer.switch

    async def looking(
        colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        seen.append(await scene.cards.marked())
        await switch(colour, generation, expected=expected, fallback=fallback)

    scene.balancer.switch = looking  # type: ignore[method-assign]
    await scene.back()
    await scene.balancer.switch(GREEN, 30)
    await scene.cards.unmark()
    await scene.back(order=FAILSAFE)
    assert [mark.generation if mark else None for mark in seen] == [0, 8, None]


async def test_it_writes_above_what_caddy_has_seen_meanwhile(scene: Scene) -> None:
    await scene.balancer.switch(GREEN, 20)
    assert (await scene.back()).generation == 21


async def test_it_writes_also_where_users_are_back_already_so_that_nothing_late_can_land(scene: Scene) -> None:
    """A daemon that hangs between its read and its write: that one then fits nothing."""
    await scene.balancer.switch(BLUE, 8)
    scene.balancer.written.clear()
    assert (await scene.back()).end is End.BACK
    assert scene.balancer.written == [(BLUE, 9)]


async def test_the_second_time_nothing_is_written(scene: Scene) -> None:
    await scene.back()
    told = await scene.back()
    assert told.end is End.ALREADY
    assert "uid 0 (root) for ann" in told.text
    assert scene.balancer.written == [(BLUE, 8)]


async def test_a_mark_of_an_earlier_deployment_is_no_excuse(scene: Scene) -> None:
    await scene.back(replace(CARD, deployment="d-0"))
    await scene.balancer.switch(GREEN, 30)
    assert (await scene.back()).end is End.BACK
    mark = await scene.cards.marked()
    assert mark is not None
    assert mark.deployment == "d-1"


@pytest.mark.parametrize(
    "fault", [Fault.FOREIGN_CHANGE, Fault.LOST_WITH_EFFECT, Fault.LOST_WITHOUT_EFFECT, Fault.NO_EFFECT, Fault.REFUSED]
)
async def test_a_write_that_fails_or_is_lost_is_tried_again_until_it_is_read_back(fault: Fault, scene: Scene) -> None:
    scene.balancer.faults.extend([fault, fault])
    told = await scene.back()
    assert told.end is End.BACK
    assert (await scene.balancer.observe()).colour is BLUE
    stamps = [generation for _, generation in scene.balancer.written]
    assert stamps == sorted(set(stamps))


async def test_no_generation_is_tried_twice_also_where_caddy_had_seen_more_than_the_card(scene: Scene) -> None:
    await scene.balancer.switch(GREEN, 20)
    tried: list[int] = []
    switch = scene.balancer.switch

    async def noting(
        colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        tried.append(generation)
        await switch(colour, generation, expected=expected, fallback=fallback)

    scene.balancer.switch = noting  # type: ignore[method-assign]
    scene.balancer.faults.extend([Fault.LANDS_LATE, Fault.LOST_WITHOUT_EFFECT])
    assert (await scene.back()).generation == 23
    assert tried == [21, 22, 23]


async def test_a_write_that_may_land_late_is_fenced(scene: Scene) -> None:
    scene.balancer.faults.append(Fault.LANDS_LATE)
    told = await scene.back()
    scene.balancer.land()
    traffic = await scene.balancer.observe()
    assert (traffic.colour, traffic.generation) == (BLUE, told.generation)


async def test_where_caddy_does_not_answer_the_snippets_are_brought_back_and_a_person_is_told_what_to_type(
    scene: Scene,
) -> None:
    scene.balancer.reachable = False
    scene.balancer.reload_fault = "systemctl said no"
    began = scene.clock.monotonic()
    told = await scene.back()
    assert scene.clock.monotonic() - began < TRY_FOR + 10
    assert told.end is End.STUCK
    assert told.next[0] == "systemctl restart caddy"
    assert any("systemctl said no" in remark for remark in told.remarks)
    assert scene.balancer.persisted() is BLUE
    mark = await scene.cards.marked()
    assert mark is not None, "the next daemon carries the order out"
    assert mark.generation == 0


async def test_where_only_our_way_to_caddy_is_broken_it_is_made_to_read_its_snippets(scene: Scene) -> None:
    scene.balancer.reachable, scene.balancer.reload_fault = False, None
    told = await scene.back()
    assert scene.balancer.reloads == 1
    scene.balancer.reachable = True
    assert (await scene.balancer.observe()).colour is BLUE
    assert any("read its files again" in remark for remark in told.remarks)


async def test_a_caddy_that_answers_again_in_time_is_written(scene: Scene) -> None:
    scene.balancer.reachable = False
    async with asyncio.TaskGroup() as group:
        work = group.create_task(scene.back(), name="back")
        await asyncio.sleep(10)
        scene.balancer.reachable = True
    assert work.result().end is End.BACK


async def test_a_failsafe_that_could_do_nothing_leaves_no_mark(scene: Scene) -> None:
    scene.balancer.reachable = False
    scene.balancer.reload_fault = "no"
    assert (await scene.back(order=FAILSAFE)).end is End.STUCK
    assert await scene.cards.marked() is None


async def test_a_mark_that_cannot_be_left_is_told_and_users_are_back_all_the_same(scene: Scene) -> None:
    scene.cards.full = True
    told = await scene.back()
    assert told.end is End.BACK
    assert any("next daemon" in remark for remark in told.remarks)


async def test_snippets_that_cannot_be_written_are_told(scene: Scene) -> None:
    scene.balancer.disk_full = True
    told = await scene.back()
    assert told.end is End.BACK
    assert any("restarted balancer" in remark for remark in told.remarks)


async def test_a_closed_card_leads_nowhere_unless_somebody_insists(scene: Scene) -> None:
    closed = replace(CARD, open=False)
    told = await scene.back(closed)
    assert (told.end, scene.balancer.written) == (End.REFUSED, [])
    assert "--force" in told.next[-1]
    assert (await scene.back(closed, replace(ANN, force=True))).end is End.BACK


async def test_a_closed_card_with_users_on_the_old_colour_needs_nothing(scene: Scene) -> None:
    await scene.balancer.switch(BLUE, 8)
    assert (await scene.back(replace(CARD, open=False))).end is End.ALREADY


async def test_nothing_is_written_to_a_colour_that_is_dead_unless_somebody_insists(scene: Scene) -> None:
    told = await scene.back(dead=gone)
    assert (told.end, scene.balancer.written) == (End.STUCK, [])
    assert "Connection refused" in told.text
    assert (await scene.back(order=replace(ANN, force=True), dead=gone)).end is End.BACK


@pytest.mark.parametrize(
    ("card", "acts"),
    [
        (CARD, True),
        (replace(CARD, open=False), False),
        (replace(CARD, failsafe=False), False),
    ],
    ids=["watched", "closed", "left to a person"],
)
def test_the_failsafe_acts_only_while_a_release_is_watched_and_nobody_forbids_it(card: Card, acts: bool) -> None:
    assert (why_not_watched(card) == "") == acts
