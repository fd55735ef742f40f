"""The verb for the daemon itself: reload. `systemctl reload bluegreen` is this verb."""

import asyncio
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from bluegreen.interfaces import text
from bluegreen.interfaces.cli.shell import Shell, verb

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client, Renewed, Reply

PATIENCE = 30.0
"""Seconds for the daemon to end in order and to begin again."""

POLL = 0.1
"""Seconds between two looks: while it begins again nobody can tell us."""


@verb("reload")
def reload(shell: Shell) -> None:
    """Have the daemon begin again with the configuration as it stands now; refused while a deployment runs."""
    renewed = shell.ask(_begun_again)
    if shell.json:
        shell.say_json(renewed.document)
        return
    shell.say(
        [
            *(f"{text.mark(text.WARNING)} {text.clean(warning)}" for warning in renewed.value.warnings),
            f"{text.mark(text.DONE)} the daemon began again with the configuration as it stands now",
        ]
    )


async def _begun_again(client: "Client") -> "Reply[Renewed]":
    """Order it, and stay until another daemon answers than the one that was asked."""
    from bluegreen.interfaces.client import ClientError

    before = (await client.status()).value.started_at
    renewed = await client.reload()
    deadline = monotonic() + PATIENCE
    while await _still(client, before):
        if monotonic() > deadline:
            raise ClientError(
                f"The daemon did not begin again within {PATIENCE:g} s.",
                code="no-answer",
                next=("systemctl status bluegreen", "journalctl -u bluegreen -p warning"),
            )
        await asyncio.sleep(POLL)
    return renewed


async def _still(client: "Client", before: datetime) -> bool:
    """Whether the daemon that was asked is still there, or none answers yet."""
    from bluegreen.interfaces.client import Unreachable

    try:
        return (await client.status()).value.started_at == before
    except Unreachable:
        return True
