"""A service that plays a script, made of real deployments: what the API, the hooks and the command line talk to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bluegreen.app.requests import (
    Alert,
    AlertAnswer,
    AlertEffect,
    Caller,
    DeployRequest,
    Explanation,
    LimitLine,
    Paused,
    PlanRequest,
    SignalLine,
    SignalStatus,
    Status,
    WatchStatus,
)
from bluegreen.app.samples import Sample
from bluegreen.app.service import Service
from bluegreen.domain.deployments import Answer, Cause, Deployment
from bluegreen.domain.errors import BluegreenError, NotFound
from bluegreen.domain.phases import Outcome, Phase
from bluegreen.domain.plans import Kind, Plan, PlanStep, Release, Terms
from bluegreen.domain.records import Event
from bluegreen.domain.traffic import Colour, ServiceTraffic, Traffic

PACE = 0.03
"""Seconds between two states of a script."""

BEGAN = datetime(2026, 11, 20, 20, 4, 11, tzinfo=UTC)

TERMS = Terms(
    deadlines={phase: 60.0 for phase in Phase if not phase.final},
    auto_promote=False,
    window=1800.0,
    standby=3600.0,
    on_blind="hold",
    on_no_traffic="probes",
    min_effect=0.01,
    alpha=0.001,
    min_bad=3,
    probe_failures=3,
    slow_factor=1.0,
    slow_floor=0.01,
    silent_after=5.0,
    drain=600.0,
    inspect=1800.0,
)

DONE = Answer(Outcome.DONE, "it is so")
WORSE = Answer(Outcome.FAILED, "5xx 38 of 1,204 (3.2 %) against tolerated 0.3 %: 1,840:1", Cause.REGRESSED)
NOT_READY = Answer(Outcome.FAILED, "accounts is not ready: HTTP 500", Cause.STEP_FAILED, ("bluegreen retry d-1",))
QUARANTINED = Answer(Outcome.FAILED, "1.1.0 is quarantined", Cause.GATE)
ABORTED = Answer(Outcome.ABORTED, "abort by uid 0 (root)", Cause.OPERATOR)
NOTED = AlertAnswer("e-1", AlertEffect.RECORDED, "no deployment runs")
NO_WAY_BACK = Answer(Outcome.FAILED, "blue does not answer", next=("bluegreen cutback --force",))


def a_plan(**changes: Any) -> Plan:
    """A plan of 1.1.0 for green."""
    steps = tuple(
        PlanStep(phase, f"what {phase} does", does=phase not in (Phase.REHEARSING, Phase.CANARYING))
        for phase in list(Phase)[: list(Phase).index(Phase.ASSESSING)]
    )
    plan = Plan(
        id="p-1",
        kind=Kind.DEPLOY,
        release=Release("1.1.0", {"SECRET": "hunter2"}, "abc", "1.1.0.toml", "1.1.0"),
        live=Colour.BLUE,
        live_release="1.0.0",
        terms=TERMS,
        steps=steps,
        warnings=(),
        digest="0123456789abcdef",
        created_at=BEGAN,
        expires_at=BEGAN + timedelta(hours=1),
        requested_by="uid 0 (root)",
    )
    return replace(plan, **changes)


def a_deployment(**changes: Any) -> Deployment:
    """A deployment of that plan, just begun."""
    return replace(Deployment("d-1", a_plan(), BEGAN, phase_since=BEGAN), **changes)


def until(phase: Phase, **changes: Any) -> list[Deployment]:
    """A deployment as it stands in each phase up to this one, all going well."""
    states = [a_deployment(**changes)]
    while states[-1].phase is not phase:
        states.append(then(states[-1], DONE))
    return states


def then(deployment: Deployment, *answers: Answer) -> Deployment:
    """The same after these answers, each ten seconds later."""
    for answer in answers:
        since = deployment.phase_since or BEGAN
        deployment = deployment.advance(answer, since + timedelta(seconds=10))
        if deployment.phase is Phase.WATCHING:
            deployment = replace(deployment, moved=True)
    return deployment


def at(phase: Phase, **changes: Any) -> Deployment:
    """A deployment that stands in this phase, all having gone well."""
    return until(phase, **changes)[-1]


def entered(deployment: Deployment) -> Event:
    """The event that tells of a deployment's latest step."""
    since = deployment.phase_since or BEGAN
    if len(deployment.path) == 1:
        return Event("deployment.started", since, deployment.id, deployment.phase)
    facts = {"previous": deployment.path[-2], "seconds": 10.0, "outcome": "done", "answer": "it is so"}
    name = "deployment.ended" if deployment.phase.final else "phase.entered"
    return Event(name, since, deployment.id, deployment.phase, facts)


