"""Browsers signed in by a key."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from service.access.signing import COOKIE
from service.access.tables import ApiKey, SignIn
from service.database import Sessions
from tests.service.conftest import MakeClient

OWN = {"Sec-Fetch-Site": "same-origin"}
HOST = "http://atlas.example"


@pytest.fixture
def key(client_of: MakeClient) -> str:
    held: str = client_of("blue", "read", "admin").environ_base["HTTP_AUTHORIZATION"]
    return held.removeprefix("Bearer ")


@pytest.fixture
def browser(app: Flask, key: str) -> FlaskClient:
    """A browser that was signed in."""
    browser = app.test_client()
    browser.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    signed = browser.post("/v1/session", json={"key": key}, headers=OWN)
    assert signed.status_code == 200
    assert signed.json["team"] == "blue"
    return browser


def test_from_signing_in_to_signing_out(browser: FlaskClient, sessions: Sessions) -> None:
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path, cookie.secure) == (True, "Lax", "/", False)
    with sessions() as session:
        assert cookie.value not in session.scalars(sa.select(SignIn.digest)).all()
    assert browser.get("/v1/session").json["scopes"] == ["read", "admin"]
    assert browser.post("/v1/members", json={"name": "ana", "role": "reader"}, headers=OWN).status_code == 201
    assert browser.delete("/v1/session", headers=OWN).status_code == 204
    assert browser.get_cookie(COOKIE) is None
    browser.set_cookie(COOKIE, cookie.value)
    assert browser.get("/v1/session").status_code == 401, "the cookie alone is worth nothing any more"
    assert browser.delete("/v1/session", headers=OWN).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": HOST}, 403),
        ({"Origin": HOST}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://atlas.example.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({}, 201),
    ],
)
def test_pages_of_other_sites_change_nothing(
    browser: FlaskClient, key: str, headers: dict[str, str], status: int
) -> None:
    made = browser.post("/v1/members", json={"name": "ana", "role": "reader"}, headers=headers, base_url=HOST)
    # the cookie is one of another host
    assert made.status_code == 401
    browser.post("/v1/session", json={"key": key}, headers=OWN, base_url=HOST)
    made = browser.post("/v1/members", json={"name": "ana", "role": "reader"}, headers=headers, base_url=HOST)
    assert made.status_code == status
    assert browser.get("/v1/session", headers=headers, base_url=HOST).status_code == 200, "looking changes nothing"
    assert len(browser.get("/v1/members", base_url=HOST).json["data"]) == (status == 201)
    signed = browser.post("/v1/session", json={"key": key}, headers=headers, base_url=HOST)
    assert signed.status_code == (200 if status == 201 else 403)
    assert browser.delete("/v1/session", headers=headers, base_url=HOST).status_code == (204 if status == 201 else 403)


def test_a_key_needs_no_page(client_of: MakeClient) -> None:
    admin = client_of("blue", "admin")
    foreign = {"Origin": "https://notebook.example", "Sec-Fetch-Site": "cross-site"}
    assert admin.post("/v1/keys", json={"name": "x"}, headers=foreign).status_code == 201


@pytest.mark.parametrize("text", ["x", "ua_abcdefgh_" + "0" * 49])
def test_wrong_keys(client: FlaskClient, text: str) -> None:
    refused = client.post("/v1/session", json={"key": text})
    assert refused.status_code == 401
    assert "Set-Cookie" not in refused.headers


def test_the_end_of_the_key_or_of_the_week_ends_it(browser: FlaskClient, key: str, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(SignIn).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert browser.get("/v1/session").status_code == 401
    assert browser.post("/v1/session", json={"key": key}, headers=OWN).status_code == 200
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SignIn)) == 1, "what is long gone is forgotten"
    with sessions.begin() as session:
        session.execute(sa.update(ApiKey).values(revoked_at=ApiKey.created_at))
    assert browser.get("/v1/session").status_code == 401
    assert browser.post("/v1/session", json={"key": key}, headers=OWN).status_code == 401


def test_cookies_go_over_tls_alone_where_there_is_tls(app: Flask, key: str) -> None:
    for more in ({"base_url": "https://atlas.example"}, {"headers": {"X-Forwarded-Proto": "https"}}):
        signed = app.test_client().post("/v1/session", json={"key": key}, **more)
        assert "Secure" in signed.headers["Set-Cookie"]


def test_a_cookie_of_another_service_on_this_machine_is_no_harm(client: FlaskClient) -> None:
    client.set_cookie(COOKIE, "of-another-port")
    assert client.get("/v1/session").json["team"] == "local"
