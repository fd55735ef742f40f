"""`backup restore` and `backup restore-command`: the most dangerous verb shows what it costs, and asks."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen.domain.migrations import Backup
from bluegreen.interfaces import restoring_lines
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import word_of
from bluegreen.interfaces.cli.shell import Shell, config_option, verb

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client

LEFT = ("The restore goes on in the daemon without you, and people are told how it ends.", ("bluegreen status",))


@verb("restore-command")
@click.argument("backup", metavar="ID")
@click.option("--offline", is_flag=True, help="Without the daemon, from the configuration and the backup's manifest.")
@config_option
def restore_command(shell: Shell, backup: str, offline: bool, file: Path) -> None:
    """Print the commands that put a backup into service by hand, without the daemon. Nothing is done."""
    id = word_of(backup)
    if offline:
        if shell.offline_commands is None:
            raise click.UsageError("--offline belongs to the program `bluegreen` on the daemon's host")
        shell.offline_commands(shell, file, id)
        return
    without = (f"bluegreen backup restore-command {id} --offline",)
    reply = shell.ask(lambda client: client.restore_commands(id), without_daemon=without)
    shell.show(reply, restoring_lines.command_lines)


@verb("restore")
@click.argument("backup", metavar="ID")
@click.option(
    "--stop-colours", is_flag=True, help="Stop both colours first, and start them again. Users get errors meanwhile."
)
@click.option("--yes", metavar="DATABASE", default="", help="Do not ask: the name that would be typed.")
@reason_option
def restore(shell: Shell, backup: str, stop_colours: bool, yes: str, reason: str) -> None:
    """Put a backup into service. What was written since is lost to users; the present database is dumped, and kept
    under another name. Shows first what that is."""
    id = word_of(backup)
    if not yes and not at_a_terminal():
        raise click.UsageError("this asks first, and here is no terminal to ask on: say --yes DATABASE")
    shell.remark(["Measuring what was written since…"])
    found, in_use = shell.ask(lambda client: _looked_at(shell, client, id))
    if in_use and not stop_colours:
        shell.fail("The database is in use; nothing was done.", (f"{again(id)} --stop-colours",), Exit.NOT_POSSIBLE)
    confirm = yes or _asked(shell, found, stop_colours)
    shell.left = LEFT
    reply = shell.ask(lambda client: client.restore(id, confirm, stop_colours=stop_colours, reason=reason))
    shell.show(reply, restoring_lines.restored_lines)
    if any(colour.problem for colour in reply.value.colours):
        sys.exit(Exit.ERROR)


async def _looked_at(shell: Shell, client: "Client", id: str) -> tuple[Backup, bool]:
    """The backup, and whether somebody is in its database; shows what goes out of service."""
    from bluegreen.interfaces.client import ClientError

    try:
        losses = (await client.losses(id)).value
    except ClientError as exc:
        if exc.code != "backup-failed":
            raise
        kept = {backup.id: backup for backup in (await client.backups()).value.items}
        if id not in kept:
            raise
        shell.remark(restoring_lines.unknown_lines(kept[id], exc.detail))
        return kept[id], False
    shell.remark(restoring_lines.loss_lines(losses, datetime.now(UTC)))
    return losses.backup, bool(losses.sessions)


def _asked(shell: Shell, backup: Backup, stop_colours: bool) -> str:
    asked = restoring_lines.question(backup, stop_colours=stop_colours)
    try:
        typed = str(click.prompt(asked, default="", show_default=False, err=shell.json))
    except click.Abort:
        typed = ""
        click.echo(err=True)
    if typed != backup.database:
        shell.fail("Nothing was done.", (again(backup.id),), Exit.ERROR)
    return typed


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def again(id: str) -> str:
    """The verb, to be typed once more."""
    return f"bluegreen backup restore {id}"
