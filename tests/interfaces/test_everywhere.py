"""The table of verbs and states over the real API on a Unix socket, and through the command line.

What stands behind the socket is a whole daemon on memory adapters, in real time; what each verb leads to in the end is
the app's test (tests/app/test_verbs.py): here it is what callers are told.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from click.testing import CliRunner, Result

from bluegreen.__main__ import bluegreen
from bluegreen.adapters.checks.memory import MemoryReadiness
from bluegreen.app import reverting
from bluegreen.app.requests import AlertEffect
from bluegreen.interfaces.hooks import HookRules, make_hooks
from bluegreen.interfaces.listening import serve_hooks
from tests import verb_table as table
from tests.app.daemons import ANN, Daemon, running
from tests.app.outside import Outside
from tests.domain.examples import SERVICES
from tests.interfaces.conftest import serving, session
from tests.verb_table import Holds, Keeper, Refused, State, Supersedes

T = TypeVar("T")

PATIENCE = 60.0
"""Real seconds after which something will not happen any more."""

REFUSABLE = ("promote", "promote_full", "abort", "cutback", "deploy", "supersede", "rollback", "retry", "resolve",
             "migrate_up")  # fmt: skip

REASON = {"reason": "a reason"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "promote": ("/v1/deployments/current/promote", {}),
    "promote_full": ("/v1/deployments/current/promote", {**REASON, "full": True}),
    "abort": ("/v1/deployments/current/abort", REASON),
    "cutback": ("/v1/cutback", REASON),
    "deploy": ("/v1/deployments", {"release": "1.1.0"}),
    "supersede": ("/v1/deployments", {"release": "1.1.0", "supersede": True}),
    "rollback": ("/v1/rollback", {}),
    "retry": ("/v1/deployments/current/retry", {}),
    "resolve": ("/v1/deployments/current/resolve", REASON),
    "pause": ("/v1/pause", {**REASON, "seconds": 3600}),
    "resume": ("/v1/resume", REASON),
    "migrate_up": ("/v1/migrations/up", REASON),
}
TYPED = {
    "promote": "promote",
    "promote_full": "promote --full --reason because",
    "abort": "abort --reason because",
    "cutback": "cutback --reason because",
    "deploy": "deploy 1.1.0 -y --no-watch",
    "supersede": "deploy 1.1.0 -y --no-watch --supersede",
    "rollback": "rollback --no-watch",
    "retry": "retry --no-watch",
    "resolve": "resolve current --reason because",
    "pause": "pause --reason because --for 1h",
    "resume": "resume --reason because",
    "migrate_up": "migrate up --reason because",
}
STARTS = ("deploy", "supersede", "rollback", "retry")
"""Verbs that are answered with 202 where they are taken."""


@dataclass
class Stage:
    """A daemon in a state, its API at `path`, its hooks at `hooks`; `keeper` keeps it there."""

    daemon: Daemon
    keeper: Keeper
    path: Path
    hooks: str

    async def post(self, verb: str) -> tuple[int, dict[str, Any]]:
        """Ask the API."""
        route, body = REQUESTS[verb]
        async with session(self.path) as client, client.post(route, json=body) as answer:
            return answer.status, await answer.json()

    async def type(self, verb: str) -> Result:
        """Run the verb's command line."""
        return await asyncio.to_thread(self._invoke, TYPED[verb])

    def _invoke(self, line: str) -> Result:
        return CliRunner().invoke(bluegreen, line.split(), env={"BLUEGREEN_SOCKET": str(self.path)})


