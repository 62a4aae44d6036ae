"""Registering over HTTP, with a worker that only writes rows; and looking at what is there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from service import create_app
from service.access.queries import find_team
from service.artifacts.queries import record_artifacts
from service.catalog import queries
from service.catalog.tables import Model
from service.database import Sessions, reading
from service.errors import Invalid, UnitAtlasError
from service.jobs.queries import finish_job
from service.jobs.tables import Job, Shard
from service.settings import Settings
from tests.service.conftest import MakeClient

MODEL = {"name": "vgg", "source": "torchvision:vgg11", "weights": {"seed": 1}}
SCENES = {"name": "scenes", "format": "scenes", "location": {"builtin": "scenes-validation"}}
INPUT = {"resize": 64, "crop": None, "channels": "rgb", "scale": 1.0, "mean": [0.0] * 3, "std": [1.0] * 3}
DIGEST = "ab" * 32

Merge = Callable[[Session, Job], object]
Working = Callable[..., AbstractContextManager[list[dict[str, Any]]]]


class Shape(NamedTuple):
    name: str
    units: int
    height: int
    width: int


def merge(session: Session, job: Job) -> None:
    """What the registration's merge does once a worker has looked at the model or dataset."""
    params = dict(job.params)
    if params.pop("what") == "model":
        classes = params.pop("classes") or ["beach", "forest"]
        concepts = params.pop("concepts")
        params["concepts"] = concepts and [concept and list(concept.values()) for concept in concepts]
        found = {"input": INPUT | params.pop("input"), "digest": DIGEST, "forward_seconds": 0.5, "classes": classes}
        queries.write_model(session, job.team_id, **params, **found, layers=[Shape("features.0", 8, 32, 32)])
    else:
        params["grid"] = params["grid"] or 16
        params.pop("scenes")
        found = {"manifest": DIGEST, "images": 3, "classes": [], "concepts": [("object", "tree"), ("part", "leaf")]}
        queries.write_dataset(session, job.team_id, **params, **found)


def refuse(session: Session, job: Job) -> None:
    """What a worker does that finds a fault."""
    raise Invalid("the weights lack features.0.weight", "/weights")


@pytest.fixture
def working(sessions: Sessions) -> Working:
    """Run a worker that ends every registration, and collect the params of those it came to."""

    @contextmanager
    def work(end: Merge = merge) -> Iterator[list[dict[str, Any]]]:
        seen: list[dict[str, Any]] = []
        over = threading.Event()

        def loop() -> None:
            while not over.wait(0.02):
                with reading(sessions) as session:
                    queued = session.scalars(sa.select(Job.id).where(Job.state == "queued")).all()
                for job_id in queued:
                    with sessions.begin() as session:
                        job = session.get_one(Job, job_id)
                        seen.append(job.params)
                        _end(session, job, end)

        thread = threading.Thread(target=loop)
        thread.start()
        yield seen
        over.set()
        thread.join()

    return work


def _end(session: Session, job: Job, end: Merge) -> None:
    session.execute(sa.update(Shard).where(Shard.job_id == job.id).values(state="done"))
    try:
        end(session, job)
    except UnitAtlasError as error:
        finish_job(session, job, "failed", error=error.problem())
    else:
        finish_job(session, job, "succeeded", summary={})


@pytest.fixture
def impatient(settings: Settings) -> FlaskClient:
    """A client of a service that waits for no worker."""
    return create_app(replace(settings, wait_seconds=0.0)).test_client()


def count(sessions: Sessions, table: Any) -> int:
    with reading(sessions) as session:
        return session.scalars(sa.select(sa.func.count()).select_from(table)).one()


def test_a_registered_model_is_there_with_its_layers(client: FlaskClient, working: Working) -> None:
    with working() as seen:
        reply = client.post("/v1/models", json=MODEL | {"input": {"resize": 32}})
    assert reply.status_code == 201
    assert reply.headers["Location"] == "/v1/models/vgg"
    assert reply.json["created_at"].endswith("+00:00")
    assert seen == [
        MODEL | {"what": "model", "kind": "classifier", "input": {"resize": 32}, "classes": None, "concepts": None}
    ]
    shown = client.get("/v1/models/vgg").json
    shown.pop("created_at")
    assert shown == MODEL | {
        "kind": "classifier",
        "input": INPUT | {"resize": 32},
        "digest": DIGEST,
        "layers": 1,
        "classes": 2,
        "concepts": None,
        "links": {
            "self": "/v1/models/vgg",
            "layers": "/v1/models/vgg/layers",
            "units": "/v1/units?model=vgg",
        },
    }
    assert client.get("/v1/models").json["data"] == [client.get("/v1/models/vgg").json]
    layer = {"name": "features.0", "position": 0, "units": 8, "height": 32, "width": 32}
    assert client.get("/v1/models/vgg/layers").json == {"data": [layer]}
    (forest,) = client.get("/v1/classes?model=vgg&q=for").json["data"]
    assert (forest["model"], forest["index"], forest["name"], forest["important_units"]) == ("vgg", 1, "forest", None)


