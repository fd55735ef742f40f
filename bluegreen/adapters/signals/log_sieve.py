"""Which lines of a log match which patterns, within a budget of processor time.

Python's regular expressions backtrack, and hold the interpreter while they do: on `(a+)+$` and forty letters, for
hours. But sre looks for signals while it matches (every 4,096 steps), so that a timer's handler that raises breaks off
a match that has lost its way. Signals belong to a whole process, therefore this runs in one of its own (log_reader.py).
"""

import re
import signal
from types import FrameType

from bluegreen.adapters.signals.log_book import Found

BUDGET = 0.1
"""Seconds of our processor time for looking for one pattern in what was read at once: 64 KiB of usual lines take
0.001 s."""

PAUSE = 10.0
"""Seconds for which a pattern that used its budget up is not looked for: it costs 1 % of a core at most."""


class _Slow(Exception):
    """The budget is used up."""


class Sieve:
    """Looks for patterns: {name: (pattern, what excuses a line or None)}."""

    def __init__(self, patterns: dict[str, tuple[str, str | None]]) -> None:
        self._patterns = {
            name: (re.compile(pattern).search, re.compile(excuse).search if excuse else None)
            for name, (pattern, excuse) in patterns.items()
        }
        self._until: dict[str, float] = {}
        self._length = 0
        self._armed = False

    def arm(self) -> None:
        """Let the timer break matches off; without it they take as long as they take. Only for the main thread of a
        program that uses SIGVTALRM for nothing else."""
        signal.signal(signal.SIGVTALRM, self._broken_off)

    @property
    def paused(self) -> set[str]:
        """Patterns that are not looked for now."""
        return set(self._until)

    def sift(self, lines: list[bytes], now: float) -> tuple[Found, dict[str, int]]:
        """What was found in these lines; and the patterns that were too slow just now, with the length of the line in
        characters. What is not UTF-8 is replaced."""
        self._until = {name: until for name, until in self._until.items() if until > now}
        texts = [line.decode(errors="replace") for line in lines]
        found: Found = {}
        slow: dict[str, int] = {}
        for name in self._patterns.keys() - self._until.keys():
            try:
                self._look(name, texts, found)
            except _Slow:
                self._until[name] = now + PAUSE
                slow[name] = self._length
        return found, slow

    def _look(self, name: str, texts: list[str], found: Found) -> None:
        search, excuse = self._patterns[name]
        self._armed = True
        signal.setitimer(signal.ITIMER_VIRTUAL, BUDGET)
        try:
            for text in texts:
                self._length = len(text)
                if search(text) and not (excuse and excuse(text)):
                    number, first = found.get(name, (0, text))
                    found[name] = number + 1, first
        finally:
            self._armed = False  # before anything else: what fires from now on is too late
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    def _broken_off(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            raise _Slow
