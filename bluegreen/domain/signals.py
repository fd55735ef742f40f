"""What the sources of signals report: counts and measurements, in batches, attributed to a colour."""

from dataclasses import dataclass

from bluegreen.domain.traffic import Colour


@dataclass(frozen=True, slots=True)
class Counted:
    """`bad` of `n` events of one signal. `colour` None: whoever was live from `since` (monotonic seconds, when
    the first of them began) until now; it is dropped where traffic moved in between."""

    source: str
    signal: str
    colour: Colour | None
    n: int
    bad: int
    key: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Values whose badness is judged against what the live colour showed before (seconds, for "slow")."""

    source: str
    signal: str
    colour: Colour
    key: str
    values: tuple[float, ...]


Batch = Counted | Measured
