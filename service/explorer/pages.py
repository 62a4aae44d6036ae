"""What all pages share: their blueprint, how they are written, their headers and their errors."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import flask
import marshmallow as ma
from flask import Flask, Request, Response, g, request
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from service.api import Blueprint
from service.context import caller
from service.errors import UnitAtlasError
from service.explorer.linking import href, shared, under
from service.parsing import Parser


class FormParser(Parser):
    """Reads what a browser's forms send: a field that was left empty was not given."""

    # each schema says itself what it makes of fields that it does not know
    DEFAULT_UNKNOWN_BY_LOCATION = {**Parser.DEFAULT_UNKNOWN_BY_LOCATION, "query": None}  # noqa: RUF012

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        """The query string without empty fields."""
        return _filled_in(req.args, schema)

    def load_form(self, req: Request, schema: ma.Schema) -> Any:
        """The body of a form without empty fields."""
        return _filled_in(req.form, schema)


def _filled_in(fields: MultiDict[str, str], schema: ma.Schema) -> MultiDictProxy:
    given = MultiDict((name, value) for name, value in fields.items(multi=True) if value)
    return MultiDictProxy(given, schema)


class Pages(Blueprint):
    """Views that answer people: under declarative decorators as those of the API, and no part of its document."""

    ARGUMENTS_PARSER = FormParser()

    def __init__(self) -> None:
        super().__init__("explorer", "What the team found, for people to look at.", prefix="")
        self.template_folder = "explorer/templates"


pages = Pages()


def render(template: str, **values: Any) -> str:
    """The page that a template makes of these values."""
    helpers = {"here": here, "as_json": as_json, "may": may, "href": href, "under": under, "shared": shared}
    return flask.render_template(template, nonce=_nonce(), **helpers, **values)


def see_other(address: str) -> Response:
    """What answers a form that was sent: go on to this page."""
    return Response(status=303, headers={"Location": address})


def may(scope: str) -> bool:
    """Whether whoever looks at the page may do what needs this scope."""
    return scope in caller().scopes


def here(**changes: Any) -> str:
    """The address of this page with some of its query string changed; None takes a field away."""
    return flask.url_for(request.endpoint or "", **{**(request.view_args or {}), **_query(changes)})


def as_json(path: str, **changes: Any) -> str:
    """The address of the API's call that this page shows: the same query string, some of it changed."""
    query = urlencode(_query(changes))
    return f"{path}?{query}" if query else path


def _query(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**request.args.to_dict(), **changes}.items() if value not in (None, "")}


def _nonce() -> str:
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    nonce: str = g.nonce
    return nonce


@pages.get("/static/<name>")
@pages.requires(None)
def static(name: str) -> Response:
    """Serve what pages are dressed in."""
    return flask.send_from_directory("explorer/static", name)


def _protect(reply: Response) -> Response:
    """Let a page load what is ours alone; a script must be one that the page itself names."""
    policy = {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "script-src": f"'nonce-{_nonce()}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    reply.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    return reply


def _answer_own(error: UnitAtlasError) -> Response:
    reply = _explain(error.status, error.title, error.detail, error.errors)
    reply.headers.extend(error.headers)
    return reply


def _answer_http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error  # 304 and redirects are no errors
    return _explain(error.code, error.name, error.description or "", [])


def _explain(status: int, title: str, detail: str, errors: Iterable[dict[str, str]]) -> Response:
    page = render("error.html", status=status, title=title, detail=detail, errors=errors)
    return Response(page, status, mimetype="text/html")


pages.after_request(_protect)
pages.register_error_handler(UnitAtlasError, _answer_own)
pages.register_error_handler(HTTPException, _answer_http)


def init_app(app: Flask) -> None:
    """Serve the pages."""
    # each registers its views
    from service.explorer import class_views, job_views, paint_views, sign_in_views, team_views, views  # noqa: F401

    app.register_blueprint(pages)