def traffic(colour: Colour | None = Colour.BLUE) -> Traffic:
    """Both services on one colour; None: one on each."""
    accounts, shop = (colour, colour) if colour else (Colour.BLUE, Colour.GREEN)
    return Traffic(
        (
            ServiceTraffic("accounts", ("/apps/http/servers/srv0/routes/0",), ("127.0.0.1:7001",), accounts, 4),
            ServiceTraffic("shop", ("/apps/http/servers/srv0/routes/1",), ("127.0.0.1:7002",), shop, 4),
        )
    )


def a_watch(**changes: Any) -> WatchStatus:
    """A watch that has seen too little."""
    signal = SignalStatus("5xx", 120, 0, 0.003, 0.4, 1900, "5xx 0 of 120 (0 %) against tolerated 0.3 %: 1:2")
    watch = WatchStatus("undecided", "5xx needs 1,900 more", (signal,), 1440.0, "ready")
    return replace(watch, **changes)


def an_explanation(**changes: Any) -> Explanation:
    """A release that is a little worse than tolerated, not enough to be sure."""
    signals = (
        SignalLine("5xx", 1204, 8, 8 / 1204, 0.003, 11.2, 3, 0, critical=True),
        SignalLine("probe", 400, 0, 0.0, 0.5, 0.1, None, None, critical=True),
        SignalLine("auth", 0, 0, None, 0.01, 0.1, 6, 100, critical=False),
    )
    explanation = Explanation(
        deployment="d-1",
        release="1.1.0",
        phase=Phase.WATCHING,
        at=BEGAN,
        current=True,
        verdict="undecided",
        reason="probe cannot tell: every rate is tolerated",
        watched=185.0,
        odds=11.4,
        odds_needed=1000.0,
        min_bad=3,
        signals=signals,
        limits=(LimitLine("probe of web failures in a row", 1.0, 3.0, 400, broken=False),),
        silent=(),
        way_back="ready",
        held="",
        paused="",
    )
    return replace(explanation, **changes)


def a_status(deployment: Deployment | None = None, **changes: Any) -> Status:
    """Blue serves 1.0.0."""
    status = Status(
        project="olympus",
        version="0.1.0",
        started_at=BEGAN - timedelta(days=2),
        now=BEGAN + timedelta(minutes=5),
        traffic=traffic(),
        traffic_error="",
        releases={Colour.BLUE: "1.0.0", Colour.GREEN: ""},
        deployment=deployment,
        phase_seconds_left=None,
        watch=None,
        troubles=(),
    )
    return replace(status, **changes)


