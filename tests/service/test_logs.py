"""Log lines are JSON and carry the request's id."""

import io
import json
import logging

from flask.testing import FlaskClient

from service.logs import JsonFormatter


def test_each_request_is_one_line(client: FlaskClient) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("service.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        client.get("/v1/keys", headers={"X-Request-Id": "abc", "Authorization": "Bearer ua_secret"})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    line = json.loads(stream.getvalue())
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/keys", 401)
    assert (line["message"], line["level"], line["request_id"]) == ("request", "info", "abc")
    assert line["milliseconds"] >= 0
    assert "secret" not in str(line)


def test_traceback_stays_in_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it %s", ("broke",), (type(error), error, None))
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == "it broke"
    assert "two" in json.loads(text)["traceback"]
