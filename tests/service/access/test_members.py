"""People in a team: what their roles let them do, whatever their keys say."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.access.tables import ROLE_SCOPES
from service.api import SCOPES
from tests.service.conftest import MakeClient

CALLS = {"read": ("GET", "/v1/session"), "write": ("PUT", f"/v1/artifacts/{'0' * 64}"), "admin": ("GET", "/v1/keys")}


def with_key(app: Flask, text: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {text}"
    return client


def take_in(app: Flask, admin: FlaskClient, name: str, role: str) -> FlaskClient:
    assert admin.post("/v1/members", json={"name": name, "role": role}).status_code == 201
    made = admin.post("/v1/keys", json={"name": name, "member": name})
    assert made.status_code == 201, made.json
    return with_key(app, made.json["key"])


def allowed(client: FlaskClient) -> set[str]:
    return {
        scope
        for scope, (method, address) in CALLS.items()
        if client.open(address, method=method).status_code < 500
        and client.open(address, method=method).status_code != 403
    }


def test_a_role_bounds_what_keys_do(app: Flask, client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    for role, scopes in ROLE_SCOPES.items():
        ana = take_in(app, admin, f"ana-{role}", role)
        told = ana.get("/v1/session").json
        assert (told["team"], told["name"], told["role"]) == ("blue", f"ana-{role}", role)
        assert told["scopes"] == [scope for scope in SCOPES if scope in scopes]
        assert allowed(ana) == {scope for scope in CALLS if scope in scopes}


def test_another_role_holds_at_once(app: Flask, client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    ana = take_in(app, admin, "ana", "member")
    assert "write" in allowed(ana)
    assert admin.put("/v1/members/ana", json={"role": "reader"}).json["role"] == "reader"
    assert allowed(ana) == {"read"}
    refused = ana.put(CALLS["write"][1])
    assert "ana, reader of the team" in refused.json["detail"]
    admin.put("/v1/members/ana", json={"role": "admin"})
    assert allowed(ana) == {"read", "write"}, "a key never does more than it was made for"


def test_who_is_taken_out_is_out(app: Flask, client_of: MakeClient) -> None:
    admin = client_of("blue", "read", "admin")
    ana = take_in(app, admin, "ana", "member")
    assert admin.post("/v1/members", json={"name": "ana", "role": "reader"}).status_code == 409
    assert admin.delete("/v1/members/ana").status_code == 200
    assert ana.get("/v1/session").status_code == 401
    assert admin.delete("/v1/members/ana").status_code == 404
    assert admin.get("/v1/members").json["data"] == []
    assert take_in(app, admin, "ana", "reader").get("/v1/session").status_code == 200, "another person of that name"
    assert ana.get("/v1/session").status_code == 401


def test_no_key_for_more_than_the_role(client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    admin.post("/v1/members", json={"name": "ana", "role": "reader"})
    for body, status, pointer in [
        ({"name": "x", "member": "ana", "scopes": ["read", "write"]}, 422, "/scopes"),
        ({"name": "x", "member": "bob"}, 404, None),
    ]:
        refused = admin.post("/v1/keys", json=body)
        assert refused.status_code == status
        assert pointer is None or refused.json["errors"][0]["pointer"] == pointer
    assert admin.get("/v1/keys").json["data"][1:] == []


def test_teams_never_meet(client_of: MakeClient) -> None:
    blue, green = client_of("blue", "read", "admin"), client_of("green", "read", "admin")
    blue.post("/v1/members", json={"name": "ana", "role": "reader"})
    assert green.get("/v1/members").json["data"] == []
    assert green.put("/v1/members/ana", json={"role": "admin"}).status_code == 404
    assert green.delete("/v1/members/ana").status_code == 404
    assert green.post("/v1/keys", json={"name": "x", "member": "ana"}).status_code == 404
    assert green.post("/v1/members", json={"name": "ana", "role": "admin"}).status_code == 201
    assert [member["role"] for member in blue.get("/v1/members").json["data"]] == ["reader"]


@pytest.mark.parametrize(
    ("body", "pointer"), [({"name": "", "role": "reader"}, "/name"), ({"name": "a", "role": "king"}, "/role")]
)
def test_bad_bodies(client: FlaskClient, body: dict[str, str], pointer: str) -> None:
    refused = client.post("/v1/members", json=body)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, pointer)
