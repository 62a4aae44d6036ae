"""Keys over HTTP."""

from flask import Flask
from flask.testing import FlaskClient

from tests.service.conftest import MakeClient


def call(app: Flask, key: str, address: str = "/v1/keys") -> int:
    return app.test_client().get(address, headers={"Authorization": f"Bearer {key}"}).status_code


def test_from_making_to_revoking(app: Flask, client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    made = admin.post("/v1/keys", json={"name": "ci", "scopes": ["admin", "read"]})
    assert made.status_code == 201
    assert made.json["scopes"] == ["read", "admin"]
    assert call(app, made.json["key"]) == 200
    listed = admin.get("/v1/keys").json["data"]
    assert made.json["prefix"] in {key["prefix"] for key in listed}
    assert made.json["key"] not in str(listed)
    for _ in range(2):
        revoked = admin.delete(f"/v1/keys/{made.json['prefix']}")
        assert revoked.status_code == 200
        assert revoked.json["revoked_at"] is not None
    assert call(app, made.json["key"]) == 401


def test_default_scopes_leave_admin_out(client: FlaskClient) -> None:
    assert client.post("/v1/keys", json={"name": "first"}).json["scopes"] == ["read", "write", "run"]


def test_teams_never_meet(client_of: MakeClient) -> None:
    blue, green = client_of("blue", "admin"), client_of("green", "admin")
    prefix = blue.post("/v1/keys", json={"name": "ci"}).json["prefix"]
    assert green.delete(f"/v1/keys/{prefix}").status_code == 404
    assert prefix not in {key["prefix"] for key in green.get("/v1/keys").json["data"]}


def test_a_name_in_use_is_refused_until_revoked(client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    prefix = admin.post("/v1/keys", json={"name": "ci"}).json["prefix"]
    assert admin.post("/v1/keys", json={"name": "ci"}).status_code == 409
    admin.delete(f"/v1/keys/{prefix}")
    assert admin.post("/v1/keys", json={"name": "ci"}).status_code == 201


def test_bad_bodies(client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    for body, pointer in [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 65}, "/name"),
        ({"name": "a", "scopes": []}, "/scopes"),
        ({"name": "a", "scopes": ["root"]}, "/scopes/0"),
        ({"name": "a", "expires_at": "2026-01-01T00:00:00"}, "/expires_at"),
        ({"name": "a", "team": "green"}, "/team"),
    ]:
        reply = admin.post("/v1/keys", json=body)
        assert reply.status_code == 422
        assert reply.json["errors"][0]["pointer"] == pointer
