"""What schemathesis makes of our OpenAPI document: every route, asked rightly and wrongly, answers as it says.

The whole application on memory adapters answers on loopback TCP, whose callers are taken for root: schemathesis
speaks no Unix sockets. Routes are taken from the table, so that a new one is asked too.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bluegreen.interfaces import api
from bluegreen.interfaces.listening import serve_hooks
from bluegreen.interfaces.peers import Access, Peer
from bluegreen.interfaces.routes import Route
from tests.app.daemons import running
from tests.app.outside import Outside
from tests.interfaces.conftest import in_thread

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
"""Requests for each route and mode."""

CONFORMS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

KNOWN = {"id": "current", "colour": "green", "name": "memory", "backup": "none", "site": "shop"}
"""What exists, so that requests get further than to "there is no such thing"."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The API on memory adapters, its callers being root."""
    bound: list[str] = []

    @asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        async with running(Outside()) as daemon:
            app = api.make_api(daemon.service, access=Access(), configuration={"project": "olympus"})
            async with serve_hooks(app, "127.0.0.1:0") as (host, port):
                bound.append(f"http://{host}:{port}")
                yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "_peer", lambda request: Peer(0, frozenset()))
        with in_thread(serving):
            yield bound[0]


@pytest.fixture(scope="module")
def schema(url: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{url}/v1/openapi.json")


def asked(*, stream: bool) -> list[object]:
    """Every route with every mode; wrongly only where there is something to get wrong."""
    return [
        pytest.param(route, mode, id=f"{route.method} {route.path} {mode.value}")
        for route in api.ROUTES
        for mode in GenerationMode
        if route.stream is stream and (mode is GenerationMode.POSITIVE or route.parameters or route.query or route.body)
    ]


def ask(schema: schemathesis.BaseSchema, route: Route, mode: GenerationMode, check: object) -> None:
    """Make requests of one mode, each once as it comes and once with names that exist."""
    operation = schema[route.path][route.method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def make(case: Case[Any], known: bool) -> None:
        if known:
            make_known(case)
        check(case)  # type: ignore[operator]

    make()


def make_known(case: Case[Any]) -> None:
    for name in case.path_parameters or {}:
        case.path_parameters[name] = KNOWN[name]
    if isinstance(case.body, dict) and "release" in case.body:
        case.body["release"] = "1.1.0"


@pytest.mark.parametrize(("route", "mode"), asked(stream=False))
def test_every_answer_is_as_the_document_says(
    schema: schemathesis.BaseSchema, url: str, route: Route, mode: GenerationMode
) -> None:
    def check(case: Case[Any]) -> None:
        answer = case.call(base_url=url, timeout=20)
        assert answer.status_code < 500 or route.path == "/readyz", answer.text
        case.validate_response(answer, checks=CONFORMS)

    ask(schema, route, mode, check)


@pytest.mark.parametrize(("route", "mode"), asked(stream=True))
def test_a_stream_begins_or_is_refused_as_the_document_says(
    schema: schemathesis.BaseSchema, url: str, route: Route, mode: GenerationMode
) -> None:
    def check(case: Case[Any]) -> None:
        wanted = case.as_transport_kwargs(base_url=url)
        with requests.request(**wanted, stream=True, timeout=20) as answer:
            assert answer.status_code < 500
            media = answer.headers["Content-Type"].partition(";")[0]
            assert media == ("text/event-stream" if answer.ok else "application/problem+json")

    ask(schema, route, mode, check)


def test_every_route_of_the_table_is_in_the_document(url: str) -> None:
    document = requests.get(f"{url}/v1/openapi.json", timeout=20).json()
    told = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert told == {(route.method, route.path) for route in api.ROUTES}
    assert "$ref" in json.dumps(document)
