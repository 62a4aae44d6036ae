"""Every error leaves as problem+json (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any

import flask
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from service.errors import TooLarge, UnitAtlasError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

# What a status asks of its reply beside the problem itself.
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "10"}, 503: {"Retry-After": "5"}}


def init_app(app: Flask) -> None:
    """Answer our own errors, the router's and what nobody expected with problems."""
    app.register_error_handler(UnitAtlasError, _answer_own)
    app.register_error_handler(RequestEntityTooLarge, _answer_too_large)
    app.register_error_handler(HTTPException, _answer_http)


def _answer_own(error: UnitAtlasError) -> Response:
    if error.status >= 500:
        log.error("%s: %s", error.slug, error.detail)
    reply = _reply(error.problem())
    reply.headers.extend(error.headers)
    return reply


def _answer_too_large(_: RequestEntityTooLarge) -> Response:
    return _answer_own(TooLarge(f"the body is larger than the {request.max_content_length} bytes that are taken here"))


def _answer_http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error  # 304 and redirects are no problems
    status = HTTPStatus(error.code)
    problem: dict[str, Any] = {
        "type": f"/problems/{status.phrase.lower().replace(' ', '-')}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.description or status.description,
        "errors": [],
    }
    reply = _reply(problem)
    reply.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return reply


def _reply(problem: dict[str, Any]) -> Response:
    reply = flask.jsonify({**problem, "request_id": g.get("request_id")})
    reply.status_code = problem["status"]
    reply.mimetype = MEDIA_TYPE
    reply.headers.extend(_HEADERS.get(reply.status_code, {}))
    return reply
