"""From settings to the colours' own logs: how they are followed, and what is looked for in them. A part of
wiring_signals.py."""

from collections.abc import Callable

from bluegreen.adapters.signals.log_lines import LogLines
from bluegreen.domain.signals import Overheard
from bluegreen.domain.traffic import Colour
from bluegreen.logs import Masking
from bluegreen.ports import Clock
from bluegreen.settings import Settings, revealed
from bluegreen.wiring_runners import follow


def log_lines(
    settings: Settings, clock: Clock, overheard: Callable[[Overheard], None] = lambda _: None
) -> LogLines | None:
    """The source that follows both logs; None where no log is followed, or nothing is looked for in it."""
    watch = settings.watch
    follows = {colour: found for colour in Colour if (found := follow(settings, colour))}
    if not follows or not (watch.log_lines or watch.deprecations):
        return None
    return LogLines(
        follows,
        {line.name: (line.pattern, line.except_) for line in watch.log_lines},
        clock=clock,
        deprecated=watch.deprecations,
        patience=watch.advanced.silent_after,
        redact=Masking(revealed(settings)).text,
        overheard=overheard,
    )
