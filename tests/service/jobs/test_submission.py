"""The same work is done once, however often and however simultaneously it is asked for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service import create_app
from service.database import now
from service.errors import Conflict
from service.jobs import queries, submission
from service.jobs.queries import Idempotency
from service.jobs.submission import JobRequest
from service.jobs.tables import Event, IdempotentReply, Job, Shard, Stage
from service.settings import Settings
from tests.service.jobs.conftest import BODY, fill_catalog

AT_ONCE = 6


def rows(made, table):
    with made.sessions() as session:
        return list(session.scalars(sa.select(table)))


def put_all_in(made, state):
    with made.sessions.begin() as session:
        session.execute(sa.update(Job).values(state=state))


def end(made, state):
    with made.sessions.begin() as session:
        queries.finish_job(session, session.scalars(sa.select(Job)).one(), state)


def test_a_job_is_queued_with_its_first_shard_and_published(post, made, published, team):
    reply = post(priority=7, labels={"who": "ada"}, deadline_seconds=60)
    assert reply.status_code == 202
    assert reply.headers["Location"] == f"/v1/jobs/{reply.json['id']}"
    assert int(reply.headers["Retry-After"]) > 0
    [job], [stage], [shard], [event] = (rows(made, table) for table in (Job, Stage, Shard, Event))
    assert (job.state, job.team_id, job.priority, job.labels) == ("queued", team, 7, {"who": "ada"})
    assert job.deadline_at - job.created_at == timedelta(seconds=60)
    assert (stage.name, stage.position, stage.shards) == ("prepare", 0, 1)
    assert (shard.state, shard.index, shard.payload, shard.weight, shard.priority) == ("queued", 0, {}, 1, 7)
    assert (event.sequence, event.type) == (1, "queued")
    assert published == [shard.id]


def test_a_job_for_the_same_work_answers(post, made, published):
    first = post(labels={"a": "b"})
    for state in ("queued", "running", "succeeded"):
        put_all_in(made, state)
        again = post(layers=["conv1", "conv5"], priority=3)
        assert (again.status_code, again.json["id"], again.json["state"]) == (200, first.json["id"], state)
    assert len(published) == 1


def test_a_job_that_will_not_succeed_does_not_answer(post, made):
    ids = {post().json["id"]}
    for state in ("cancelling", "canceled", "failed", "expired"):
        put_all_in(made, state)
        again = post()
        assert again.status_code == 202
        assert again.json["id"] not in ids
        ids.add(again.json["id"])


def test_reuse_false_neither_finds_nor_is_found(post):
    first = post()
    alone = post(reuse=False)
    assert alone.status_code == 202
    assert alone.json["fingerprint"] == first.json["fingerprint"]
    assert post().json["id"] == first.json["id"]


def test_a_key_gives_the_same_reply_and_the_job_as_it_is_now(post, made):
    first = post(_key="k", reuse=False)
    end(made, "failed")
    again = post(_key="k", reuse=False)
    assert (again.status_code, again.json["id"], again.json["state"]) == (202, first.json["id"], "failed")
    assert len(rows(made, Job)) == 1


def test_a_key_remembers_that_an_earlier_job_answered(post):
    first = post()
    assert post(_key="k").status_code == 200
    again = post(_key="k")
    assert (again.status_code, again.json["id"]) == (200, first.json["id"])


def test_a_key_for_another_request_is_refused(post, made):
    post(_key="k")
    reply = post(_key="k", quantile=0.02)
    assert reply.status_code == 422
    assert "Idempotency-Key" in reply.json["detail"]
    assert len(rows(made, Job)) == 1


def test_a_refused_request_does_not_use_the_key_up(post):
    assert post(_key="k", model="nope").status_code == 422
    assert post(_key="k").status_code == 202


def test_a_key_is_forgotten_after_a_day(post, made):
    first = post(_key="k", reuse=False)
    with made.sessions.begin() as session:
        session.execute(sa.update(IdempotentReply).values(created_at=now(session) - timedelta(hours=25)))
    again = post(_key="k", reuse=False, quantile=0.02)
    assert again.status_code == 202
    assert again.json["id"] != first.json["id"]


def test_a_strange_key_is_refused(post):
    for key in ("a b", "é", "x" * 256):
        assert post(_key=key).status_code == 422


def at_once(app, **request):
    def send(_):
        return app.test_client().post("/v1/jobs", **request)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(send, range(AT_ONCE)))


def test_the_same_work_asked_for_at_once_is_one_job(app, made, team, published):
    replies = at_once(app, json=BODY)
    assert sorted(reply.status_code for reply in replies) == [200] * (AT_ONCE - 1) + [202]
    assert len({reply.json["id"] for reply in replies}) == len(rows(made, Job)) == len(rows(made, Shard)) == 1


def test_the_same_key_sent_at_once_is_one_job(app, made, team, published):
    replies = at_once(app, json={**BODY, "reuse": False}, headers={"Idempotency-Key": "k"})
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json["id"] for reply in replies}) == len(rows(made, Job)) == len(rows(made, Event)) == 1


def blind_once(monkeypatch, name):
    """Let the next submission not see what is there, as when another commits right after it looked."""
    real, blind = getattr(submission, name), iter([True])
    monkeypatch.setattr(submission, name, lambda *args: None if next(blind, False) else real(*args))


def test_a_lost_race_for_the_fingerprint_is_answered_by_the_winner(post, made, monkeypatch):
    first = post()
    blind_once(monkeypatch, "find_shared")
    again = post(_key="k")
    assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    assert len(rows(made, Job)) == 1


def test_a_lost_race_for_the_key_is_answered_by_the_winner(post, made, monkeypatch):
    first = post(_key="k", reuse=False)
    blind_once(monkeypatch, "find_reply")
    again = post(_key="k", reuse=False)
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert len(rows(made, Job)) == len(rows(made, Shard)) == 1


def test_who_loses_every_race_is_told_to_come_again(made, team, monkeypatch):
    request = JobRequest(team_id=team, kind="registration", params={})
    with made.sessions.begin() as session:
        submission.submit(session, request, Settings())
    monkeypatch.setattr(submission, "find_shared", lambda *args: None)
    with made.sessions() as session, pytest.raises(Conflict, match="send this one again"):
        submission.submit(session, request, Settings())


def test_a_team_has_only_so_many_unfinished_jobs(made, team, settings, published):
    client = create_app(replace(settings, max_queued_jobs=2)).test_client()
    replies = [client.post("/v1/jobs", json={**BODY, "grid": grid}) for grid in (5, 6, 7)]
    assert [reply.status_code for reply in replies] == [202, 202, 429]
    assert "cancel one" in replies[2].json["detail"]
    assert "Retry-After" in replies[2].headers
    assert client.post("/v1/jobs", json={**BODY, "grid": 5}).status_code == 200
    client.post(replies[0].json["links"]["cancel"])
    assert client.post("/v1/jobs", json={**BODY, "grid": 7}).status_code == 202


def test_teams_share_neither_jobs_nor_keys(post, made):
    other = fill_catalog(made.sessions, "others")
    mine = post(_key="k")
    with made.sessions.begin() as session:
        job = session.scalars(sa.select(Job)).one()
        request = JobRequest(team_id=other, kind=job.kind, params=job.params, inputs={"x": "y"})
        reply = submission.submit(session, request, Settings(), Idempotency("k", "another"))
    assert reply.status == 202
    assert str(reply.job.id) != mine.json["id"]


def test_nothing_is_published_when_nothing_is_committed(post, published, monkeypatch):
    monkeypatch.setattr("service.jobs.views._describe", lambda job: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        post()
    assert published == []


def test_a_broken_broker_costs_no_job(client, team, made, monkeypatch):
    def fail(*_):
        raise ConnectionError("the broker is away")

    monkeypatch.setattr("service.jobs.views.publish", fail)
    assert client.post("/v1/jobs", json=BODY).status_code == 202
    assert len(rows(made, Job)) == 1
