"""Everything outside that the story needs, in one hand: built by wiring, passed to every step."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bluegreen.app.boundaries import AtBoundary, pass_on
from bluegreen.app.filling import Filling
from bluegreen.app.overhearing import Overhearing
from bluegreen.app.room import Room
from bluegreen.app.turns import Turn
from bluegreen.domain.checks import Target
from bluegreen.domain.pins import ReleaseRules
from bluegreen.domain.plans import Release, Terms
from bluegreen.domain.running import Running
from bluegreen.domain.traffic import Colour, Service, Traffic
from bluegreen.ports import Cards, Checker, Clock, Journal, Notifier, Readiness, Runner, SignalSource
from bluegreen.ports_database import Database
from bluegreen.ports_stack import Continuity, ReleasePapers, Variables
from bluegreen.ports_traffic import Arming, Balancer, FrontDoor, InFlight, PointerDoor, Shares, Sites

BY_HAND = {
    "Caddy": "systemctl restart caddy",
    "Traefik": "systemctl restart traefik",
    "Cloudflare": "https://dash.cloudflare.com   (Traffic, Load Balancing: the pools of the load balancer)",
}
"""For people to decide: a restart drops connections, and comes up from the files that the balancer keeps."""


@dataclass(frozen=True)
class World:
    """The ports, and what the configuration says of the stack.

    `terms` are those of the next plan; `connection_budgets` the connections one colour may open, by database;
    `redact` blanks out secrets in a text that came from outside (a command's output, an answer);
    `contracts_after_standby` the migration sources whose contract files run without being asked for;
    `keep_deployments`: so many stay in the journal, the latest;
    `restores_drift`: traffic that others moved while nothing runs is moved back, and not only told;
    `at_boundary` is told of the moments between which a crash must be harmless (boundaries.py);
    `migrates` the database of each source of SQL files, by its name; `turn` is whose turn it is at the databases;
    `room` the connections of the databases, as last counted;
    `filling` the backfill of now; `shares` splits users between the colours, None where nothing here can;
    `arming` sets the balancer up for `mode = "pointer"`, None in any other, and `pointer_door`
    asks what it sees of its file; `in_flight` counts what is under way there;
    `sites` sets up host names at it, None where nothing here can;
    `overhearing` what the colours say in their own logs beside what is judged;
    `glance` sees where users go like `balancer.observe`, perhaps some seconds late, for who looks all the time: None
    where that costs nothing;
    `witnessed`: an access log tells which colour answered; where none does, the answers of the `versioned` services do;
    `balancer_name` what people call the balancer; `preview`: a secret leads to the idle colour before promotion;
    `rules` are what a release is held to; `papers` reads what comes with it for people, `variables` what the colours
    are given, None where nothing is configured; `continuity` are the checks across colours; `after_switch` is done once
    users have arrived, never in their way;
    `observes`: nothing is changed outside, it is only said what would have been done (observing.py);
    `what_runs` is what the latest looks found (running_watch.py);
    `releases` what the configuration says each colour runs; `read_release` raises ReleaseInvalid.
    """

    project: str
    services: Mapping[str, Service]
    terms: Terms
    contracts_after_standby: frozenset[str]
    connection_budgets: Mapping[str, int]
    releases: Mapping[Colour, str]
    read_release: Callable[[str], Awaitable[Release]]
    balancer: Balancer
    front_door: FrontDoor
    runners: Mapping[Colour, Runner]
    readiness: tuple[Readiness, ...]
    smoke: tuple[Checker, ...]
    sources: tuple[SignalSource, ...]
    databases: Mapping[str, Database]
    notifiers: tuple[Notifier, ...]
    journal: Journal
    cards: Cards
    clock: Clock
    redact: Callable[[str], str] = str
    at_boundary: AtBoundary = pass_on
    restores_drift: bool = False
    keep_deployments: int = 200
    migrates: Mapping[str, str] = field(default_factory=dict)
    turn: Turn = field(default_factory=Turn)
    filling: Filling = field(default_factory=Filling)
    room: Room = field(default_factory=Room)
    shares: Shares | None = None
    arming: Arming | None = None
    pointer_door: PointerDoor | None = None
    sites: Sites | None = None
    in_flight: InFlight | None = None
    balancer_name: str = "Caddy"
    glance: Callable[[], Awaitable[Traffic]] | None = None
    witnessed: bool = True
    versioned: frozenset[str] = frozenset()
    overhearing: Overhearing = field(default_factory=Overhearing)
    preview: bool = False
    rules: ReleaseRules = field(default_factory=ReleaseRules)
    papers: ReleasePapers | None = None
    variables: Variables | None = None
    continuity: tuple[Continuity, ...] = ()
    after_switch: tuple[Checker, ...] = ()
    what_runs: dict[Colour, Running] = field(default_factory=dict)
    observes: bool = False

    @property
    def by_hand(self) -> str:
        """What a person types, or opens, where the balancer does not do as it is told by us."""
        return BY_HAND.get(self.balancer_name, f"see that {self.balancer_name} runs")

    def target(self, colour: Colour, release: str) -> Target:
        """A colour as checks see it; `release` "" where nobody knows which it runs."""
        return Target(colour, release, self.services)
