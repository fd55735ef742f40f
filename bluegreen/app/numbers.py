"""The numbers of one deployment, gathered as it goes: how long each phase took, what users got of the new colour, and
how fast they were taken back. They are kept with the deployment, so that they survive a restart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from bluegreen.app.overhearing import DEPRECATIONS, in_words
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Batch, Counted
from bluegreen.ports import Clock

PHASES, USERS = "phase_seconds", "users"
"""Keys of a deployment's facts."""

ANSWERS = "5xx"
"""The signal that counts every answer to a user once."""


@dataclass(slots=True)
class Tally:
    """What users got since the forward write, counted beside the verdict and never judged: answers of either colour,
    and those of them that were server errors; and when each signal of the new colour was first bad, in seconds of the
    trial.

    It is what the access log shows. A request that Caddy could not even take in stands in no log and is not counted.
    """

    answers: int = 0
    failed: int = 0
    first_bad: dict[str, float] = field(default_factory=dict)

    def count(self, batch: Batch) -> None:
        """Count what either colour answered."""
        if isinstance(batch, Counted) and batch.signal == ANSWERS:
            self.answers += batch.n
            self.failed += batch.bad

    def bad(self, signal: str, t_s: float) -> None:
        """Remember when a signal of the new colour was first bad."""
        self.first_bad.setdefault(signal, t_s)

    def to_json(self) -> Json:
        """All of it, for the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Json) -> Self:
        """As it was kept; a new one where nothing usable was, since nothing is decided by it."""
        try:
            return cls(**kept)
        except TypeError:
            return cls()


@dataclass(slots=True)
class WayBack:
    """When it was decided to go back and when that was so: monotonic seconds; None where a restart came between.

    `convicted_in`: seconds from the first bad answer to the decision, where the watch decided.
    """

    decided: float | None = None
    written: float | None = None
    convicted_in: float | None = None

    def decide(self, clock: Clock, convicted_in: float | None) -> None:
        """It is decided now."""
        self.decided, self.convicted_in = clock.monotonic(), convicted_in

    def write(self, clock: Clock) -> None:
        """The old colour was read back now."""
        self.written = clock.monotonic()

    def facts(self) -> dict[str, Json]:
        """For the line that tells it."""
        facts: dict[str, Json] = {}
        if self.decided is not None and self.written is not None:
            facts["seconds"] = round(self.written - self.decided, 4)
        if self.convicted_in is not None:
            facts["detect_seconds"] = round(self.convicted_in, 4)
        return facts


def cost_of_switch(tally: Tally, began: float | None, clock: Clock) -> dict[str, Json]:
    """What a switch cost, as the access log shows it. `began` None: after a restart in its middle nobody knows when."""
    took = {} if began is None else {"seconds": round(clock.monotonic() - began, 4)}
    return {**took, "requests": tally.answers, "failed": tally.failed}


def with_phase(deployment: Deployment, phase: str, seconds: float, users: Mapping[str, Json]) -> Deployment:
    """The same, knowing of `seconds` more in `phase` and of what users have got so far."""
    spent = dict(deployment.facts.get(PHASES, {}))
    spent[phase] = round(spent.get(phase, 0.0) + seconds, 3)
    facts = {**deployment.facts, PHASES: spent}
    if deployment.moved and users:
        facts[USERS] = dict(users)
    return replace(deployment, facts=facts)


def summary(deployment: Deployment) -> dict[str, Json]:
    """What the last line of a deployment says beside its outcome."""
    users = deployment.facts.get(USERS, {})
    ended = deployment.ended_at or deployment.created_at
    deprecations = in_words(deployment)
    look = () if deployment.phase is Phase.LIVE else (f"bluegreen show {deployment.id}",)
    return {
        "kind": deployment.plan.kind,
        "moved": deployment.moved,
        "cause": deployment.cause,
        "total_seconds": round((ended - deployment.created_at).total_seconds(), 3),
        PHASES: deployment.facts.get(PHASES, {}),
        "requests": users.get("requests"),
        "bad": users.get("bad"),
        "warnings": len(deployment.warnings),
        **({DEPRECATIONS: deprecations} if deprecations else {}),
        "next": list(deployment.next or look),
    }
