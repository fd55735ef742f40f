"""The colours that are run by systemd or compose: whether the daemon could bring them up and stop them, asked as its
user.

Of units at rest a stop is asked: it changes nothing, and polkit refuses it like any other. Nothing that runs is
touched.
"""

from bluegreen.doctor.findings import Finding, Findings, Report
from bluegreen.domain.errors import RunnerFailed
from bluegreen.domain.plans import Release
from bluegreen.domain.traffic import Colour
from bluegreen.settings import Settings
from bluegreen.wiring_runners import runner

NOTHING = Release("0.0.0")
"""A release that brings nothing: what the colour needs for any."""


async def colours(settings: Settings, report: Report) -> Findings:
    """Each colour that we know a way to ask."""
    found: list[Finding] = []
    for colour in Colour:
        kind = settings.environments.of(colour).runner
        if kind == "command":
            continue
        hands = runner(settings, colour, None)
        try:
            if kind == "systemd":
                await hands.prepare(NOTHING)
            parts = await hands.parts()
        except RunnerFailed as exc:
            found.append(report.error(exc))
        else:
            told = ", ".join(f"{part.name} {part.state}" for part in parts) or "nothing runs"
            found.append(report.ok(f"{colour} can be started and stopped ({told})"))
    return found
