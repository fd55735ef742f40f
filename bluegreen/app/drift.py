"""Nothing is deployed, and users are not where they should be: told with the difference, and put back where that was
configured, or where the colour they were sent to does not answer.

Nothing is done while people paused it. A route that is gone is only told: there is nothing to write to.
"""

from collections import deque
from dataclasses import replace

from bluegreen.app import generations
from bluegreen.app.engine import Engine
from bluegreen.app.planning import release_on
from bluegreen.app.requests import Drift
from bluegreen.app.restoring import put_back
from bluegreen.app.smoke import require_ready
from bluegreen.domain.drift import Steering, difference
from bluegreen.domain.errors import BalancerError, BluegreenError, JournalFailed
from bluegreen.domain.records import Json, Notice
from bluegreen.domain.traffic import Colour, Traffic

DEAD_AFTER = 2
"""Looks in a row (one a second) in which the colour users were sent to does not answer: they are put back then."""

AGAIN_AFTER = 5.0
"""Seconds after which what failed is tried again."""

OURS_IS_RIGHT = "bluegreen config check"
"""Advised where no route fits ours; what moved while we ran with this configuration is no fault of it."""

AT_MOST, WITHIN = 3, 600.0
"""So many times users are put back within these seconds: somebody who moves them again and again is at work, and each
write costs connections."""


