"""The OpenAPI 3.1 document, from the table of routes and the models that also validate."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bluegreen import __version__
from bluegreen.interfaces import models
from bluegreen.interfaces.peers import Right
from bluegreen.interfaces.problems import CONTENT_TYPE
from bluegreen.interfaces.routes import PARAMETERS, Route

JSON, EVENTS, TEXT = "application/json", "text/event-stream", "text/plain"
REF = "#/components/schemas/{model}"


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document; it refers to nothing outside of itself."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bluegreen", "version": __version__},
        "servers": [{"url": "http://localhost", "description": "over the Unix socket"}],
        "paths": paths,
        "components": {"schemas": _schemas(routes)},
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "x-right": route.right.name.lower(),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            str(route.status): _answer(route),
            **{str(status): _refusal(status) for status in _refusals(route)},
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"content": {JSON: {"schema": _ref(route.body)}}}
    return operation


def _refusals(route: Route) -> list[int]:
    """The statuses with which a route may refuse; beside them only 405, and 500 for a bug of ours."""
    statuses = {400, 503}
    if route.right > Right.NONE:
        statuses |= {403}
    if route.parameters or route.body is not None:
        statuses |= {404, 409}
    if route.query is not None:
        statuses |= {422}
    if route.body is not None:
        statuses |= {408, 412, 413, 415, 422}
    if route.stream:
        statuses |= {429}
    return sorted(statuses)


def _refusal(status: int) -> dict[str, Any]:
    return _content(models.Problem, CONTENT_TYPE) | {"description": HTTPStatus(status).phrase}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _text(PARAMETERS[name])} for name in route.parameters
    ]


def _text(pattern: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^({pattern})$"}


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=REF)
    return [
        {"name": name, "in": "query", "required": False, "schema": parameter}
        for name, parameter in schema["properties"].items()
    ]


def _content(model: type[BaseModel] | None, media: str) -> dict[str, Any]:
    schema = _ref(model) if model is not None else {"type": "object"}
    description = ((model.__doc__ if model else "") or "An object.").strip()
    return {"description": description, "content": {media: {"schema": schema}}}


def _answer(route: Route) -> dict[str, Any]:
    if route.text:
        return {"description": route.summary, "content": {TEXT: {"schema": {"type": "string"}}}}
    return _content(route.answer, EVENTS if route.stream else JSON)


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    takes = {model for route in routes for model in (route.body, route.query) if model is not None}
    gives = {route.answer for route in routes if route.answer is not None} | {models.Problem}
    wanted: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((model, "validation") for model in takes),
        *((model, "serialization") for model in gives),
    ]
    _, schema = models_json_schema(sorted(wanted, key=lambda item: item[0].__name__), ref_template=REF)
    definitions: dict[str, Any] = schema["$defs"]
    return definitions
