"""`backup restore` and `backup restore-command`: the most dangerous verb shows what it costs, and asks."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from bluegreen.interfaces import restoring_lines, text
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.groups import word_of
from bluegreen.interfaces.cli.shell import Shell, verb

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client

LEFT = ("The restore goes on in the daemon without you, and people are told how it ends.", ("bluegreen status",))


@verb("restore-command")
@click.argument("backup", metavar="ID")
def restore_command(shell: Shell, backup: str) -> None:
    """Print the commands that put a backup into service by hand, without the daemon. Nothing is done."""
    reply = shell.ask(lambda client: client.restore_commands(word_of(backup)))
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
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: say --yes DATABASE")
    if not yes:
        yes = shell.ask(lambda client: _asked(shell, client, id, stop_colours))
    shell.left = LEFT
    reply = shell.ask(lambda client: client.restore(id, yes, stop_colours=stop_colours, reason=reason))
    shell.show(reply, restoring_lines.restored_lines)
    if any(colour.problem for colour in reply.value.colours):
        sys.exit(Exit.ERROR)


async def _asked(shell: Shell, client: "Client", id: str, stop_colours: bool) -> str:
    shell.remark(["Measuring what has changed since…"])
    losses = (await client.losses(id)).value
    shell.remark(restoring_lines.loss_lines(losses, datetime.now(UTC)))
    if losses.sessions and not stop_colours:
        again = f"bluegreen backup restore {id} --stop-colours   (users get errors until it is done)"
        shell.fail("The database is in use; nothing was done.", (again,), Exit.NOT_POSSIBLE)
    asked = restoring_lines.question(losses, stop_colours=stop_colours)
    typed = click.prompt(asked, default="", show_default=False, err=shell.json)
    if typed != losses.backup.database:
        shell.remark([f"{text.mark(text.NOTHING)} Nothing was done."])
        sys.exit(Exit.ERROR)
    return str(typed)
