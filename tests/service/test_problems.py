"""Whatever goes wrong, the reply is a problem that says what and where."""

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from werkzeug.test import TestResponse

from service import create_app, document
from service.api import Blueprint, Schema, check_version
from service.settings import Settings


class NestSchema(Schema):
    numbers = fields.List(fields.Integer())


class BodySchema(Schema):
    name = fields.String(required=True)
    nest = fields.Nested(NestSchema)
    notes = fields.Dict()


class CountQuery(Schema):
    count = fields.Integer(load_default=1)


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("tests", "For tests.")

    @blueprint.post("/echo")
    @blueprint.requires("write")
    @blueprint.arguments(BodySchema)
    @blueprint.response(200, BodySchema)
    def echo(body: dict[str, Any]) -> dict[str, Any]:
        """Echo."""
        return body

    @blueprint.get("/count")
    @blueprint.requires("read")
    @blueprint.arguments(CountQuery, location="query")
    @blueprint.response(200, CountQuery)
    def count(query: dict[str, Any]) -> dict[str, Any]:
        """Count."""
        return query

    @blueprint.get("/broken")
    @blueprint.requires("read")
    @blueprint.response(200)
    def broken() -> None:
        """Break."""
        raise RuntimeError("the secret innards")

    @blueprint.get("/versioned")
    @blueprint.requires("read")
    @blueprint.response(200)
    def versioned() -> dict[str, int]:
        """Have a version."""
        check_version(7)
        return {"a": 1}

    return blueprint


@pytest.fixture
def app(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Flask:
    register = document.init_app
    monkeypatch.setattr(document, "init_app", lambda app, given: register(app, [*given, make_blueprint()]))
    return create_app(sqlite_settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def problem(reply: TestResponse, status: int) -> dict[str, Any]:
    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json")
    assert reply.json is not None
    assert set(reply.json) == {"type", "title", "status", "detail", "errors", "request_id"}
    assert reply.json["status"] == status
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]
    assert "Traceback" not in reply.text
    return reply.json


def test_router(client: FlaskClient) -> None:
    problem(client.get("/nothing/here"), 404)
    reply = client.delete("/v1/echo")
    problem(reply, 405)
    assert "POST" in reply.headers["Allow"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"name": "a", "notes": {"n": 1e999}}',
        b'{"name": "a", "notes": {"n": ' + b"1" * 5000 + b"}}",
        b"[" * 100_000,
        rb'{"name": "\u0000"}',
        rb'{"name": "\ud800"}',
        rb'{"name": "a", "notes": {"x\u0000": 1}}',
    ],
)
def test_malformed_json(client: FlaskClient, body: bytes) -> None:
    problem(client.post("/v1/echo", data=body, content_type="application/json"), 400)


@pytest.mark.parametrize("body", [b"[]", b"3", b'"x"', b"null", b""])
def test_json_of_another_shape(client: FlaskClient, body: bytes) -> None:
    problem(client.post("/v1/echo", data=body, content_type="application/json"), 422)


def test_body_that_is_no_json(client: FlaskClient) -> None:
    problem(client.post("/v1/echo", data=b'{"name": "a"}', content_type="text/plain"), 415)


def test_text_outside_ascii_passes(client: FlaskClient) -> None:
    body = {"name": "Fußgänger \U0001f600", "notes": {"\\u0000": "\\ud800"}}
    assert client.post("/v1/echo", json=body).json == body


def test_pointers_into_the_body(client: FlaskClient) -> None:
    found = problem(client.post("/v1/echo", json={"nest": {"numbers": [1, "x"]}, "a/b~c": 1}), 422)
    assert {error["pointer"] for error in found["errors"]} == {"/name", "/nest/numbers/1", "/a~1b~0c"}
    assert all(error["pointer"] in found["detail"] for error in found["errors"])


def test_pointers_into_the_query(client: FlaskClient) -> None:
    found = problem(client.get("/v1/count?count=x&other=1"), 422)
    assert {error["pointer"] for error in found["errors"]} == {"query:count", "query:other"}


def test_query_where_none_is_taken(client: FlaskClient) -> None:
    found = problem(client.post("/v1/echo?count=1", json={"name": "a"}), 422)
    assert found["errors"][0]["pointer"] == "query:count"


@pytest.mark.parametrize("address", ["/v1/count?count=%00", "/v1/keys/%00"])
def test_null_character_in_the_address(client: FlaskClient, address: str) -> None:
    problem(client.get(address), 400)


def test_oversized_body(client: FlaskClient, sqlite_settings: Settings) -> None:
    body = b'{"name": "' + b"x" * sqlite_settings.max_body_bytes + b'"}'
    problem(client.post("/v1/echo", data=body, content_type="application/json"), 413)


def test_unexpected_error_is_logged_and_not_shown(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = problem(client.get("/v1/broken"), 500)
    assert "secret innards" not in str(found)
    assert any(record.exc_info and "secret innards" in str(record.exc_info[1]) for record in caplog.records)


def test_request_id(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    for bad in ("a b", "x" * 65, '"'):
        assert client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_version_tag(client: FlaskClient) -> None:
    reply = client.get("/v1/versioned")
    assert (reply.status_code, reply.headers["ETag"]) == (200, 'W/"7"')
    for known in ('W/"7"', '"7"', 'W/"6", W/"7"'):
        again = client.get("/v1/versioned", headers={"If-None-Match": known})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", 'W/"7"')
    assert client.get("/v1/versioned", headers={"If-None-Match": 'W/"8"'}).status_code == 200


def test_any_json_has_a_tag(client: FlaskClient) -> None:
    tag = client.get("/v1/count").headers["ETag"]
    assert client.get("/v1/count", headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/v1/count?count=2", headers={"If-None-Match": tag}).status_code == 200


def test_security_headers(client: FlaskClient) -> None:
    for address in ("/healthz", "/nothing", "/v1/count", "/docs"):
        reply = client.get(address)
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
