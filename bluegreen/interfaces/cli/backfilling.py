"""`migrate backfill`: rows brought to the new shape, run, paused, resumed and cancelled by hand."""

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from bluegreen.domain.backfills import BackfillState
from bluegreen.interfaces import backfill_lines
from bluegreen.interfaces.cli.deploying import reason_option
from bluegreen.interfaces.cli.exits import Exit
from bluegreen.interfaces.cli.shell import Shell, verb

if TYPE_CHECKING:
    from bluegreen.interfaces.backfill_calls import Backfills
    from bluegreen.interfaces.client import Client
    from bluegreen.interfaces.connection import Reply

LOOK_EVERY = 2.0
"""Seconds between two looks at how far it is."""

ENDED_BADLY = (BackfillState.FAILED, BackfillState.INTERRUPTED)


@verb("backfill")
@click.argument("what", metavar="[LABEL|pause|resume|cancel]", required=False, default="")
@reason_option
def migrate_backfill(shell: Shell, what: str, reason: str) -> None:
    """Fill the rows that are due, or those of LABEL; or pause, resume or cancel it. Ctrl-C leaves it running."""
    if what in ("pause", "cancel"):
        reply = shell.ask(lambda client: _stopped(client, what, reason))
    else:
        shell.left = ("The backfill goes on in the daemon without you.", ("bluegreen migrate backfill pause",))
        reply = shell.ask(lambda client: _followed(shell, client, what, reason))
    shell.show(reply, lambda found: backfill_lines.backfill_lines(found.items))
    if any(progress.state in ENDED_BADLY for progress in reply.value.items):
        sys.exit(Exit.ERROR)


async def _stopped(client: "Client", what: str, reason: str) -> "Reply[Backfills]":
    return await (client.pause_backfill(reason) if what == "pause" else client.cancel_backfill(reason))


async def _followed(shell: Shell, client: "Client", what: str, reason: str) -> "Reply[Backfills]":
    """Run it, and say meanwhile how far it is."""
    from bluegreen.interfaces.client import ClientError

    begun = client.resume_backfill(reason) if what == "resume" else client.backfill(what, reason)
    outcome: Reply[Backfills] | ClientError
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(_look(shell, client), name="progress")
        try:
            outcome = await begun
        except ClientError as exc:
            outcome = exc  # raised here, the group would wrap it
        finally:
            looking.cancel()
    if isinstance(outcome, ClientError):
        raise outcome
    return outcome


async def _look(shell: Shell, client: "Client") -> None:
    from bluegreen.interfaces.client import ClientError

    said = ""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        with suppress(ClientError):  # the order itself says what is wrong
            now = (await client.status()).value.backfill
            line = backfill_lines.progress_line(now) if now is not None else ""
            if line and line != said:
                shell.remark([line])
            said = line or said
