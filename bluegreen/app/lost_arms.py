"""Mode "pointer", nothing runs, and the arms of a service are gone: `caddy reload` with a Caddyfile without our lines.

Users are where they should be, but no switch would move them. Told, or put up again where `on_drift` says so; never
after an operator disarmed. A route that went to another colour with it is drift (drift.py).
"""

import asyncio
from collections import deque
from contextlib import suppress

from bluegreen.app.engine import Engine
from bluegreen.app.pointer import DISARMED, verify_pointer
from bluegreen.domain.drift import Steering, difference
from bluegreen.domain.errors import BalancerError, BluegreenError, StepFailed
from bluegreen.domain.records import Json, Notice
from bluegreen.domain.traffic import Colour, Traffic

AGAIN_AFTER = 5.0
"""Seconds after which what failed is tried again."""

PATIENCE = 1.0
"""Seconds for one look: an admin endpoint that hangs must not keep us from seeing where users go."""

LOOK_EVERY = 30.0
"""Seconds between two looks at arms that nothing speaks against."""

AT_MOST, WITHIN = 3, 600.0
"""So many times they are put up again within these seconds: each time is a load of Caddy's configuration, and somebody
who takes them away again and again is at work."""

NEXT = ("bluegreen caddy arm", "bluegreen caddy snippet")


class LostArms:
    """Looks after the arms while nothing runs. `trouble` says in words that they are gone; empty where they are not."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._world = engine, engine.world
        self.trouble = ""
        self._again_at = self._look_at = float("-inf")
        self._put_up: deque[float] = deque(maxlen=AT_MOST)
        self._told = ""

    async def look(self, traffic: Traffic, wanted: Colour) -> bool:
        """Take in what serves `wanted`. True: arms are gone, and nothing else is to be written. Raises JournalFailed.

        A missing stamp makes it ask further at once, since those that follow the file carry the file's own. Stamped
        routes, as a way back past a file that cannot be written leaves them, are asked after now and then.
        """
        arming, now = self._world.arming, self._world.clock.monotonic()
        if arming is None or (traffic.generation is not None and now < self._look_at):
            return False
        self._look_at = now + LOOK_EVERY
        try:
            async with asyncio.timeout(PATIENCE):
                steering = Steering(arming.file, await arming.pointed(), await arming.arms())
        except (BalancerError, TimeoutError):
            return True  # nothing is known of them, and a stamp would put up what somebody took away: the next look
        if not steering.lost:
            self.back()
            return False
        if await self._world.journal.fact(*DISARMED):
            self.back()
            return True
        self._look_at = now + AGAIN_AFTER
        if not self.trouble:
            await self._tell(traffic, wanted, steering)
        if self._world.restores_drift and not self._engine.pause.active() and not self._world.observes:
            await self._put_up_again(wanted, all_gone=len(steering.lost) == len(steering.arms))
        return True

    def back(self) -> None:
        """Take in that nothing is missing."""
        self.trouble = self._told = ""

    async def _tell(self, traffic: Traffic, wanted: Colour, steering: Steering) -> None:
        names = ", ".join(each.service for each in steering.lost)
        self.trouble = f"arms-lost: {names}: the arms are gone, no switch would move users ({NEXT[0]})"
        lines = difference(self._world.services, traffic, wanted, steering)
        facts: dict[str, Json] = {"difference": list(lines), "next": list(NEXT)}
        await self._engine.news.tell("caddy.arms_lost", wanted=wanted, severity="warning", **facts)
        text = "".join(f"\n{line}" for line in lines)
        text = f"the arms are gone; users stay on {wanted}{text}\nNext: {NEXT[0]}"
        await self._post("caddy.arms_lost", "warning", text, facts)

    async def _put_up_again(self, wanted: Colour, *, all_gone: bool) -> None:
        now, engine = self._world.clock.monotonic(), self._engine
        often = len(self._put_up) == AT_MOST and now - self._put_up[0] < WITHIN
        if now < self._again_at or often or engine.lock.locked():
            return
        self._again_at = now + AGAIN_AFTER
        try:
            async with engine.lock:
                if engine.run is not None or engine.by_hand:
                    return
                self._put_up.append(now)
                await self._arm(all_gone=all_gone)
        except BluegreenError as exc:
            self._again_at = self._world.clock.monotonic() + AGAIN_AFTER
            if exc.detail != self._told:
                self._told = exc.detail
                await engine.news.tell("caddy.not_armed", reason=exc.detail, severity="warning")
            return
        self.back()
        await engine.news.tell("caddy.armed", by="the daemon", colour=wanted, severity="warning")
        await self._post("caddy.armed", "warning", "the arms were gone, and they are up again", {})

    async def _arm(self, *, all_gone: bool) -> None:
        """What is not proved is taken back, but for arms that stood before."""
        arming = self._world.arming
        if arming is None:
            return
        await arming.arm()
        problems = await verify_pointer(self._world)
        if problems:
            if all_gone:
                with suppress(BalancerError):  # then they stand, and PREPARING asks them again
                    await arming.disarm()
            raise StepFailed("; ".join(problem.detail for problem in problems), next=problems[0].next)

    async def _post(self, event: str, severity: str, text: str, facts: dict[str, Json]) -> None:
        now = self._world.clock.now()
        words = self._world.redact(f"{self._world.project}: {text}")
        await self._engine.outbox.post(Notice(f"{event}:{now.isoformat()}", event, severity, words, now, facts=facts))
