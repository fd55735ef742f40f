"""The API's routes, called over the Unix socket. How a call is made: connection.py."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec

from bluegreen.app.requests import Explanation, Paused, PlanRequest, Status
from bluegreen.domain.deployments import Deployment
from bluegreen.domain.plans import Plan
from bluegreen.domain.records import Event
from bluegreen.interfaces.arming_calls import ArmingCalls
from bluegreen.interfaces.backfill_calls import BackfillCalls
from bluegreen.interfaces.connection import ClientError, Reply, SocketDenied, Unreachable
from bluegreen.interfaces.migrating_calls import MigratingCalls
from bluegreen.interfaces.restoring_calls import RestoringCalls
from bluegreen.interfaces.sample_calls import SampleCalls
from bluegreen.interfaces.site_calls import SiteCalls
from bluegreen.interfaces.upkeep_calls import UpkeepCalls
from bluegreen.interfaces.variable_calls import VariableCalls

__all__ = ["PATIENCE", "Client", "ClientError", "Page", "Reply", "SocketDenied", "Story", "Unreachable"]

CUTBACK_BUDGET = 10.0
"""Seconds for the daemon to take the order: one that hangs must not keep a person from `cutback --offline`."""

PATIENCE = 60.0
"""Seconds for which a stream waits for a daemon that restarts."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of deployments; `cursor` leads to the next."""

    items: tuple[Deployment, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Renewed:
    """What is doubtful in the configuration with which the daemon begins again."""

    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Events in order; `after` leads to the next ones."""

    items: tuple[Event, ...]
    after: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether nothing moves by itself now; `ended` is the pause that `resume` ended."""

    pause: Paused | None
    ended: Paused | None = None


class Client(
    UpkeepCalls, MigratingCalls, BackfillCalls, RestoringCalls, SampleCalls, ArmingCalls, SiteCalls, VariableCalls
):
    """The daemon behind a socket. Use as `async with Client(path) as client`."""

    # --- reading

    async def status(self) -> Reply[Status]:
        """Where the traffic is, and whether anything moves."""
        return await self._get("/v1/status", Status)

    async def deployment(self, id: str = "current") -> Reply[Deployment]:
        """One deployment."""
        return await self._get(f"/v1/deployments/{id}", Deployment)

    async def deployments(self, limit: int, cursor: str = "") -> Reply[Page]:
        """Deployments, the latest first."""
        return await self._get("/v1/deployments", Page, limit=limit, cursor=cursor)

    async def explain(self, id: str) -> Reply[Explanation]:
        """The arithmetic of a deployment's verdict."""
        return await self._get(f"/v1/deployments/{id}/explain", Explanation)

    async def logs(self, id: str, after: int = 0, phase: str = "") -> Reply[Story]:
        """What happened in a deployment, a bounded number of events."""
        query = {"phase": phase} if phase else {}
        return await self._get(f"/v1/deployments/{id}/logs", Story, after=after, **query)

    async def stored_plan(self, id: str) -> Reply[Plan]:
        """A plan that was made."""
        return await self._get(f"/v1/plans/{id}", Plan)

    async def configuration(self) -> Reply[dict[str, Any]]:
        """The configuration in force, secrets masked."""
        return await self._get("/v1/config", dict[str, Any])

    # --- ordering

    async def plan(self, request: PlanRequest) -> Reply[Plan]:
        """Ask what a deployment would do."""
        return await self._post("/v1/plans", Plan, msgspec.to_builtins(request))

    async def deploy(self, plan: str, *, supersede: bool = False, key: str = "") -> Reply[Deployment]:
        """Start the deployment of a plan; asked again with the same key where the connection breaks.

        With `supersede`, ClientError with the fact `superseding` while the running one ends: ask again, same key.
        """
        headers = {"Idempotency-Key": key or uuid4().hex}
        body = {"plan": plan, "supersede": True} if supersede else {"plan": plan}
        try:
            return await self._post("/v1/deployments", Deployment, body, headers)
        except Unreachable:
            await asyncio.sleep(1.0)
            return await self._post("/v1/deployments", Deployment, body, headers)

    async def promote(self, id: str, reason: str = "", *, full: bool = False) -> Reply[Deployment]:
        """Pass the gate; with `full` also what a later phase waits for."""
        body = {"reason": reason, "full": True} if full else {"reason": reason}
        return await self._post(f"/v1/deployments/{id}/promote", Deployment, body)

    async def pause(self, reason: str, seconds: float | None = None) -> Reply[Pause]:
        """Let nothing move by itself."""
        until = {} if seconds is None else {"seconds": seconds}
        return await self._post("/v1/pause", Pause, {"reason": reason, **until})

    async def resume(self, reason: str) -> Reply[Pause]:
        """Let things move by themselves again."""
        return await self._post("/v1/resume", Pause, {"reason": reason})

    async def abort(self, id: str, reason: str = "") -> Reply[Deployment]:
        """Give up, or cut back."""
        return await self._post(f"/v1/deployments/{id}/abort", Deployment, {"reason": reason})

    async def cutback(self, reason: str = "", *, force: bool = False) -> Reply[Deployment]:
        """Send the traffic back. Unreachable after CUTBACK_BUDGET seconds without an answer."""
        body = {"reason": reason, "force": force}
        return await self._post("/v1/cutback", Deployment, body, budget=CUTBACK_BUDGET)

    async def rollback(self, release: str = "", reason: str = "") -> Reply[Deployment]:
        """Return to an earlier release."""
        named = {"release": release} if release else {}
        return await self._post("/v1/rollback", Deployment, {"reason": reason, **named})

    async def retry(self, id: str) -> Reply[Deployment]:
        """Try again what was given up or stranded."""
        return await self._post(f"/v1/deployments/{id}/retry", Deployment, {})

    async def resolve(self, id: str, reason: str) -> Reply[Deployment]:
        """Say that a STRANDED deployment was settled by hand."""
        return await self._post(f"/v1/deployments/{id}/resolve", Deployment, {"reason": reason})

    async def reload(self) -> Reply[Renewed]:
        """Have the configuration read again; the daemon that answers then may still be the old one."""
        return await self._post("/v1/reload", Renewed, {})

    # --- following

    async def follow(self, id: str, after: int = 0) -> AsyncGenerator[Reply[Event], None]:
        """Events of a deployment above `after`, as they come; never ends by itself.

        A daemon that restarts is waited for; Unreachable after PATIENCE seconds without one.
        """
        delay, lost_at = 0.1, monotonic()
        while True:
            try:
                async with aclosing(self._stream(f"/v1/deployments/{id}/events", Event, after)) as events:
                    async for event in events:
                        after, delay = event.document["seq"], 0.1
                        yield event
                        lost_at = monotonic()
            except Unreachable:
                if monotonic() - lost_at > PATIENCE:
                    raise
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)
