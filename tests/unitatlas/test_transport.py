"""Retries, problems and answers that are none."""

import json
from typing import Any

import pytest
from werkzeug.wrappers import Response

from tests.unitatlas.conftest import Script
from unitatlas import Client, Problem, ServiceUnreachable, transport


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in no time."""
    made: list[float] = []
    monkeypatch.setattr(transport.time, "sleep", made.append)
    return made


def reply(status: int, body: Any = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = "application/problem+json" if status >= 400 else "application/json"
    return Response(json.dumps(body), status, named, content_type=kind)


def problem(status: int, **headers: str) -> Response:
    return reply(status, {"title": "No", "status": status, "detail": "not now", "errors": []}, **headers)


def test_what_passes_is_tried_again_after_the_pause_that_was_asked_for(
    scripted: Client, script: Script, pauses: list[float]
) -> None:
    script.replies = [
        problem(503, Retry_After="3"),
        problem(429, Retry_After="99"),
        problem(502),
        reply(200, {"data": []}),
    ]
    assert scripted.layers("net") == []
    assert pauses == [3.0, transport.LONGEST_PAUSE, pytest.approx(0.8)]


def test_a_post_is_tried_again_under_the_same_idempotency_key(
    scripted: Client, script: Script, pauses: list[float]
) -> None:
    script.replies = [problem(503), reply(202, {"id": "1"}), reply(202, {"id": "2"})]
    assert [scripted.submit("dissection", "net", "set").id for _ in range(2)] == ["1", "2"]
    first, again, other = [request.headers["Idempotency-Key"] for request in script.requests]
    assert first == again != other
    assert {request.headers["Authorization"] for request in script.requests} == {"Bearer ua_secret"}


def test_the_last_try_tells_what_the_service_said(scripted: Client, script: Script, pauses: list[float]) -> None:
    script.replies = [problem(503) for _ in range(transport.TRIES)]
    with pytest.raises(Problem, match="No: not now"):
        scripted.model("net")
    assert len(pauses) == transport.TRIES - 1


def test_a_refusal_is_not_tried_again(scripted: Client, script: Script, pauses: list[float]) -> None:
    script.replies = [problem(409)]
    with pytest.raises(Problem):
        scripted.model("net")
    assert pauses == []


def test_an_answer_of_something_else_is_no_problem_of_ours(
    scripted: Client, script: Script, pauses: list[float]
) -> None:
    script.replies = [Response("<html>", 404, content_type="text/html")]
    with pytest.raises(ServiceUnreachable, match="404 and not as Unit Atlas does"):
        scripted.model("net")


def test_nothing_there(pauses: list[float]) -> None:
    with Client("http://127.0.0.1:9", key="") as client, pytest.raises(ServiceUnreachable, match="nothing answers"):
        client.model("net")
    assert len(pauses) == transport.TRIES - 1


def test_a_problem_names_each_fault_once() -> None:
    errors = [{"pointer": "/a", "detail": "is wrong"}, {"pointer": "/b", "detail": "is missing"}]
    shown = str(Problem({"title": "Invalid", "status": 422, "detail": "/a: is wrong", "errors": errors}))
    assert shown == "Invalid: /a: is wrong\n  /b: is missing"


def test_a_list_goes_on_by_its_cursor_and_leaves_out_what_is_not_given(scripted: Client, script: Script) -> None:
    script.replies = [reply(200, {"data": [], "next_cursor": "two"}), reply(200, {"data": [], "next_cursor": None})]
    assert [*scripted.units(concept="tree", layer=None, detectors=True)] == []
    assert [request.query_string for request in script.requests] == [
        b"concept=tree&detectors=true",
        b"concept=tree&detectors=true&cursor=two",
    ]