def test_a_segmenter_is_shown_with_what_its_outputs_stand_for(client: FlaskClient, working: Working) -> None:
    concepts = [None, {"category": "object", "name": "tree"}, {"category": "part", "name": "tree"}]
    segmenter = MODEL | {"kind": "segmenter", "concepts": concepts}
    with working():
        assert client.post("/v1/models", json=segmenter).json["concepts"] == concepts
    assert client.get("/v1/models/vgg").json["concepts"] == concepts


def test_concepts_at_fault_are_pointed_at(client: FlaskClient) -> None:
    twice = [{"category": "object", "name": "tree"}] * 2
    reply = client.post("/v1/models", json=MODEL | {"kind": "segmenter", "concepts": twice})
    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "/concepts/1")
    reply = client.post("/v1/models", json=MODEL | {"concepts": twice})
    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "/concepts")


def test_a_registered_dataset_is_there_with_its_concepts(client: FlaskClient, working: Working) -> None:
    with working() as seen:
        reply = client.post("/v1/datasets", json=SCENES)
    assert (reply.status_code, reply.headers["Location"]) == (201, "/v1/datasets/scenes")
    assert seen == [SCENES | {"what": "dataset", "grid": None, "scenes": False}]
    shown = client.get("/v1/datasets/scenes").json
    assert client.get("/v1/datasets").json["data"] == [shown]
    shown.pop("created_at")
    assert shown == SCENES | {
        "digest": DIGEST,
        "images": 3,
        "grid": 16,
        "classes": 0,
        "concepts": {"object": 1, "part": 1},
        "links": {"self": "/v1/datasets/scenes"},
    }


def test_the_same_registration_again_is_answered_by_the_first(
    client: FlaskClient, working: Working, sessions: Sessions
) -> None:
    with working() as seen:
        assert client.post("/v1/models", json=MODEL).status_code == 201
        again = client.post("/v1/models", json=MODEL | {"kind": "classifier", "input": {}})
    assert (again.status_code, again.json["name"], len(seen)) == (200, "vgg", 1)
    assert count(sessions, Job) == 1


def test_a_name_that_something_else_has_is_a_conflict(
    client: FlaskClient, working: Working, sessions: Sessions
) -> None:
    with working():
        client.post("/v1/models", json=MODEL)
        client.post("/v1/datasets", json=SCENES)
        for address, body in (
            ("/v1/models", MODEL | {"weights": {"seed": 2}}),
            ("/v1/datasets", SCENES | {"grid": 8}),
            ("/v1/datasets", SCENES | {"scenes": True}),
        ):
            reply = client.post(address, json=body)
            assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (409, "/name")
    assert count(sessions, Job) == 2


def test_of_two_different_ones_of_a_name_at_once_one_is_told_of_the_conflict(
    impatient: FlaskClient, client: FlaskClient, working: Working
) -> None:
    for seed in (1, 2):
        assert impatient.post("/v1/models", json=MODEL | {"weights": {"seed": seed}}).status_code == 202
    with working():
        replies = [client.post("/v1/models", json=MODEL | {"weights": {"seed": seed}}) for seed in (1, 2)]
    assert [reply.status_code for reply in replies] == [200, 409]
    assert client.get("/v1/models/vgg").json["weights"] == {"seed": 1}


def test_what_a_worker_refuses_is_told_and_leaves_nothing(
    client: FlaskClient, working: Working, sessions: Sessions
) -> None:
    with working(refuse):
        reply = client.post("/v1/models", json=MODEL)
    assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")
    assert reply.json["errors"] == [{"pointer": "/weights", "detail": "the weights lack features.0.weight"}]
    assert reply.json["request_id"]
    assert count(sessions, Model) == 0
    with working():
        assert client.post("/v1/models", json=MODEL).status_code == 201


