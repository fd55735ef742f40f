"""AWAITING: before promotion whoever knows the secret meets the idle colour, also where that takes a write."""

import asyncio

import pytest

from bluegreen.adapters.balancers.memory import Fault, Route, Routes
from bluegreen.app import generations
from bluegreen.app.previews import WORDS, Preview
from bluegreen.app.requests import PlanRequest
from bluegreen.app.waiting import until as raced
from bluegreen.domain.phases import Phase
from bluegreen.domain.traffic import Colour, Split
from tests.app.daemons import ANN, Daemon, running, until
from tests.app.outside import Balancer, Dying, Outside
from tests.domain.examples import BLUE, GREEN, SERVICES

P = Phase


class Opened(Balancer):
    """The balancer in memory, of which each write but the way back brings the preview."""

    opened = False
    _may = False

    async def previews(self) -> bool:
        await self.observe()
        return self.opened

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        self._may = expected is not None
        await super().switch(colour, generation, expected=expected, fallback=fallback)

    def forget(self) -> None:
        self.opened = False
        super().forget()

    def _take_effect(self, read: Routes, wanted: Routes, to: Colour | Split, generation: int) -> None:
        super()._take_effect(read, wanted, to, generation)
        self.opened = self._may

    async def costs(self) -> tuple[str, ...]:
        return ("a load of the configuration",)


@pytest.fixture
def balancer(outside: Outside) -> Opened:
    outside.preview = True
    outside.balancer = opened = Opened(outside)
    outside.users._balancer = opened
    return opened


async def to_the_gate(daemon: Daemon, release: str = "1.1.0") -> str:
    deployment = await daemon.deploy(release, auto_promote=False)
    await daemon.reach(P.AWAITING)
    await asyncio.sleep(1)
    return deployment.id


async def doing(daemon: Daemon) -> str:
    return (await daemon.service.status()).doing


async def warned(daemon: Daemon) -> list[str]:
    return [each for each in (await daemon.current()).warnings if "preview" in each]


async def told(daemon: Daemon, name: str) -> list[dict[str, object]]:
    return [dict(event.facts) for event in await daemon.events() if event.name == name]


async def test_at_the_gate_one_write_of_the_old_colour_brings_it_and_people_are_told_how_to_look(
    outside: Outside, balancer: Opened
) -> None:
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0", auto_promote=False), ANN)
        id = await to_the_gate(daemon)
        await asyncio.sleep(60)
        assert balancer.written == [(BLUE, 1)]
        assert outside.serving() == {BLUE}
        assert await doing(daemon) == f"nobody promoted it; {WORDS}"
        assert (await told(daemon, "preview.opened"))[0] == {"colour": GREEN, "generation": 1}
        assert not (await daemon.current()).moved
        await daemon.service.promote(id, ANN)
        ended = await daemon.end()
        assert (await told(daemon, "traffic.stamped"), await warned(daemon)) == ([], [])
    (gate,) = [notice.text for notice in outside.notifier.sent if notice.event == "gate"]
    assert gate.endswith(WORDS)
    assert plan.costs[1].startswith("the same once more before, at the gate")
    assert ended.phase is P.LIVE
    assert balancer.written == [(BLUE, 1), (GREEN, 2)]


async def test_where_it_stands_already_nothing_is_written_and_nothing_is_said_of_costs(
    outside: Outside, balancer: Opened
) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        assert (await daemon.end()).phase is P.LIVE
        plan = await daemon.service.plan(PlanRequest("1.2.0", auto_promote=False), ANN)
        await to_the_gate(daemon, "1.2.0")
        assert await doing(daemon) == f"nobody promoted it; {WORDS}"
    assert balancer.written == [(GREEN, 1)]
    assert plan.costs == ("a load of the configuration",)


async def test_after_a_way_back_the_next_gate_brings_it_again(outside: Outside, balancer: Opened) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.reach(P.WATCHING)
        await daemon.cutback()
        assert (await daemon.end()).phase is P.REVERTED
        assert not balancer.opened
        await to_the_gate(daemon, "1.2.0")
    assert balancer.written == [(GREEN, 1), (BLUE, 2), (BLUE, 3)]


async def test_without_a_gate_nothing_is_written_for_it(outside: Outside, balancer: Opened) -> None:
    async with running(outside) as daemon:
        plan = await daemon.service.plan(PlanRequest("1.1.0"), ANN)
        await daemon.deploy()
        assert (await daemon.end()).phase is P.LIVE
    assert balancer.written == [(GREEN, 1)]
    assert len(plan.costs) == 1


