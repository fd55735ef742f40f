"""From settings to the runners of the colours, and to the machines they run on. A part of wiring.py."""

from collections.abc import Callable
from functools import partial

from bluegreen.adapters.runners.command import CommandRunner
from bluegreen.adapters.runners.compose import ComposeRunner
from bluegreen.adapters.runners.compose_call import Place
from bluegreen.adapters.runners.compose_reading import follow_argv
from bluegreen.adapters.runners.compose_stack import Project
from bluegreen.adapters.runners.compose_tool import engine_of
from bluegreen.adapters.runners.systemd import SystemdRunner
from bluegreen.adapters.runners.systemd_control import journal_argv
from bluegreen.adapters.signals.log_follow import Follow
from bluegreen.domain.traffic import Colour
from bluegreen.ports import Runner
from bluegreen.settings import Settings
from bluegreen.settings.rules_compose import live_only_services, project_of, written_for
from bluegreen.settings.rules_systemd import live_only_units, units
from bluegreen.wiring_checks import revealed_values
from bluegreen.wiring_hosts import host, workplace


def runner(settings: Settings, colour: Colour, started: Callable[[Colour], None] | None) -> Runner:
    """How a colour is brought up and stopped; `started` is told when it was."""
    environment = settings.environments.of(colour)
    if environment.runner == "systemd":
        return _systemd(settings, colour, started)
    if environment.runner == "compose":
        return _compose(settings, colour, started)
    return CommandRunner(
        colour,
        environment.up or (),
        environment.down or (),
        environment.logs or (),
        environment=revealed_values(environment.environment),
        passed=environment.passed,
        timeout=environment.timeout,
        slices=environment.slices,
        cwd=workplace(settings, colour),
        started=partial(started, colour) if started else None,
        live_only=[service.name for service in settings.services if service.role == "live-only"],
        live_only_up=environment.live_only_up or (),
        live_only_down=environment.live_only_down or (),
        host=host(settings, colour),
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
        cwd=workplace(settings, colour),
        started=partial(started, colour) if started else None,
        host=host(settings, colour),
    )


def _compose(settings: Settings, colour: Colour, started: Callable[[Colour], None] | None) -> ComposeRunner:
    environment = settings.environments.of(colour)
    variables = revealed_values(environment.environment)
    project = Project(
        project_of(environment, settings.project, colour),
        environment.compose.files,
        environment.compose.profiles,
        environment.env_files,
        live_only_services(settings.services),
        written_for(environment, settings.daemon),
    )
    return ComposeRunner(
        Place(colour, host(settings, colour), workplace(settings, colour), variables, environment.passed),
        project,
        tool=environment.compose.tool or (),
        pull=environment.compose.pull,
        stop_timeout=environment.compose.stop_timeout,
        timeout=environment.timeout,
        logs=environment.logs or (),
        slices=environment.slices,
        started=partial(started, colour) if started else None,
    )


def follow(settings: Settings, colour: Colour) -> Follow | None:
    """How a colour's log is followed; None where it is not. That of units is their journal, where something is looked
    for in it and nothing else is said: it takes a right to be read."""
    environment = settings.environments.of(colour)
    if environment.follow is None and environment.runner == "systemd" and settings.watch.log_lines:
        names = (*units(environment, colour), *live_only_units(settings.services, colour))
        argv = journal_argv(names, 0, "cat", "--follow", user=environment.systemd.user)
        return Follow(argv, {}, host=host(settings, colour))
    variables = revealed_values(environment.environment)
    where = environment.passed, workplace(settings, colour), host(settings, colour)
    if environment.follow is None and environment.runner == "compose":
        name, engine = project_of(environment, settings.project, colour), engine_of(environment.compose.tool or ())
        return Follow(follow_argv(name, engine), variables, *where)
    if environment.follow is None:
        return None
    return Follow(environment.follow, variables, *where)
