"""What runs beside the services that are routed: workers, and the variables that lead to a database."""

import re
from collections.abc import Iterable

from bluegreen.init.found import Machine, colourless
from bluegreen.init.names import cleaned

WORKER = re.compile(r"worker|scheduler|cron|queue|mailer|courier|beat|sidekiq|celery|jobs?\b|consumer", re.IGNORECASE)


def workers(machine: Machine) -> Iterable[tuple[str, str]]:
    """Parts that look as if they must not run twice, and where they are from."""
    seen = set()
    for stack in machine.stacks:
        for member in stack.members:
            name = cleaned(colourless(member.name))
            if name and name not in seen and not member.ports and WORKER.search(member.name):
                seen.add(name)
                yield member.name, f"{stack.directory / stack.files[0]}: service {member.name} publishes no port"
    for template in machine.templates:
        if WORKER.search(template.name) and template.name not in seen:
            yield f"{template.name}@{{colour}}.service", str(template.path)


def dsn_names(machine: Machine) -> Iterable[tuple[str, str]]:
    """Names of variables that hold the address of a Postgres, and where they stand."""
    for stack in machine.stacks:
        for member in stack.members:
            for name in member.dsn:
                yield name, f"{stack.directory / stack.files[0]}: service {member.name}"
    yield from ((name, str(path)) for name, path in machine.dsn.items())
