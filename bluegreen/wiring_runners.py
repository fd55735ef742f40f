"""From settings to the runners of the colours, and to the machines they run on. A part of wiring.py."""

from collections.abc import Callable
from functools import partial

from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.adapters.signals.log_follow import Follow
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Runner
from bluegreen.settings import Settings
from bluegreen.wiring_checks import revealed_values


def runner(settings: Settings, colour: Colour, started: Callable[[Colour], None] | None) -> Runner:
    """How a colour is brought up and stopped; `started` is told when it was."""
    environment = settings.environments.of(colour)
    return CommandRunner(
        colour,
        environment.up or (),
        environment.down or (),
        environment.logs or (),
        environment=revealed_values(environment.environment),
        passed=environment.passed,
        timeout=environment.timeout,
        slices=environment.slices,
        cwd=environment.directory,
        started=partial(started, colour) if started else None,
    )


def follow(settings: Settings, colour: Colour) -> Follow | None:
    """How a colour's log is followed; None where it is not."""
    environment = settings.environments.of(colour)
    if environment.follow is None:
        return None
    return Follow(
        environment.follow, revealed_values(environment.environment), environment.passed, environment.directory
    )