async def test_in_a_pause_it_is_brought_only_after_it(outside: Outside, balancer: Opened) -> None:
    async with running(outside) as daemon:
        await daemon.service.pause(ANN, "looking myself")
        await to_the_gate(daemon)
        await asyncio.sleep(60)
        assert (await doing(daemon), balancer.written) == ("nobody promoted it", [])
        await daemon.service.resume(ANN, "seen")
        await until(lambda: balancer.written)
        await asyncio.sleep(1)
        assert (await doing(daemon)).endswith(WORDS)
    assert balancer.written == [(BLUE, 1)]


async def test_a_rollback_that_a_pause_holds_at_the_gate_writes_nothing(outside: Outside, balancer: Opened) -> None:
    async with running(outside) as daemon:
        await daemon.deploy()
        await daemon.end()
        balancer.opened = False
        await daemon.service.pause(ANN, "looking myself")
        await daemon.service.rollback("1.0.0", ANN, "back")
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(20)
        await daemon.service.resume(ANN, "seen")
        assert daemon.engine.run is not None
        assert await Preview(daemon.engine.run).ensure() == ()
        assert (await daemon.end()).phase is P.LIVE
    assert balancer.written == [(GREEN, 1), (BLUE, 2)]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.FOREIGN_CHANGE, Fault.LANDS_LATE], ids=str)
async def test_what_fails_is_a_warning_and_the_gate_waits_all_the_same(
    fault: Fault, outside: Outside, balancer: Opened
) -> None:
    balancer.faults.append(fault)
    async with running(outside) as daemon:
        id = await to_the_gate(daemon)
        assert await doing(daemon) == "nobody promoted it"
        (warning,) = await warned(daemon)
        assert warning.startswith("the secret of [canary] preview leads nowhere yet: ")
        await daemon.service.promote(id, ANN)
        ended = await daemon.end()
    assert ended.phase is P.LIVE
    assert balancer.written[-1] == (GREEN, 2)


async def test_what_failed_is_tried_again_a_minute_later(outside: Outside, balancer: Opened) -> None:
    balancer.faults.extend([Fault.REFUSED, Fault.REFUSED])
    async with running(outside) as daemon:
        await to_the_gate(daemon)
        await asyncio.sleep(50)
        assert len(balancer.faults) == 1
        await asyncio.sleep(100)
        assert await doing(daemon) == f"nobody promoted it; {WORDS}"
        assert len(await warned(daemon)) == 1
    assert balancer.written == [(BLUE, 3)]


async def test_a_balancer_that_does_not_answer_keeps_nobody_from_promoting_or_aborting(
    outside: Outside, balancer: Opened
) -> None:
    outside.at("after journal AWAITING", lambda: setattr(balancer, "reachable", False))
    async with running(outside) as daemon:
        id = await to_the_gate(daemon)
        assert await doing(daemon) == "nobody promoted it"
        await daemon.service.abort(id, ANN, "no")
        assert (await daemon.end()).phase is P.ABANDONED


async def test_an_answer_that_was_lost_is_settled_by_looking(outside: Outside, balancer: Opened) -> None:
    balancer.faults.append(Fault.LOST_WITH_EFFECT)
    async with running(outside) as daemon:
        await to_the_gate(daemon)
        assert await warned(daemon) == []
        assert (await doing(daemon)).endswith(WORDS)


async def test_a_balancer_that_was_restarted_at_the_gate_has_it_again(outside: Outside, balancer: Opened) -> None:
    async with running(outside) as daemon:
        await to_the_gate(daemon)
        balancer.forget()
        await asyncio.sleep(30)
        assert balancer.opened
        assert (await daemon.current()).phase is P.AWAITING
    assert outside.serving() == {BLUE}


@pytest.mark.parametrize("point", range(1, 13))
async def test_killed_anywhere_around_that_write_the_gate_is_run_again(
    point: int, outside: Outside, balancer: Opened
) -> None:
    balancer.routes = {name: Route(service.addresses[BLUE], 7) for name, service in SERVICES.items()}
    for fact in (generations.LAST, generations.SERVED):
        await outside.journal.keep("generation", fact, 7)
    async with running(outside) as daemon:
        outside.at("after journal AWAITING", lambda: setattr(outside, "story", dying))
        dying = Dying(point)
        id = (await daemon.deploy(auto_promote=False)).id
        await raced(asyncio.sleep(20), name="killed", stop=dying.dead)
    outside.story = nothing
    async with running(outside) as daemon:
        await daemon.reach(P.AWAITING)
        await asyncio.sleep(20)
        assert balancer.opened
        assert (await doing(daemon)).endswith(WORDS)
        assert await warned(daemon) == []
        intents = await outside.journal.intents(id)
        assert [intent.action for intent in intents if intent.outcome is None] == []
        await daemon.service.promote(id, ANN)
        ended = await daemon.end()
    assert (ended.phase, outside.serving()) == (P.LIVE, {GREEN})
    assert [to for to, _ in balancer.written] == [BLUE, GREEN]
    assert outside.broken == []


async def nothing(what: str) -> None:
    """Nobody follows the story."""
