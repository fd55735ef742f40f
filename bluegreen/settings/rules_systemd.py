"""What must agree where colours are systemd units: one colour's units are never the other's. A part of rules.py."""

from collections.abc import Iterator, Sequence

from bluegreen.domain.traffic import Colour
from bluegreen.settings.rule import Broken, Rule
from bluegreen.settings.sections_stack import Environment, Environments, Service
from bluegreen.settings.sections_systemd import check_unit


def live_only_units(services: Sequence[Service], colour: Colour) -> tuple[str, ...]:
    """The units of the live-only services in a colour, in the order in which they start."""
    named = [service.parts or (f"{service.name}@{{colour}}.service",) for service in services if _live_only(service)]
    return tuple(name.replace("{colour}", colour) for names in named for name in names)


def units(environment: Environment, colour: Colour) -> tuple[str, ...]:
    """The units of a colour beside those, in the order in which they start."""
    return tuple(name.replace("{colour}", colour) for name in environment.systemd.units)


def live_only_parts_are_units(services: Sequence[Service], environments: Environments) -> Iterator[Broken]:
    if all(environments.of(colour).runner != "systemd" for colour in Colour):
        return
    for index, service in enumerate(services):
        for number, name in enumerate(service.parts):
            try:
                check_unit(name)
            except ValueError as exc:
                yield Broken(("services", index, "parts", number), str(exc))


def each_unit_is_of_one_colour(services: Sequence[Service], environments: Environments) -> Iterator[Broken]:
    blue, green = environments.blue, environments.green
    if (blue.runner, green.runner) != ("systemd", "systemd") or _place(blue) != _place(green):
        return
    taken = {*units(blue, Colour.BLUE), *live_only_units(services, Colour.BLUE)}
    for number, name in enumerate(units(green, Colour.GREEN)):
        if name in taken:
            yield Broken(
                ("environments", "green", "systemd", "units", number),
                f'"{name}" is a unit of blue too: who stops one colour would stop the other; write {{colour}} into the '
                'name, for example "app@{colour}.service"',
            )
    for index, service in enumerate(services):
        if _live_only(service) and taken & {*live_only_units([service], Colour.GREEN)}:
            yield Broken(("services", index, "parts"), "a unit is that of both colours: write {colour} into its name")
    if blue.systemd.environment_file and blue.systemd.environment_file == green.systemd.environment_file:
        yield Broken(
            ("environments", "green", "systemd", "environment_file"),
            "is that of blue too: the release of one colour would come up in the other; write a file for each colour",
        )


def _live_only(service: Service) -> bool:
    return service.role == "live-only"


def _place(environment: Environment) -> tuple[str | None, bool]:
    """Whose units they are: of which machine, and of its systemd or the user's."""
    return environment.on, environment.systemd.user


SYSTEMD_RULES: tuple[Rule, ...] = (live_only_parts_are_units, each_unit_is_of_one_colour)