@pytest.fixture(autouse=True)
def landing_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old colour that does not answer is waited for, in real time."""
    monkeypatch.setattr(reverting, "LANDING_SECONDS", 0.1)


def quick(outside: Outside) -> None:
    """Everything as fast as it goes, since time is real here; users are many, so that a bad release shows at once."""
    outside.readiness = tuple(MemoryReadiness(name, consecutive=1, interval=0.01) for name in SERVICES)
    outside.change(window=0.1, standby=0.1, drain=0.0, inspect=3600.0)
    outside.users.rate = 1000.0


@asynccontextmanager
async def brought_into(state: State, path: Path) -> AsyncIterator[Stage]:
    """A daemon in that state, with its doors open."""
    outside, keeper = Outside(), Keeper(state.hold)
    outside.at_boundary = keeper
    quick(outside)
    if state.prepare is table.manual:
        outside.change(window=0.1, standby=0.1, drain=0.0, inspect=3600.0, auto_promote=False)
    else:
        state.prepare(outside)
    async with running(outside) as daemon:
        if state.deployed:
            await daemon.deploy()
        if state.hold is not None:
            await keeper.there.wait()
        elif state.deployed:
            await until(lambda: daemon.engine.run is None)
            table.heal(outside)
        if state.settled:
            await daemon.service.resolve("current", ANN, "seen to")
        hooks = make_hooks(daemon.service, {"prom": HookRules("generic", "a-token-of-some-length")})
        async with serving(daemon.service, path), serve_hooks(hooks, "127.0.0.1:0") as (host, port):
            yield Stage(daemon, keeper, path, f"http://{host}:{port}/v1/hooks/prom")
        assert outside.broken == []


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; TimeoutError when it does not come to hold."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


def code_of(state: State, verb: str) -> str:
    """The problem that a refusal is."""
    if not state.deployed:
        return "not-found"
    if verb in ("deploy", "supersede", "rollback", "migrate_up"):
        return "gate-refused" if state.id == "idle, REVERTED" and verb != "rollback" else "deployment-in-progress"
    return "wrong-phase"


def exit_of(code: str) -> int:
    return {"not-found": 1, "gate-refused": 6}.get(code, 5)


@pytest.mark.parametrize("state", table.STATES, ids=lambda state: state.id)
async def test_what_is_refused_is_refused_everywhere_with_what_to_type(state: State, tmp_path: Path) -> None:
    async with brought_into(state, tmp_path / "api.sock") as stage:
        before = await stage.daemon.service.deployments(10)
        for verb in REFUSABLE:
            cell = state.cell(verb)
            if not isinstance(cell, Refused) or _starts_otherwise(state, verb):
                continue
            code = code_of(state, verb)
            status, problem = await stage.post(verb)
            assert (verb, status, problem["code"]) == (verb, 404 if code == "not-found" else 409, code)
            assert any(cell.instead in command for command in problem["next"]), (verb, problem["next"])
            result = await stage.type(verb)
            assert (verb, result.exit_code) == (verb, exit_of(code)), result.output
            assert "  next: " in result.stderr, verb
            assert cell.instead in result.stderr, verb
        assert await stage.daemon.service.deployments(10) == before, "nothing of it had an effect"


def _starts_otherwise(state: State, verb: str) -> bool:
    """`rollback` of a fresh installation finds nothing to go back to; REVERTED has its own good release."""
    return verb == "rollback" and state.id in ("idle, ABANDONED", "idle, REVERTED", "STRANDED and settled")


TAKEN = [
    pytest.param(state, verb, id=f"{verb}-{state.id}")
    for state in table.STATES
    for verb in REQUESTS
    if not isinstance(state.cell(verb), Refused)
]


@pytest.mark.parametrize(("state", "verb"), TAKEN)
async def test_what_is_taken_is_taken_over_the_api(state: State, verb: str, tmp_path: Path) -> None:
    async with brought_into(state, tmp_path / "api.sock") as stage:
        status, document = await _once_ordered(
            stage, stage.post(verb), kept=not isinstance(state.cell(verb), Supersedes)
        )
        assert status == (202 if verb in STARTS else 200), document
        if not isinstance(state.cell(verb), Holds):
            assert document["id"].startswith("d-")


@pytest.mark.parametrize(("state", "verb"), TAKEN)
async def test_what_is_taken_is_taken_by_the_command_line(state: State, verb: str, tmp_path: Path) -> None:
    async with brought_into(state, tmp_path / "api.sock") as stage:
        result = await _once_ordered(stage, stage.type(verb), kept=verb not in ("abort", "cutback", "supersede"))
        assert result.exit_code == 0, result.output
        assert result.stderr == "", "nothing went wrong"


async def _once_ordered(stage: Stage, asking: Coroutine[Any, Any, T], *, kept: bool) -> T:
    """What is answered; unless it is `kept` where it is, the deployment goes on once the order is written down."""
    journal = stage.daemon.outside.journal
    before = len(await journal.audited(100))
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(asking, name="asked")
        while not kept and not asked.done() and len(await journal.audited(100)) == before:
            await asyncio.sleep(0.005)
        if not kept:
            stage.keeper.free.set()
    return asked.result()


@pytest.mark.parametrize("state", table.STATES, ids=lambda state: state.id)
async def test_an_alert_is_answered_with_what_it_does(state: State, tmp_path: Path) -> None:
    async with brought_into(state, tmp_path / "api.sock") as stage:
        alert = {
            "id": "f1",
            "startsAt": stage.daemon.outside.clock.now().isoformat(),
            "status": "firing",
            "labels": {"alertname": "Errors"},
            "summary": "5xx are up",
        }
        headers = {"Authorization": "Bearer a-token-of-some-length"}
        async with aiohttp.ClientSession() as client, client.post(stage.hooks, json=alert, headers=headers) as answer:
            document = await answer.json()
        assert answer.status == 202, document
        assert document["effect"] == state.cell("alert")
        assert bool(document["reason"]) == (state.cell("alert") is AlertEffect.RECORDED)


# --- two at once


ONE_OF_BOTH = [202, 409]


async def test_of_two_deployments_one_starts_and_one_is_refused(tmp_path: Path) -> None:
    nothing = next(state for state in table.STATES if not state.deployed)
    async with brought_into(nothing, tmp_path / "api.sock") as stage:
        found = await asyncio.gather(stage.post("deploy"), stage.post("deploy"))
    assert sorted(status for status, _ in found) == ONE_OF_BOTH
    refused = next(document for status, document in found if status == 409)
    assert refused["code"] == "deployment-in-progress"
    started = next(document for status, document in found if status == 202)
    assert refused["deployment"] == started["id"]


async def test_an_idempotency_key_answers_once_and_never_for_another_request(tmp_path: Path) -> None:
    nothing = next(state for state in table.STATES if not state.deployed)
    async with brought_into(nothing, tmp_path / "api.sock") as stage, session(stage.path) as client:

        async def ask(release: str, key: str) -> tuple[int, dict[str, Any]]:
            headers = {"Idempotency-Key": key}
            async with client.post("/v1/deployments", json={"release": release}, headers=headers) as answer:
                return answer.status, await answer.json()

        (first, one), (second, two) = await asyncio.gather(ask("1.1.0", "k"), ask("1.1.0", "k"))
        assert (first, second) == (202, 202)
        assert one["id"] == two["id"]
        status, problem = await ask("1.2.0", "k")
        assert (status, problem["code"]) == (409, "not-possible")
        assert "was used for another request" in problem["detail"]
