"""What a colour says in its own log, judged by patterns: a release that answers 200 and fills its log with errors.

The event is a second, not a line: each second in which a colour's log was followed is one of n, and bad when one of
its lines matched. How much is written changes with every release; how many seconds there are does not. A quiet log is
good, as long as what follows it lives. A log that cannot be followed is nobody's good or bad second: it is an error,
told with the last words of `follow`, once it has lasted.

Both colours are followed always, so that the colour that serves has a history and the new one is heard from its start.
What a release warns of as deprecated is counted beside that and judged by nobody.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from bluegreen.adapters.signals.log_book import NOTED, quoted
from bluegreen.adapters.signals.log_follow import Follow, Following, LogEnded, Message
from bluegreen.adapters.signals.log_sieve import BUDGET, PAUSE
from bluegreen.domain.errors import SignalFailed
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted, Overheard, Part
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Clock
from bluegreen.processes import CommandFailed

log = structlog.get_logger("bluegreen")

SOURCE = "log_lines"

PREFIX = "log:"
"""A signal is called by this and the name of its pattern."""

TRIAL_RUN = 1.5
"""Seconds for which `check` lets a `follow` run: one that cannot work has mostly ended by then."""

SLOW_FOR = 60.0
"""Seconds for which it is told that a pattern was too slow."""


class LogLines:
    """The SignalSource port on the logs of both colours. `patterns`: {name: (pattern, what excuses a line or None)};
    `deprecated`: the pattern of what is counted and not judged, "" for none."""

    def __init__(
        self,
        follows: Mapping[Colour, Follow],
        patterns: Mapping[str, tuple[str, str | None]],
        *,
        clock: Clock,
        deprecated: str = "",
        patience: float = 10.0,
        redact: Callable[[str], str] = str,
        overheard: Callable[[Overheard], None] = lambda _: None,
    ) -> None:
        """`patience`: seconds for which a log may be lost before it is a problem; `redact` blanks out secrets in a
        line; `overheard` is told how much was read."""
        self._redact = redact
        noted = {NOTED: (deprecated, None)} if deprecated else {}
        self._following = {
            colour: Following(colour, follow, {**patterns, **noted}, self._shown) for colour, follow in follows.items()
        }
        self._clock = clock
        self._patience = patience
        self._overheard = overheard
        self._attended: frozenset[Colour] = frozenset()
        self._slow: dict[str, tuple[float, str]] = {}
        self._behind = 0.0

    @property
    def name(self) -> str:
        """`log_lines`."""
        return SOURCE

    @property
    def heard_at(self) -> float | None:
        """When the log of a colour that matters was last known to be followed: of the one that is heard worst."""
        heard = [following.heard_at for following in self._heeded]
        return None if None in heard else min((at for at in heard if at is not None), default=None)

    @property
    def caught_up_at(self) -> float | None:
        """As `heard_at`; now, where no log is followed that could hold anything."""
        alive = [following for following in self._heeded if following.began_at is not None]
        return min((at for each in alive if (at := each.heard_at) is not None), default=self._clock.monotonic())

    @property
    def behind(self) -> float:
        """Seconds between a second's end and our hearing of it; what `follow` holds back is not known."""
        return self._behind

    @property
    def problem(self) -> str:
        """Which log that matters has been lost for longer than the patience, and why; or which pattern is too slow."""
        now = self._clock.monotonic()
        lost = [
            f"the log of {each.colour} is not followed: {each.words}"
            for each in self._heeded
            if each.words and each.lost_at is not None and now - each.lost_at > self._patience
        ]
        slow = [words for at, words in self._slow.values() if now - at < SLOW_FOR]
        return "; ".join(lost + slow)

    def attend(self, colours: frozenset[Colour]) -> None:
        """Trouble with another colour than these is nobody's problem."""
        self._attended = colours

    def again(self, colour: Colour) -> None:
        """That colour was started: a `follow` that waits to be begun again is begun now."""
        if colour in self._following:
            self._following[colour].again()

    async def check(self) -> None:
        """Follow each colour that matters for a moment, where it is not followed already. Raises SignalFailed with the
        last words of `follow`. Where nobody said which colour matters, one of them must be heard."""
        heeded = [each for each in self._heeded if each.began_at is None]
        words = await asyncio.gather(*[_tried(each) for each in heeded])
        failed = [f"{each.colour}: {self._shown(why)}" for each, why in zip(heeded, words, strict=True) if why]
        if failed and (self._attended or len(failed) == len(self._following)):
            raise SignalFailed(
                f"a log cannot be followed; {'; '.join(failed)}",
                next=tuple(f"correct `follow` in [environments.{each.colour}]" for each in heeded),
                source=SOURCE,
            )

    def position(self) -> Json:
        """None: what was written while nobody followed is not read later."""
        return None

    def resume(self, position: Json) -> bool:
        """True: seconds in which nobody followed are no events, and none is missing."""
        return True

    async def run(self, report: Callable[[Batch], None]) -> None:
        """Follow every log and report its seconds, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for colour, following in self._following.items():
                group.create_task(following.run(partial(self._take, colour, report)), name=f"log_lines:{colour}")

    @property
    def _heeded(self) -> list[Following]:
        return [each for colour, each in self._following.items() if colour in self._attended or not self._attended]

    def _shown(self, text: str) -> str:
        return quoted(self._redact(text))

    def _take(self, colour: Colour, report: Callable[[Batch], None], message: Message) -> None:
        for name, length in message.get("slow", {}).items():
            self._too_slow(name, length)
        if "at" not in message:
            return
        self._behind = max(0.0, self._clock.monotonic() - message["at"])
        for name, (n, bad, line) in message["counts"].items():
            parts = (Part("", "", n, bad, self._shown(line)),) if bad else ()
            report(Counted(SOURCE, f"{PREFIX}{name}", colour, n, bad, parts=parts))
        if message["lines"]:
            first = self._shown(message["line"])
            self._overheard(Overheard(colour, message["lines"], message["matched"], message["noted"], first))

    def _too_slow(self, name: str, length: int) -> None:
        """What is only noted is nobody's problem: it decides nothing."""
        words = _too_slow(name, length)
        log.warning("pattern.broken_off", reason=words)
        if name != NOTED:
            self._slow[name] = self._clock.monotonic(), words


async def _tried(following: Following) -> str:
    """Why a log cannot be followed; empty where it can."""
    try:
        async with asyncio.timeout(TRIAL_RUN):
            await following.once({}, lambda _: None)
    except TimeoutError:
        pass
    except (LogEnded, CommandFailed) as exc:
        return str(exc)
    return ""


def _too_slow(name: str, length: int) -> str:
    whose = f"[[watch.log_lines]] {name}" if name != NOTED else "[watch] deprecations"
    return (
        f"the pattern of {whose} took more than {BUDGET:g} s on a line of {length} characters and rests for"
        f" {PAUSE:g} s: write it without repetitions inside of repetitions"
    )
