"""How far backfills are, as lines for people."""

from collections.abc import Sequence

from bluegreen.domain.backfills import BackfillState, Progress
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, mark, strong

GLYPHS = {
    BackfillState.DONE: text.DONE,
    BackfillState.RUNNING: text.RUNNING,
    BackfillState.FAILED: text.FAILED,
    BackfillState.PENDING: text.NOTHING,
}

NEXT = {
    BackfillState.RUNNING: ("bluegreen migrate backfill pause",),
    BackfillState.PAUSED: ("bluegreen migrate backfill resume", "bluegreen migrate backfill cancel"),
    BackfillState.INTERRUPTED: ("bluegreen migrate backfill",),
    BackfillState.CANCELLED: ("bluegreen migrate backfill",),
    BackfillState.FAILED: ("bluegreen migrate backfill",),
}
"""What an operator probably wants of one in this state."""


def backfill_lines(found: Sequence[Progress]) -> list[str]:
    """Each with how far it is, and what to type."""
    if not found:
        return ["There is nothing to fill.", *commands(("bluegreen migrate status",))]
    items = [cleaned(progress) for progress in found]
    further = tuple(dict.fromkeys(command for item in items for command in todo(item)))
    return [line for item in items for line in _one(item)] + commands(further)


def unfinished_lines(found: Sequence[Progress]) -> list[str]:
    """Those that are not done, for `migrate status`."""
    open_ones = [progress for progress in found if progress.state is not BackfillState.DONE]
    return backfill_lines(open_ones) if open_ones else []


def todo(progress: Progress) -> tuple[str, ...]:
    """What an operator probably wants of it."""
    return NEXT.get(progress.state, ())


def progress_line(progress: Progress) -> str:
    """One line about one that runs."""
    return _one(cleaned(progress))[0]


def _one(item: Progress) -> list[str]:
    glyph = mark(GLYPHS.get(item.state, text.WARNING))
    again = f", pass {item.passes}" if item.passes > 1 else ""
    lines = [f"{glyph} {strong(item.label)} {item.state}{again}: {item.describe()}"]
    if item.error and item.state is BackfillState.FAILED:
        lines.append(f"  {item.error}")
    return lines + [f"  not looked at: {what}" for what in item.unseen]
