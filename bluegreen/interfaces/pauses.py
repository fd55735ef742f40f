"""Pauses as lines for people."""

from datetime import datetime

from bluegreen.app.requests import Paused
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, duration, mark

WORKS = "Nothing moves by itself; what you order works. Regressions and alerts page, and wait."


def paused_lines(paused: Paused, now: datetime) -> list[str]:
    """Automation is paused now."""
    shown = cleaned(paused)
    end = "until somebody resumes" if shown.until is None else f"until {text.until(shown.until, now)}"
    first = f"{mark(text.DONE)} automation is paused {end}: {shown.reason}"
    return [first, f"  {WORKS}", *commands(("bluegreen resume --reason '...'",))]


def resumed_lines(ended: Paused | None, now: datetime) -> list[str]:
    """Automation goes on."""
    if ended is None:
        return [f"{text.NOTHING} nothing was paused", *commands(("bluegreen status",))]
    shown = cleaned(ended)
    lasted = duration(max(0.0, (now - shown.since).total_seconds()))
    first = f"{mark(text.DONE)} automation goes on; it was paused for {lasted} by {shown.by}: {shown.reason}"
    return [first, *commands(("bluegreen status",))]
