"""What really runs of the colours, for people: a line a colour, and with -v a line a part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.parts import Part, PartState
from bluegreen.domain.running import Running, brief
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, faint, paragraph, remark

GLYPHS = {PartState.FAILED: text.FAILED, PartState.STOPPED: text.STOPPED, PartState.STARTING: text.RUNNING}


def running_lines(running: Mapping[Colour, Running], now: datetime, *, verbose: bool = False) -> list[str]:
    """What runs of each colour, and what of it is not as it was started."""
    lines: list[str] = []
    for colour in sorted(running):
        seen = running[colour]
        lines.append(paragraph("runs" if not lines else "", f"{colour}: {_summary(seen, now)}"))
        lines += [remark(text.WARNING, "drifted", f"{colour}: {each.text}") for each in seen.differences]
        if verbose:
            lines += part_lines(seen.parts, now)
    return lines


def part_lines(parts: Sequence[Part], now: datetime) -> list[str]:
    """A line for each part: how it fares, since when, which image."""
    return [f"    {GLYPHS.get(part.state, text.DONE)} {part.name}  {_told(part, now)}" for part in parts]


def ran_lines(deployment: Deployment) -> list[str]:
    """What really ran of a deployment's new colour, as it was written down when that was ready."""
    try:
        parts = msgspec.convert(deployment.facts.get("runs", []), list[Part])
    except msgspec.ValidationError:  # written by a program that knows more
        return []
    if not parts:
        return []
    began = deployment.created_at if deployment.ended_at is None else deployment.ended_at
    return [paragraph("ran", f"on {deployment.new}, when it was ready"), *part_lines(cleaned(parts), began)]


def _summary(seen: Running, now: datetime) -> str:
    if seen.unknown:
        since = f" since {text.until(seen.since, now)}" if seen.since else ""
        return f"unknown{since}: {seen.unknown}"
    if not seen.parts:
        return f"nothing of {seen.release} is there"
    states = Counter(part.state for part in seen.parts)
    counted = ", ".join(f"{n} {state}" for state, n in sorted(states.items(), key=lambda each: str(each[0])))
    looked = f", seen {text.ago(seen.looked_at, now)}" if seen.looked_at else ""
    return f"{seen.release}, {counted}{faint(looked)}"


def _told(part: Part, now: datetime) -> str:
    health = f" ({part.health})" if part.health else ""
    since = f" since {text.until(part.started_at, now)}" if part.started_at else ""
    image = " ".join(filter(None, [part.image, brief(part.digest)]))
    detail = f": {part.detail}" if part.detail and part.state is not PartState.RUNNING else ""
    return f"{part.state}{health}{since}{f'  {image}' if image else ''}{detail}"
