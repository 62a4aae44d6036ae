"""Artifacts: up in pieces, down in ranges, and nobody else's."""

import hashlib
import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from service import create_app
from service.artifacts.store import CHUNK
from service.settings import Settings
from tests.service.conftest import MakeClient

DATA = bytes(range(256)) * 40


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def address(data: bytes) -> str:
    return f"/v1/artifacts/{digest_of(data)}"


def put(
    client: FlaskClient, data: bytes, start: int | None = None, stop: int | None = None, **more: Any
) -> TestResponse:
    headers = {}
    if start is not None:
        stop = len(data) if stop is None else stop
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    more = {"content_type": "image/png", "data": data[start:stop], **more}
    return client.put(address(data), headers=headers, **more)


def put_stream(client: FlaskClient, data: bytes, stream: Any) -> TestResponse:
    return client.put(address(data), environ_overrides={"wsgi.input": stream, "CONTENT_LENGTH": str(len(data))})


def files(settings: Settings) -> list[Path]:
    return [path for path in settings.artifact_dir.rglob("*") if path.is_file()]


def test_upload_and_download(client: FlaskClient, settings: Settings) -> None:
    made = put(client, DATA)
    assert made.status_code == 201
    assert (made.json["digest"], made.json["size"], made.json["media_type"]) == (
        digest_of(DATA),
        len(DATA),
        "image/png",
    )
    assert put(client, DATA).status_code == 200
    reply = client.get(address(DATA))
    assert (reply.status_code, reply.data, reply.mimetype) == (200, DATA, "image/png")
    assert len(files(settings)) == 1


def test_empty_artifact(client: FlaskClient) -> None:
    assert put(client, b"").status_code == 201
    assert client.get(address(b"")).data == b""


def test_headers_of_a_download(client: FlaskClient) -> None:
    put(client, DATA)
    reply = client.head(address(DATA))
    assert (reply.data, reply.headers["Content-Length"]) == (b"", str(len(DATA)))
    assert reply.headers["ETag"] == f'"{digest_of(DATA)}"'
    assert "immutable" in reply.headers["Cache-Control"]
    assert "private" in reply.headers["Cache-Control"]
    assert "public" not in reply.headers["Cache-Control"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(address(DATA), headers={"If-None-Match": f'"{digest_of(DATA)}"'}).status_code == 304


@pytest.mark.parametrize(
    ("media_type", "inline"), [("image/png", True), ("image/svg+xml", False), ("text/html", False)]
)
def test_only_pictures_are_shown(client: FlaskClient, media_type: str, inline: bool) -> None:
    put(client, DATA, content_type=media_type)
    shown = client.get(address(DATA)).headers["Content-Disposition"].startswith("inline")
    assert shown is inline


def test_json_artifact_keeps_its_digest_as_tag(client: FlaskClient) -> None:
    put(client, b"{}", content_type="application/json")
    assert client.get(address(b"{}")).headers["ETag"] == f'"{digest_of(b"{}")}"'


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [("bytes=0-9", 206, 0, 10), ("bytes=10200-", 206, 10200, 10240), ("bytes=-5", 206, 10235, 10240)],
)
def test_range(client: FlaskClient, asked: str, status: int, first: int, last: int) -> None:
    put(client, DATA)
    reply = client.get(address(DATA), headers={"Range": asked})
    assert (reply.status_code, reply.data) == (status, DATA[first:last])
    assert reply.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(DATA)}"


def test_range_beyond_the_end(client: FlaskClient) -> None:
    put(client, DATA)
    reply = client.get(address(DATA), headers={"Range": "bytes=99999-"})
    assert (reply.status_code, reply.mimetype) == (416, "application/problem+json")


def test_wrong_digest_leaves_nothing(client: FlaskClient, settings: Settings) -> None:
    reply = client.put(address(DATA), data=DATA[:-1])
    assert reply.status_code == 422
    assert digest_of(DATA[:-1]) in reply.json["detail"]
    assert files(settings) == []
    assert client.head(address(DATA)).headers["Upload-Offset"] == "0"


@pytest.mark.parametrize("name", ["x", "A" * 64, "0" * 63, "0" * 65, "..%2f..%2fetc", "g" * 64])
def test_what_is_no_digest(client: FlaskClient, name: str) -> None:
    assert client.put(f"/v1/artifacts/{name}", data=b"x").status_code in (404, 422)
    assert client.get(f"/v1/artifacts/{name}").status_code in (404, 422)


@pytest.mark.parametrize("media_type", ["x", "a/" + "b" * 200, "a b/c"])
def test_what_is_no_media_type(client: FlaskClient, media_type: str, settings: Settings) -> None:
    assert put(client, DATA, content_type=media_type).status_code == 422
    assert files(settings) == []


