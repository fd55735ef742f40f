"""The lines of a log, cut and bounded, and what is to be said of each second of it. Pure.

A second is the event, not a line: how much a colour writes changes with every release and with its users, and a share
of lines would change with it. A second in which a line matched is bad; all others in which we listened are good, also
the quiet ones.
"""

SECOND = 1.0
"""One event."""

LONGEST = 4096
"""Bytes of a line that are looked at; the rest of it is dropped."""

QUOTED = 300
"""Characters of a line that people are shown."""

NOTED = ""
"""The name of the pattern that is counted and never judged: no signal is called so."""

Found = dict[str, tuple[int, str]]
"""By pattern: how many lines matched, and the first that did."""


class Lines:
    """Cuts what was read into lines. One without an end is given out once it stood still for a second."""

    def __init__(self) -> None:
        self._rest = b""
        self._stood = b""
        self._dropping = False

    def take(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, each LONGEST bytes at most."""
        *whole, rest = (self._rest + data).split(b"\n")
        if whole and self._dropping:
            whole, self._dropping = whole[1:], False
        if self._dropping:
            rest = b""
        elif len(rest) >= LONGEST:
            whole, rest, self._dropping = [*whole, rest], b"", True
        self._rest = rest
        return [line[:LONGEST].removesuffix(b"\r") for line in whole]

    def stale(self) -> list[bytes]:
        """A line that was begun before the last call of this and not gone on with since; what follows of it later is
        dropped."""
        stood, self._stood = self._stood, self._rest
        if not stood or stood != self._rest:
            return []
        self._rest, self._stood, self._dropping = b"", b"", True
        return [stood]


class Book:
    """What is to be said of the seconds of one log, by pattern.

    Lines are told as they were written. A bad second is told at once, a good one when it is over. The first second is
    told when it is over in either case: a `follow` that ends at once says why, and those words are not the colour's.
    """

    def __init__(self, names: list[str], now: float) -> None:
        self._names = [name for name in names if name != NOTED]
        self._begun = now
        self._first = True
        self._told: set[str] = set()
        self._unlooked: set[str] = set()
        self._lines = self._matched = self._noted = 0
        self._line = ""
        self._bad: dict[str, str] = {}

    @property
    def ends(self) -> float:
        """When this second is over (monotonic)."""
        return self._begun + SECOND

    def enter(self, lines: int, found: Found, paused: set[str]) -> None:
        """Take in what was read. `paused`: patterns that were not looked for; their second does not count."""
        self._lines += lines
        self._unlooked |= paused
        for name, (number, line) in found.items():
            if name == NOTED:
                self._noted, self._line = self._noted + number, self._line or line
            else:
                self._matched += number
                if name not in self._told:
                    self._bad.setdefault(name, line)

    def due(self, now: float) -> bool:
        """Whether there is something to say."""
        return now >= self.ends or (bool(self._bad) and not self._first)

    def tell(self, now: float) -> dict[str, object]:
        """What is to be said, once. A second that we slept through was nobody's: when its lines came is not known."""
        over, slept = now >= self.ends, now >= self.ends + SECOND
        counts = {} if slept else {name: (1, 1, line) for name, line in self._bad.items()}
        if over and not slept:
            passed = self._told | self._unlooked | counts.keys()
            counts |= {name: (1, 0, "") for name in self._names if name not in passed}
        told: dict[str, object] = {
            "at": now,
            "lines": self._lines,
            "matched": self._matched,
            "counts": counts,
            "noted": self._noted,
            "line": self._line,
        }
        self._told |= counts.keys()
        self._clear()
        if over:
            self._first, self._told, self._unlooked = False, set(), set()
            self._begun = now if slept else self.ends
        return told

    def _clear(self) -> None:
        self._lines = self._matched = self._noted = 0
        self._line = ""
        self._bad = {}


def quoted(line: str) -> str:
    """A line for people: shortened, and with its control characters written out. Secrets are blanked out before, or the
    cut might leave half of one."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line.strip()[:QUOTED])
