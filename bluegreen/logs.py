"""The log: one line per event on stdout, JSON for journald, a readable one on a terminal.

An event is named `noun.past_participle` (`traffic.switched`), values are fields and never part of the text; what is
bound with `structlog.contextvars.bind_contextvars(deployment=...)` stands on every line of that task. Lines of
libraries that log through `logging` come out alike.

journald takes stdout as priority "info" unless a line begins with <N> (sd-daemon(3)); with it,
`journalctl -u bluegreen -p warning` shows what matters. $JOURNAL_STREAM tells whether stdout is journald's
(systemd.exec(5)).
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SECRET_NAME = re.compile(
    r"(?:^|[^a-z])(?:pass(?:word|wd|phrase|file)?|pgpass\w*|pwd|secrets?|tokens?|dsn|authorization|cookies?|"
    r"(?:api|private|secret|access|signing|encryption)[_-]?key)(?:$|[^a-z])",
    re.IGNORECASE,
)
"""Names of fields, variables and headers whose values are secrets."""

IN_TEXT = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)\S+@", re.IGNORECASE), r"\1***@"),
    (re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\b(?:password|passwd|pgpassword|secret|token)=)[^\s&]+", re.IGNORECASE), r"\1***"),
)
"""What a secret looks like inside a text: in a URL, in an Authorization header, in a key=value list."""

SHORTEST = 6
"""A shorter secret is not looked for inside texts: it would blank out ordinary words."""

MASK = "***"
PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class Masking:
    """Blanks out secrets in an event: by the name of a field, by their look, and the known ones wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {key: self._field(key, value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, replacement in IN_TEXT:
            text = pattern.sub(replacement, text)
        return text

    def _field(self, key: object, value: Any) -> Any:
        harmless = value is None or value == "" or isinstance(value, int | float)
        return MASK if SECRET_NAME.search(str(key)) and not harmless else self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._field(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return value if isinstance(value, int | float | None) else self.text(str(value))


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to a stream; what cannot be written is counted out loud, without its (unmasked) content."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name for it
        sys.stderr.write(f"bluegreen: a log line of {record.name} was lost: {sys.exc_info()[1]!r}\n")


def configure(
    format: Literal["auto", "json", "console"] = "auto",
    level: str = "info",
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every log line, ours and the libraries', to `stream` (default stdout); calling it again replaces the set-up.

    "auto" is "console" on a terminal and "json" elsewhere; `secrets` are texts that must never appear.
    """
    stream = sys.stdout if stream is None else stream
    console = format == "console" or (format == "auto" and stream.isatty())
    common = _common(console)
    masking = Masking(secrets)
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                masking,
                *_rendering(console, stream),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def under_journald(stream: TextIO) -> bool:
    """Whether what is written to a stream goes to journald."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(facts.st_dev), str(facts.st_ino))


def _common(console: bool) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if console else "iso", utc=not console),
    ]


def _rendering(console: bool, stream: TextIO) -> list[Processor]:
    if console:
        colours = stream.isatty() and not os.environ.get("NO_COLOR")
        plain = structlog.dev.plain_traceback
        # In the order in which they were told: a line is read from left to right.
        return [_printable, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain, sort_keys=False)]
    return [_as_journald_line if under_journald(stream) else _as_line]


def _as_line(logger: WrappedLogger, method: str, event: EventDict) -> str:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return json.dumps({**first, **event}, default=str)


def _as_journald_line(logger: WrappedLogger, method: str, event: EventDict) -> str:
    priority = PRIORITY.get(str(event.get("level")), PRIORITY["info"])
    return f"<{priority}>{_as_line(logger, method, event)}"


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Without the control characters with which a logged text could rewrite the operator's terminal."""
    return {key: _without_controls(value) if isinstance(value, str) else value for key, value in event.items()}


def _without_controls(text: str) -> str:
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)
