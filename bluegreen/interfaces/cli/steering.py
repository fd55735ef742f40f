"""Verbs that steer a deployment: promote, abort, cutback, resolve. They are short, and they do not ask."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.interfaces import reports
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell, verb

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client, Reply


@verb("promote")
@click.argument("deployment", metavar="[ID]", default="current")
@reason_option
def promote(shell: Shell, deployment: str, reason: str) -> None:
    """Pass the gate: let users meet the new release."""
    shell.show(shell.ask(lambda client: client.promote(deployment, reason)), reports.promoted_lines)


@verb("abort")
@click.argument("deployment", metavar="[ID]", default="current")
@reason_option
def abort(shell: Shell, deployment: str, reason: str) -> None:
    """Before the switch: give up. After it: cut back. Ends when that is so."""
    sys.exit(shell.ask(lambda client: _see_to_the_end(shell, client, lambda: client.abort(deployment, reason))))


@verb("cutback")
@reason_option
@click.option("--force", is_flag=True, help="Also to a colour that is known dead.")
def cutback(shell: Shell, reason: str, force: bool) -> None:
    """Send all users back to the old colour, now. Ends when that is proved."""
    sys.exit(shell.ask(lambda client: _see_to_the_end(shell, client, lambda: client.cutback(reason, force=force))))


@verb("resolve")
@click.argument("deployment", metavar="ID")
@click.option("--reason", required=True, help="How it was settled; kept in the audit.")
def resolve(shell: Shell, deployment: str, reason: str) -> None:
    """Say that a STRANDED deployment was settled by hand: what Caddy serves now is what is wanted."""
    words = " ".join(reason.split())
    shell.show(shell.ask(lambda client: client.resolve(deployment, words)), reports.resolved_lines)


async def _see_to_the_end(shell: Shell, client: "Client", order: "Callable[[], Awaitable[Reply[Deployment]]]") -> Exit:
    """Give the order and stay until the deployment has ended; done where users are on the old colour."""
    from bluegreen.interfaces.cli import following

    since = datetime.now(UTC)
    ordered = (await order()).value
    return _as_asked(await following.see_back(shell, client, ordered, since), ordered)


def _as_asked(final: Deployment, ordered: Deployment) -> Exit:
    """An abort of CONTRACTING ends LIVE, as asked; elsewhere LIVE came first, and users are not back."""
    if final.phase is Phase.STRANDED:
        return Exit.STRANDED
    if final.phase is Phase.LIVE and ordered.phase is not Phase.CONTRACTING:
        return Exit.NOT_POSSIBLE
    return Exit.DONE
