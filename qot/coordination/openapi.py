"""The OpenAPI document (3.1) of the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from qot.coordination import schemas
from qot.coordination.routes import PREFIX, ROUTES, Route

_REF = "#/components/schemas/{model}"
PATH_PATTERNS = {
    "timeline": schemas.TIMELINE_PATTERN,
    "node": schemas.NAME_PATTERN,
    "server": schemas.NAME_PATTERN,
}


def document(version: str) -> dict[str, Any]:
    """The whole document, as data. ``version`` is the service's."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Coordination of timelines",
            "version": version,
            "description": "Who is on a timeline, what they demand, and whose clock it is. "
            "Writes need `Authorization: Bearer <key>`.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def path_names(path: str) -> list[str]:
    """``/timelines/{timeline}/nodes/{node}`` → ``["timeline", "node"]``."""
    return re.findall(r"\{(\w+)\}", path)


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            str(route.status.value): _content(route.answer, route.status.phrase),
            "default": _content(schemas.ErrorView, "Refused, or not possible now"),
        },
    }
    parameters = [_path_parameter(name) for name in path_names(route.path)]
    if route.query is not None:
        parameters += _query_parameters(route.query)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(route.body)}
    if route.writes:
        operation["security"] = [{"key": []}]
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": PATH_PATTERNS[name]}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(query: type[BaseModel]) -> Iterable[dict[str, Any]]:
    schema = query.model_json_schema()
    for name, field in schema["properties"].items():
        required = name in schema.get("required", [])
        yield {"name": name, "in": "query", "required": required, "schema": field}


def _content(model: type[BaseModel], description: str) -> dict[str, Any]:
    return {"description": description, "content": _json(model)}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _schemas() -> dict[str, Any]:
    bodies = {route.body for route in ROUTES if route.body is not None}
    answers = {route.answer for route in ROUTES} | {schemas.ErrorView}
    _, definitions = models_json_schema(
        [
            *((model, "validation") for model in sorted(bodies, key=lambda model: model.__name__)),
            *(
                (model, "serialization")
                for model in sorted(answers, key=lambda model: model.__name__)
            ),
        ],
        ref_template=_REF,
    )
    return dict(definitions["$defs"])
