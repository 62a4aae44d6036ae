"""Requests for imports: what is checked before a worker reads the file."""

import pytest
import sqlalchemy as sa

from service.artifacts.queries import record_artifacts
from service.artifacts.tables import Artifact
from service.jobs.imports import MAX_FILE_BYTES
from tests.service.jobs.conftest import fill_catalog, the_job

FILE = "1f" * 32
BODY = {"kind": "import", "model": "vgg", "format": "netdissect", "layer": "conv5", "artifact": FILE}


@pytest.fixture
def file(made, team):
    with made.sessions.begin() as session:
        record_artifacts(session, team, [(FILE, 1000, "text/csv")])
    return FILE


@pytest.fixture
def send(client, file, published):
    def send(path="/v1/jobs", **changes):
        body = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
        return client.post(path, json=body)

    return send


def test_an_import_is_queued(send, made, published):
    reply = send()
    assert reply.status_code == 202
    assert reply.json["params"] == {"format": "netdissect", "layer": "conv5", "artifact": FILE, "cutoff": 0.04}
    assert (reply.json["model"], reply.json["dataset"]) == ("vgg", None)
    assert reply.json["links"]["units"] == f"/v1/units?job={reply.json['id']}"
    assert len(published) == 1
    with made.sessions() as session:
        assert the_job(session).dataset_id is None


def test_the_same_import_is_done_once(send):
    first = send().json["id"]
    assert (send().status_code, send(cutoff=0.04).json["id"]) == (200, first)
    assert send(layer="conv1").json["id"] != first
    assert send(format="netdissect-lite").json["id"] != first
    assert send(format="clip-dissect", layer=...).status_code == 202


def test_an_import_costs_one_shard(send):
    estimate = send("/v1/jobs:estimate")
    assert estimate.json == {
        "shards": 1,
        "forward_passes": 0,
        "scratch_bytes": 0,
        "artifact_bytes": 0,
        "seconds": None,
        "workers": 0,
        "notes": [],
    }
    assert send("/v1/jobs:estimate", layer="conv9").status_code == 422


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"model": "vgh"}, "/model", "did you mean 'vgg'"),
        ({"model": ...}, "/model", ""),
        ({"format": "milan"}, "/format", ""),
        ({"format": ...}, "/format", ""),
        ({"layer": "conv4"}, "/layer", "has no layer 'conv4'"),
        ({"layer": ...}, "/layer", "name it"),
        ({"format": "clip-dissect"}, "/layer", "leave it out"),
        ({"artifact": "2e" * 32}, "/artifact", "upload the file first"),
        ({"artifact": "2e"}, "/artifact", "sha256"),
        ({"artifact": ...}, "/artifact", ""),
        ({"cutoff": 1}, "/cutoff", ""),
        ({"dataset": "scenes"}, "/dataset", ""),
        ({"layers": ["conv5"]}, "/layers", ""),
    ],
)
def test_a_bad_request_is_pointed_out(send, changes, pointer, detail):
    reply = send(**changes)
    assert reply.status_code == 422
    (error,) = reply.json["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]


def test_a_file_of_another_team_is_none(send, made):
    theirs = fill_catalog(made.sessions, "theirs")
    with made.sessions.begin() as session:
        record_artifacts(session, theirs, [("3d" * 32, 10, "text/csv")])
    assert "no artifact" in send(artifact="3d" * 32).json["detail"]


def test_a_file_that_is_too_large_is_refused(send, made):
    with made.sessions.begin() as session:
        session.execute(sa.update(Artifact).values(size=MAX_FILE_BYTES + 1))
    reply = send()
    assert reply.json["errors"][0]["pointer"] == "/artifact"
    assert f"at most {MAX_FILE_BYTES}" in reply.json["detail"]
