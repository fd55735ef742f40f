"""What must agree where colours are compose projects: one colour's project is never the other's. A part of rules.py."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bluegreen.domain.traffic import Colour
from bluegreen.settings.rule import Broken, Rule
from bluegreen.settings.sections import Daemon
from bluegreen.settings.sections_stack import Environment, Environments, Service

PART = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")


def project_of(environment: Environment, project: str, colour: Colour) -> str:
    """The name of a colour's compose project; `project` is that of the whole."""
    return environment.compose.project or re.sub(r"[^a-z0-9_-]", "-", f"{project}-{colour}".lower()).lstrip("-_")


def live_only_services(services: Sequence[Service]) -> tuple[str, ...]:
    """The compose services that run in the live colour alone."""
    named = [service.parts or (service.name,) for service in services if service.role == "live-only"]
    return tuple(name for names in named for name in names)


def written_for(environment: Environment, daemon: Daemon) -> Path | None:
    """Where files are written for compose; None: under the home directory of the user on another machine."""
    return environment.compose.written or (None if environment.on else daemon.state_dir / "compose")


def live_only_parts_are_compose_services(services: Sequence[Service], environments: Environments) -> Iterator[Broken]:
    if all(environments.of(colour).runner != "compose" for colour in Colour):
        return
    for index, service in enumerate(services):
        for number, name in enumerate(service.parts):
            if not PART.fullmatch(name):
                yield Broken(("services", index, "parts", number), f'"{name}" cannot be a service of a compose project')


def each_project_is_of_one_colour(project: str, environments: Environments) -> Iterator[Broken]:
    blue, green = environments.blue, environments.green
    if (blue.runner, green.runner) != ("compose", "compose") or blue.on != green.on:
        return
    name = project_of(green, project, Colour.GREEN)
    if name == project_of(blue, project, Colour.BLUE):
        yield Broken(
            ("environments", "green", "compose", "project"),
            f'"{name}" is that of blue too: who stops one colour would stop the other; give each a name of its own',
        )


COMPOSE_RULES: tuple[Rule, ...] = (live_only_parts_are_compose_services, each_project_is_of_one_colour)
