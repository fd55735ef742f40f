"""A colour's own log: [[watch.log_lines]], and the pattern of what is deprecated."""

import re
import warnings
from typing import Annotated

from pydantic import AfterValidator, Field

from bluegreen.domain.rules import SignalRule
from bluegreen.settings.section import Section, Shape, as_written
from bluegreen.settings.shown import quoted
from bluegreen.settings.values import Name

LONGEST_PATTERN = 1000
MOST_PATTERNS = 20
"""Each is looked for in every line."""

SOURCE, PREFIX = "log_lines", "log:"


def _compiled(value: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what means something else in a later Python is no pattern to rely on
            pattern = re.compile(value)
    except (re.error, OverflowError, RecursionError, Warning) as exc:
        raise ValueError(f"{quoted(value)} is not a regular expression of Python: {exc}") from exc
    if pattern.search("") is not None:
        raise ValueError(f"{quoted(value)} matches an empty line, and so every line")
    return value


def _compiled_or_empty(value: str) -> str:
    return _compiled(value) if value else value


Pattern = Annotated[
    str, Field(max_length=LONGEST_PATTERN), AfterValidator(_compiled), Shape("regular expression", "ERROR")
]
PatternOrNone = Annotated[
    str, Field(max_length=LONGEST_PATTERN), AfterValidator(_compiled_or_empty), Shape("regular expression", "ERROR")
]


class LogLine(Section):
    """Lines of a colour's own log that a good release does not write. Its signal is `log:<name>`. Each second in which
    the log was followed is one event, and bad when a line matched: a release may write more or less than the one
    before. `follow` in both [environments] says how a log is followed."""

    name: Name = Field(description="What it is called; its signal is log:<name>.", examples=["errors"])
    pattern: Pattern = Field(
        description="A regular expression (Python's) that is looked for in every line, of which the first 4 KiB are "
        "looked at. One that takes more than 0.1 s of processor time at once rests for 10 s, and so does its signal.",
        examples=[r"\b(ERROR|FATAL|panic)\b"],
    )
    except_: Pattern | None = Field(
        default=None,
        alias="except",
        description="A line that matches this, too, is not counted.",
        examples=["client disconnected"],
    )
    weight: float = Field(
        default=0.1,
        gt=0,
        le=10,
        allow_inf_nan=False,
        description="Its part of the evidence, beside 0.4 of 5xx and 0.2 of auth, slow and probe.",
    )
    critical: bool = Field(
        default=False,
        description="Whether a release is healthy only with enough of it: some 25 minutes of a log that is mostly "
        "good. A log that cannot be followed then makes the verdict blind.",
    )
    dry_run: bool = Field(default=False, description="Whether it is only shown, and decides nothing.")

    @property
    def rule(self) -> SignalRule:
        """How it counts; its weight as the operator wrote it."""
        return SignalRule(
            f"{PREFIX}{self.name}",
            weight=self.weight,
            critical=self.critical,
            dry_run=self.dry_run,
            source=SOURCE,
            label=f"log lines of {self.name}",
        )


LogLines = Annotated[tuple[LogLine, ...], Field(max_length=MOST_PATTERNS)]
DEPRECATED = as_written("(?i)deprecat")
