"""Health: what is missing is named, and figures are the database's."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from service import create_app
from service.access.queries import make_team
from service.database import Sessions, now
from service.health.queries import LEASE_EXPIRIES, raise_tally
from service.jobs.tables import Job, Worker
from service.migrations import newest_revision
from service.settings import Settings
from workers.runner.queries import Load, announce_worker


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)  # that has counted no requests


@pytest.fixture
def worker(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(Worker(name="w", device="cpu", shards={}, started_at=now(session), seen_at=now(session)))


def add_job(sessions: Sessions, kind: str, state: str, age: float = 0.0) -> None:
    with sessions.begin() as session:
        session.add(
            Job(
                team_id=make_team(session, "blue").id,
                kind=kind,
                state=state,
                params={},
                labels={},
                fingerprint=uuid.uuid4().hex,
                shared=False,
                created_at=now(session) - timedelta(seconds=age),
            )
        )


def parts(client: FlaskClient) -> set[str]:
    reply = client.get("/readyz")
    assert (reply.status_code, reply.mimetype) == (503, "application/problem+json")
    return {error["pointer"] for error in reply.json["errors"]}


def test_alive(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


@pytest.mark.usefixtures("worker")
def test_ready(client: FlaskClient) -> None:
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json) == (200, {"status": "ready"})


def test_without_worker(client: FlaskClient) -> None:
    assert parts(client) == {"workers"}


@pytest.mark.usefixtures("worker")
def test_worker_not_seen_lately(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(Worker).values(seen_at=now(session) - timedelta(seconds=31)))
    assert parts(client) == {"workers"}


@pytest.mark.usefixtures("worker")
def test_database_behind(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = 'older'"))
    assert parts(client) == {"migrations"}
    with sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest_revision()})
    assert client.get("/readyz").status_code == 200


@pytest.mark.usefixtures("worker")
def test_broker_away(settings: Settings) -> None:
    app = create_app(replace(settings, broker_url="redis://127.0.0.1:1/0"))
    assert parts(app.test_client()) == {"broker"}


def test_database_away(settings: Settings) -> None:
    app = create_app(replace(settings, database_url="postgresql://127.0.0.1:1/nothing"))
    client = app.test_client()
    assert parts(client) == {"database"}
    assert client.get("/healthz").status_code == 200


def test_metrics(client: FlaskClient, sessions: Sessions) -> None:
    for kind, state, age in [("dissection", "queued", 100), ("dissection", "queued", 5), ("ablation", "failed", 500)]:
        add_job(sessions, kind, state, age)
    client.get("/healthz")
    reply = client.get("/metrics")
    assert reply.status_code == 200
    lines = reply.text.splitlines()
    assert 'unitatlas_jobs{kind="dissection",state="queued"} 2.0' in lines
    assert 'unitatlas_jobs{kind="ablation",state="failed"} 1.0' in lines
    assert "unitatlas_workers 0.0" in lines
    oldest = next(float(line.split()[1]) for line in lines if line.startswith("unitatlas_oldest_queued_seconds "))
    assert 100 <= oldest < 160
    assert any('endpoint="health.healthz"' in line and line.endswith(" 1.0") for line in lines)


def test_metrics_of_workers(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        announce_worker(session, "gpu@host", Load("cuda:1", {"dissection": 3}, 2**30, 2**34))
        announce_worker(session, "gone@host", Load("cpu", {"ablation": 1}, None, None))
        announce_worker(session, "cpu@host", Load("cpu", {}, None, None))
        announce_worker(session, "gpu@host", Load("cuda:1", {"dissection": 5, "attack": 2}, 2**31, 2**34))
        session.get_one(Worker, "gone@host").seen_at -= timedelta(minutes=1)
    lines = client.get("/metrics").text.splitlines()
    assert {
        line for line in lines if line.startswith(("unitatlas_shards_total", "unitatlas_gpu", "unitatlas_workers"))
    } == {
        "unitatlas_workers 2.0",
        'unitatlas_shards_total{kind="dissection",worker="gpu@host"} 5.0',
        'unitatlas_shards_total{kind="attack",worker="gpu@host"} 2.0',
        'unitatlas_gpu_memory_used_bytes{worker="gpu@host"} 2.147483648e+09',
        'unitatlas_gpu_memory_total_bytes{worker="gpu@host"} 1.7179869184e+10',
    }


def test_what_is_counted_is_kept(client: FlaskClient, sessions: Sessions) -> None:
    for _ in range(3):
        with sessions.begin() as session:
            raise_tally(session, LEASE_EXPIRIES)
    with pytest.raises(ZeroDivisionError), sessions.begin() as session:
        raise_tally(session, LEASE_EXPIRIES)
        raise ZeroDivisionError
    assert "unitatlas_lease_expiries_total 3.0" in client.get("/metrics").text


def test_metrics_of_nothing(client: FlaskClient) -> None:
    assert "unitatlas_oldest_queued_seconds 0.0" in client.get("/metrics").text


def test_two_apps_in_one_process(app: Flask, settings: Settings) -> None:
    assert create_app(settings).test_client().get("/metrics").status_code == 200
    assert app.test_client().get("/metrics").status_code == 200
