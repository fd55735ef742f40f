"""Alert webhooks: another listener, another application, one route; it can never move traffic forward.

Outside facts: Alertmanager posts version 4: a list of alerts, each with status, labels, startsAt and fingerprint, again
and again while they fire (prometheus.io/docs/alerting/latest/configuration, webhook_config); Grafana posts the same,
and further fields. Who cannot prove the token (hook_proofs.py) is told nothing, not even whether the name exists; a
body of theirs is read where it is said to be signed, and never understood. Alertmanager drops a message that is
answered with a 4xx (notify/webhook retries 5xx alone), so that no limit may stand before an alert that cuts back. Where
a rule of Grafana finds no data, or its source fails, it posts an alert named DatasourceNoData or DatasourceError with
the labels of the rule: that says nothing of users.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from aiohttp import web

from bluegreen.app.requests import Alert, AlertAnswer, AlertEffect
from bluegreen.app.service import Service
from bluegreen.domain.errors import ConfigurationError
from bluegreen.interfaces import models
from bluegreen.interfaces.bodies import Redact, read
from bluegreen.interfaces.buckets import Buckets
from bluegreen.interfaces.budgets import BODY_LIMIT, BUDGETS, Budgets, send_in_time
from bluegreen.interfaces.hook_proofs import HookRules as HookRules
from bluegreen.interfaces.hook_proofs import bears_token, claim_of
from bluegreen.interfaces.problems import Problem, answer_problems

DEFAULT = Budgets()

RATE, BURST = 5.0, 50
"""Requests without the token that one sender may make for long a second, and at once."""

ALERTS_RATE, ALERTS_BURST = 5.0, 500
"""Alerts that one sender may have recorded for long a second, and at once: what the journal grows by."""

TEXT, LABELS = 200, 32
"""Characters of a text, and labels, that are kept of an alert."""

REMEMBERED = 4096
"""Ids of generic messages without a time, whose first arrival is remembered as their time."""

BLIND = ("DatasourceNoData", "DatasourceError")
"""What Grafana calls the alerts of a rule that sees nothing."""

STRENGTH = (AlertEffect.CUTBACK, AlertEffect.RECORDED, AlertEffect.DUPLICATE)
"""Which effect speaks for several alerts."""


Message = TypeVar("Message")
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class AlertmanagerAlert(msgspec.Struct, rename="camel"):
    """One alert of a group, as Alertmanager posts it."""

    status: Literal["firing", "resolved"]
    starts_at: Time
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    fingerprint: str = ""


class AlertmanagerMessage(msgspec.Struct):
    """A notification of Alertmanager, version 4."""

    alerts: Annotated[list[AlertmanagerAlert], msgspec.Meta(min_length=1)]


class GenericMessage(msgspec.Struct, rename="camel"):
    """One alert of any other sender. Without `startsAt` it began when it arrived; `id` makes it unique.

    What else is in it is ignored: an alert that is lost over a stray field is worse.
    """

    id: str = ""
    status: Literal["firing", "resolved"] = "firing"
    labels: dict[str, str] = {}
    starts_at: Time | None = None
    summary: str = ""


class Hooks:
    """The one route, and what it remembers of its senders."""

    def __init__(self, service: Service, rules: Mapping[str, HookRules], redact: Redact) -> None:
        for name, hook in rules.items():
            if not hook.token:
                key = f"hooks.{name}.token"
                raise ConfigurationError(f"{key} is empty: anybody could post", key=key)
        self._service, self._redact = service, redact
        self._rules = rules
        self._nobody = HookRules("generic", secrets.token_hex())
        self._knocks = Buckets(RATE, BURST)
        self._records = Buckets(ALERTS_RATE, ALERTS_BURST)
        self._arrivals: dict[tuple[str, str], datetime] = {}

    async def receive(self, request: web.Request) -> web.Response:
        """Take one message; 202 once what it says is recorded."""
        name = request.match_info["name"]
        hook, body = await self._authenticated(request, name)
        alerts = self._understand(name, hook, body)
        urgent = [alert for alert in alerts if self._counts(alert)]
        others = [alert for alert in alerts if not self._counts(alert)]
        wait = self._records.take((request.remote, name), cost=len(others))
        if wait and not urgent:
            raise TooMany(wait)
        taken = urgent if wait else [*urgent, *others]
        return _answer([await self._service.alert(alert) for alert in taken])

    def _counts(self, alert: Alert) -> bool:
        """Whether it would send the traffic back now."""
        return self._service.foresee(alert)[0] is AlertEffect.CUTBACK

    async def _authenticated(self, request: web.Request, name: str) -> tuple[HookRules, bytes]:
        """The hook whose token the caller has, and what it posts; else Problem 401, or 429 for one who knocks too
        often.

        What is said to be signed is read before it can be refused, whatever its name: else one could tell the names."""
        hook = self._rules.get(name, self._nobody)
        if bears_token(hook, request):
            return hook, await read(request)
        if claim := claim_of(request):
            body = await read(request)
            if claim.holds(hook, body):
                if stale := claim.stale(time.time()):
                    raise Problem(401, "unauthorized", stale, close=True)
                return hook, body
        wait = self._knocks.take(request.remote)
        if wait:
            raise TooMany(wait)
        raise Problem(401, "unauthorized", "The token is missing or wrong.", close=True)

    def _understand(self, name: str, hook: HookRules, body: bytes) -> list[Alert]:
        if hook.kind != "generic":
            message = _decode(body, AlertmanagerMessage)
            return [self._of_alertmanager(name, hook, alert) for alert in message.alerts]
        return [self._of_generic(name, hook, _decode(body, GenericMessage))]

    def _of_alertmanager(self, name: str, hook: HookRules, alert: AlertmanagerAlert) -> Alert:
        fingerprint = self._id(alert.fingerprint) or _fingerprint(alert.labels)
        firing, summary = alert.status == "firing", alert.annotations.get("summary", "")
        taken = self._alert(name, hook, fingerprint, alert.starts_at, alert.labels, summary, firing=firing)
        blind = hook.kind == "grafana" and "alertname" not in hook.match and alert.labels.get("alertname") in BLIND
        return replace(taken, blind=blind)

    def _of_generic(self, name: str, hook: HookRules, message: GenericMessage) -> Alert:
        fingerprint = self._id(message.id) or _fingerprint(message.labels, message.summary)
        starts_at = message.starts_at or self._arrival(name, fingerprint if message.id else "")
        firing = message.status == "firing"
        return self._alert(name, hook, fingerprint, starts_at, message.labels, message.summary, firing=firing)

    def _alert(
        self,
        name: str,
        hook: HookRules,
        fingerprint: str,
        starts_at: datetime,
        labels: Mapping[str, str],
        summary: str,
        *,
        firing: bool,
    ) -> Alert:
        return Alert(
            hook=name,
            fingerprint=fingerprint,
            starts_at=starts_at,
            firing=firing,
            labels=self._kept(hook, labels),
            matches=all(labels.get(key) == value for key, value in hook.match.items()),
            effect=hook.effect,
            summary=self._text(summary),
        )

    def _kept(self, hook: HookRules, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that are kept, each of bounded length: first those that decide."""
        decide = {*hook.match, "colour", "color", "alertname"}
        first = sorted(labels, key=lambda label: (label not in decide, label))
        return {self._text(label): self._text(labels[label]) for label in first[:LABELS]}

    def _text(self, text: str) -> str:
        """A text from outside: without secrets (before it is cut, or half of one might stay), and bounded."""
        return self._redact(text)[:TEXT]

    def _id(self, id: str) -> str:
        """An alert's own name, as it is where it is short: thousands of them are remembered."""
        return self._redact(id) if len(id) <= TEXT else _hash(id)

    def _arrival(self, name: str, message: str) -> datetime:
        """Now; for an id that was here before, its first arrival: the message is sent again, not anew."""
        now, key = datetime.now(UTC), (name, message)
        if not message:
            return now
        if key not in self._arrivals and len(self._arrivals) >= REMEMBERED:
            del self._arrivals[next(iter(self._arrivals))]
        return self._arrivals.setdefault(key, now)


