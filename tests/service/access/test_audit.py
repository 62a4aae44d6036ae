"""The audit log: who did what, written with what they did."""

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from service.access.queries import make_team, record
from service.access.tables import AuditEntry, Member
from service.database import Sessions
from tests.service.conftest import MakeClient


def entries(client: FlaskClient, **query: str) -> list[tuple[str, str, str]]:
    found = client.get("/v1/audit", query_string=query).json["data"]
    return [(entry["actor"], entry["action"], entry["subject"]) for entry in found]


def test_changes_are_written_down_newest_first(app: Flask, client_of: MakeClient) -> None:
    admin = client_of("blue", "admin", name="ops")
    admin.post("/v1/members", json={"name": "ana", "role": "admin"})
    key = admin.post("/v1/keys", json={"name": "ana's", "member": "ana"}).json
    ana = app.test_client()
    ana.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key['key']}"
    ana.put("/v1/members/ana", json={"role": "reader"})
    assert ana.put("/v1/members/ana", json={"role": "admin"}).status_code == 403
    assert admin.put("/v1/members/bob", json={"role": "admin"}).status_code == 404
    told = [
        ("ana", "access.change_role", "/v1/members/ana"),
        ("ops", "access.make", "/v1/keys"),
        ("ops", "access.add_member", "/v1/members"),
    ]
    assert entries(admin) == told
    assert entries(admin, actor="ana") == told[:1]
    assert entries(admin, action="access.make") == told[1:2]
    assert entries(client_of("green", "admin")) == []
    first = admin.get("/v1/audit").json["data"][0]
    assert first["key_prefix"] == key["prefix"]
    assert first["request_id"] is not None


def test_signing_in_and_out_is_written_down(app: Flask, client_of: MakeClient) -> None:
    admin = client_of("blue", "admin", name="ops")
    browser = app.test_client()
    browser.post("/v1/session", json={"key": admin.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")})
    browser.delete("/v1/session")
    assert [action for _, action, _ in entries(admin)] == ["access.sign_out", "access.sign_in"]


@pytest.mark.parametrize("change", [sa.update(AuditEntry).values(actor="nobody"), sa.delete(AuditEntry)])
def test_entries_stay_as_they_are(client: FlaskClient, sessions: Sessions, change: sa.Executable) -> None:
    client.post("/v1/members", json={"name": "ana", "role": "reader"})
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), sessions.begin() as session:
        session.execute(change)
    assert entries(client) == [("local", "access.add_member", "/v1/members")]


def test_what_is_not_written_down_does_not_happen(
    client: FlaskClient, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no log")

    client.application.testing = False
    monkeypatch.setattr("service.access.queries.record", fail)
    assert client.post("/v1/members", json={"name": "ana", "role": "reader"}).status_code == 500
    with sessions() as session:
        assert session.scalars(sa.select(Member)).all() == []


def test_a_subject_of_any_length_fits(sessions: Sessions) -> None:
    with sessions.begin() as session:
        record(session, make_team(session, "blue").id, "ana", "jobs.submit", "/" + "x" * 2000)
    with sessions() as session:
        assert session.scalars(sa.select(sa.func.length(AuditEntry.subject))).one() == 1024
