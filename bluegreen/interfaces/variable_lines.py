"""What is told of variables to people, as lines: names, never values."""

from collections.abc import Iterable

from bluegreen.app.upkeep_answers import VariableCheck
from bluegreen.domain.plans import Plan
from bluegreen.domain.variables import Level
from bluegreen.interfaces import text
from bluegreen.interfaces.text import cleaned, commands, mark, paragraph, remark, strong

GLYPHS = {Level.REFUSED: text.FAILED, Level.WARNING: text.WARNING, Level.NOTE: text.NOTHING}
WORDS = {Level.REFUSED: "refused", Level.WARNING: "look", Level.NOTE: "note"}


def check_lines(check: VariableCheck) -> list[str]:
    """The whole comparison, the worst first."""
    check = cleaned(check)
    named = {"example": "the example"}
    counts = ", ".join(f"{named.get(side, side)} {count}" for side, count in check.counts.items())
    lines = [_verdict(check), f"  names compared: {counts}"]
    lines += [remark(text.WARNING, "unknown", doubt) for doubt in check.doubts]
    lines += [remark(GLYPHS[each.level], WORDS[each.level], each.text) for each in check.findings]
    if check.passed:
        return lines
    return lines + commands(
        ("bluegreen config docs variables.same", f"bluegreen deploy {check.release} --force --reason '...'")
    )


def _verdict(check: VariableCheck) -> str:
    what = f"the variables of {check.idle} for {check.release}, against {check.live}"
    if not check.passed:
        return f"{mark(text.FAILED)} {strong('refused')}: {what}"
    said = "nothing to say" if not check.findings and not check.doubts else "nothing is refused"
    return f"{mark(text.DONE)} {strong(said)}: {what}"


def plan_variables(plan: Plan) -> list[str]:
    """What a plan says of the variables beside its warnings, and of the connections that are left."""
    notes = [each.text for each in plan.variables if each.level is Level.NOTE]
    return [*_told("variables", notes), *_told("connections", plan.connections)]


def _told(word: str, lines: Iterable[str]) -> list[str]:
    return [paragraph("" if number else word, line, 15) for number, line in enumerate(lines)]
