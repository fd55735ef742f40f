"""The findings as lines for people and as a document for programs."""

from collections.abc import Callable, Sequence
from typing import Any

from bluegreen.doctor.findings import Finding, Level
from bluegreen.interfaces import text

GLYPHS = {Level.OK: text.DONE, Level.WARNING: text.WARNING, Level.FAILED: text.FAILED}


def as_lines(findings: Sequence[Finding], masked: Callable[[str], str], *, quiet: bool = False) -> list[str]:
    """One line a finding with what to type below it, and the sum last; quiet: without what is well."""
    shown = [finding for finding in findings if not (quiet and finding.level is Level.OK)]
    width = max((len(finding.check) for finding in shown), default=0)
    lines = [line for finding in shown for line in _lines(finding, width, masked)]
    return [*lines, _sum(findings)]


def as_document(findings: Sequence[Finding], masked: Callable[[str], str]) -> dict[str, Any]:
    """The same; `ok` is false where anything failed."""
    return {
        "ok": not any(finding.level is Level.FAILED for finding in findings),
        "checks": [
            {
                "check": finding.check,
                "level": str(finding.level),
                "detail": masked(finding.detail),
                "next": [masked(command) for command in finding.next],
            }
            for finding in findings
        ],
    }


def _lines(finding: Finding, width: int, masked: Callable[[str], str]) -> list[str]:
    first, *more = text.block(masked(finding.detail)) or [""]
    return [
        f"{text.mark(GLYPHS[finding.level])} {finding.check:<{width}}  {first}",
        *(f"  {line}" for line in more),
        *(text.commands(tuple(map(masked, finding.next))) if finding.level is not Level.OK else []),
    ]


def _sum(findings: Sequence[Finding]) -> str:
    failed = sum(finding.level is Level.FAILED for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    if failed:
        return f"{text.mark(text.FAILED)} {_count(failed, 'failure')}, {_count(warnings, 'warning')}"
    return f"{text.mark(text.DONE)} no failure, {_count(warnings, 'warning')}"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' if number != 1 else ''}"
