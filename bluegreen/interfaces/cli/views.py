"""How a deployment that is followed is shown: repainted on a terminal, in appended lines elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bluegreen.app.requests import WatchStatus
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.records import Event
from bluegreen.interfaces import render, reports, story, text
from bluegreen.interfaces.cli.screens import Screen
from bluegreen.interfaces.cli.shell import Shell

VERDICT_EVERY = 60.0
"""Seconds after which an unchanged verdict is said again."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A deployment as it stands; `fresh` are the events since the picture before; after the `last` one follows
    how it ended."""

    deployment: Deployment
    events: Sequence[Event]
    fresh: Sequence[Event]
    watch: WatchStatus | None
    seconds_left: float | None
    now: datetime
    last: bool


class View(Protocol):
    """Shows pictures, or that there is none to be had."""

    def paint(self, picture: Picture) -> None:
        """Show how it stands."""

    def away(self, reason: str) -> None:
        """The daemon does not answer just now."""


@contextmanager
def view(shell: Shell) -> Iterator[View]:
    """The view that fits where we print."""
    if shell.repaints:
        with Screen() as screen:
            yield Painted(screen)
    else:
        yield Appended(shell)


class Painted:
    """The phases with their times, the verdict, and what to type, painted over and over."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._versions: list[list[str]] = [[]]

    def paint(self, picture: Picture) -> None:
        """Show how it stands; the phases to come only where there is room for them."""
        self._versions = [_page(picture, ahead=not picture.last), _page(picture, ahead=False)]
        self._screen.paint(*self._versions)

    def away(self, reason: str) -> None:
        """The last picture, and that it is old."""
        notice = f"  {text.mark(text.WARNING)} {reason} Trying again; traffic stays as it is."
        self._screen.paint(*([*version, notice] for version in self._versions))


def _page(picture: Picture, *, ahead: bool) -> list[str]:
    deployment = picture.deployment
    lines = [reports.title(deployment, picture.now)]
    lines += story.phase_lines(deployment, picture.events, picture.now, ahead=ahead, seconds_left=picture.seconds_left)
    if picture.watch is not None:
        lines += render.watch_lines(picture.watch)
    lines += reports.warnings(deployment.warnings)
    if picture.last:
        return lines
    others = tuple(command for command in reports.next_of(deployment) if not command.startswith("bluegreen watch"))
    return [*lines, *text.commands(others), text.faint("  Ctrl-C detaches; the deployment goes on.")]


class Appended:
    """A line for whatever happens: for logs, pipes and programs."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._away = False
        self._verdict = ""
        self._said_at: datetime | None = None

    def paint(self, picture: Picture) -> None:
        """Say what is new."""
        self._away = False
        for event in picture.fresh:
            self._shell.remark(story.news_lines(event, picture.deployment, verbose=self._shell.verbose))
        if picture.watch is not None and self._due(picture.watch, picture.now):
            self._shell.remark(render.verdict_news(picture.watch, picture.seconds_left, picture.now))

    def away(self, reason: str) -> None:
        """Say once that nobody answers."""
        if not self._away:
            self._shell.remark([f"{text.WARNING} {reason} Trying again; traffic stays as it is."])
        self._away = True

    def _due(self, watch: WatchStatus, now: datetime) -> bool:
        standing = f"{watch.verdict} {watch.way_back} {watch.held}"
        late = self._said_at is None or (now - self._said_at).total_seconds() >= VERDICT_EVERY
        if standing == self._verdict and not late:
            return False
        self._verdict, self._said_at = standing, now
        return True
