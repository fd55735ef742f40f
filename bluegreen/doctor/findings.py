"""What was found: one line a check, with the command that helps."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.errors import BluegreenError

BUDGET = 10.0
"""Seconds that one check may take, unless it says otherwise."""


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `next` are commands to type."""

    check: str
    level: Level
    detail: str
    next: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Makes the findings of one check, which all carry its name; `otherwise` are commands for what failed without a
    better one."""

    check: str
    otherwise: tuple[str, ...] = ("bluegreen config check",)

    def ok(self, detail: str) -> Finding:
        """All is well."""
        return Finding(self.check, Level.OK, detail)

    def warn(self, detail: str, *next: str) -> Finding:
        """It works, and should not stay so."""
        return Finding(self.check, Level.WARNING, detail, next)

    def fail(self, detail: str, *next: str) -> Finding:
        """A deployment, or the way back, would fail over this."""
        return Finding(self.check, Level.FAILED, detail, next or self.otherwise)

    def error(self, exc: BluegreenError) -> Finding:
        """An error of ours, in its own words."""
        return self.fail(exc.detail, *exc.next)


Findings = Iterable[Finding]
Check = Callable[[Report], Awaitable[Findings]]


async def looked_at(report: Report, check: Check, budget: float = BUDGET) -> list[Finding]:
    """The findings of one check; whatever keeps it from ending is a finding too."""
    try:
        async with asyncio.timeout(budget):
            return list(await check(report))
    except TimeoutError:
        return [report.fail(f"no answer within {budget:g} s")]
    except BluegreenError as exc:
        return [report.error(exc)]
    except OSError as exc:
        if exc.filename is None:
            return [report.fail(str(exc))]
        return [report.fail(f"{exc.filename}: {exc.strerror}", f"ls -ld {exc.filename}")]
    except Exception as exc:  # noqa: BLE001 - the supervisor of a check: a bug in one must not hide the others
        return [report.fail(f"the check itself failed ({type(exc).__name__}: {exc})")]
