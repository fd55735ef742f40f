"""What things are called in the configuration: after what they are called where they were found."""

import re

from bluegreen.init.found import Machine, Proxied, colour_in, colourless
from bluegreen.init.owners import Owner

NAME = re.compile(r"[^A-Za-z0-9_.-]+")


def named(route: Proxied, owner: Owner | None) -> str:
    """What a service is called: as in its compose file, else as in its address, its path or its site."""
    if owner is not None and colourless(owner.member.name):
        return colourless(owner.member.name)
    host = route.dials[0].rpartition(":")[0]
    if colour_in(host) is not None and colourless(host):
        return colourless(host)
    path = next((part for path in route.paths for part in path.split("/") if part.strip("*")), "")
    return path or route.host.partition(".")[0] or "web"


def cleaned(name: str) -> str:
    """What of a name may stand in one of ours; may be empty."""
    return NAME.sub("-", name).strip("-.")[:48]


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number where another one has it."""
    plain = cleaned(name) or "web"
    numbered = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(taken) + 2))
    return next(each for each in numbered if each not in taken)


def project_of(sites: list[str], machine: Machine) -> str:
    """What is deployed here: after the directory of the stack, else after the domain."""
    if machine.stacks:
        directory = machine.stacks[0].directory
        name = directory.parent.name if colour_in(directory.name) else directory.name
        if cleaned(colourless(name)):
            return cleaned(colourless(name))
    site = next((site for site in sites if "." in site), "")
    return cleaned(site.split(".")[-2]) if site and cleaned(site.split(".")[-2]) else "app"
