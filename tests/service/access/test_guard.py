"""Who is let in."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from service.access.guard import is_loopback
from service.access.tables import LOCAL_TEAM, ApiKey, Team
from service.api import SCOPES
from service.database import Sessions
from tests.service.conftest import MakeClient

DIGEST = "0" * 64
CALLS = [
    ("GET", f"/v1/artifacts/{DIGEST}", "read", 404),
    ("PUT", f"/v1/artifacts/{DIGEST}", "write", 422),
    ("GET", "/v1/keys", "admin", 200),
    ("POST", "/v1/keys", "admin", 422),
    ("DELETE", "/v1/keys/abcdefgh", "admin", 404),
    ("GET", "/v1/audit", "admin", 200),
]


@pytest.mark.parametrize(("method", "address", "scope", "status"), CALLS)
@pytest.mark.parametrize("held", SCOPES)
def test_scopes(client_of: MakeClient, method: str, address: str, scope: str, status: int, held: str) -> None:
    reply = client_of("blue", held).open(address, method=method)
    assert reply.status_code == (status if held == scope else 403)


def test_every_view_says_its_scope(app: Flask) -> None:
    open_to_all = {name for name, view in app.view_functions.items() if view.scope is None}  # type: ignore[attr-defined]
    assert open_to_all <= {
        "access.sign_in",
        "access.sign_out",
        "explorer.show_sign_in",
        "explorer.sign_in",
        "explorer.sign_out",
        "explorer.static",
        "health.healthz",
        "health.readyz",
        "health.metrics",
        "document.openapi",
        "document.docs",
    }


def test_loopback_without_keys_is_the_local_team(client: FlaskClient, sessions: Sessions) -> None:
    for address in ("127.0.0.1", "127.8.8.8", "::1"):
        assert client.get("/v1/keys", environ_base={"REMOTE_ADDR": address}).status_code == 200
    with sessions() as session:
        assert list(session.scalars(sa.select(Team.name))) == [LOCAL_TEAM]


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "", "localhost.example"])
def test_others_without_keys_are_told_how_to_make_one(client: FlaskClient, address: str) -> None:
    reply = client.get("/v1/keys", environ_base={"REMOTE_ADDR": address})
    assert reply.status_code == 401
    assert "unitatlas keys create" in reply.text
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_proxies_and_foreign_pages_are_not_local(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/v1/keys", headers=headers).status_code == 401


def test_own_pages_are_local(client: FlaskClient) -> None:
    headers = {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}
    assert client.get("/v1/keys", headers=headers).status_code == 200


def test_with_a_key_loopback_needs_one_too(client: FlaskClient, client_of: MakeClient) -> None:
    client_of("blue", "read")
    reply = client.get("/v1/keys")
    assert reply.status_code == 401
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dTpw", "Bearer ua_x", "Bearer ua_" + "a" * 60, "é"])
def test_malformed_keys(client: FlaskClient, value: str) -> None:
    assert client.get("/v1/keys", headers={"Authorization": value}).status_code == 401


def test_right_prefix_with_a_wrong_secret(client_of: MakeClient, sessions: Sessions) -> None:
    client = client_of("blue", "admin")
    with sessions.begin() as session:
        session.execute(sa.update(ApiKey).values(digest="0" * 64))
    assert client.get("/v1/keys").status_code == 401


def test_expiry(client_of: MakeClient) -> None:
    soon, gone = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(seconds=1)
    assert client_of("blue", "admin", expires_at=soon).get("/v1/keys").status_code == 200
    assert client_of("blue", "admin", expires_at=gone).get("/v1/keys").status_code == 401


def test_use_is_noted_at_most_once_a_minute(client_of: MakeClient, sessions: Sessions) -> None:
    def last_use() -> datetime | None:
        with sessions() as session:
            return session.scalars(sa.select(ApiKey.last_used_at)).one()

    client = client_of("blue", "admin")
    assert last_use() is None
    client.get("/v1/keys")
    first = last_use()
    assert first is not None
    client.get("/v1/keys")
    assert last_use() == first
    with sessions.begin() as session:
        session.execute(sa.update(ApiKey).values(last_used_at=first - timedelta(seconds=61)))
    client.get("/v1/keys")
    assert last_use() >= first  # type: ignore[operator]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
