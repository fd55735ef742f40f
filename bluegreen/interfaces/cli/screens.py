"""Repaints a terminal in place. rich is imported when it is needed: off a terminal it never is."""

import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import click

from bluegreen.interfaces import text


class Screen:
    """Some lines that are painted over and over. Use as `with Screen() as screen`."""

    def __init__(self) -> None:
        self._live: Any = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        console = Console(highlight=False)
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def paint(self, *versions: Sequence[str]) -> None:
        """Show lines instead of the former ones: the first version that fits the terminal with its long lines
        wrapped, else the last one with the long ones cut and only its first and its latest lines."""
        from rich.text import Text

        columns, rows = shutil.get_terminal_size()
        wrapped = ([piece for line in version for piece in text.wrapped(line, columns)] for version in versions)
        lines = next((pieces for pieces in wrapped if len(pieces) < rows), None) or _ends(versions[-1], rows - 1)
        context = click.get_current_context(silent=True)
        plain = context is not None and context.color is False
        shown = "\n".join(click.unstyle(line) if plain else line for line in lines)
        self._live.update(Text.from_ansi(shown, no_wrap=True, overflow="ellipsis"), refresh=True)


def _ends(lines: Sequence[str], rows: int) -> Sequence[str]:
    """The first line, and as many of the last as there is room for."""
    return lines if len(lines) <= rows else [lines[0], *lines[len(lines) - rows + 1 :]]
