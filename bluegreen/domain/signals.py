"""What the sources of signals report: counts, measurements and gauges, in batches, attributed to a colour."""

from dataclasses import dataclass

from bluegreen.domain.traffic import Colour

CLIENT_BUCKETS = 8
"""Clients are told apart by the bucket that their hash falls into, so that memory does not grow with them."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who asked: `asked` is the number of events of each bucket of clients (CLIENT_BUCKETS numbers, together n), and
    `failed` the hash of the client of each bad event, in order (its bucket is the hash modulo CLIENT_BUCKETS)."""

    asked: tuple[int, ...]
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What of a count belongs to one route of one service. `line` is the first bad line of them, for people: nothing
    in it is secret."""

    service: str
    route: str
    n: int
    bad: int
    line: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """`bad` of `n` events of one signal. `colour` None: whoever was live from `since` (monotonic seconds, when
    the first of them began) until now; it is dropped where traffic moved in between.

    `who` None: nobody knows which client asked. `version`: what the answer says it is, "" where it does not say.
    `begun`: when the requests began (seconds since 1970), of those of which it is known and that were no streams.
    """

    source: str
    signal: str
    colour: Colour | None
    n: int
    bad: int
    key: str = ""
    since: float | None = None
    who: Who | None = None
    parts: tuple[Part, ...] = ()
    version: str = ""
    begun: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """Values whose badness is judged against what the live colour showed before (seconds, for "slow"). `key` is the
    service; `clients` (hashes) and `routes` belong to the values one by one, empty where nobody knows them."""

    source: str
    signal: str
    colour: Colour
    key: str
    values: tuple[float, ...]
    clients: tuple[int, ...] = ()
    routes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gauged:
    """One sample of a gauge: a value that is judged against the range that the live colour showed, or against fixed
    limits. `colour` None and `since` as with Counted: for what belongs to whoever serves."""

    source: str
    signal: str
    colour: Colour | None
    value: float
    since: float | None = None


Batch = Counted | Measured | Gauged


@dataclass(frozen=True, slots=True)
class Overheard:
    """What was read of a colour's own log since the last time, beside what is judged: how many lines, how many of them
    matched a pattern, how many warn of what is deprecated, and the first of those (printable, nothing in it is secret).
    """

    colour: Colour
    lines: int
    matched: int
    deprecations: int = 0
    first: str = ""
