"""Which verb does what in which state: the table of RESILIENCE.md as data, one row a state, one column a verb.

Asked of the app (tests/app/test_verbs.py), and of the API and the command line (tests/interfaces/test_everywhere.py).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.app.boundaries import Boundary
from bluegreen.app.requests import AlertEffect
from bluegreen.domain.phases import Phase
from tests.app.outside import Outside
from tests.domain.examples import BLUE, GREEN

P = Phase
Hold = tuple[Phase, Boundary]


@dataclass(frozen=True)
class Refused:
    """The verb is refused; one of the commands that are offered instead contains `instead`."""

    instead: str = ""


@dataclass(frozen=True)
class Ends:
    """The verb is taken, and the deployment ends so."""

    phase: Phase
    moved: bool = False


@dataclass(frozen=True)
class Supersedes:
    """The verb is taken: the deployment that runs ends so, then another starts."""

    phase: Phase


@dataclass(frozen=True)
class Holds:
    """The verb is taken, and what runs is not touched by it."""


TAKES_EFFECT, RECORDED = AlertEffect.CUTBACK, AlertEffect.RECORDED
Cell = Refused | Ends | Supersedes | Holds | AlertEffect
GIVES_UP, NOT_MOVED, GOES_BACK = Ends(P.ABANDONED), Ends(P.REVERTED), Ends(P.REVERTED, moved=True)
GOES_LIVE, NO, ALWAYS = Ends(P.LIVE, moved=True), Refused(), Holds()
FIRST_GIVEN_UP, FIRST_LIVE = Supersedes(P.ABANDONED), Supersedes(P.LIVE)


@dataclass(frozen=True)
class State:
    """What a daemon is brought into, and what each verb does there.

    `hold`: the moment at which the deployment is kept; None: it has ended, if there was one. `settled`: a person has
    settled it. `promote_full` None: as `promote`; `supersede` None: as `deploy`.
    """

    id: str
    prepare: Callable[[Outside], object]
    hold: Hold | None
    promote: Cell
    abort: Cell
    cutback: Cell
    alert: Cell
    deploy: Cell = NO
    rollback: Cell = NO
    retry: Cell = NO
    resolve: Cell = NO
    promote_full: Cell | None = None
    supersede: Cell | None = None
    pause: Cell = ALWAYS
    resume: Cell = ALWAYS
    deployed: bool = True
    settled: bool = False

    def cell(self, verb: str) -> Cell:
        """What a verb does here."""
        if verb in BY_HAND:
            inspected = verb == "migrate_contract" and ("REVERTED" in self.id or self.settled)
            free = self.hold is None and (self.settled or self.id != "STRANDED")
            return (Refused("env down") if inspected else ALWAYS) if free else NO
        same = {"promote_full": self.promote, "supersede": self.deploy}
        cell: Cell | None = getattr(self, verb)
        return cell if cell is not None else same[verb]


VERBS = ("promote", "promote_full", "abort", "cutback", "alert", "deploy", "supersede", "rollback", "retry", "resolve",
         "pause", "resume")  # fmt: skip


BY_HAND = ("migrate_up", "migrate_contract")
"""Verbs that are taken only while nothing runs and nothing is STRANDED."""


def as_it_is(outside: Outside) -> None:
    """All is well."""


def manual(outside: Outside) -> None:
    """Somebody has to promote."""
    outside.change(auto_promote=False)


def smoke_fails(outside: Outside) -> None:
    """The new release fails its checks."""
    outside.smoke.failures[GREEN] = "login: HTTP 500"


def expand_fails(outside: Outside) -> None:
    """The expand migration fails."""
    outside.database.add("0001_a")
    outside.database.failing["0001_a"] = "syntax error"


def gets_worse(outside: Outside) -> None:
    """Users of the new release are not served."""
    outside.at("after journal WATCHING", lambda: outside.users.failing.update({GREEN: 1.0}))


def strands(outside: Outside) -> None:
    """It gets worse, and the old colour does not answer when users are back."""
    gets_worse(outside)
    outside.at("after journal REVERTING", lambda: outside.front_door.statuses.update({BLUE: None}))


def heal(outside: Outside) -> None:
    """What was broken is whole again."""
    outside.users.failing.clear()
    outside.front_door.statuses = dict.fromkeys(outside.front_door.statuses, 200)
    outside.smoke.failures.clear()


def begins(phase: Phase) -> Hold:
    """Nothing of a phase has begun."""
    return phase, Boundary.BEFORE_INTENT


EARLY = (P.PREPARING, P.BACKING_UP, P.REHEARSING, P.EXPANDING, P.PROVING, P.STARTING, P.TESTING)
STATES = [
    *(State(str(phase), as_it_is, begins(phase), NO, GIVES_UP, GIVES_UP, RECORDED, supersede=FIRST_GIVEN_UP)
      for phase in EARLY),
    State("AWAITING", manual, begins(P.AWAITING), GOES_LIVE, GIVES_UP, GIVES_UP, RECORDED, supersede=FIRST_GIVEN_UP),
    State("CANARYING", as_it_is, begins(P.CANARYING), GOES_LIVE, NOT_MOVED, NOT_MOVED, RECORDED),
    State("SWITCHING, not written", as_it_is, begins(P.SWITCHING), GOES_LIVE, NOT_MOVED, NOT_MOVED, RECORDED),
    State("SWITCHING, written", as_it_is, (P.SWITCHING, Boundary.AFTER_ACTION), GOES_LIVE, GOES_BACK, GOES_BACK,
          TAKES_EFFECT),
    State("WATCHING", as_it_is, begins(P.WATCHING), GOES_LIVE, GOES_BACK, GOES_BACK, TAKES_EFFECT,
          rollback=Refused("cutback")),
    State("STANDING_BY", as_it_is, begins(P.STANDING_BY), GOES_LIVE, GOES_BACK, GOES_BACK, TAKES_EFFECT,
          rollback=Refused("cutback"), supersede=FIRST_LIVE),
    State("RETIRING, nothing stopped", as_it_is, begins(P.RETIRING), GOES_LIVE, GOES_BACK, GOES_BACK, RECORDED),
    State("RETIRING, being stopped", as_it_is, (P.RETIRING, Boundary.AFTER_INTENT), GOES_LIVE, Refused("rollback"),
          Refused("rollback"), RECORDED),
    State("CONTRACTING", as_it_is, begins(P.CONTRACTING), GOES_LIVE, GOES_LIVE, Refused("rollback"), RECORDED),
    State("ASSESSING", expand_fails, begins(P.ASSESSING), NO, GIVES_UP, GIVES_UP, RECORDED),
    State("ABANDONING", smoke_fails, begins(P.ABANDONING), NO, GIVES_UP, GIVES_UP, RECORDED),
    State("REVERTING", gets_worse, begins(P.REVERTING), NO, GOES_BACK, GOES_BACK, RECORDED),
    State("idle, nothing ever deployed", as_it_is, None, NO, NO, NO, RECORDED, deploy=GOES_LIVE, deployed=False),
    State("idle, LIVE", as_it_is, None, NO, Refused("rollback"), Refused("rollback"), RECORDED, deploy=GOES_LIVE,
          rollback=GOES_LIVE, retry=Refused("rollback")),
    State("idle, ABANDONED", smoke_fails, None, NO, Refused("retry"), Refused("status"), RECORDED, deploy=GOES_LIVE,
          retry=GOES_LIVE),
    State("idle, REVERTED", gets_worse, None, NO, NO, Refused("status"), RECORDED, deploy=Refused("--force"),
          retry=Refused("deploy 1.1.0 --force --reason")),
    State("STRANDED", strands, None, NO, Refused("retry"), GOES_BACK, RECORDED, deploy=Refused("resolve"),
          rollback=Refused("retry"), retry=GOES_BACK, resolve=Ends(P.STRANDED, moved=True)),
    State("STRANDED and settled", strands, None, NO, NO, NO, RECORDED, deploy=GOES_LIVE, settled=True),
]  # fmt: skip


def held(state: State, verb: str) -> bool:
    """True where a verb has nothing to do in a state, since what it asks for is so or is under way."""
    nothing = {
        "promote": ("CANARYING", "SWITCHING", "WATCHING", "STANDING_BY", "RETIRING", "CONTRACTING"),
        "promote_full": ("SWITCHING", "RETIRING, being stopped", "CONTRACTING"),
    }
    return not {state.id, state.id.split(",")[0]}.isdisjoint(nothing.get(verb, ()))


class Keeper:
    """Keeps a deployment at one moment: World.at_boundary of a test."""

    def __init__(self, hold: Hold | None) -> None:
        self._hold = hold
        self.there, self.free = asyncio.Event(), asyncio.Event()

    async def __call__(self, phase: Phase, boundary: Boundary) -> None:
        """Stay here until `free` is set, where this is the moment."""
        if (phase, boundary) == self._hold:
            self.there.set()
            await self.free.wait()
