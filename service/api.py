"""The one typed door to flask-smorest: blueprints whose views are declared by decorators."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import flask
import flask_smorest
import marshmallow as ma
from flask import Flask, g, request
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from service.access.tables import SCOPES
from service.errors import BadRequest, Invalid
from service.pagination import PageQuery
from service.parsing import Parser

View = Callable[..., Any]
Decorator = Callable[[View], View]

__all__ = [
    "SCOPES",
    "Blueprint",
    "Decorator",
    "NotModified",
    "Schema",
    "View",
    "check_version",
    "page_of",
    "version_tag",
]


class Schema(ma.Schema):
    """Base of the wire format: what it does not name is refused."""

    class Meta:  # noqa: D106
        unknown = ma.RAISE


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """Views under declarative decorators; a view's docstring is its summary in the document.

    From top to bottom: `get`, `post`, `put`, `delete` (or `route`), `requires`, `arguments` or `paginated`, `response`.
    """

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, description: str, *, prefix: str = "/v1") -> None:
        super().__init__(name, __name__, url_prefix=prefix, description=description)

    def route(
        self, rule: str, *, methods: tuple[str, ...] = ("GET",), parameters: list[dict[str, Any]] | None = None
    ) -> Decorator:
        """Serve `rule` by the view; `parameters` describe the path's, where their type does not say enough."""
        decorate: Decorator = super().route(rule, methods=list(methods), parameters=parameters)
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

    def also(
        self,
        status: int,
        schema: type[ma.Schema] | None = None,
        *,
        description: str | None = None,
        content_type: str | None = None,
    ) -> Decorator:
        """Document another reply that the view may give."""
        decorate: Decorator = super().alt_response(
            status, schema=schema, description=description, content_type=content_type
        )
        return decorate

    def describe(self, **operation: Any) -> Decorator:
        """Add to the view's operation in the document what no other decorator says."""
        decorate: Decorator = self.doc(**operation)
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


def init_app(app: Flask) -> None:
    """Give every request of the app strict query strings and every reply its ETag."""
    app.before_request(_refuse_stray_input)
    app.after_request(_tag)


def _refuse_stray_input() -> None:
    if "\0" in request.path or b"%00" in request.query_string:
        raise BadRequest("the address holds a null character, which no name contains")
    view = flask.current_app.view_functions.get(request.endpoint or "")
    if request.args and view is not None and not hasattr(view, "takes_query"):
        errors = [{"pointer": f"query:{name}", "detail": "Unknown field."} for name in request.args]
        raise Invalid(f"this address takes no query string, so not {', '.join(request.args)}", errors=errors)


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
    elif (
        request.method in ("GET", "HEAD") and reply.status_code == 200 and reply.is_json and "ETag" not in reply.headers
    ):
        reply.add_etag(weak=True)
        reply.make_conditional(request)
    return reply
