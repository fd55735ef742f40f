"""Repaints a terminal in place. rich is imported when it is needed: off a terminal it never is."""

import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import click

from bluegreen.interfaces.text import wrapped


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

    def paint(self, lines: Sequence[str]) -> None:
        """Show these lines instead of the former ones: wrapped where there is room for it, else cut."""
        from rich.text import Text

        size = shutil.get_terminal_size()
        whole = [piece for line in lines for piece in wrapped(line, size.columns)]
        lines = whole if len(whole) < size.lines else lines

        context = click.get_current_context(silent=True)
        plain = context is not None and context.color is False
        text = "\n".join(click.unstyle(line) if plain else line for line in lines)
        self._live.update(Text.from_ansi(text, no_wrap=True, overflow="ellipsis"), refresh=True)
