"""What the colours say in their own logs, beside what is judged: how many lines were read, and how many of them warn
that a release uses what is deprecated. Those are counted for each deployment from the start of its release on, kept
with it, and told at its end; they decide nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Json
from bluegreen.domain.signals import Overheard
from bluegreen.domain.traffic import Colour

DEPRECATIONS = "deprecations"
"""Key of a deployment's facts: {"n", "first"}."""

BEFORE_START = (Phase.PREPARING, Phase.BACKING_UP, Phase.REHEARSING, Phase.EXPANDING, Phase.PROVING, Phase.ASSESSING)
"""Phases in which whatever runs on the idle colour is not the release."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """Warnings of a deployment's release: how many, and the first."""

    deployment: str
    colour: Colour
    n: int = 0
    first: str = ""


class Overhearing:
    """Counts. Nothing of it is saved here: a restart goes on from the deployment's facts."""

    def __init__(self) -> None:
        self.lines: dict[Colour, tuple[int, int, int]] = {}
        """Lines read of each colour's own log since the daemon began; matches with a pattern of [[watch.log_lines]];
        lines that warn of what is deprecated."""
        self._now: _Counted | None = None

    def take(self, heard: Overheard) -> None:
        """Count what was read."""
        lines, matched, deprecations = self.lines.get(heard.colour, (0, 0, 0))
        self.lines[heard.colour] = lines + heard.lines, matched + heard.matched, deprecations + heard.deprecations
        now = self._now
        if now is not None and now.colour is heard.colour and heard.deprecations:
            self._now = replace(now, n=now.n + heard.deprecations, first=now.first or heard.first)

    def begin(self, deployment: Deployment) -> None:
        """Its release is started now: what its colour wrote before was another's."""
        self._now = _Counted(deployment.id, deployment.new)

    def noted(self, deployment: Deployment) -> Deployment:
        """The deployment, knowing of the warnings until now. After a restart they are counted on from what it knows."""
        now = self._now
        if now is None or now.deployment != deployment.id:
            if deployment.phase in BEFORE_START:
                return deployment
            known: Mapping[str, Json] = deployment.facts.get(DEPRECATIONS, {})
            now = self._now = _Counted(deployment.id, deployment.new, known.get("n", 0), known.get("first", ""))
        if not now.n:
            return deployment
        kept = {"n": now.n, "first": now.first}
        return replace(deployment, facts={**deployment.facts, DEPRECATIONS: kept})


def in_words(deployment: Deployment) -> str:
    """`12 deprecation warnings, first: ...`; empty where there was none."""
    known: Mapping[str, Json] = deployment.facts.get(DEPRECATIONS, {})
    n = known.get("n", 0)
    if not n:
        return ""
    warnings = "1 deprecation warning" if n == 1 else f"{n:,} deprecation warnings, first"
    return f"{warnings}: {known.get('first', '')}"
