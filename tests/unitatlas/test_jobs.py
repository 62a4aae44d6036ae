"""Waiting for a job: each change once, no polling in between."""

from typing import Any

import pytest

from tests.unitatlas.conftest import Script
from tests.unitatlas.test_transport import reply
from unitatlas import Client, JobFailed


def job(state: str, done: int = 0, **more: Any) -> dict[str, Any]:
    progress = {"done": done, "total": 9, "unit": "images", "stage": "collect"}
    return {"id": "1", "kind": "dissection", "state": state, "progress": progress, "error": None, **more}


def test_waiting_names_the_version_it_knows(scripted: Client, script: Script) -> None:
    script.replies = [
        reply(202, job("queued")),
        reply(200, job("running", 1), ETag='"1"'),
        reply(304),
        reply(200, job("running", 5), ETag='"2"'),
        reply(200, job("succeeded", 9), ETag='"3"'),
    ]
    seen: list[int] = []
    scripted.submit("dissection", "net", "set").wait(on_change=lambda job: seen.append(job.progress["done"]))
    assert seen == [1, 1, 5, 9]
    asked = [(r.args.get("wait"), r.headers.get("If-None-Match")) for r in script.requests[1:]]
    assert asked == [(None, None), ("25", '"1"'), ("25", '"1"'), ("25", '"2"')]


def test_a_failed_job_raises_with_its_problem(scripted: Client, script: Script) -> None:
    error = {"title": "Image cannot be read", "status": 422, "detail": "images/7.png is cut short", "errors": []}
    script.replies = [reply(202, job("queued")), reply(200, job("failed", error=error))]
    with pytest.raises(JobFailed, match=r"job 1 failed: Image cannot be read: images/7.png is cut short") as caught:
        scripted.submit("dissection", "net", "set").wait()
    assert caught.value.problem is not None
    assert caught.value.problem.status == 422


def test_a_job_is_retried_and_waited_for_anew(scripted: Client, script: Script) -> None:
    script.replies = [
        reply(200, job("failed"), ETag='"4"'),
        reply(202, job("queued")),
        reply(200, job("succeeded"), ETag='"6"'),
    ]
    assert scripted.job("1").retry().wait().state == "succeeded"
    assert "If-None-Match" not in script.requests[-1].headers


def test_events_go_on_by_their_number(scripted: Client, script: Script) -> None:
    script.replies = [
        reply(200, job("running")),
        reply(200, {"data": [{"sequence": 50}], "next_cursor": "50"}),
        reply(200, {"data": [{"sequence": 51}], "next_cursor": None}),
    ]
    assert [event["sequence"] for event in scripted.job("1").events()] == [50, 51]
    assert script.requests[-1].args["after"] == "50"
