"""A plan's release for people: its images, the tested combination, and the changelog with what makes one look twice."""

from collections.abc import Sequence
from itertools import groupby

from bluegreen.domain.changelog import Line
from bluegreen.domain.plans import ComponentChange, Plan
from bluegreen.interfaces import text
from bluegreen.interfaces.text import faint, mark, paragraph, strong

FOLD = 12
"""Entries of a version that are shown though nothing is marked in them."""

WIDTH = 15


def release_lines(plan: Plan) -> list[str]:
    """What the release is made of, and what its changelog says. The plan is clean already."""
    lines = _labelled("images", [f"{part} {image}" for part, image in plan.release.images.items()])
    lines += _labelled("components", [_change(each) for each in plan.components])
    limits = [f"{source} up to {last}" for source, last in plan.release.migrations.items()]
    return lines + _labelled("migrations", limits) + changelog_lines(plan)


def changelog_lines(plan: Plan) -> list[str]:
    """The entries between the two versions, the latest first: whatever is marked, and the first few of the others."""
    if not plan.changelog:
        return []
    way = "is given up again" if plan.changelog_undone else "is new"
    marked = sum(1 for line in plan.changelog if line.marks and not line.heading)
    count = f": {marked} of the entries marked" if marked else ""
    lines = [paragraph("changelog", f"what {way}{count}", WIDTH)]
    left = plan.changelog_left
    for version, entries in groupby(plan.changelog, key=lambda line: line.version):
        shown, folded = _folded(list(entries))
        left += folded
        lines += [f"    {strong(version)}", *(_entry(line) for line in shown)]
    if left:
        lines.append(faint(f"      ... {left} more line{'' if left == 1 else 's'}: {plan.changelog_file}"))
    return lines


def _folded(entries: list[Line]) -> tuple[list[Line], int]:
    """The lines of a version that are shown, and how many are not: a title is shown where one of its entries is."""
    room, kept = FOLD, set[int]()
    title: int | None = None
    for index, line in enumerate(entries):
        if line.heading:
            title = index
            continue
        if line.marks or room:
            room -= 0 if line.marks else 1
            kept |= {index} if title is None else {title, index}
    shown = [line for index, line in enumerate(entries) if index in kept]
    return shown, sum(1 for index, line in enumerate(entries) if index not in kept and not line.heading)


def _entry(line: Line) -> str:
    if line.heading:
        return f"      {line.line}"
    if not line.marks:
        return f"        {line.line}"
    return f"      {mark(text.WARNING)} [{', '.join(line.marks)}] {line.line.strip()}"


def _change(component: ComponentChange) -> str:
    if component.live == component.new:
        return f"{component.name} {component.new}"
    if not component.live:
        return f"{component.name} {strong(component.new)} (new, or not known of the live release)"
    return f"{component.name} {component.live} -> {strong(component.new or 'no more')}"


def _labelled(label: str, values: Sequence[str]) -> list[str]:
    return [paragraph(label if index == 0 else "", value, WIDTH) for index, value in enumerate(values)]
