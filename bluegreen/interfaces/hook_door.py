"""The test of a hook: a real request to the daemon's own listener, with the configured token.

The message is a resolved alert, which is recorded and never moves traffic; its labels are those that the hook asks
for. So it shows that the listener, the token, the format and the match work; what a firing alert would do now is
worked out beside it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import aiohttp
import msgspec

from bluegreen.app.requests import Alert, AlertEffect, Caller
from bluegreen.app.upkeep_answers import HookTest
from bluegreen.domain.errors import HookFailed, NotFound, RequestRefused
from bluegreen.interfaces.hook_proofs import HookRules, proof_of

BUDGET = 10.0
"""Seconds for the listener to answer."""

ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where to knock when it listens everywhere


def door_of(listen: str) -> str:
    """Where to knock at a listener on "ADDRESS:PORT": there, and on loopback where it listens everywhere."""
    host, _, port = listen.rpartition(":")
    return f"{ANYWHERE.get(host, host)}:{port}"


class Foreseeing(Protocol):
    """What the service is asked here."""

    async def record_test(self, name: str, caller: Caller) -> None:
        """Write down who tests a hook."""

    def foresee(self, alert: Alert) -> tuple[AlertEffect, str]:
        """What an alert would do now."""


@dataclass(frozen=True, slots=True)
class HookDoor:
    """Where alerts come in: the address as configured ("" off), and the hooks by name."""

    listen: str = ""
    rules: Mapping[str, HookRules] = field(default_factory=dict)

    async def test(self, name: str, caller: Caller, service: Foreseeing) -> HookTest:
        """Knock as a sender would. Raises NotFound, RequestRefused where nothing listens, HookFailed."""
        hook = self.rules.get(name)
        if hook is None:
            known = ", ".join(self.rules) or "there is none: see [hooks]"
            raise NotFound(f"there is no hook {name} ({known})", next=("bluegreen config docs hooks",))
        if not self.listen:
            raise RequestRefused(
                "nothing listens for alerts: [hooks] listen is not set", next=("bluegreen config docs hooks.listen",)
            )
        await service.record_test(name, caller)
        began = datetime.now(UTC)
        answer = await self._knock(name, hook, _message(hook, f"a test of the hook by {caller.who}", began))
        firing, why = service.foresee(
            Alert(name, "test", began, firing=True, labels=hook.match, matches=True, effect=hook.effect)
        )
        return HookTest(
            hook=name,
            listen=self.listen,
            event=str(answer["event"]),
            effect=AlertEffect(answer["effect"]),
            reason=str(answer["reason"]),
            firing=firing,
            why=why,
        )

    async def _knock(self, name: str, hook: HookRules, message: dict[str, Any]) -> dict[str, Any]:
        url, body = f"http://{door_of(self.listen)}/v1/hooks/{name}", msgspec.json.encode(message)
        headers = {"Content-Type": "application/json", **proof_of(hook, body, time.time())}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=BUDGET)) as session,
                session.post(url, data=body, headers=headers) as response,
            ):
                status, said = response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise self._failed(name, f"{self.listen} does not answer ({str(exc) or type(exc).__name__})") from exc
        if status != 202:
            raise self._failed(name, f"{self.listen} answered HTTP {status}: {_detail(said)}")
        return dict(msgspec.json.decode(said))

    def _failed(self, name: str, why: str) -> HookFailed:
        return HookFailed(f"the test of hook {name} did not come in: {why}", next=("ss -ltnp", "bluegreen doctor"))


def _message(hook: HookRules, summary: str, now: datetime) -> dict[str, Any]:
    """A resolved alert as this kind of sender posts it; new each time, so that it is never taken for a copy."""
    labels = {"alertname": "bluegreen-test", **hook.match}
    if hook.kind == "generic":
        return {
            "id": f"test-{uuid4().hex}",
            "status": "resolved",
            "labels": labels,
            "startsAt": now.isoformat(),
            "summary": summary,
        }
    alert = {
        "status": "resolved",
        "labels": labels,
        "annotations": {"summary": summary},
        "startsAt": now.isoformat(),
        "fingerprint": f"test-{uuid4().hex}",
    }
    return {"version": "4", "status": "resolved", "alerts": [alert]}


def _detail(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "no reason was given"
