"""`deploy --supersede`: asking again, with the same key, until what runs has ended and the new deployment starts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from bluegreen.domain.deployments import Deployment
from bluegreen.domain.plans import Plan
from bluegreen.interfaces import text
from bluegreen.interfaces.cli.shell import Shell

if TYPE_CHECKING:
    from bluegreen.interfaces.client import Client, ClientError, Reply

AGAIN = 1.0
"""Seconds between two questions; the daemon itself waits before it answers that it is not over."""


def superseding(shell: Shell, plan: Plan, timeout: float | None) -> "Callable[[Client], Awaitable[Reply[Deployment]]]":
    """Start a plan once what it supersedes has ended; ClientError "timeout" after `timeout` seconds."""
    key = uuid4().hex

    async def begin(client: "Client") -> "Reply[Deployment]":
        from bluegreen.interfaces.client import ClientError

        try:
            async with asyncio.timeout(timeout):
                return await _ask_until_started(shell, client, plan, key)
        except TimeoutError as exc:
            detail = f"The time to wait is over. {_ending(plan)}, and {plan.release.version} was not started."
            raise ClientError(detail, code="timeout", next=_again(plan)) from exc

    return begin


async def _ask_until_started(shell: Shell, client: "Client", plan: Plan, key: str) -> "Reply[Deployment]":
    from bluegreen.interfaces.client import ClientError

    told = ""
    while True:
        try:
            reply = await client.deploy(plan.id, supersede=True, key=key)
        except ClientError as exc:
            if exc.facts.get("superseding") is not True:
                raise
            told = _tell(shell, exc, told)
            shell.left = (f"{_ending(plan)}; {plan.release.version} was not started.", _again(plan))
            await asyncio.sleep(AGAIN)
        else:
            shell.left = ("", ())
            return reply


def _tell(shell: Shell, exc: "ClientError", told: str) -> str:
    """Say how far it is, where that changed."""
    if exc.detail != told:
        shell.remark([f"{text.mark(text.RUNNING)} {text.clean(exc.detail)}"])
    return exc.detail


def _ending(plan: Plan) -> str:
    return f"{plan.supersedes or 'What runs'} is being ended all the same"


def _again(plan: Plan) -> tuple[str, ...]:
    return ("bluegreen status", f"bluegreen deploy --plan {plan.id} --supersede")
