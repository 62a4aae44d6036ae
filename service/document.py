"""The OpenAPI document at /openapi.json, and the same for people at /docs."""

import secrets
from importlib.metadata import version
from typing import Any

import flask
import flask_smorest
from flask import Flask, Response
from marshmallow import fields

from service.api import Blueprint, Schema
from service.problems import MEDIA_TYPE


class ErrorSchema(Schema):
    """One field at fault."""

    pointer = fields.String(required=True, metadata={"description": "`/layers/0` in the body, `query:limit` beside it"})
    detail = fields.String(required=True)


class ProblemSchema(Schema):
    """An RFC 9457 problem."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ErrorSchema), required=True)
    request_id = fields.String(required=True)


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest with our problems for its errors."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        pass  # service.problems answers them

    def _register_responses(self) -> None:
        # the document must say that errors are problem+json, and only errors
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def _register_pagination_header(self) -> None:
        pass  # pages are ours, see `Blueprint.paginated`


def init_app(app: Flask, blueprints: list[Blueprint]) -> None:
    """Serve the blueprints and the document that describes them."""
    app.config.update(API_TITLE="Unit Atlas", API_VERSION=version("unit-atlas"), OPENAPI_VERSION="3.1.1")
    api = Api(app)
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for blueprint in [*blueprints, _serve_document(api)]:
        api.register_blueprint(blueprint)
    undeclared = [name for name, view in app.view_functions.items() if not hasattr(view, "scope")]
    assert not undeclared, f"views without `requires`: {undeclared}"


def _serve_document(api: Api) -> Blueprint:
    blueprint = Blueprint("document", "This document.", prefix="")

    @blueprint.get("/openapi.json")
    @blueprint.requires(None)
    @blueprint.response(200)
    def openapi() -> Any:
        """Describe this API by OpenAPI."""
        return api.spec.to_dict()

    @blueprint.get("/docs")
    @blueprint.requires(None)
    @blueprint.response(200, content_type="text/html", description="A page")
    def docs() -> Response:
        """Describe this API to people."""
        nonce = secrets.token_urlsafe(16)
        page = flask.render_template("docs.html", document=api.spec.to_dict(), nonce=nonce)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'none'; base-uri 'none'"
        return Response(page, headers={"Content-Security-Policy": policy})

    return blueprint