class IdleDrift:
    """Drift while nothing runs. `now` is what there is of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world
        self.now: Drift | None = None
        self._dead = 0
        self._again_at = float("-inf")
        self._put_back: deque[float] = deque(maxlen=AT_MOST)
        self._last = 0
        """The generation last used here: the journal may not have taken it."""
        self._paged: set[str] = set()

    async def compare(self, wanted: Colour, seen: str, traffic: Traffic | None, steps: tuple[str, ...] = ()) -> None:
        """Take in that users are not on `wanted`: tell it once, and put them back where that is due.

        `traffic` None: a route is gone, and `steps` are what the balancer itself advises. Raises JournalFailed.
        """
        if self.now is None or (self.now.wanted, self.now.seen) != (wanted, seen):
            self._paged.clear()
            self._dead = 0
            await self._tell(wanted, seen, traffic, steps)
        doing = await self._act(wanted, traffic)
        if self.now is not None:
            self.now = replace(self.now, doing=doing)

    async def over(self, wanted: Colour) -> None:
        """Take in that users are where they should be."""
        if self.now is not None:
            self.now = None
            await self._engine.news.tell("traffic.as_wanted", wanted=wanted)

    def forget(self) -> None:
        """A deployment decides now where users are."""
        self.now = None

    async def _tell(self, wanted: Colour, seen: str, traffic: Traffic | None, steps: tuple[str, ...]) -> None:
        now = self._world.clock.now()
        steering = await self._steering()
        lines = difference(self._world.services, traffic, wanted, steering) if traffic else ()
        advised = (step for step in steps if step != OURS_IS_RIGHT)
        commands = tuple(dict.fromkeys((*advised, *self._commands(wanted, steering))))
        if traffic is not None and traffic.colour is not None:  # else there is nothing to accept
            commands += ("bluegreen resolve current --reason '...'",)
        self.now = Drift(wanted, seen, now, lines, commands)
        facts: dict[str, Json] = {"wanted": wanted, "difference": list(lines), "next": list(self.now.next)}
        await self._engine.news.tell("traffic.drifted", seen=seen, severity="warning", **facts)
        text = f"{self._world.project}: traffic was moved outside bluegreen: wanted {wanted}, "
        text += f"{self._world.balancer_name} says {seen}"
        text += "".join(f"\n{line}" for line in lines) + f"\nNext: {self.now.next[0]}"
        await self._post("traffic.drifted", "warning", text, facts)

    async def _steering(self) -> Steering | None:
        """How users are steered in mode "pointer"; None in any other, and where it cannot be told now."""
        arming = self._world.arming
        try:
            return Steering(arming.file, await arming.pointed(), await arming.arms()) if arming is not None else None
        except BalancerError:
            return None

    async def by_hand(self, wanted: Colour) -> tuple[str, ...]:
        """What people type to move users there themselves."""
        return self._commands(wanted, await self._steering())

    def _commands(self, wanted: Colour, steering: Steering | None) -> tuple[str, ...]:
        """How to put it back."""
        if steering is not None and steering.followed:
            return (f"echo {wanted} > {steering.file}",)
        try:
            kept = self._world.balancer.persisted()
        except BalancerError:
            kept = None
        dials = "; ".join(f"{s.name} to {' '.join(s.addresses[wanted])}" for s in self._world.services.values())
        if self._world.balancer_name == "Traefik":  # it follows its file: a restart would change nothing
            return (f"put the addresses of {wanted} into [traefik] file: {dials}", "bluegreen config docs traefik.file")
        if self._world.balancer_name != "Caddy":
            return (self._world.by_hand,)
        first = () if kept is wanted else (f"put the addresses of {wanted} into the Caddyfile: {dials}; then:",)
        return (*first, "systemctl reload caddy")

    async def _act(self, wanted: Colour, traffic: Traffic | None) -> str:
        """Put users back where that is due; returns in words what is done."""
        if traffic is None:
            return "a route is gone: put it back by hand"
        hurt = await self._are_hurt(wanted, traffic)
        if not (hurt or self._world.restores_drift):
            return "it is left to you"
        where = "to a colour that does not answer" if hurt else f"from {wanted}"
        if self._world.observes:
            return await self._would_restore(wanted, where)
        if self._engine.pause.active():
            if hurt:
                await self._page("drift-held", f"traffic was moved {where}, and it stays: {self._engine.pause.reason}")
            return f"it is not put back: {self._engine.pause.reason}"
        return await self._restore(wanted, traffic, where)

    async def _would_restore(self, wanted: Colour, where: str) -> str:
        """Nothing is done: say once what would be."""
        text = f"would have put users back on {wanted}, since they were moved {where}"
        if text not in self._paged:
            self._paged.add(text)
            await self._engine.news.tell("observe.drifted", wanted=wanted, said=text, severity="warning")
        return f'nothing, automation is "observe": it {text}'

    async def _are_hurt(self, wanted: Colour, traffic: Traffic) -> bool:
        """Whether a service's users are on a colour that is not ready there, look after look."""
        strayed = {each.service: each.colour for each in traffic.services if each.colour not in (None, wanted)}
        answers = []
        for readiness in self._world.readiness:
            colour = strayed.get(readiness.service)
            if colour is not None:
                answers.append(await readiness.check(self._world.target(colour, "")))
        self._dead = 0 if all(answer.passed for answer in answers) else self._dead + 1
        return self._dead >= DEAD_AFTER

    async def _restore(self, wanted: Colour, traffic: Traffic, where: str) -> str:
        now = self._world.clock.monotonic()
        if now < self._again_at or self._engine.lock.locked():
            return self.now.doing if self.now else ""
        if len(self._put_back) == AT_MOST and now - self._put_back[0] < WITHIN:
            text = f"traffic was put back on {wanted} {AT_MOST} times, and somebody moves it again and again"
            await self._page("drift-again", f"{text}: bluegreen leaves it for now")
            return f"{text}: left to you for now"
        self._again_at = now + AGAIN_AFTER
        try:
            await require_ready(self._world, self._world.target(wanted, await release_on(self._world, wanted)))
            written = await self._write(wanted, traffic)
        except BluegreenError as exc:
            await self._failed(wanted, where, exc)
            return f"it should be put back on {wanted}, and cannot: {exc.detail}"
        return f"put back on {wanted}" if written else ""

    async def _write(self, wanted: Colour, traffic: Traffic) -> bool:
        """False where nothing was written, since somebody said otherwise meanwhile."""
        engine, world = self._engine, self._world
        async with engine.lock:
            if not await self._is_still_due(wanted):
                return False
            self._put_back.append(world.clock.monotonic())
            generation = await self._generation(traffic)
            await put_back(world, wanted, generation)
            engine.watch.moved(wanted)
            lagging = await self._persist(wanted)
            await self._remember(generation)
        await engine.news.tell("traffic.restored", to=wanted, generation=generation, severity="warning")
        text = f"{world.project}: traffic was moved outside bluegreen, and is back on {wanted}, proved{lagging}"
        await self._post("traffic.restored", "warning", text, {"wanted": wanted})
        return True

    async def _is_still_due(self, wanted: Colour) -> bool:
        """Asked under the lock: to look whether it is ready took a while."""
        if self._engine.run is not None or self._engine.pause.active():
            return False
        return bool(await self._world.journal.fact("wanted", "colour") == wanted)

    async def _persist(self, wanted: Colour) -> str:
        """Bring the snippets along; in words where they lag, since users are back all the same."""
        try:
            await self._world.balancer.persist(wanted)
        except BluegreenError as exc:
            return f"; but the snippet files still name the other colour: {exc.detail}"
        return ""

    async def _generation(self, traffic: Traffic) -> int:
        seen = max(self._last, traffic.highest_generation)
        self._last = await generations.take_anyway(self._world, self._engine.news, seen)
        return self._last

    async def _remember(self, generation: int) -> None:
        try:
            await generations.proved(self._world, generation)
        except JournalFailed as exc:
            self._engine.news.failed(exc)

    async def _failed(self, wanted: Colour, where: str, exc: BluegreenError) -> None:
        if exc.detail not in self._paged:
            self._paged.add(exc.detail)
            await self._engine.news.tell("traffic.not_restored", to=wanted, reason=exc.detail, severity="critical")
        await self._page("drift-held", f"traffic was moved {where}, and cannot be put back on {wanted}: {exc.detail}")

    async def _page(self, event: str, text: str) -> None:
        if event in self._paged:
            return
        self._paged.add(event)
        commands: tuple[str, ...] = self.now.next if self.now else ()
        await self._post(event, "critical", f"{self._world.project}: {text}", {"next": list(commands)})
        await self._engine.news.tell("human.paged", text=text, severity="critical")

    async def _post(self, event: str, severity: str, text: str, facts: dict[str, Json]) -> None:
        now = self._world.clock.now()
        notice = Notice(f"{event}:{now.isoformat()}", event, severity, self._world.redact(text), now, facts=facts)
        await self._engine.outbox.post(notice)
