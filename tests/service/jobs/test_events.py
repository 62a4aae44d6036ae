"""A job's events as pages and as server-sent events."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service import create_app
from service.jobs import events, queries
from service.jobs.tables import Event, Job
from tests.service.jobs.conftest import BODY

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def job(post):
    return post().json


def record(made, *types):
    for type in types:
        with made.sessions.begin() as session:
            queries.record_event(session, session.scalars(sa.select(Job)).one(), type, {"n": 1})


def finish(made, state="succeeded"):
    with made.sessions.begin() as session:
        queries.finish_job(session, session.scalars(sa.select(Job)).one(), state, summary={})


def messages(text):
    """The events of a stream, as a browser reads them."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block) for block in blocks]


def test_events_in_pages(client, made, job):
    record(made, "running", "progress", "progress")
    path = job["links"]["events"]
    page = client.get(f"{path}?limit=3").json
    assert [(event["sequence"], event["type"]) for event in page["data"]] == [
        (1, "queued"),
        (2, "running"),
        (3, "progress"),
    ]
    rest = client.get(f"{path}?limit=3&after={page['next_cursor']}").json
    assert [event["sequence"] for event in rest["data"]] == [4]
    assert rest["next_cursor"] is None
    assert rest["data"][0]["data"] == {"n": 1}


def test_a_strange_page_is_refused(client, job):
    for query in ["after=-1", "after=x", "after=99999999999", "limit=0", "since=1"]:
        assert client.get(f"{job['links']['events']}?{query}").status_code == 422


def test_a_stream_ends_with_the_last_event(client, made, job):
    record(made, "running")
    finish(made)
    reply = client.get(job["links"]["events"], headers=STREAM)
    assert (reply.status_code, reply.mimetype) == (200, "text/event-stream")
    assert reply.headers["X-Accel-Buffering"] == "no"
    found = messages(reply.text)
    assert [(m["id"], m["event"]) for m in found] == [("1", "queued"), ("2", "running"), ("3", "succeeded")]
    assert [json.loads(m["data"])["sequence"] for m in found] == [1, 2, 3]


def test_a_stream_tells_what_happens_while_it_is_open(app, made, job):
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(lambda: app.test_client().get(job["links"]["events"], headers=STREAM).text)
        record(made, "running", "progress")
        finish(made)
        text = following.result(timeout=20)
    assert [m["event"] for m in messages(text)] == ["queued", "running", "progress", "succeeded"]


def test_a_stream_goes_on_after_the_last_event_seen(client, made, job):
    record(made, "running", "progress")
    finish(made)
    for last in [0, 1, 2, 3, 4, 99]:
        reply = client.get(job["links"]["events"], headers={**STREAM, "Last-Event-ID": str(last)})
        assert [int(m["id"]) for m in messages(reply.text)] == [n for n in (1, 2, 3, 4) if n > last]


def test_a_strange_last_event_is_refused(client, job):
    for last in ["x", "-1", "1" * 30]:
        assert client.get(job["links"]["events"], headers={**STREAM, "Last-Event-ID": last}).status_code == 422


def test_more_events_than_a_batch(client, made, job, monkeypatch):
    monkeypatch.setattr(events, "BATCH", 2)
    record(made, *["progress"] * 6)
    finish(made)
    assert len(messages(client.get(job["links"]["events"], headers=STREAM).text)) == 8


def test_a_silent_stream_sends_comments_and_ends(client, job, monkeypatch):
    monkeypatch.setattr(events, "PING_SECONDS", 0.02)
    monkeypatch.setattr(events, "END_SECONDS", 0.2)
    monkeypatch.setattr(queries, "POLL_SECONDS", 0.01)
    text = client.get(job["links"]["events"], headers=STREAM).text
    assert [m["event"] for m in messages(text)] == ["queued"]
    assert ": still here\n\n" in text


def test_a_process_serves_only_so_many_streams(settings, made, team, published):
    app = create_app(replace(settings, max_streams=2))
    path = app.test_client().post("/v1/jobs", json=BODY).json["links"]["events"]

    def follow():
        return app.test_client().get(path, headers=STREAM, buffered=False)

    open_streams = [follow(), follow()]
    refused = follow()
    assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
    assert "Retry-After" in refused.headers
    assert app.test_client().get(path).status_code == 200  # a page takes no slot
    open_streams[0].close()  # never read from
    again = follow()
    assert again.status_code == 200
    again.close()
    open_streams[1].close()


def test_an_idle_stream_holds_no_connection(app, made, job):
    reply = app.test_client().get(job["links"]["events"], headers=STREAM, buffered=False)
    next(reply.response)
    assert made.engine.pool.checkedout() == 0
    reply.close()


def test_events_recorded_at_once_are_all_numbered(made, job):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: record(made, "progress", "progress"), range(4)))
    with made.sessions() as session:
        found = session.scalars(sa.select(Event.sequence).order_by(Event.sequence)).all()
        assert found == list(range(1, 10))
        assert session.scalars(sa.select(Job.version)).one() == 9