class TooMany(Problem):
    """The sender knocks too often; Retry-After says when the next one is taken."""

    def __init__(self, wait: float) -> None:
        super().__init__(429, "too-many-requests", "Too many requests from this sender.", close=True)
        self.wait = wait

    def response(self) -> web.Response:
        """The answer to send."""
        answer = super().response()
        answer.headers["Retry-After"] = str(int(self.wait) + 1)
        return answer


def make_hooks(
    service: Service, hooks: Mapping[str, HookRules], *, budgets: Budgets = DEFAULT, redact: Redact = str
) -> web.Application:
    """The application, for `listening.serve_hooks`; `redact` blanks out secrets in what senders say. Raises
    ConfigurationError for a hook without a token."""
    app = web.Application(middlewares=[send_in_time, answer_problems], client_max_size=BODY_LIMIT)
    app[BUDGETS] = budgets
    app.router.add_post("/v1/hooks/{name}", Hooks(service, hooks, redact).receive)
    return app


def _decode(body: bytes, kind: type[Message]) -> Message:
    """The message; Problem 422 where it is another's shape, 400 where it is no JSON."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as exc:
        raise Problem(422, "validation", str(exc)) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Problem(400, "malformed", "The body is not valid JSON.") from exc


def _fingerprint(labels: Mapping[str, str], summary: str = "") -> str:
    """Names an alert that has no name of its own."""
    return _hash(json.dumps([sorted(labels.items()), summary]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _answer(answers: list[AlertAnswer]) -> web.Response:
    """What became of it; for several alerts the strongest effect, and each."""
    shown = [models.AlertAnswer.model_validate(answer) for answer in answers]
    first = min(shown, key=lambda answer: STRENGTH.index(answer.effect))
    document = first.model_dump(mode="json")
    if len(shown) > 1:
        document["durable"] = all(answer.durable for answer in shown)
        document["alerts"] = [answer.model_dump(mode="json") for answer in shown]
    return web.json_response(document, status=202)
