"""The verbs of `backup`: the verified backups of the shared databases."""

from datetime import UTC, datetime

import click

from bluegreen.interfaces import upkeep_lines
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.groups import group, word_of
from bluegreen.interfaces.cli.restoring import restore, restore_command
from bluegreen.interfaces.cli.shell import Shell, verb


@verb("list")
def backup_list(shell: Shell) -> None:
    """The backups that are kept, the latest first."""
    now = datetime.now(UTC)
    shell.show(shell.ask(lambda client: client.backups()), lambda found: upkeep_lines.backup_lines(found.items, now))


@verb("now")
@reason_option
def backup_now(shell: Shell, reason: str) -> None:
    """Take a verified backup of every database. Ends when it is taken; no deployment starts meanwhile."""
    shell.left = ("The backup goes on in the daemon without you.", ("bluegreen backup list",))
    shell.show(shell.ask(lambda client: client.back_up(reason)), lambda found: upkeep_lines.taken_lines(found.items))


@verb("verify")
@click.argument("backup", metavar="ID")
def backup_verify(shell: Shell, backup: str) -> None:
    """Verify a kept backup once more, as configured, without touching it."""
    shell.left = ("It goes on in the daemon, and its log will say how it ended.", ("journalctl -u bluegreen -n 20",))
    shell.show(shell.ask(lambda client: client.verify_backup(word_of(backup))), upkeep_lines.verified_lines)


backup = group(
    "backup",
    "The verified backups of the shared databases.",
    backup_list,
    backup_now,
    backup_verify,
    restore_command,
    restore,
)
