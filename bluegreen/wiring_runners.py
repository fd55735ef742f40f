"""From settings to the runners of the colours, and to the machines they run on. A part of wiring.py."""

from collections.abc import Callable
from functools import partial

from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.adapters.runners.systemd import SystemdRunner
from bluegreen.adapters.runners.systemd_control import journal_argv
from bluegreen.adapters.signals.log_follow import Follow
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Runner
from bluegreen.settings import Settings
from bluegreen.settings.rules_systemd import live_only_units, units
from bluegreen.wiring_checks import revealed_values


def runner(settings: Settings, colour: Colour, started: Callable[[Colour], None] | None) -> Runner:
    """How a colour is brought up and stopped; `started` is told when it was."""
    environment = settings.environments.of(colour)
    if environment.runner == "systemd":
        return _systemd(settings, colour, started)
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


def _systemd(settings: Settings, colour: Colour, started: Callable[[Colour], None] | None) -> SystemdRunner:
    environment = settings.environments.of(colour)
    return SystemdRunner(
        colour,
        units(environment, colour),
        live_only_units(settings.services, colour),
        user=environment.systemd.user,
        environment_file=environment.systemd.environment_file,
        environment=revealed_values(environment.environment),
        passed=environment.passed,
        timeout=environment.timeout,
        logs=environment.logs or (),
        slices=environment.slices,
        cwd=environment.directory,
        started=partial(started, colour) if started else None,
    )


def follow(settings: Settings, colour: Colour) -> Follow | None:
    """How a colour's log is followed; None where it is not. That of units is their journal, where nothing else is
    said."""
    environment = settings.environments.of(colour)
    if environment.follow is None and environment.runner == "systemd":
        names = (*units(environment, colour), *live_only_units(settings.services, colour))
        return Follow(journal_argv(names, 0, "cat", "--follow", user=environment.systemd.user), {})
    if environment.follow is None:
        return None
    return Follow(
        environment.follow, revealed_values(environment.environment), environment.passed, environment.directory
    )
