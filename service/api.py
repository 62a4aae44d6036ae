"""The one typed door to flask-smorest: blueprints whose views are declared, and the OpenAPI document they add up to."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import flask
import flask_smorest
import marshmallow as ma
from flask import Flask, g, request
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from service.errors import Invalid
from service.pagination import PageQuery
from service.parsing import Parser
from service.problems import MEDIA_TYPE

View = Callable[..., Any]
Decorator = Callable[[View], View]

SCOPES = ("read", "write", "run", "admin")


class Schema(ma.Schema):
    """Base of the wire format: what it does not name is refused."""

    class Meta:  # noqa: D106
        unknown = ma.RAISE


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
    request_id = fields.String(required=True, allow_none=True)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """Views under declarative decorators; a view's docstring is its summary in the document.

    From top to bottom: `get`, `post`, `put`, `delete` (or `route`), `requires`, `arguments` or `paginated`, `response`.
    """

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, description: str, *, prefix: str = "/v1") -> None:
        super().__init__(name, name, url_prefix=prefix, description=description)

    def route(self, rule: str, *, methods: tuple[str, ...] = ("GET",)) -> Decorator:
        """Serve `rule` by the view."""
        decorate: Decorator = super().route(rule, methods=list(methods))
        return decorate

    def get(self, rule: str) -> Decorator:
        """Serve GET and HEAD of `rule` by the view."""
        return self.route(rule)

    def post(self, rule: str) -> Decorator:
        """Serve POST of `rule` by the view."""
        return self.route(rule, methods=("POST",))

    def put(self, rule: str) -> Decorator:
        """Serve PUT of `rule` by the view."""
        return self.route(rule, methods=("PUT",))

    def delete(self, rule: str) -> Decorator:
        """Serve DELETE of `rule` by the view."""
        return self.route(rule, methods=("DELETE",))

    def requires(self, scope: str | None) -> Decorator:
        """Let only keys of this scope in, or everybody where it is None; each view must say which."""
        assert scope is None or scope in SCOPES
        secured = {"security": [{"key": []}], "responses": {401: "UNAUTHORIZED", 403: "FORBIDDEN"}}

        def decorate(view: View) -> View:
            if scope is not None:
                view = self.doc(**secured, **{"x-scope": scope})(view)
            view.scope = scope  # type: ignore[attr-defined]
            return view

        return decorate

    def arguments(self, schema: type[ma.Schema], *, location: str = "json") -> Decorator:
        """Hand the view what `schema` makes of the body, or of the `query` string or the `headers`."""
        decorate: Decorator = super().arguments(schema, location=location)
        if location != "query":
            return decorate

        def decorate_query(view: View) -> View:
            view = decorate(view)
            view.takes_query = True  # type: ignore[attr-defined]
            return view

        return decorate_query

    def response(
        self,
        status: int,
        schema: type[ma.Schema] | ma.Schema | None = None,
        *,
        description: str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> Decorator:
        """Write what the view returns as `schema` says; a Response passes as it is."""
        decorate: Decorator = super().response(
            status, schema, description=description, content_type=content_type, headers=headers
        )
        return decorate

    def also(self, status: int, schema: type[ma.Schema] | None = None, *, description: str | None = None) -> Decorator:
        """Document another reply that the view may give."""
        decorate: Decorator = super().alt_response(status, schema=schema, description=description)
        return decorate

    def paginated(self, item: type[ma.Schema], query: type[PageQuery] = PageQuery) -> Decorator:
        """Hand the view a PageRequest and write the Page it returns; `query` holds the filters."""

        def decorate(view: View) -> View:
            return self.arguments(query, location="query")(self.response(200, page_of(item))(view))

        return decorate


@cache
def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The schema of a page of items."""
    name = item.__name__.removesuffix("Schema")
    members: dict[str, fields.Field[Any]] = {
        "data": fields.List(fields.Nested(item), required=True),
        "next_cursor": fields.String(required=True, allow_none=True),
    }
    return Schema.from_dict(members, name=f"{name}PageSchema")


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


def init_app(app: Flask, blueprints: list[Blueprint]) -> Api:
    """Serve the blueprints and describe them at /openapi.json and /docs."""
    app.config.update(API_TITLE="Unit Atlas", API_VERSION="v1", OPENAPI_VERSION="3.1.1")
    app.before_request(_refuse_stray_query)
    app.after_request(_tag)
    api = Api(app)
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    return api


def _refuse_stray_query() -> None:
    view = flask.current_app.view_functions.get(request.endpoint or "")
    if view is not None and not hasattr(view, "takes_query"):
        errors = [{"pointer": f"query:{name}", "detail": "Unknown field."} for name in request.args]
        if errors:
            raise Invalid(f"this address takes no query string, not {', '.join(request.args)}", errors=errors)


class NotModified(HTTPException):
    """The client has this version already."""

    code = 304


def version_tag(version: object) -> str:
    """The weak ETag of a row's version."""
    return f'W/"{version}"'


def check_version(version: object) -> None:
    """Tag the reply with its row's version; raise NotModified where the client names that version."""
    g.etag = version_tag(version)
    if request.if_none_match.contains_weak(str(version)):
        raise NotModified


def _tag(reply: flask.Response) -> flask.Response:
    if "etag" in g:
        reply.headers["ETag"] = g.etag
    elif request.method in ("GET", "HEAD") and reply.status_code == 200 and reply.is_json and not reply.is_streamed:
        reply.add_etag(weak=True)
        reply.make_conditional(request)
    return reply
