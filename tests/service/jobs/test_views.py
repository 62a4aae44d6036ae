"""Following jobs and ending them early, over HTTP."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service import create_app
from service.database import now
from service.errors import WorkerLost
from service.jobs import queries
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job, Worker
from service.settings import Settings
from tests.service.jobs.conftest import BODY, add_second_stage, fill_catalog, finish, run_first_shard, the_job


def test_a_job_as_the_contract_has_it(post, client):
    made = post(labels={"paper": "one"})
    job = client.get(made.headers["Location"]).json
    assert job == made.json
    links = {name: job["links"][name].removeprefix(f"/v1/jobs/{job['id']}") for name in job["links"]}
    assert links == {
        "self": "",
        "events": "/events",
        "summary": "/summary",
        "cancel": "/cancel",
        "retry": "/retry",
        "units": f"/v1/units?job={job['id']}",
    }
    assert (job["kind"], job["state"], job["model"], job["dataset"]) == ("dissection", "queued", "vgg", "scenes")
    assert job["progress"] == {"done": 0, "total": 1, "unit": "shards", "stage": "prepare"}
    assert (job["attempt"], job["error"], job["started_at"], job["finished_at"]) == (1, None, None, None)
    assert job["labels"] == {"paper": "one"}
    assert len(job["fingerprint"]) == 64


def test_a_failed_job_carries_its_problem(post, client, made):
    path = post().json["links"]["self"]
    problem = WorkerLost("the worker disappeared three times").problem()
    finish(made, "failed", error=problem)
    job = client.get(path).json
    assert (job["state"], job["error"]) == ("failed", problem)
    assert job["finished_at"] is not None


def test_an_unchanged_job_is_not_sent_again(post, client, made):
    path = post().json["links"]["self"]
    tag = client.get(path).headers["ETag"]
    assert tag.startswith('W/"')
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    run_first_shard(made)
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize("tagged", [True, False])
def test_a_long_poll_wakes_when_the_job_ends(app, post, client, made, tagged):
    path = post().json["links"]["self"]
    headers = {"If-None-Match": client.get(path).headers["ETag"]} if tagged else {}
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(lambda: app.test_client().get(f"{path}?wait=25", headers=headers))
        finish(made, "succeeded", summary={"a": 1})
        reply = poll.result(timeout=20)
    assert (reply.status_code, reply.json["state"]) == (200, "succeeded")


def test_a_long_poll_wakes_when_the_version_changes(app, post, client, made):
    path = post().json["links"]["self"]
    headers = {"If-None-Match": client.get(path).headers["ETag"]}
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(lambda: app.test_client().get(f"{path}?wait=25", headers=headers))
        run_first_shard(made)
        reply = poll.result(timeout=20)
    assert (reply.status_code, reply.json["state"]) == (200, "running")


def test_a_long_poll_for_an_old_version_answers_at_once(post, client, monkeypatch):
    path = post().json["links"]["self"]
    monkeypatch.setattr(queries, "POLL_SECONDS", 10**6)
    assert client.get(f"{path}?wait=25", headers={"If-None-Match": 'W/"0"'}).status_code == 200


def test_a_long_poll_ends_with_its_time(post, client):
    path = post().json["links"]["self"]
    tag = client.get(path).headers["ETag"]
    assert client.get(f"{path}?wait=0.05", headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"{path}?wait=0.05").json["state"] == "queued"


def test_a_long_poll_holds_no_connection(app, post, client, made):
    path = post().json["links"]["self"]
    with ThreadPoolExecutor(8) as threads:
        polls = [threads.submit(lambda: app.test_client().get(f"{path}?wait=25")) for _ in range(8)]
        time.sleep(0.1)
        held = [made.engine.pool.checkedout() for _ in range(200) if time.sleep(0.001) is None]
        finish(made, "canceled")
        assert {poll.result(timeout=20).json["state"] for poll in polls} == {"canceled"}
    assert min(held) == 0


def test_a_strange_wait_is_refused(post, client):
    for query in ["wait=x", "wait=-1", "wait=61", "wait=nan", "wait=inf", "bogus=1"]:
        assert client.get(f"{post().json['links']['self']}?{query}").status_code == 422


def test_jobs_are_listed_newest_first_in_pages(post, client):
    ids = [post(grid=grid).json["id"] for grid in range(5, 12)]
    seen, path = [], "/v1/jobs?limit=3"
    while path:
        page = client.get(path).json
        seen += [job["id"] for job in page["data"]]
        path = page["next_cursor"] and f"/v1/jobs?limit=3&cursor={page['next_cursor']}"
    assert seen == ids[::-1]


def test_jobs_are_found_by_kind_model_state_and_label(post, client, made, team):
    labelled = post(labels={"run": "a:b", "who": "ada"}).json["id"]
    plain = post(grid=9).json["id"]
    with made.sessions.begin() as session:
        registration = str(submit(session, JobRequest(team_id=team, kind="registration", params={}), Settings()).job.id)
        session.execute(sa.update(Job).where(Job.id == uuid.UUID(plain)).values(state="running"))

    def found(query):
        return [job["id"] for job in client.get(f"/v1/jobs?{query}").json["data"]]

    assert found("") == [registration, plain, labelled]
    assert found("kind=registration") == [registration]
    assert found("kind=dissection&state=running") == [plain]
    assert found("model=vgg") == [plain, labelled]
    assert found("model=other") == []
    assert found("label=run:a:b") == found("label=who:ada") == [labelled]
    assert found("label=run:a") == found("label=none:x") == []


def test_a_strange_filter_is_refused(client, team):
    for query in ["state=lost", "label=x", "label=:x", "limit=0", "limit=x", "color=red"]:
        assert client.get(f"/v1/jobs?{query}").status_code == 422


def test_a_cursor_belongs_to_its_filters(post, client):
    for grid in (5, 6):
        post(grid=grid)
    cursor = client.get("/v1/jobs?limit=1").json["next_cursor"]
    assert client.get(f"/v1/jobs?limit=1&state=queued&cursor={cursor}").status_code == 400


def test_a_summary_is_there_once_the_job_has_succeeded(post, client, made):
    path = post().json["links"]["summary"]
    early = client.get(path)
    assert (early.status_code, early.mimetype) == (409, "application/problem+json")
    assert "queued" in early.json["detail"]
    finish(made, "succeeded", summary={"layers": {"conv1": {"detectors": 3}}})
    assert client.get(path).json == {"layers": {"conv1": {"detectors": 3}}}


def test_a_failed_job_has_no_summary(post, client, made):
    path = post().json["links"]["summary"]
    finish(made, "failed", error=WorkerLost("gone").problem())
    assert client.get(path).status_code == 409


def test_estimates_learn_from_what_was_measured(post, made):
    post()
    add_second_stage(made)
    with made.sessions.begin() as session:
        long_ago = now(session).replace(year=2020)
        for name, seen_at in (("a", now(session)), ("b", now(session)), ("c", long_ago)):
            session.add(Worker(name=name, device="cpu", shards={}, started_at=long_ago, seen_at=seen_at))
    estimate = post("/v1/jobs:estimate", max_images=200).json
    assert estimate["workers"] == 2
    assert estimate["seconds"] == (200 * (32.0 / 64) + 80 * 0.005) / 2  # 80 units to measure


def test_before_the_first_measurement_the_dry_run_counts(post, made):
    with made.sessions.begin() as session:
        session.add(Worker(name="a", device="cpu", shards={}, started_at=now(session), seen_at=now(session)))
    assert post("/v1/jobs:estimate", max_images=200).json["seconds"] == 200 * 0.01 + 80 * 0.005


def test_another_teams_job_is_not_there(post, client, made):
    other = fill_catalog(made.sessions, "others", "secret-model")
    with made.sessions.begin() as session:
        request = JobRequest(team_id=other, kind="dissection", params={"layers": []}, labels={"a": "b"})
        foreign = submit(session, request, Settings()).job.id
    path = f"/v1/jobs/{foreign}"
    calls = [client.get(path), client.get(f"{path}?wait=25"), client.get(f"{path}/events")]
    calls += [client.get(f"{path}/summary"), client.post(f"{path}/cancel"), client.post(f"{path}/retry")]
    calls += [client.get(f"{path}/events", headers={"Accept": "text/event-stream"})]
    assert {reply.status_code for reply in calls} == {404}
    assert client.get("/v1/jobs").json["data"] == client.get("/v1/jobs?label=a:b").json["data"] == []
    refusal = post(model="secret-model")
    assert refusal.status_code == 422
    assert "did you mean" not in refusal.json["detail"]
    with made.sessions() as session:
        assert the_job(session).state == "queued"


def test_an_unknown_job_is_not_there(client, team):
    reply = client.get(f"/v1/jobs/{uuid.uuid4()}")
    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")
    assert client.get("/v1/jobs/not-an-id").status_code == 404


def test_a_body_that_is_no_request_is_refused(client, team):
    for body in [b"{", b"[1]", b"null", b'"x"', b'{"kind":"dissection","quantile":NaN}', b"\xff"]:
        reply = client.post("/v1/jobs", data=body, content_type="application/json")
        assert reply.status_code in (400, 422)
        assert reply.mimetype == "application/problem+json"


def test_the_wait_is_bounded_by_the_setting(settings, made, team, published):
    client = create_app(replace(settings, wait_seconds=0.05)).test_client()
    path = client.post("/v1/jobs", json=BODY).json["links"]["self"]
    assert client.get(f"{path}?wait=60").json["state"] == "queued"
