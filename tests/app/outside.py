"""Everything outside a daemon, in memory and in virtual time: it survives the daemon, as Caddy and Postgres do."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bluegreen.adapters.balancers.memory import MemoryBalancer, Route
from bluegreen.adapters.balancers.memory_arming import MemoryArming
from bluegreen.adapters.cards.memory import MemoryCards
from bluegreen.adapters.checks.memory import MemoryCheck, MemoryContinuity, MemoryReadiness
from bluegreen.adapters.database.memory import MemoryDatabase
from bluegreen.adapters.front_doors.memory import MemoryFrontDoor
from bluegreen.adapters.journals.memory import MemoryJournal
from bluegreen.adapters.notifiers.memory import MemoryNotifier
from bluegreen.adapters.papers.memory import MemoryPapers
from bluegreen.adapters.runners.memory import MemoryRunner
from bluegreen.adapters.signals.memory import MemorySignals
from bluegreen.adapters.signals.probes import Probes
from bluegreen.adapters.sites.memory import MemorySites
from bluegreen.adapters.variables.memory import MemoryVariables
from bluegreen.app.boundaries import AtBoundary, pass_on
from bluegreen.app.world import World
from bluegreen.domain.arming import Armed
from bluegreen.domain.checks import CheckResult, Target
from bluegreen.domain.errors import JournalUnwritable, ReleaseInvalid
from bluegreen.domain.pins import ReleaseRules
from bluegreen.domain.plans import Release, Terms
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted
from bluegreen.domain.traffic import Card, Colour, Split
from bluegreen.domain.versions import VersionRules
from bluegreen.ports_traffic import InFlight
from tests.domain.examples import BLUE, GREEN, SERVICES, terms
from tests.virtual_time import VirtualClock

FLOW = 0.1
"""Seconds between two reports of what users got."""

Story = Callable[[str], Awaitable[None]]


async def nobody(what: str) -> None:
    """Hears what happens and does nothing."""


class Users:
    """A signal source: `rate` requests a second, served by whoever the balancer dials, of both colours where users are
    shared out; `failing` is the share of bad ones by colour. `silent`: the log stands still. `dead` colours answer
    nothing: where the other one is their fallback it does."""

    name = "access_log"

    def __init__(self, balancer: MemoryBalancer, now: Callable[[], float], dead: set[Colour]) -> None:
        self._balancer, self._now, self._dead = balancer, now, dead
        self._owed: defaultdict[str, float] = defaultdict(float)
        self.rate = 100.0
        self.failing: dict[Colour, float] = {}
        self.silent = False
        self.missing = False
        self.behind = 0.0
        self.unread = False
        self.heard_at: float | None = None
        self.got = dict.fromkeys(Colour, 0)
        self.got_bad = dict.fromkeys(Colour, 0)

    @property
    def caught_up_at(self) -> float | None:
        """Now, unless there is more in the log than was read: `unread`."""
        return None if self.unread else asyncio.get_running_loop().time()

    def position(self) -> Json:
        return 0

    def resume(self, position: Json) -> bool:
        return not self.missing

    @property
    def problem(self) -> str:
        """Nothing is ever in the way."""
        return ""

    async def check(self) -> None:
        """Nothing is ever in the way."""

    async def run(self, report: Callable[[Batch], None]) -> None:
        while True:
            await asyncio.sleep(FLOW)
            if self.silent:
                continue
            self.heard_at = asyncio.get_running_loop().time()
            for colour, share in self._shares().items():
                n = self._whole(f"n of {colour}", self.rate * FLOW * share)
                if n:
                    failing = 1.0 if colour in self._dead else self.failing.get(colour, 0.0)
                    bad = min(n, self._whole(f"bad of {colour}", n * failing))
                    self.got[colour] += n
                    self.got_bad[colour] += bad
                    report(Counted(self.name, "5xx", colour, n, bad, begun=(self._now(),) * n))
                    report(Counted(self.name, "auth", colour, n, 0))

    def _shares(self) -> dict[Colour, float]:
        route = self._balancer.routes["web"]
        if route.split is not None:
            return {route.split.colour: route.split.share, route.split.colour.other: 1.0 - route.split.share}
        colour = answering(route, "web", self._dead)
        return {} if colour is None else {colour: 1.0}

    def _whole(self, what: str, more: float) -> int:
        self._owed[what] += more + 1e-9
        whole = int(self._owed[what])
        self._owed[what] -= whole
        return whole


def answering(route: Route | None, service: str, dead: set[Colour]) -> Colour | None:
    """The colour that is asked by a route, or its fallback where it is dead; None where that is neither colour."""
    if route is None:
        return None
    addresses = SERVICES[service].addresses
    first = {colour: addresses[colour] + (addresses[colour.other] if route.fallback else ()) for colour in Colour}
    colour = next((colour for colour in Colour if route.dials == first[colour]), None)
    if colour is not None and route.fallback and colour in dead and colour.other not in dead:
        return colour.other
    return colour


class Journal(MemoryJournal):
    """The journal in memory, which tells a story of every write before and after it."""

    def __init__(self, outside: "Outside") -> None:
        super().__init__()
        self._outside = outside

    async def save(self, deployment: Any, *records: Any) -> Any:
        return await self._outside.tell(f"journal {deployment.phase}", super().save(deployment, *records))

    async def conclude(self, intent: str, outcome: Any, note: str = "") -> None:
        await self._outside.tell("journal conclude", super().conclude(intent, outcome, note))

    async def record(self, event: Any) -> Any:
        return await self._outside.tell(f"journal {event.name}", super().record(event))

    async def audit(self, row: Any, *facts: Any) -> None:
        await self._outside.tell("journal audit", super().audit(row, *facts))

    async def keep(self, kind: str, key: str, value: Json) -> None:
        await self._outside.tell(f"journal keep {kind}", super().keep(kind, key, value))

    async def claim(self, kind: str, key: str, value: Json) -> bool:
        return bool(await self._outside.tell(f"journal claim {kind}", super().claim(kind, key, value)))

    async def forget(self, kind: str, key: str) -> None:
        await self._outside.tell(f"journal forget {kind}", super().forget(kind, key))


class Balancer(MemoryBalancer):
    """The balancer in memory, which tells a story of every write."""

    def __init__(self, outside: "Outside", **rest: Any) -> None:
        super().__init__(tuple(SERVICES.values()), clock=outside.clock, **rest)
        self._outside = outside

    async def switch(
        self, colour: Colour, generation: int, *, expected: Colour | Split | None = None, fallback: bool = False
    ) -> None:
        switched = super().switch(colour, generation, expected=expected, fallback=fallback)
        word = f"{colour}-or-{colour.other}" if fallback else str(colour)
        await self._outside.tell(f"balancer {word} {generation}", switched)

    async def split(self, split: Split, generation: int, *, expected: Colour | Split) -> None:
        done = super().split(split, generation, expected=expected)
        await self._outside.tell(f"balancer {split.colour} {split.share:g} {generation}", done)


class Runner(MemoryRunner):
    """A colour in memory, which tells a story of every call and never is touched while users are on it."""

    def __init__(self, outside: "Outside", colour: Colour, running: str = "", slices: int = 0) -> None:
        super().__init__(colour, running, slices)
        self._outside = outside

    async def up(self, release: Release, *, live_only: bool = False) -> str:
        word = "up live-only" if live_only else "up"
        said = await self._outside.tell(f"runner {self.colour} {word}", super().up(release, live_only=live_only))
        self._outside.look_for_twins()
        return str(said)

    async def down(self, *, live_only: bool = False) -> str:
        word = "down live-only" if live_only else "down"
        return str(await self._outside.tell(f"runner {self.colour} {word}", super().down(live_only=live_only)))

    async def stop_slice(self, number: int) -> str:
        return str(await self._outside.tell(f"runner {self.colour} slice {number}", super().stop_slice(number)))

    async def _called(self, verb: str, version: str) -> None:
        serves = self.colour in self._outside.serving()
        if serves and verb not in ("up live-only", "parts"):
            self._outside.broken.append(f"{verb} was called on {self.colour} while users were on it")
        if verb == "up live-only" and (not serves or len(self._outside.serving()) > 1):
            self._outside.broken.append(f"{verb} was called on {self.colour} while users were not on it alone")
        await super()._called(verb, version)


class Ready(MemoryReadiness):
    """A readiness check on its script; a colour that was stopped, and that users are not on, does not answer."""

    def __init__(self, outside: "Outside", service: str) -> None:
        super().__init__(service, consecutive=2, interval=1.0)
        self._outside = outside

    async def check(self, target: Target) -> CheckResult:
        runner = self._outside.runners[target.colour]
        stopped = not runner.running and ("down", "") in runner.calls
        if target.colour in self._outside.dead:
            return CheckResult(self.name, False, "connection refused", 0.0)
        if stopped and target.colour not in self._outside.serving():
            return CheckResult(self.name, False, "connection refused", 0.0)
        return await super().check(target)


class Cards(MemoryCards):
    """The cards in memory, which tell a story of every write."""

    def __init__(self, outside: "Outside") -> None:
        super().__init__()
        self._outside = outside

    async def write(self, card: Card) -> None:
        await self._outside.tell(f"card {'open' if card.open else 'closed'}", super().write(card))


class Outside:
    """The parts, each scripted by its own attributes; `story` is told every write, `told` lists those that were done.

    Blue is live and runs 1.0.0, green is idle; users come, and all is well.
    """

    def __init__(self, *, snippets: bool = True) -> None:
        self.clock = VirtualClock()
        self.told: list[str] = []
        self.broken: list[str] = []
        """Promises of the architecture that were broken."""
        self.story: Story = nobody
        self.balancer = Balancer(self, snippets=snippets)
        self.front_door = MemoryFrontDoor(tuple(SERVICES.values()), self._answering)
        self.dead: set[Colour] = set()
        """Colours that answer nothing."""
        self.users = Users(self.balancer, lambda: self.clock.now().timestamp(), self.dead)
        self.log = MemorySignals(self.clock, "extra")
        self.runners = {BLUE: Runner(self, BLUE, "1.0.0"), GREEN: Runner(self, GREEN)}
        self.readiness: tuple[MemoryReadiness, ...] = tuple(Ready(self, name) for name in SERVICES)
        self.smoke = MemoryCheck("login works")
        self.database = MemoryDatabase(now=self.clock.now)
        self.notifier = MemoryNotifier()
        self.notifiers = [self.notifier]
        self.journal = Journal(self)
        self.cards = Cards(self)
        self.terms = terms()
        self.keep_deployments = 200
        self.contracts_after_standby: frozenset[str] = frozenset()
        self.connection_budgets: dict[str, int] = {}
        self.releases: dict[Colour, str] = {BLUE: "1.0.0"}
        self.at_boundary: AtBoundary = pass_on
        self.rules = ReleaseRules(VersionRules(skip_minor=True, skip_major=True, downgrade="any"))
        self.papers = MemoryPapers()
        self.variables: MemoryVariables | None = None
        self.migrates: dict[str, str] = {}
        self.described: dict[str, Release] = {}
        """Releases with more than a version, by their name."""
        self.restores_drift = False
        self.with_databases = True
        self.with_smoke = True
        self.with_shares = True
        self.in_flight: InFlight | None = None
        self.preview = False
        self.arming: MemoryArming | None = None
        self.sites: MemorySites | None = None
        self.continuity: tuple[MemoryContinuity, ...] = ()
        self.after_switch: tuple[MemoryCheck, ...] = ()
        self._asked = 0

    def arm(self, armed: Armed = Armed.OURS) -> MemoryArming:
        """Mode "pointer" from here on."""
        self.arming = MemoryArming(self.balancer, self.front_door.pointer, armed)
        return self.arming

    def kill(self, colour: Colour) -> None:
        """This colour answers nothing any more."""
        self.dead.add(colour)
        self.front_door.statuses[colour] = 502

    def revive(self, colour: Colour) -> None:
        """It does again."""
        self.dead.discard(colour)
        self.front_door.statuses[colour] = 200

    async def tell(self, what: str, write: Coroutine[Any, Any, Any]) -> Any:
        """Do a write; whoever follows the story hears of it before and after."""
        try:
            await self.story(f"before {what}")
            result = await write
        finally:
            write.close()
        self.told.append(what)
        await self.story(f"after {what}")
        return result

    def world(self) -> World:
        """The world of a new daemon; sources begin anew, all else is as it was."""
        return World(
            project="olympus",
            services=SERVICES,
            terms=self.terms,
            contracts_after_standby=self.contracts_after_standby,
            connection_budgets=self.connection_budgets,
            releases=self.releases,
            read_release=self.read_release,
            migrates=self.migrates,
            rules=self.rules,
            papers=self.papers,
            variables=self.variables,
            balancer=self.balancer,
            front_door=self.front_door,
            runners=self.runners,
            readiness=self.readiness,
            smoke=(self.smoke,) if self.with_smoke else (),
            sources=(self.users, self.log, Probes(self.front_door, SERVICES, clock=self.clock)),
            databases={"main": self.database} if self.with_databases else {},
            notifiers=tuple(self.notifiers),
            journal=self.journal,
            cards=self.cards,
            clock=self.clock,
            at_boundary=self.at_boundary,
            restores_drift=self.restores_drift,
            keep_deployments=self.keep_deployments,
            shares=self.balancer if self.with_shares else None,
            in_flight=self.in_flight,
            preview=self.preview,
            arming=self.arming,
            pointer_door=self.front_door,
            sites=self.sites,
            continuity=self.continuity,
            after_switch=self.after_switch,
        )

    async def read_release(self, name: str) -> Release:
        """One that was described, else a bare version, or ReleaseInvalid."""
        return self.described.get(name) or await read_release(name)

    def at(self, what: str, action: Callable[[], object]) -> None:
        """When the story comes to `what` ("before journal BACKING_UP"), do this, once. What can be awaited is."""
        if not isinstance(self.story, When):
            self.story = When()
        self.story.at(what, action)

    def change(self, **changes: Any) -> Terms:
        """Plan from now on with these terms changed."""
        self.terms = terms(**changes)
        return self.terms

    def employ(self, *names: str) -> None:
        """From the beginning the stack has live-only parts, and blue runs them."""
        for runner in self.runners.values():
            runner.live_only = names
        self.runners[BLUE].alone = "1.0.0"

    def look_for_twins(self) -> None:
        """Parts that must never run twice do not."""
        if all(runner.alone for runner in self.runners.values()):
            self.broken.append("the live-only parts ran twice")

    def serving(self) -> set[Colour]:
        """The colours that users are on."""
        if any(route.split is not None for route in self.balancer.routes.values()):
            return set(Colour)
        return {colour for name in SERVICES if (colour := self._serving(name))}

    def _answering(self, service: str) -> Colour | None:
        """Who answers a request of our own: where users are shared out, one colour after the other."""
        route = self.balancer.routes.get(service)
        if route is None or route.split is None:
            return self._serving(service)
        self._asked += 1
        return route.split.colour if self._asked % 2 else route.split.colour.other

    def _serving(self, service: str) -> Colour | None:
        return answering(self.balancer.routes.get(service), service, self.dead)


async def read_release(name: str) -> Release:
    """A bare version, or ReleaseInvalid."""
    if not name.startswith("1."):
        raise ReleaseInvalid(f"there is no release {name}", next=("bluegreen history",))
    return Release(name, name=name)


class When:
    """Follows the story and does what a test wants at the first mention of something."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Callable[[], object]]] = []

    def at(self, what: str, action: Callable[[], object]) -> "When":
        """When `what` is told, do this, once."""
        self._waiting.append((what, action))
        return self

    async def __call__(self, what: str) -> None:
        due = [entry for entry in self._waiting if entry[0] == what]
        self._waiting = [entry for entry in self._waiting if entry[0] != what]
        for _, action in due:
            result = action()
            if isinstance(result, Awaitable):
                await result


@dataclass
class Dying:
    """Follows the story and lets the daemon die at one point of it: nothing of what follows is done."""

    point: int
    seen: int = 0
    where: str = ""

    def __post_init__(self) -> None:
        self.dead = asyncio.Event()

    async def __call__(self, what: str) -> None:
        self.seen += 1
        if self.seen == self.point:
            self.where = what
            self.dead.set()
        if self.dead.is_set():
            await asyncio.sleep(1)  # the test ends the daemon at once; only what must not be cut off gets further
            raise JournalUnwritable("the daemon is dead")


class Ended(Exception):
    """The test is over."""


@asynccontextmanager
async def side_by_side(*jobs: tuple[str, Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run jobs as a daemon does, and end them all at the end."""
    try:
        async with asyncio.TaskGroup() as group:
            for name, job in jobs:
                group.create_task(job, name=name)
            yield
            raise Ended
    except* Ended:
        pass
