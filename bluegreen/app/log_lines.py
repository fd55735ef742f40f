"""How an event reads in the log: one deployment, read from top to bottom, is a story.

One line for each phase, when it has ended: the phase, its outcome, how long it took, why, and what comes `then`. The
event in the journal is the same moment seen from the other side ("phase.entered"). A line is a warning where a person
may have to do something, or users met something they should not have met: `journalctl -p warning` then suffices.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import Event, Json

OUTPUT_LOGGED = 2_000
"""Characters of a command's output that stand in the log (its end); `bluegreen logs` has all that is kept."""

LEVELS = {
    "deployment.resumed": "warning",
    "gate.reached": "warning",
    "traffic.returned": "warning",
    "traffic.drifted": "warning",
}
"""Events that are worth a person's attention whatever they carry."""

ENDS = {Phase.ABANDONED: "warning", Phase.REVERTED: "warning", Phase.STRANDED: "critical"}


class Line(NamedTuple):
    """One line of the log: structlog's level, the event's name, its fields."""

    level: str
    name: str
    fields: Mapping[str, Json]


def lines(event: Event) -> Iterator[Line]:
    """What an event is in the log: mostly one line."""
    about = {"deployment": event.deployment, "phase": event.phase}
    if "previous" in event.facts:
        yield _phase(event)
    if event.name == "deployment.ended":
        yield _line(_end(event), event.name, {"deployment": event.deployment, "outcome": event.phase, **_ending(event)})
    elif event.name != "phase.entered":
        yield _line(_level(event), event.name, {**about, **_shortened(event.facts)})


def _phase(event: Event) -> Line:
    facts = event.facts
    outcome = facts.get("outcome")
    fields = {
        "deployment": event.deployment,
        "phase": facts["previous"],
        "outcome": outcome,
        "seconds": facts.get("seconds"),
        "reason": facts.get("answer"),
        "attempt": facts.get("attempt"),
        "then": event.phase,
        "release": facts.get("release"),
    }
    return _line("info" if outcome in (None, Outcome.DONE) else "warning", "phase.ended", fields)


def _ending(event: Event) -> Mapping[str, Json]:
    """The last phase has a line of its own."""
    return {key: value for key, value in event.facts.items() if key not in _OF_THE_PHASE}


_OF_THE_PHASE = frozenset({"previous", "outcome", "answer", "attempt", "seconds"})


def _end(event: Event) -> str:
    known = {str(phase): level for phase, level in ENDS.items()}
    return known.get(event.phase, "warning" if event.facts.get("reason") else "info")


def _level(event: Event) -> str:
    severity = event.facts.get("severity")
    return str(severity) if severity in ("warning", "critical") else LEVELS.get(event.name, "info")


def _shortened(facts: Mapping[str, Json]) -> Mapping[str, Json]:
    output = facts.get("output")
    if not isinstance(output, str) or len(output) <= OUTPUT_LOGGED:
        return facts
    return {**facts, "output": f"... {output[-OUTPUT_LOGGED:]}"}


def _line(level: str, name: str, fields: Mapping[str, Json]) -> Line:
    """Without what says nothing, and without what the level says already."""
    told = {key: value for key, value in fields.items() if key != "severity" and value not in ("", None, [], {})}
    return Line(level, name, told)
