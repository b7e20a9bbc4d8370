"""The Flask application: HTTP around :class:`qot.coordination.coordinator.Coordinator`.

Checks the key, the path, the query and the body; turns every refusal into JSON
(:class:`qot.coordination.schemas.ErrorView`). Decides nothing.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from http import HTTPStatus

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from qot.coordination.coordinator import Coordinator
from qot.coordination.errors import Reason, RefusedError, UnavailableError
from qot.coordination.openapi import PATH_PATTERNS, document, path_names
from qot.coordination.routes import PREFIX, ROUTES, Call, Route

MOST_BODY_BYTES = 65536

_STATUS = {
    Reason.INVALID: HTTPStatus.BAD_REQUEST,
    Reason.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Reason.UNKNOWN: HTTPStatus.NOT_FOUND,
    Reason.NO_SESSION: HTTPStatus.NOT_FOUND,
    Reason.STANDBY: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Every other refusal is a conflict with what is: 409."""

_HTTP_CODES = {404: "not_found", 405: "wrong_method", 413: "too_large"}


def make_app(coordinator: Coordinator, key: str, version: str = "0") -> Flask:
    """The application. ``key``: what writers must present."""
    app = Flask("qot.coordination", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.strict_slashes = False
    for route in ROUTES:
        app.add_url_rule(
            PREFIX + re.sub(r"\{(\w+)\}", r"<\1>", route.path),
            endpoint=route.name,
            view_func=_view(route, coordinator, key),
            methods=[route.method],
        )
    described = document(version)
    app.add_url_rule(
        f"{PREFIX}/openapi.json", endpoint="openapi", view_func=lambda: jsonify(described)
    )
    app.register_error_handler(RefusedError, _refused)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(HTTPException, _http)
    return app


def _view(route: Route, coordinator: Coordinator, key: str) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        if route.writes:
            _check_key(key)
        _check_path(route, path)
        call = Call(
            path,
            None if route.body is None else _body(route.body),
            None if route.query is None else _query(route.query),
        )
        answer = jsonify(route.do(coordinator, call).model_dump(mode="json"))
        answer.status_code = route.status
        return answer

    return view


def _check_key(key: str) -> None:
    """Takes as long for a wrong key as for a right one."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), key.encode()):
        raise RefusedError(
            Reason.UNAUTHORIZED,
            "the request has no key, or a wrong one",
            "send the header Authorization: Bearer <the cluster's coordination key>",
        )


def _check_path(route: Route, path: dict[str, str]) -> None:
    for name in path_names(route.path):
        if not re.fullmatch(PATH_PATTERNS[name], path[name]):
            raise RefusedError(
                Reason.INVALID,
                f"{path[name][:80]!r} is no name of a {name}",
                "use letters, digits, _ and - (nodes and servers also . and :)",
                field=name,
            )


def _body(model: type[BaseModel]) -> BaseModel:
    """Whatever its content type says: there is one format."""
    try:
        return model.model_validate_json(request.get_data() or b"null")
    except ValidationError as error:
        raise _invalid(error) from None


def _query(model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> RefusedError:
    """All that is wrong with a body or a query, and where."""
    found = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
    return RefusedError(
        Reason.INVALID,
        "; ".join(f"{field}: {message}" if field else message for field, message in found),
        f"see {PREFIX}/openapi.json",
        field=found[0][0] or None,
    )


def _answer(status: int, **data: object) -> Response:
    answer = jsonify(data)
    answer.status_code = status
    return answer


def _refused(error: RefusedError) -> Response:
    answer = _answer(_STATUS.get(error.reason, HTTPStatus.CONFLICT), **error.as_dict())
    if error.reason is Reason.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _unavailable(error: UnavailableError) -> Response:
    return _answer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="unavailable",
        seen=str(error),
        fix="try again; it is not known whether a change was made",
    )


def _http(error: HTTPException) -> Response:
    """What Flask refuses by itself, and failures (which it has logged)."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    return _answer(
        status,
        code=_HTTP_CODES.get(status, "invalid" if status < 500 else "failed"),
        seen=f"{request.method} {request.path}: {error.description or error.name}",
        fix=f"see {PREFIX}/openapi.json",
    )
