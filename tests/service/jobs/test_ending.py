"""Ending jobs early, and trying them again, over HTTP."""

import pytest
import sqlalchemy as sa

from service.database import now
from service.errors import WorkerLost
from service.jobs.tables import Job, Shard
from tests.service.jobs.conftest import add_second_stage, finish, run_first_shard, the_job


def test_a_queued_job_is_canceled_at_once(post, client, made):
    path = post().json["links"]["cancel"]
    first = client.post(path)
    assert (first.status_code, first.json["state"]) == (200, "canceled")
    again = client.post(path)
    assert again.json == first.json
    with made.sessions() as session:
        assert session.scalars(sa.select(Shard.state)).all() == ["canceled"]


def test_a_running_job_is_asked_to_stop(post, client, made):
    path = post().json["links"]["cancel"]
    run_first_shard(made)
    replies = [client.post(path) for _ in range(2)]
    assert [(reply.status_code, reply.json["state"]) for reply in replies] == [(202, "cancelling")] * 2
    finish(made, "canceled")
    assert client.post(path).status_code == 200


def test_a_succeeded_job_is_not_canceled(post, client, made):
    job = post().json
    finish(made, "succeeded", summary={})
    reply = client.post(job["links"]["cancel"])
    assert (reply.status_code, reply.json["state"]) == (200, "succeeded")


@pytest.mark.parametrize("state", ["failed", "canceled", "expired"])
def test_a_retry_queues_the_missing_shards(post, client, made, published, state):
    job = post(deadline_seconds=100).json
    add_second_stage(made)
    finish(made, state, error=WorkerLost("gone").problem() if state != "canceled" else None)
    published.clear()
    reply = client.post(job["links"]["retry"])
    assert reply.status_code == 202
    assert (reply.json["state"], reply.json["attempt"], reply.json["error"]) == ("queued", 2, None)
    assert reply.json["started_at"] is reply.json["finished_at"] is None
    with made.sessions() as session:
        shards = session.scalars(sa.select(Shard).order_by(Shard.stage_position, Shard.index)).all()
        assert [(s.state, s.attempt) for s in shards] == [("done", 1), ("done", 1), ("queued", 1), ("queued", 3)]
        assert published == [s.id for s in shards[2:]]
        job_row = the_job(session)
        assert (job_row.deadline_at - now(session)).total_seconds() > 50
    assert [e["type"] for e in client.get(job["links"]["events"]).json["data"]] == ["queued", state, "queued"]


def test_there_is_nothing_to_retry(post, client, made):
    job = post().json
    for state in ["queued", "running", "cancelling", "succeeded"]:
        with made.sessions.begin() as session:
            session.execute(sa.update(Job).values(state=state))
        reply = client.post(job["links"]["retry"])
        assert reply.status_code == 409
        assert state in reply.json["detail"]


def test_a_retry_does_not_repeat_what_a_newer_job_does(post, client, made):
    old = post().json
    client.post(old["links"]["cancel"])
    new = post().json
    reply = client.post(old["links"]["retry"])
    assert reply.status_code == 409
    assert "newer job" in reply.json["detail"]
    assert client.get(old["links"]["self"]).json["state"] == "canceled"
    client.post(new["links"]["cancel"])
    assert client.post(old["links"]["retry"]).status_code == 202
