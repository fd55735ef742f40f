"""Verbs that steer: promote, pause, resume, abort, cutback, resolve. They are short, and they do not ask."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.phases import Phase
from bluegreen.interfaces import pauses, reports
from bluegreen.interfaces.cli.deploying import Duration, reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import OfflineCutback, Shell, config_option, verb

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client, Reply


@verb("promote")
@click.argument("deployment", metavar="[ID]", default="current")
@click.option("--full", is_flag=True, help="Also end the watch or the standby that it is in; needs a --reason.")
@reason_option
def promote(shell: Shell, deployment: str, full: bool, reason: str) -> None:
    """Pass the gate: let users meet the new release."""
    if full and not reason:
        raise click.UsageError("--full needs a --reason: it cuts a watch short, and goes into the audit")
    shell.show(
        shell.ask(lambda client: client.promote(deployment, reason, full=full)),
        lambda found: reports.promoted_lines(found, full=full),
    )


@verb("pause")
@click.option("--reason", required=True, help="Why; shown in the status and kept in the audit.")
@click.option("--for", "seconds", type=Duration(), help="End by itself after this time; without it, by `resume`.")
def pause(shell: Shell, reason: str, seconds: float | None) -> None:
    """Let nothing move by itself: no promotion, no end of a watch, no cutback. What you order still works."""
    words = " ".join(reason.split())
    shell.show(
        shell.ask(lambda client: client.pause(words, seconds)),
        lambda found: pauses.paused_lines(found.pause, datetime.now(UTC)) if found.pause else (),
    )


@verb("resume")
@click.option("--reason", required=True, help="Why; kept in the audit.")
def resume(shell: Shell, reason: str) -> None:
    """Let things move by themselves again, at once."""
    words = " ".join(reason.split())
    shell.show(
        shell.ask(lambda client: client.resume(words)),
        lambda found: pauses.resumed_lines(found.ended, datetime.now(UTC)),
    )


@verb("abort")
@click.argument("deployment", metavar="[ID]", default="current")
@reason_option
def abort(shell: Shell, deployment: str, reason: str) -> None:
    """Before the switch: give up. After it: cut back. Ends when that is so."""
    sys.exit(shell.ask(lambda client: _see_to_the_end(shell, client, lambda: client.abort(deployment, reason))))


@verb("cutback")
@reason_option
@click.option("--force", is_flag=True, help="Also to a colour that is known dead.")
@click.option("--offline", is_flag=True, help="Without the daemon, by the cutback card; as root or the daemon's user.")
@click.option("--if-watched", is_flag=True, help="With --offline: only where a release is watched and no daemon runs.")
@config_option
def cutback(shell: Shell, reason: str, force: bool, offline: bool, if_watched: bool, file: Path) -> None:
    """Send all users back to the old colour, now. Ends when that is proved."""
    if if_watched and not offline:
        raise click.UsageError("--if-watched goes with --offline")
    if offline:
        if shell.offline is None:
            raise click.UsageError("--offline belongs to the program `bluegreen` on the daemon's host")
        sys.exit(shell.offline(shell, OfflineCutback(file, reason, force, if_watched)))
    ended = shell.ask(
        lambda client: _see_to_the_end(shell, client, lambda: client.cutback(reason, force=force)),
        without_daemon=("bluegreen cutback --offline",),
    )
    sys.exit(ended)


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