class TestResuming:
    def test_in_three_requests(self, client: FlaskClient) -> None:
        assert put(client, DATA, 0, 4000).status_code == 202
        reply = client.head(address(DATA))
        assert (reply.status_code, reply.headers["Upload-Offset"]) == (404, "4000")
        assert put(client, DATA, 4000, 9000).json["offset"] == 9000
        assert put(client, DATA, 9000).status_code == 201
        assert client.get(address(DATA)).data == DATA

    @pytest.mark.parametrize("start", [0, 3999, 4001])
    def test_at_the_wrong_place(self, client: FlaskClient, start: int) -> None:
        put(client, DATA, 0, 4000)
        reply = put(client, DATA, start)
        assert (reply.status_code, reply.headers["Upload-Offset"]) == (409, "4000")
        assert put(client, DATA, 4000).status_code == 201

    def test_from_the_start_after_all(self, client: FlaskClient) -> None:
        put(client, DATA, 0, 4000)
        assert put(client, DATA).status_code == 201

    def test_connection_that_breaks_off(self, client: FlaskClient) -> None:
        assert put_stream(client, DATA, io.BytesIO(DATA[:5000])).status_code == 400
        assert client.head(address(DATA)).headers["Upload-Offset"] == "5000"
        assert put(client, DATA, 5000).status_code == 201

    def test_damage_shows_at_the_end_and_leaves_nothing(self, client: FlaskClient, settings: Settings) -> None:
        client.put(address(DATA), data=b"x" * 4000, headers={"Content-Range": f"bytes 0-3999/{len(DATA)}"})
        assert put(client, DATA, 4000).status_code == 422
        assert files(settings) == []

    @pytest.mark.parametrize("header", ["bytes 0-9", "bytes 5-4/10", "bytes 0-10/10", "bytes */10", "x", "bytes 0-9/*"])
    def test_malformed_content_range(self, client: FlaskClient, header: str, settings: Settings) -> None:
        reply = client.put(address(DATA), data=DATA[:10], headers={"Content-Range": header})
        assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "header:Content-Range")
        assert files(settings) == []

    def test_body_that_contradicts_its_range(self, client: FlaskClient) -> None:
        put(client, DATA, 0, 10)
        headers = {"Content-Range": f"bytes 10-19/{len(DATA)}"}
        assert client.put(address(DATA), data=DATA[10:21], headers=headers).status_code == 422
        assert client.head(address(DATA)).headers["Upload-Offset"] == "10"
        reply = client.put(address(DATA), data=DATA[10:15], headers=headers)
        assert (reply.status_code, reply.headers["Upload-Offset"]) == (409, "15")

    @examples(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(1, 299), max_size=4))
    def test_any_way_to_cut(self, client: FlaskClient, data: bytes, cuts: list[int]) -> None:
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, stop in pairwise(edges):
            reply = put(client, data, start, stop)
            assert reply.status_code in (200, 201, 202)
        assert client.get(address(data)).data == data


class Counting:
    """A long stream that remembers the largest piece that was asked of it."""

    def __init__(self, size: int) -> None:
        self.left, self.largest = size, 0

    def read(self, size: int = -1) -> bytes:
        self.largest = max(self.largest, self.left if size < 0 else size)
        count = min(self.left, size)
        self.left -= count
        return bytes(count)


class TestLimits:
    @pytest.fixture
    def app(self, sqlite_settings: Settings) -> Flask:
        return create_app(replace(sqlite_settings, max_artifact_bytes=5000))

    def test_announced(self, client: FlaskClient, sqlite_settings: Settings) -> None:
        assert put(client, DATA).status_code == 413
        assert put(client, DATA, 0, 10).status_code == 413
        assert files(sqlite_settings) == []

    def test_only_seen_while_streaming(self, client: FlaskClient, sqlite_settings: Settings) -> None:
        reply = client.put(
            address(DATA),
            input_stream=io.BytesIO(DATA),
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert reply.status_code == 413
        assert files(sqlite_settings) == []


def test_memory_is_bounded(client: FlaskClient) -> None:
    stream = Counting(3 * CHUNK)
    reply = put_stream(client, bytes(3 * CHUNK), stream)
    assert reply.status_code == 201
    assert stream.largest <= CHUNK


class TestTeams:
    def test_only_owners_read(self, client_of: MakeClient) -> None:
        blue, green = client_of("blue", "read", "write"), client_of("green", "read", "write")
        put(blue, DATA)
        assert blue.get(address(DATA)).status_code == 200
        reply = green.head(address(DATA))
        assert (reply.status_code, reply.headers["Upload-Offset"]) == (404, "0")

    def test_what_another_team_has_must_be_uploaded_all_the_same(self, client_of: MakeClient) -> None:
        blue, green = client_of("blue", "read", "write"), client_of("green", "read", "write")
        put(blue, DATA)
        assert green.put(address(DATA), data=b"a guess").status_code == 422
        assert green.get(address(DATA)).status_code == 404
        assert put(green, DATA).status_code == 201
        assert green.get(address(DATA)).data == blue.get(address(DATA)).data == DATA

    def test_unfinished_uploads_are_apart(self, client_of: MakeClient) -> None:
        blue, green = client_of("blue", "read", "write"), client_of("green", "read", "write")
        put(blue, DATA, 0, 4000)
        assert put(green, DATA, 4000).status_code == 409
        assert put(green, DATA).status_code == 201
        assert blue.get(address(DATA)).status_code == 404
        assert put(blue, DATA, 4000).status_code == 201
