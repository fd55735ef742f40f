"""The operators' API over a real Unix socket: what each route answers, and how each failure is told."""

import asyncio
import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

import aiohttp
import pytest

from bluegreen.app import requests as app_requests
from bluegreen.domain import changelog, deployments, errors, parts, plans, records, running
from bluegreen.domain import traffic as domain_traffic
from bluegreen.domain.deployments import Cause
from bluegreen.domain.phases import Phase
from bluegreen.domain.records import Event
from bluegreen.domain.traffic import Colour
from bluegreen.interfaces import models, models_running
from bluegreen.interfaces.api import ROUTES
from bluegreen.interfaces.models_base import Answer
from tests.interfaces.scripts import (
    BEGAN,
    DONE,
    WORSE,
    ScriptedService,
    a_deployment,
    a_status,
    a_watch,
    at,
    refusal,
    then,
)

PROBLEM = "application/problem+json"


async def test_status_says_where_the_traffic_is(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.picture = a_status(at(Phase.WATCHING), watch=a_watch(), phase_seconds_left=1440.0)
    async with http.get("/v1/status") as answer:
        document = await answer.json()
    assert answer.status == 200
    assert document["traffic"]["colour"] == "blue"
    assert document["deployment"]["phase"] == "WATCHING"
    assert document["watch"]["signals"][0]["n"] == 120
    assert document["now"] == "2026-11-20T20:09:11Z"


async def test_certainty_beyond_all_numbers_is_still_json(
    http: aiohttp.ClientSession, service: ScriptedService
) -> None:
    signal = replace(a_watch().signals[0], odds=float("inf"))
    service.picture = a_status(watch=a_watch(signals=(signal,)))
    async with http.get("/v1/status") as answer:
        assert (await answer.json())["watch"]["signals"][0]["odds"] == 1e300


async def test_variables_of_a_release_are_never_shown(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.play(a_deployment())
    for path in ("/v1/deployments/d-1", "/v1/plans/p-1", "/v1/status"):
        async with http.get(path) as answer:
            assert "hunter2" not in await answer.text()


async def test_deployments_come_in_pages(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.past = [a_deployment(id=f"d-{number}") for number in range(5)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        async with http.get("/v1/deployments", params={"limit": 2, "cursor": cursor}) as answer:
            page = await answer.json()
        found += [item["id"] for item in page["items"]]
        cursor = page["cursor"]
    assert found == ["d-0", "d-1", "d-2", "d-3", "d-4"]


async def test_an_etag_names_the_state_and_not_the_tick(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    tags = []
    for shown in (at(Phase.AWAITING), at(Phase.AWAITING, elapsed=7.0), at(Phase.WATCHING)):
        service.play(shown)
        async with http.get("/v1/deployments/current") as answer:
            tags.append(answer.headers["ETag"])
    assert tags[0] == tags[1] != tags[2]


async def test_an_order_for_another_state_is_refused(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.play(at(Phase.AWAITING))
    async with http.get("/v1/deployments/current") as answer:
        tag = answer.headers["ETag"]
    async with http.post("/v1/deployments/d-1/promote", headers={"If-Match": tag}) as answer:
        assert answer.status == 200
    service.play(at(Phase.WATCHING))
    async with http.post("/v1/deployments/d-1/promote", headers={"If-Match": tag}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (412, "deployment-moved-on")
    assert [call[0] for call in service.calls] == ["promote"]


async def test_a_deployment_starts_from_a_plan(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.play(a_deployment())
    async with http.post("/v1/deployments", json={"plan": "p-1"}, headers={"Idempotency-Key": "k"}) as answer:
        assert (answer.status, answer.headers["Location"]) == (202, "/v1/deployments/d-1")
    verb, request, caller, key = service.calls[0]
    assert (verb, request.plan, request.release, key) == ("deploy", "p-1", None, "k")
    assert caller.origin == "socket"
    assert caller.who.startswith("uid ")


async def test_a_deployment_starts_from_a_release_with_its_terms(
    http: aiohttp.ClientSession, service: ScriptedService
) -> None:
    service.play(a_deployment())
    terms = {"release": "1.1.0", "auto_promote": True, "force": True, "reason": "hotfix"}
    async with http.post("/v1/deployments", json=terms) as answer:
        assert answer.status == 202
    wanted = service.calls[0][1].release
    assert wanted == app_requests.PlanRequest("1.1.0", auto_promote=True, force=True, reason="hotfix")


async def test_a_plan_is_made_and_found_again(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    async with http.post("/v1/plans", json={"release": "1.1.0"}) as answer:
        document, location = await answer.json(), answer.headers["Location"]
    assert answer.status == 201
    assert document["digest"] == "0123456789abcdef"
    async with http.get(location) as answer:
        assert await answer.json() == document


@pytest.mark.parametrize(
    ("path", "body", "call", "status"),
    [
        ("/v1/deployments/d-1/promote", {"reason": "looks good"}, ("promote", "d-1", "looks good"), 200),
        ("/v1/deployments/current/abort", {}, ("abort", "current", ""), 200),
        ("/v1/deployments/d-1/retry", {}, ("retry", "d-1"), 202),
        ("/v1/deployments/d-1/resolve", {"reason": "by hand"}, ("resolve", "d-1", "by hand"), 200),
        ("/v1/cutback", {"reason": "bad", "force": True}, ("cutback", "bad", True), 200),
        ("/v1/rollback", {}, ("rollback", "", ""), 202),
        ("/v1/rollback", {"release": "1.0.0"}, ("rollback", "1.0.0", ""), 202),
    ],
)
async def test_an_order_reaches_its_use_case(
    http: aiohttp.ClientSession, service: ScriptedService, path: str, body: Any, call: Any, status: int
) -> None:
    service.play(a_deployment())
    async with http.post(path, json=body) as answer:
        assert answer.status == status, await answer.text()
    made = tuple(argument for argument in service.calls[0] if not isinstance(argument, app_requests.Caller))
    assert made == call


async def test_a_cutback_needs_no_body_at_all(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.play(at(Phase.WATCHING))
    async with http.post("/v1/cutback") as answer:
        assert answer.status == 200


async def test_logs_are_the_deployments_events(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.play(a_deployment())
    await service.tell(Event("command.finished", BEGAN, "d-1", "STARTING", {"output": "up"}))
    await service.tell(Event("traffic.seen", BEGAN, "", "", {}))
    async with http.get("/v1/deployments/d-1/logs", params={"phase": "STARTING"}) as answer:
        document = await answer.json()
    assert [item["name"] for item in document["items"]] == ["command.finished"]
    assert document["after"] == 2


async def test_a_colours_own_log_is_shown(http: aiohttp.ClientSession) -> None:
    async with http.get("/v1/environments/green/logs", params={"lines": 7}) as answer:
        assert await answer.json() == {"colour": "green", "text": "the last 7 lines of green"}


async def test_the_configuration_is_shown_as_it_was_masked(http: aiohttp.ClientSession) -> None:
    async with http.get("/v1/config") as answer:
        assert (await answer.json())["databases"] == [{"dsn": "**********"}]


async def test_readiness_tells_its_reasons(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    async with http.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "reasons": []})
    service.picture = a_status(troubles=("caddy-unreachable: refused",))
    async with http.get("/readyz") as answer:
        document = await answer.json()
    assert (answer.status, document["reasons"]) == (503, ["caddy-unreachable: refused"])
    async with http.get("/healthz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound, 404),
        (errors.WrongPhase, 409),
        (errors.DeploymentInProgress, 409),
        (errors.RequestRefused, 409),
        (errors.GateRefused, 409),
        (errors.PlanStale, 412),
        (errors.NotPermitted, 403),
        (errors.ReleaseInvalid, 422),
        (errors.ConfigurationError, 422),
        (errors.JournalUnwritable, 503),
        (errors.BalancerUnreachable, 503),
        (errors.DatabaseUnreachable, 503),
        (errors.BluegreenError, 500),
    ],
)
async def test_every_refusal_has_its_status_code_and_next_command(
    http: aiohttp.ClientSession, service: ScriptedService, error: type[errors.BluegreenError], status: int
) -> None:
    service.refusal = refusal(error, "because")
    async with http.post("/v1/cutback") as answer:
        document = await answer.json(content_type=PROBLEM)
    assert answer.status == status
    assert document["code"] == error.code
    assert document["detail"] == "because"
    assert document["next"] == ["bluegreen status"]


async def test_facts_of_an_error_are_members_and_cannot_replace_the_status(
    http: aiohttp.ClientSession, service: ScriptedService
) -> None:
    service.refusal = errors.DeploymentInProgress("d-1 is in WATCHING", deployment="d-1", status=200, path=BEGAN)
    async with http.post("/v1/cutback") as answer:
        document = await answer.json(content_type=PROBLEM)
    assert (document["status"], document["deployment"], document["path"]) == (409, "d-1", str(BEGAN))


async def test_a_bug_is_a_problem_that_gives_nothing_away(
    http: aiohttp.ClientSession, service: ScriptedService
) -> None:
    service.refusal = RuntimeError("password=hunter2")
    async with http.get("/v1/status") as answer:
        text = await answer.text()
    assert (answer.status, answer.content_type) == (500, PROBLEM)
    assert "hunter2" not in text
    service.refusal = None
    async with http.get("/v1/status") as answer:
        assert answer.status == 200


async def test_the_openapi_document_describes_every_route_and_refers_to_nothing_else(
    http: aiohttp.ClientSession,
) -> None:
    async with http.get("/v1/openapi.json") as answer:
        text = await answer.text()
        document = await answer.json()
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES}
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert wanted
    assert wanted <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("model", "source", "hidden"),
    [
        (models.Status, app_requests.Status, set()),
        (models.WatchStatus, app_requests.WatchStatus, set()),
        (models.SignalStatus, app_requests.SignalStatus, set()),
        (models.Observation, app_requests.Observation, set()),
        (models.Deployment, deployments.Deployment, set()),
        (models.Plan, plans.Plan, set()),
        (models.PlanTerms, plans.Terms, set()),
        (models.PlanStep, plans.PlanStep, set()),
        (models.Release, plans.Release, {"variables"}),
        (models.ChangelogLine, changelog.Line, set()),
        (models.ComponentChange, plans.ComponentChange, set()),
        (models_running.Running, running.Running, set()),
        (models_running.Part, parts.Part, set()),
        (models.Event, records.Event, set()),
        (models.Traffic, domain_traffic.Traffic, set()),
        (models.ServiceTraffic, domain_traffic.ServiceTraffic, set()),
        (models.AlertAnswer, app_requests.AlertAnswer, {"facts"}),
    ],
)
def test_an_answer_shows_every_field_of_its_source_but_the_hidden_ones(
    model: type[Answer], source: type, hidden: set[str]
) -> None:
    assert is_dataclass(source)
    assert {field.name for field in fields(source)} - hidden <= set(model.model_fields)


async def test_a_cause_and_its_words_are_shown(http: aiohttp.ClientSession, service: ScriptedService) -> None:
    service.play(then(at(Phase.WATCHING), WORSE, DONE))
    async with http.get("/v1/deployments/d-1") as answer:
        document = await answer.json()
    assert (document["phase"], document["cause"]) == ("REVERTED", Cause.REGRESSED)
    assert document["old"] == Colour.BLUE


async def test_a_burst_of_two_hundred_connections_is_answered(http: aiohttp.ClientSession, socket_path: Any) -> None:
    async def ask() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    answers = await asyncio.gather(*(ask() for _ in range(200)))
    assert set(answers) == {b"HTTP/1.1 200 OK\r\n"}
