"""A deployment's story as lines: its phases with how long they took, and its events as they come."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.records import Event
from bluegreen.interfaces import text
from bluegreen.interfaces.reports import doing
from bluegreen.interfaces.text import clean, cleaned, clock, duration, mark

GLYPHS = {Outcome.DONE: text.DONE, Outcome.FAILED: text.FAILED, Outcome.ABORTED: text.STOPPED}

HIDDEN = frozenset({"severity", "output", "command", "phase_seconds"})
"""Facts that are told in other ways than key=value."""

PHASE_EVENTS = frozenset({"phase.entered", "deployment.ended"})


@dataclass(frozen=True, slots=True)
class Lap:
    """One phase as it was run through; `seconds` None while it lasts."""

    phase: str
    since: datetime
    seconds: float | None = None
    outcome: str = ""
    answer: str = ""


def laps(events: Iterable[Event]) -> dict[str, Lap]:
    """The phases that the events tell of; of one that was entered twice, the latest."""
    found: dict[str, Lap] = {}
    for event in events:
        if event.name in PHASE_EVENTS:
            previous = str(event.facts.get("previous", ""))
            if previous in found:
                found[previous] = _closed(found[previous], event.facts)
        if event.name in ("deployment.started", "phase.entered"):
            found[event.phase] = Lap(event.phase, event.at)
    return found


def _closed(lap: Lap, facts: Mapping[str, object]) -> Lap:
    seconds = facts.get("seconds")
    return replace(
        lap,
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        outcome=str(facts.get("outcome", "")),
        answer=str(facts.get("answer", "")),
    )


def phase_lines(
    deployment: Deployment, events: Iterable[Event], now: datetime, *, ahead: bool, seconds_left: float | None = None
) -> list[str]:
    """A line for each phase of the path; with `ahead` also for those to come. `seconds_left` of the present one."""
    deployment, run = cleaned(deployment), laps(cleaned(list(events)))
    path = [phase for phase in deployment.path if not phase.final]
    lines = [_phase_line(deployment, phase, run.get(phase), now, seconds_left) for phase in path]
    if not ahead or deployment.phase.final or deployment.phase.ignores_abort:
        return lines
    to_come = [step for step in deployment.plan.steps if step.phase not in path]
    return lines + [text.faint(f"  {text.WAITING} {step.phase:<12}") for step in to_come]


def _phase_line(deployment: Deployment, phase: Phase, lap: Lap | None, now: datetime, left: float | None) -> str:
    steps = {step.phase: step for step in deployment.plan.steps}
    if phase is deployment.phase:
        since = lap.since if lap else deployment.phase_since or now
        took, glyph = duration((now - since).total_seconds()), mark(text.RUNNING)
        said = f"{f'{duration(left)} left: ' if left is not None else ''}{doing(deployment)}"
    else:
        step = steps.get(phase)
        idle = step is not None and not step.does
        took = "" if lap is None or lap.seconds is None or idle else duration(lap.seconds)
        said = lap.answer if lap else ""
        glyph = _glyph(lap.outcome if lap else Outcome.DONE, idle)
    return f"  {glyph} {phase:<12} {took:>7}  {said}".rstrip()


def _glyph(outcome: str, idle: bool) -> str:
    if idle and outcome == Outcome.DONE:
        return text.NOTHING
    return mark(GLYPHS[Outcome(outcome)]) if outcome in {str(known) for known in Outcome} else text.DONE


# --- lines as they come


def news_lines(event: Event, deployment: Deployment, *, verbose: bool) -> list[str]:
    """What an event means to somebody who follows; nothing where it is a detail."""
    at, deployment, shown = clock(event.at), cleaned(deployment), cleaned(event)
    if event.name in PHASE_EVENTS:
        return [f"{at} {line}" for line in _phase_news(shown, deployment)]
    if event.name == "deployment.started":
        what = f"deployment {deployment.id}: {deployment.plan.release.version} to {deployment.new}"
        return [
            f"{at} {mark(text.RUNNING)} {what}; {deployment.old} serves",
            f"{at} {_begins(deployment, shown.phase)}",
        ]
    told = _TOLD.get(event.name)
    if told is not None:
        return [f"{at} {told(shown, deployment)}"]
    if event.facts.get("severity") in ("warning", "critical"):
        return [f"{at} {mark(text.WARNING)} {_said(event)}"]
    return log_lines(event) if verbose else []


def _phase_news(event: Event, deployment: Deployment) -> list[str]:
    previous, outcome = str(event.facts.get("previous", "")), str(event.facts.get("outcome", ""))
    step = next((step for step in deployment.plan.steps if step.phase == previous), None)
    idle = step is not None and not step.does
    lap = _closed(Lap(previous, event.at), event.facts)
    took = "" if idle or lap.seconds is None else f" ({duration(lap.seconds)})"
    lines = [f"{_glyph(outcome, idle)} {previous}{took}: {lap.answer or outcome or 'done'}"] if previous else []
    if event.name == "phase.entered":
        lines += [_begins(deployment, event.phase)] if _works(deployment, event.phase) else []
    return lines


def _works(deployment: Deployment, phase: str) -> bool:
    return all(step.does for step in deployment.plan.steps if step.phase == phase)


def _begins(deployment: Deployment, phase: str) -> str:
    known = {str(phase): phase for phase in Phase}
    said = doing(replace(deployment, phase=known[phase])) if phase in known else ""
    return f"{mark(text.RUNNING)} {phase}: {said}"


def _switched(event: Event, deployment: Deployment) -> str:
    return f"{mark(text.DONE)} traffic: all users are on {event.facts.get('to', deployment.new)}"


def _returned(event: Event, deployment: Deployment) -> str:
    return f"{mark(text.DONE)} traffic: all users are back on {event.facts.get('to', deployment.old)}"


def _resumed(event: Event, deployment: Deployment) -> str:
    reason = event.facts.get("reason")
    return f"{mark(text.WARNING)} the daemon was restarted and goes on{f': {reason}' if reason else ''}"


def _rehearsed(event: Event, deployment: Deployment) -> str:
    gate, migration = str(event.facts.get("gate", "")), event.facts.get("migration", "")
    glyph = {"refuse": text.FAILED, "warn": text.WARNING}.get(gate, text.DONE)
    return f"{mark(glyph)} rehearsed {migration}: {gate}"


_TOLD = {
    "traffic.switched": _switched,
    "traffic.returned": _returned,
    "deployment.resumed": _resumed,
    "migration.rehearsed": _rehearsed,
}


def _said(event: Event) -> str:
    """The words of an event that carries some."""
    for key in ("text", "warning", "reason"):
        if event.facts.get(key):
            return clean(str(event.facts[key]))
    return clean(event.name)


# --- the log


def log_lines(event: Event) -> list[str]:
    """An event with all its facts; what a command printed stands below it."""
    facts = [f"{clean(key)}={_fact(value)}" for key, value in event.facts.items() if key not in HIDDEN and _told(value)]
    command = f" {clean(str(event.facts['command']))}" if "command" in event.facts else ""
    first = f"{clock(event.at)} {clean(event.phase):<12} {clean(event.name)}{command}"
    output = text.block(str(event.facts.get("output", "")))
    return [" ".join([first, *facts]).rstrip(), *(f"    {line}" for line in output)]


def _told(value: object) -> bool:
    return value not in ("", None, [], {})


def _fact(value: object) -> str:
    if isinstance(value, list | dict):
        return clean(json.dumps(value, ensure_ascii=False))
    shown = clean(str(value))
    return f'"{shown}"' if " " in shown else shown


def all_log_lines(events: Sequence[Event]) -> list[str]:
    """A whole log."""
    return [line for event in events for line in log_lines(event)]
