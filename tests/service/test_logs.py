"""Log lines are JSON and carry the ids of what they are about."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from service.database import Sessions
from service.jobs.tables import Job
from service.logs import JsonFormatter, logged_with, note
from service.settings import Settings

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the service and its workers have logged so far."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    loggers = [logging.getLogger(name) for name in ("service", "workers")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_each_request_is_one_line(client: FlaskClient, lines: Lines) -> None:
    client.get("/v1/keys", headers={"X-Request-Id": "abc", "Authorization": "Bearer ua_secret"})
    [line] = lines()
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/keys", 401)
    assert (line["message"], line["level"], line["request_id"]) == ("request", "info", "abc")
    assert line["milliseconds"] >= 0
    assert "secret" not in str(line)


def test_lines_about_a_job_carry_its_id(client: FlaskClient, sessions: Sessions, lines: Lines) -> None:
    body = {"name": "net", "source": "torchvision:alexnet", "weights": {"seed": 0}}
    client.application.extensions["unitatlas"] = replace(
        client.application.extensions["unitatlas"], settings=Settings(wait_seconds=0.0)
    )
    made = client.post("/v1/models", json=body, headers={"X-Request-Id": "abc"})
    assert made.status_code == 202, made.json
    job_id = made.json["id"]
    client.get(f"/v1/jobs/{job_id}")
    client.get("/v1/jobs")
    told = [(line["request_id"] == "abc", line.get("job_id")) for line in lines() if line["message"] == "request"]
    assert told == [(True, job_id), (False, job_id), (False, None)]
    with sessions() as session:
        assert session.get_one(Job, UUID(job_id)).request_id == "abc"


def test_what_is_noted_ends_with_its_context(lines: Lines) -> None:
    log = logging.getLogger("service.test")
    with logged_with(job_id=1):
        with logged_with(shard=2):
            note(more=3)
            log.info("inside")
        log.info("between")
    log.info("after")
    told = [{name: line.get(name) for name in ("job_id", "shard", "more")} for line in lines()]
    assert told == [
        {"job_id": 1, "shard": 2, "more": 3},
        {"job_id": 1, "shard": None, "more": None},
        {"job_id": None, "shard": None, "more": None},
    ]


def test_traceback_stays_in_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it %s", ("broke",), (type(error), error, None))
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == "it broke"
    assert "two" in json.loads(text)["traceback"]