def test_without_a_worker_the_job_is_the_answer(impatient: FlaskClient, client: FlaskClient, working: Working) -> None:
    reply = impatient.post("/v1/datasets", json=SCENES)
    assert reply.status_code == 202
    assert (reply.json["kind"], reply.json["state"]) == ("registration", "queued")
    assert reply.headers["Location"] == f"/v1/jobs/{reply.json['id']}"
    assert "Retry-After" in reply.headers
    assert client.get("/v1/datasets/scenes").status_code == 404
    assert impatient.post("/v1/datasets", json=SCENES).json["id"] == reply.json["id"]
    with working():
        assert client.get(f"{reply.headers['Location']}?wait=10", headers={"If-None-Match": 'W/"1"'}).status_code == 200
    assert client.get("/v1/datasets/scenes").status_code == 200


def test_a_cancelled_registration_is_a_conflict(client: FlaskClient, working: Working) -> None:
    def cancel(session: Session, job: Job) -> None:
        finish_job(session, job, "canceled")

    with working(cancel):
        assert client.post("/v1/models", json=MODEL).status_code == 409


def test_a_location_is_checked_before_anything_is_queued(
    client: FlaskClient, settings: Settings, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    for format, location, pointer in (
        ("masks", {"path": "../x"}, "/location/path"),
        ("masks", {"path": "/etc"}, "/location/path"),
        ("masks", {"artifact": "00" * 32}, "/location/artifact"),
        ("masks", {"builtin": "scenes-validation"}, "/format"),
        ("scenes", {"path": "x"}, "/format"),
        ("masks", {"path": "a", "artifact": "00" * 32}, "/location"),
    ):
        with subtests.test(str(location)):
            reply = client.post("/v1/datasets", json={"name": "d", "format": format, "location": location})
            assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)
    nowhere = create_app(replace(settings, import_dir=None)).test_client()
    reply = nowhere.post("/v1/datasets", json={"name": "d", "format": "masks", "location": {"path": "x"}})
    assert (reply.status_code, "UNITATLAS_IMPORT_DIR" in reply.json["detail"]) == (422, True)
    assert count(sessions, Job) == 0


def test_a_path_is_kept_relative_to_the_import_directory(
    client: FlaskClient, working: Working, settings: Settings
) -> None:
    body = {"name": "camvid", "format": "masks", "location": {"path": str(settings.import_dir / "camvid")}}
    with working():
        client.post("/v1/datasets", json=body)
        assert client.post("/v1/datasets", json=body | {"location": {"path": "./camvid"}}).status_code == 200
    assert client.get("/v1/datasets/camvid").json["location"] == {"path": "camvid"}


def test_artifacts_must_be_the_teams_own(client_of: MakeClient, sessions: Sessions, working: Working) -> None:
    ours, theirs = client_of("ours", "write", "read"), client_of("theirs", "write")
    with sessions.begin() as session:
        team = find_team(session, "ours")
        record_artifacts(session, team.id, [(DIGEST, 1, "application/octet-stream")])
    body = MODEL | {"weights": {"artifact": DIGEST}}
    refused = theirs.post("/v1/models", json=body)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/weights/artifact")
    with working():
        assert ours.post("/v1/models", json=body).status_code == 201
        dataset = {"name": "zip", "format": "folder", "location": {"artifact": DIGEST}}
        assert ours.post("/v1/datasets", json=dataset).status_code == 201


def test_a_team_sees_its_own_only(client_of: MakeClient, working: Working) -> None:
    ours, theirs = (client_of(name, "read", "write") for name in ("ours", "theirs"))
    with working():
        ours.post("/v1/models", json=MODEL)
        ours.post("/v1/datasets", json=SCENES)
        for address in ("/v1/models/vgg", "/v1/models/vgg/layers", "/v1/datasets/scenes"):
            assert ours.get(address).status_code == 200
            assert theirs.get(address).status_code == 404
        for address in ("/v1/models", "/v1/datasets", "/v1/classes"):
            assert theirs.get(address).json["data"] == []
        assert theirs.get("/v1/classes?model=vgg").status_code == 422
        assert theirs.post("/v1/models", json=MODEL).status_code == 201


def test_registering_needs_the_scope_to_write(client_of: MakeClient) -> None:
    reader, writer = client_of("ours", "read"), client_of("ours", "write")
    for address, body in (("/v1/models", MODEL), ("/v1/datasets", SCENES)):
        assert reader.post(address, json=body).status_code == 403
        assert writer.get(address).status_code == 403


def test_what_has_not_changed_is_not_sent_again(client: FlaskClient, working: Working) -> None:
    with working():
        client.post("/v1/models", json=MODEL)
    for address in ("/v1/models", "/v1/models/vgg", "/v1/models/vgg/layers", "/v1/classes", "/v1/datasets"):
        tag = client.get(address).headers["ETag"]
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
