"""A question before what costs users something: asked of a person, or answered beforehand by `--yes`."""

import sys

import click

from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def agree(shell: Shell, question: str, again: str, yes: bool) -> None:
    """Return where it is agreed to; else end, with the verb that asks no more (`again`)."""
    if yes:
        return
    if not at_a_terminal():
        raise click.UsageError("this asks first, and here is no terminal to ask on: say -y")
    if not click.confirm(question, default=False, err=shell.json):
        shell.fail("Nothing was done.", (again,), Exit.ERROR)


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()
