"""What is only proposed, and stands there commented out: databases, migrations, and parts that must not run twice.

A database is never switched on here: its credential is yours to put in place, and a secret that was read somewhere is
not copied.
"""

import re
from collections.abc import Iterator

from bluegreen.init.draft import Conclusion
from bluegreen.init.found import Machine
from bluegreen.init.toml import comment, quoted, quoted_list

COMMANDS = {
    "alembic": (("alembic", "-c", "{at}/alembic.ini", "upgrade", "head"), "DATABASE_URL"),
    "django": (("python3", "{at}/manage.py", "migrate", "--noinput"), "DATABASE_URL"),
    "rails": (("{at}/bin/rails", "db:migrate"), "DATABASE_URL"),
    "kratos": (("kratos", "migrate", "sql", "up", "-e", "--yes"), "DSN"),
    "hydra": (("hydra", "migrate", "sql", "up", "-e", "--yes"), "DSN"),
}
"""Tools as commands: what applies all that is pending, and the variable with the database."""

ORY = re.compile(r"(?:^|/)(kratos|hydra)$")


def worker_lines(found: Conclusion) -> Iterator[str]:
    """Parts that look like workers, as live-only services."""
    for name, why in found.workers:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name.partition("@")[0]).strip("-.")
        yield ""
        yield comment(f"from {why}. Must it not run twice? Then it runs in the live colour alone:")
        yield "#[[services]]"
        yield comment(f"name = {quoted(plain)}", "#")
        yield '#role = "live-only"'
        yield comment(f"parts = {quoted_list([name])}", "#")


def data_lines(machine: Machine, found: Conclusion) -> Iterator[str]:
    """The shared database, and what changes its schema."""
    yield ""
    yield ""
    yield "# The database that both colours share: it is backed up before each change, and rehearsals run on a copy."
    for name, where in dict.fromkeys(found.dsn):
        yield comment(f"the variable {name} leads to one, from {where}; its value is not copied here")
    credential = f"{found.project}-dsn"
    yield "# Put its address into a file that the unit names (LoadCredential=), then take the # away:"
    yield comment(f"  install -m 0600 /dev/stdin /etc/bluegreen/credentials/{credential}", "# ")
    yield "#[[databases]]"
    yield comment(f"name = {quoted(found.project)}", "#")
    yield comment(f"dsn = {{ credential = {quoted(credential)} }}", "#")
    for tool, directory in _sources(machine):
        yield ""
        yield "#[[migrations]]"
        yield comment(f"name = {quoted(tool if tool != 'sql' else found.project)}", "#")
        yield comment(f"database = {quoted(found.project)}", "#")
        if tool == "sql":
            yield '#kind = "sql"'
            yield comment(f"directory = {quoted(directory)}", "#")
            continue
        up, variable = COMMANDS[tool]
        yield "# docs/guides/migration-tools.md"
        yield '#kind = "command"'
        yield comment(f"up = {quoted_list(part.replace('{at}', directory) for part in up)}", "#")
        yield comment(f"dsn_env = {quoted(variable)}", "#")


def _sources(machine: Machine) -> list[tuple[str, str]]:
    """(tool, directory) of what changes schemas, each once."""
    found = [(each.tool, str(each.path)) for each in machine.migrations]
    for stack in machine.stacks:
        tools = (match[1] for member in stack.members if (match := ORY.search(member.image)))
        found += [(tool, str(stack.directory)) for tool in tools]
    return list(dict.fromkeys(found))[:10]
