"""What the document says is what the service does."""

import re
from dataclasses import replace

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service import create_app
from service.api import SCOPES
from service.settings import Settings
from tests.service.conftest import MakeClient

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

PROBES = ("/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/v1/session")
"""They take nothing that could be generated; nobody signs in by a key at random."""


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(replace(settings, wait_seconds=0.0))


@pytest.fixture
def caller(app: Flask, client_of: MakeClient) -> dict[str, str]:
    """The header of a key that may do everything."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return {"Authorization": client_of("blue", *SCOPES).environ_base["HTTP_AUTHORIZATION"]}


@pytest.mark.parametrize("mode", GenerationMode)
def test_no_call_surprises(app: Flask, settings: Settings, caller: dict[str, str], mode: GenerationMode) -> None:
    examples = 20 if settings.database_url else 5  # PostgreSQL is the one that takes less
    for found in schemathesis.openapi.from_wsgi("/openapi.json", app).get_all_operations():
        operation = found.ok()
        if operation.path in PROBES:
            continue
        statuses = call_at_random(operation, caller, mode, examples)
        # what is wrong on purpose may be the key each time
        assert statuses - {401} or mode is GenerationMode.NEGATIVE, f"{operation.label} was never let in"


def call_at_random(operation: APIOperation, headers: dict[str, str], mode: GenerationMode, examples: int) -> set[int]:
    statuses: set[int] = set()

    @hypothesis_settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: schemathesis.Case) -> None:
        reply = case.call(headers=headers)
        statuses.add(reply.status_code)
        case.validate_response(reply, checks=CHECKS)

    call()
    return statuses


def test_document_is_valid(client: FlaskClient) -> None:
    validate(client.get("/openapi.json").json)


def test_every_operation_is_described(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    for path, item in paths.items():
        for method, operation in item.items():
            if method != "parameters":
                assert operation.get("summary", "").endswith("."), f"{method} {path}"
                assert operation["responses"]["default"]["$ref"] == "#/components/responses/DEFAULT_ERROR", (
                    f"{method} {path}"
                )


def test_every_call_of_the_house_is_there(client: FlaskClient) -> None:
    calls = {
        (method, path)
        for path, item in client.get("/openapi.json").json["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert {
        ("put", "/v1/artifacts/{digest}"),
        ("get", "/v1/artifacts/{digest}"),
        ("head", "/v1/artifacts/{digest}"),
        ("post", "/v1/models"),
        ("get", "/v1/models/{name}"),
        ("post", "/v1/datasets"),
        ("post", "/v1/jobs"),
        ("post", "/v1/jobs:estimate"),
        ("get", "/v1/jobs/{a}/diff/{b}"),
        ("get", "/v1/jobs/{a}/diff/{b}/units"),
        ("post", "/v1/jobs/{job_id}/assertions"),
        ("get", "/v1/jobs/{job_id}/export"),
        ("get", "/v1/units"),
        ("get", "/v1/concepts"),
        ("get", "/v1/classes"),
        ("get", "/v1/classes/{name}/explanation"),
        ("get", "/v1/attacks"),
        ("get", "/v1/images/{digest}"),
    } <= calls


def test_page_for_people_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    reply = client.get("/docs")
    assert reply.status_code == 200
    assert "/v1/artifacts/{digest}" in reply.text
    assert not re.search(r"(src|href)=.(https?:)?//", reply.text)
    assert "<script" not in reply.text
    assert re.search(r"style-src 'nonce-[\w-]+'", reply.headers["Content-Security-Policy"])
