"""The verbs of `migrate`: the migrations of the shared databases."""

import sys

from bluegreen.interfaces import upkeep_lines
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import group
from bluegreen.interfaces.cli.shell import Shell, verb


@verb("status")
def migrate_status(shell: Shell) -> None:
    """Every migration of every database, with what its ledger says."""
    reply = shell.ask(lambda client: client.migrations())
    shell.show(reply, lambda found: upkeep_lines.migration_lines(found.items))
    if any(database.problem for database in reply.value.items):
        sys.exit(Exit.ERROR)


migrate = group("migrate", "The migrations of the shared databases.", migrate_status)
