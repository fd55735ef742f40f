"""The connections of a Postgres server: how many each colour has open, how many are left, and whether two colours side
by side find room."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.traffic import Colour


@dataclass(frozen=True, slots=True)
class Connections:
    """Counts of a whole server. `reserved` of `limit` are kept for superusers and the like, nobody else gets them;
    `open` are those of a colour, known by their application_name (a colour whose name is not configured is not there);
    `others` are all else that is open."""

    limit: int
    reserved: int
    others: int
    open: Mapping[Colour, int] = field(default_factory=dict)

    @property
    def used(self) -> int:
        """All that are open."""
        return self.others + sum(self.open.values())

    @property
    def free(self) -> int:
        """How many more a colour could get now."""
        return max(0, self.limit - self.reserved - self.used)

    def describe(self) -> str:
        """`blue 7, green 5, others 3; 82 of 97 free`."""
        return f"{self.counts}; {self.free} of {self.limit - self.reserved} free"

    @property
    def counts(self) -> str:
        """`blue 7, green 5, others 3`."""
        known = [f"{colour} {self.open[colour]}" for colour in Colour if colour in self.open]
        return ", ".join([*known, f"{'others' if known else 'open'} {self.others}"])


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of the connections when a colour starts beside the live one: `problem` where there is no room, else
    `warning` where there may come to be none; "" otherwise."""

    problem: str = ""
    warning: str = ""


def outlook(now: Connections, colour: Colour, budget: int) -> Outlook:
    """Whether `colour` finds room for the `budget` connections that one colour may open at most. What it has open
    already, it will not open again; what the live colour may still open is counted where its sessions are known."""
    more = max(0, budget - now.open.get(colour, 0))
    if more > now.free:
        free = f"only {now.free} of {now.limit - now.reserved} are free"
        return Outlook(problem=f"{colour} may open {more} more connections, but {free} ({_of(now)})")
    if colour.other not in now.open:
        return Outlook()
    growth = max(0, budget - now.open[colour.other])
    short = more + growth - now.free
    if short <= 0:
        return Outlook()
    return Outlook(
        warning=f"when both colours open all the {budget} connections that they may, {short} are too many ({_of(now)})"
    )


def _of(now: Connections) -> str:
    return f"{now.counts}; max_connections {now.limit}, {now.reserved} of them reserved"
