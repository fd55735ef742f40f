"""Where the live-only parts are, as lines of the status."""

from bluegreen.app.requests import LiveOnly
from bluegreen.interfaces import text
from bluegreen.interfaces.text import commands, paragraph, remark


def live_only_lines(parts: LiveOnly | None) -> list[str]:
    """One line; more where they are not where they should be, and none where there are no such parts."""
    if parts is None:
        return []
    names, where = ", ".join(parts.names), parts.colour or "nobody knows where"
    if not parts.known:
        return [paragraph("live-only", f"{names}: on {where}, as they were set up; they follow the next switch")]
    if parts.settled and not parts.problem:
        return [paragraph("live-only", f"{names}: on {where}")]
    if parts.problem:
        return [remark(text.WARNING, "live-only", f"{names}: {parts.problem}"), *commands(parts.next)]
    return [paragraph("live-only", f"{names}: on their way to {where}: {parts.doing or 'they are about to be moved'}")]
