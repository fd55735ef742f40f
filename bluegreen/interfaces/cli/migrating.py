"""The verbs of `migrate`: the migrations of the shared databases."""

import sys

import click

from bluegreen.interfaces import migration_lines
from bluegreen.interfaces.cli.backfilling import migrate_backfill
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import group
from bluegreen.interfaces.cli.rehearsing import migrate_contract, migrate_plan, migrate_up
from bluegreen.interfaces.cli.shell import Shell, verb


@verb("status")
def migrate_status(shell: Shell) -> None:
    """Every migration of every database, with what its ledger says."""
    reply = shell.ask(lambda client: client.migrations())
    shell.show(reply, lambda found: migration_lines.migration_lines(found.items))
    if any(database.problem for database in reply.value.items):
        sys.exit(Exit.ERROR)


@verb("repair")
@click.option("--applied", metavar="LABEL", default="", help="It took effect, or was done by hand: it will not run.")
@click.option("--not-applied", metavar="LABEL", default="", help="What was cut off did not take effect: run it again.")
@click.option("--indexes", is_flag=True, help="Build INVALID indexes again, concurrently.")
@reason_option
def migrate_repair(shell: Shell, applied: str, not_applied: str, indexes: bool, reason: str) -> None:
    """Take reformatted files and a changed schema as they are; or say how a migration that was cut off stands."""
    if sum(map(bool, (applied, not_applied, indexes))) > 1:
        raise click.UsageError("give one of --applied, --not-applied and --indexes")
    shell.left = ("It goes on in the daemon without you.", ("bluegreen migrate status",))
    reply = shell.ask(lambda client: client.repair(reason, indexes=indexes, applied=applied, not_applied=not_applied))
    shell.show(reply, lambda found: migration_lines.repair_lines(found.items))


migrate = group(
    "migrate",
    "The migrations of the shared databases.",
    migrate_status,
    migrate_plan,
    migrate_up,
    migrate_contract,
    migrate_backfill,
    migrate_repair,
)