class ScriptedService(Service):
    """Answers what the test says. `script`: the states that a deployment takes one by one once somebody looked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refusal: Exception | None = None
        self.refusals: list[Exception] = []
        """What is refused first, one after the other."""
        self.picture = a_status()
        self.made = a_plan()
        self.current: Deployment | None = None
        self.script: deque[Deployment] = deque()
        self.past: list[Deployment] = []
        self.told: list[Event] = []
        self.answers: dict[str, AlertAnswer] = {}
        self.paused: Paused | None = None
        self.explained = an_explanation()
        self.alerts: list[Alert] = []
        self.recorded: list[Sample] = []
        self.followers = 0
        self._waiting: set[asyncio.Event] = set()
        self._playing: asyncio.TimerHandle | None = None

    def play(self, *states: Deployment) -> None:
        """Let a deployment take these states, the first at once."""
        self.current, *rest = states
        self.script = deque(rest)
        self.told.append(replace(entered(self.current), seq=len(self.told) + 1))

    async def tell(self, event: Event) -> None:
        """Tell an event to whoever follows."""
        self._tell(event)

    def _tell(self, event: Event) -> None:
        self.told.append(replace(event, seq=len(self.told) + 1))
        for waiting in self._waiting:
            waiting.set()

    def _go_on(self) -> None:
        """Take the next state, and the one after it a little later."""
        if not self.script:
            self._playing = None
            return
        self.current = self.script.popleft()
        self._tell(entered(self.current))
        self._playing = asyncio.get_running_loop().call_later(PACE, self._go_on)

    async def status(self) -> Status:
        if self.refusal:
            raise self.refusal
        return replace(self.picture, deployment=self.current or self.picture.deployment)

    async def troubles(self) -> tuple[str, ...]:
        return self.picture.troubles

    async def deployment(self, id: str) -> Deployment:
        if self.current is None or id not in ("current", self.current.id):
            found = next((known for known in self.past if known.id == id), None)
            if found is None:
                raise NotFound(f"there is no deployment {id}", next=("bluegreen history",))
            return found
        if self.script and self._playing is None:
            self._playing = asyncio.get_running_loop().call_later(PACE, self._go_on)
        return self.current

    async def deployments(self, limit: int, before: str = "") -> tuple[Deployment, ...]:
        ids = [deployment.id for deployment in self.past]
        begin = ids.index(before) + 1 if before else 0
        return tuple(self.past[begin : begin + limit])

    async def events(self, after: int, deployment: str = "", limit: int = 1000) -> tuple[Event, ...]:
        return tuple(e for e in self.told if e.seq > after and deployment in ("", e.deployment))[:limit]

    async def newest(self) -> int:
        return self.told[-1].seq if self.told else 0

    async def follow(self, after: int, deployment: str = "") -> AsyncIterator[Event]:
        self.followers += 1
        woken = asyncio.Event()
        self._waiting.add(woken)
        try:
            while True:
                woken.clear()
                for event in await self.events(after, deployment):
                    after = event.seq
                    yield event
                await woken.wait()
        finally:
            self.followers -= 1
            self._waiting.discard(woken)

    async def environment_logs(self, colour: Colour, lines: int) -> str:
        return f"the last {lines} lines of {colour}"

    async def stored_plan(self, id: str) -> Plan:
        if id != self.made.id:
            raise NotFound(f"there is no plan {id}")
        return self.made

    async def plan(self, request: PlanRequest, caller: Caller) -> Plan:
        self._called("plan", request, caller)
        return self.made

    async def deploy(self, request: DeployRequest, caller: Caller, idempotency_key: str = "") -> Deployment:
        if self.refusals:
            self.calls.append(("deploy", request, caller, idempotency_key))
            raise self.refusals.pop(0)
        return self._ordered("deploy", request, caller, idempotency_key)

    async def promote(self, id: str, caller: Caller, reason: str = "", *, full: bool = False) -> Deployment:
        return self._ordered("promote", id, caller, reason, *(["full"] if full else []))

    async def pause(self, caller: Caller, reason: str, seconds: float | None = None) -> Paused:
        self._called("pause", caller, reason, seconds)
        until = BEGAN + timedelta(seconds=seconds) if seconds is not None else None
        self.paused = Paused(caller.who, reason, BEGAN, until)
        return self.paused

    async def resume(self, caller: Caller, reason: str) -> Paused | None:
        self._called("resume", caller, reason)
        ended, self.paused = self.paused, None
        return ended

    async def samples(self, id: str) -> AsyncIterator[Sample]:
        await self.deployment(id)
        return self._all_samples_of()

    async def _all_samples_of(self) -> AsyncIterator[Sample]:
        for sample in self.recorded:
            yield sample

    async def explain(self, id: str) -> Explanation:
        await self.deployment(id)
        return self.explained

    async def abort(self, id: str, caller: Caller, reason: str = "") -> Deployment:
        return self._ordered("abort", id, caller, reason)

    async def cutback(self, caller: Caller, reason: str = "", *, force: bool = False) -> Deployment:
        return self._ordered("cutback", caller, reason, force)

    async def rollback(self, release: str, caller: Caller, reason: str = "") -> Deployment:
        return self._ordered("rollback", release, caller, reason)

    async def retry(self, id: str, caller: Caller) -> Deployment:
        return self._ordered("retry", id, caller)

    async def resolve(self, id: str, caller: Caller, reason: str) -> Deployment:
        return self._ordered("resolve", id, caller, reason)

    def foresee(self, alert: Alert) -> tuple[AlertEffect, str]:
        answer = self.answers.get(alert.fingerprint, NOTED)
        return answer.effect, answer.reason

    async def alert(self, alert: Alert) -> AlertAnswer:
        self.alerts.append(alert)
        return self.answers.get(alert.fingerprint, NOTED)

    def _ordered(self, verb: str, *arguments: Any) -> Deployment:
        self._called(verb, *arguments)
        if self.current is None:
            raise NotFound("nothing runs")
        return self.current

    def _called(self, verb: str, *arguments: Any) -> None:
        self.calls.append((verb, *arguments))
        if self.refusal is not None:
            raise self.refusal


def refusal(kind: type[BluegreenError], detail: str = "no") -> BluegreenError:
    """A refusal with its next command."""
    return kind(detail, next=("bluegreen status",))
