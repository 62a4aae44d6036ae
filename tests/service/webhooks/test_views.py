"""Webhooks from registration to deletion, and what is told of jobs, on both databases."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from service import create_app
from service.access.queries import make_team
from service.database import Sessions, now
from service.jobs import queries as jobs
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job
from service.settings import Settings
from service.webhooks import queries
from service.webhooks.tables import Delivery, Webhook
from tests.service.conftest import MakeClient

URL = "https://hooks.example/atlas"


@pytest.fixture
def admin(client_of: MakeClient) -> FlaskClient:
    return client_of("blue", "read", "write", "run", "admin", name="ana")


def register(client: FlaskClient, url: str = URL) -> Any:
    reply = client.post("/v1/webhooks", json={"url": url})
    assert reply.status_code == 201, reply.json
    return reply.json


def queue(sessions: Sessions, team: str = "blue") -> uuid.UUID:
    with sessions.begin() as session:
        team_id = make_team(session, team).id
        request = JobRequest(team_id=team_id, kind="registration", params={"n": str(uuid.uuid4())}, labels={"for": "x"})
        return submit(session, request, Settings()).job.id


def end(sessions: Sessions, job_id: uuid.UUID, state: str = "succeeded", **more: Any) -> None:
    with sessions.begin() as session:
        jobs.finish_job(session, session.get_one(Job, job_id), state, **more)


def deliveries(client: FlaskClient, webhook: Any, **query: str) -> list[Any]:
    reply = client.get(webhook["links"]["deliveries"], query_string=query)
    assert reply.status_code == 200
    found: list[Any] = reply.json["data"]
    return found


def set_all(sessions: Sessions, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(Delivery).values(**values))


def test_the_secret_is_shown_once(admin: FlaskClient) -> None:
    made = register(admin)
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["active"], made["author"], made["rotated_at"]) == (URL, True, "ana", None)
    shown = admin.get(made["links"]["self"])
    assert shown.json == {name: value for name, value in made.items() if name != "secret"}
    listed = admin.get("/v1/webhooks").json["data"]
    assert listed == [shown.json]


def test_lists_have_cursors(admin: FlaskClient) -> None:
    made = [register(admin, f"{URL}/{n}")["id"] for n in range(3)]
    first = admin.get("/v1/webhooks?limit=2").json
    second = admin.get(f"/v1/webhooks?limit=2&cursor={first['next_cursor']}").json
    assert [hook["id"] for hook in first["data"] + second["data"]] == made[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("body", [{}, {"url": "http://example.com/"}, {"url": "https://127.0.0.1/"}, {"url": 1}])
def test_an_address_that_leads_nowhere_is_refused(admin: FlaskClient, body: Any) -> None:
    reply = admin.post("/v1/webhooks", json=body)
    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "/url")
    made = register(admin)
    assert admin.put(made["links"]["self"], json={**body, "active": True}).status_code == 422
    assert admin.get(made["links"]["self"]).json["url"] == URL


def test_settings_say_whether_http_is_taken(settings: Settings) -> None:
    client = create_app(replace(settings, webhook_http=True)).test_client()
    assert client.post("/v1/webhooks", json={"url": "http://example.com/"}).status_code == 201


def test_members_and_readers_see_no_webhooks(client_of: MakeClient, admin: FlaskClient) -> None:
    made = register(admin)
    member = client_of("blue", "read", "write", "run")
    for reply in (member.get("/v1/webhooks"), member.get(made["links"]["self"]), member.post("/v1/webhooks")):
        assert reply.status_code == 403


def test_a_team_has_only_so_many(admin: FlaskClient, client_of: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_WEBHOOKS", 2)
    first, _ = register(admin), register(admin)
    refused = admin.post("/v1/webhooks", json={"url": URL})
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/conflict")
    register(client_of("green", "admin"))
    admin.delete(first["links"]["self"])
    register(admin)


def test_the_end_of_a_job_is_told_to_each_active_webhook_of_its_team(
    admin: FlaskClient, client_of: MakeClient, sessions: Sessions
) -> None:
    made, silent = register(admin), register(admin)
    green = client_of("green", "admin")
    foreign = register(green)
    admin.put(silent["links"]["self"], json={"url": URL, "active": False})
    job_id = queue(sessions)
    assert deliveries(admin, made) == []
    end(sessions, job_id)
    [told] = deliveries(admin, made)
    assert (told["type"], told["job"], told["state"], told["attempts"]) == ("job.succeeded", str(job_id), "pending", 0)
    assert deliveries(admin, silent) == deliveries(green, foreign) == []
    message = admin.get(told["links"]["self"]).json["message"]
    job = admin.get(f"/v1/jobs/{job_id}").json
    data = message["data"]
    assert (message["type"], message["timestamp"]) == ("job.succeeded", job["finished_at"])
    assert {name: data[name] for name in data if name != "links"} == {
        name: job[name] for name in data if name != "links"
    }
    assert data["links"]["self"] == f"/v1/jobs/{job_id}"


def test_each_end_is_told_once(admin: FlaskClient, sessions: Sessions) -> None:
    made, job_id = register(admin), queue(sessions)
    problem = {"type": "/problems/invalid", "title": "t", "status": 422, "detail": "d", "errors": []}
    end(sessions, job_id, "failed", error=problem)
    end(sessions, job_id, "succeeded")  # it has ended already
    admin.post(f"/v1/jobs/{job_id}/retry")
    admin.post(f"/v1/jobs/{job_id}/cancel")
    told = deliveries(admin, made)
    assert [delivery["type"] for delivery in told] == ["job.canceled", "job.failed"]
    assert admin.get(told[1]["links"]["self"]).json["message"]["data"]["error"] == problem
    expired = queue(sessions)
    end(sessions, expired, "expired")
    assert deliveries(admin, made)[0]["type"] == "job.expired"


def test_what_is_rolled_back_is_not_told(admin: FlaskClient, sessions: Sessions) -> None:
    made, job_id = register(admin), queue(sessions)
    with pytest.raises(ZeroDivisionError), sessions.begin() as session:
        jobs.finish_job(session, session.get_one(Job, job_id), "succeeded")
        session.flush()
        raise ZeroDivisionError
    assert deliveries(admin, made) == []
    assert admin.get(f"/v1/jobs/{job_id}").json["state"] == "queued"


def test_a_webhook_deleted_meanwhile_stops_no_job(admin: FlaskClient, sessions: Sessions, settings: Settings) -> None:
    made, job_id = register(admin), queue(sessions)
    with sessions.begin() as session:
        jobs.finish_job(session, session.get_one(Job, job_id), "succeeded")
        session.flush()
        if settings.database_url:  # SQLite lets nobody else write
            with sessions() as other:
                other.execute(sa.text("SET lock_timeout = '200ms'"))
                with pytest.raises(sa.exc.OperationalError):
                    other.execute(sa.delete(Webhook))
    assert admin.delete(made["links"]["self"]).status_code == 204
    with sessions() as session:
        assert session.scalars(sa.select(sa.func.count()).select_from(Delivery)).one() == 0


def test_deliveries_by_state_with_cursors(admin: FlaskClient, sessions: Sessions) -> None:
    made = register(admin)
    for _ in range(3):
        admin.post(made["links"]["test"])
    set_all(sessions, state="dead")
    admin.post(made["links"]["test"])
    dead = admin.get(f"{made['links']['deliveries']}?state=dead&limit=2").json
    more = admin.get(f"{made['links']['deliveries']}?state=dead&limit=2&cursor={dead['next_cursor']}").json
    assert [len(dead["data"]), len(more["data"]), more["next_cursor"]] == [2, 1, None]
    assert len(deliveries(admin, made, state="pending")) == 1
    assert admin.get(f"{made['links']['deliveries']}?state=lost").status_code == 422


def test_a_test_tells_nothing_but_that_it_arrives(admin: FlaskClient) -> None:
    made = register(admin)
    reply = admin.post(made["links"]["test"])
    assert (reply.status_code, reply.json["type"], reply.json["job"]) == (202, "webhook.test", None)
    assert reply.headers["Location"] == reply.json["links"]["self"]
    assert admin.get(reply.json["links"]["self"]).json["message"]["data"] == {"webhook": made["id"]}
    admin.put(made["links"]["self"], json={"url": URL, "active": False})
    assert admin.post(made["links"]["test"]).status_code == 409


def test_a_message_can_be_sent_again(admin: FlaskClient, sessions: Sessions) -> None:
    made = register(admin)
    delivery = admin.post(made["links"]["test"]).json
    set_all(sessions, state="dead", tries_left=0, attempts=12, last_status=500, last_answer="no")
    shown = admin.get(delivery["links"]["self"]).json
    assert (shown["state"], shown["due_at"], shown["last_status"], shown["last_answer"]) == ("dead", None, 500, "no")
    again = admin.post(delivery["links"]["resend"])
    assert (again.status_code, again.json["state"], again.json["id"]) == (202, "pending", delivery["id"])
    with sessions.begin() as session:
        assert queries.claim(session).attempt == 13


def test_rotation_keeps_the_secret_before_for_a_day(admin: FlaskClient, sessions: Sessions) -> None:
    made = register(admin)
    rotated = admin.post(made["links"]["rotate"]).json
    assert rotated["secret"] != made["secret"]
    assert rotated["rotated_at"] is not None

    def secrets() -> list[str]:
        admin.post(made["links"]["test"])
        set_all(sessions, lease_until=None)
        with sessions.begin() as session:
            return list(queries.claim(session).secrets)

    assert secrets() == [rotated["secret"], made["secret"]]
    with sessions.begin() as session:
        session.execute(sa.update(Webhook).values(rotated_at=now(session) - timedelta(hours=25)))
    assert secrets() == [rotated["secret"]]


def test_changes_are_in_the_audit_log_and_secrets_are_not(admin: FlaskClient) -> None:
    made = register(admin)
    rotated = admin.post(made["links"]["rotate"]).json
    admin.delete(made["links"]["self"])
    log = admin.get("/v1/audit").json
    assert [entry["action"] for entry in log["data"]] == ["webhooks.delete", "webhooks.rotate", "webhooks.register"]
    assert log["data"][2]["subject"] == made["links"]["self"]
    for secret in (made["secret"], rotated["secret"]):
        assert secret not in json.dumps(log)


def test_the_wrong_webhook_s_delivery_is_not_there(admin: FlaskClient) -> None:
    one, other = register(admin), register(admin)
    delivery = admin.post(one["links"]["test"]).json["id"]
    assert admin.get(f"{other['links']['deliveries']}/{delivery}").status_code == 404
    assert admin.post(f"{other['links']['deliveries']}/{delivery}/resend").status_code == 404
