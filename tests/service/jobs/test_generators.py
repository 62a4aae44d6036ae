"""Requests to dissect a generator: what is filled in, what they cost, and what is refused."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalog.queries import write_model
from service.catalog.tables import Model
from service.jobs.checks import CheckedDissection, check_dissection
from service.jobs.requests import JobRequestSchema
from service.jobs.tables import Job
from tests.service.jobs.conftest import LAYERS, add_segmenter
from tests.service.jobs.test_checks import errors_of

LATENTS = {"seed": 3, "first": 10, "count": 400}
BODY = {"kind": "dissection", "model": "gan", "layers": ["conv1"], "segmentation": ["colors"]}


@pytest.fixture
def send(client, made, team, published):
    with made.sessions.begin() as session:
        write_model(
            session,
            team,
            name="gan",
            kind="generator",
            source="progressive-gan",
            weights={},
            input={"latent": [512], "range": [-1.0, 1.0], "size": [48, 96]},
            digest="77" * 32,
            forward_seconds=0.25,
            layers=LAYERS,
            classes=[],
        )
    return lambda path="/v1/jobs", **changes: client.post(path, json={**BODY, **changes})


def test_params_are_the_papers_unless_they_are_given(send):
    job = send().json
    assert job["dataset"] is None
    assert job["params"]["latents"] == {"seed": 1, "first": 0, "count": 10000}
    assert (job["params"]["grid"], job["params"]["segmentation"]) == (48, ["colors"])
    assert send(latents=LATENTS).json["params"]["latents"] == LATENTS
    assert send(latents={"seed": 1, "count": 10000}).json["id"] == job["id"]
    assert send(**job["params"]).json["id"] == job["id"]


@pytest.mark.parametrize(("size", "grid"), [([256, 256], 64), ([64, 64], 64), ([32, 32], 32), ([2, 2], 4)])
def test_the_grid_is_the_pictures_side_up_to_64(send, made, size, grid):
    with made.sessions.begin() as session:
        session.execute(sa.update(Model).where(Model.name == "gan").values(input={"latent": [4], "size": size}))
    assert send().json["params"]["grid"] == grid


FAULTS = [
    ({"dataset": "scenes"}, "/dataset", "makes its own pictures"),
    ({"max_images": 5}, "/max_images", "a picture of each latent"),
    ({"segmentation": None}, "/segmentation", "say how its pictures are segmented"),
    ({"segmentation": ["masks"]}, "/segmentation", "have no masks"),
    ({"segmentation": ["colors"], "halves": True}, "/halves", "no concepts of the category"),
    ({"latents": {"seed": -1, "count": 5}}, "/latents/seed", "greater than or equal to 0"),
    ({"latents": {"seed": 2**32, "count": 5}}, "/latents/seed", "less than or equal to"),
    ({"latents": {"seed": 1, "count": 0}}, "/latents/count", "greater than or equal to 1"),
    ({"latents": {"seed": 1, "count": 5, "first": -1}}, "/latents/first", "greater than or equal to 0"),
    ({"latents": {"seed": 1, "count": 5, "last": 9}}, "/latents/last", "Unknown field"),
    ({"latents": 5}, "/latents", "Invalid"),
    ({"layers": ["layer9"]}, "/layers/0", "has no layer 'layer9'"),
]


@pytest.mark.parametrize(("changes", "pointer", "words"), FAULTS)
def test_a_fault_is_pointed_at(send, made, changes, pointer, words):
    assert words in errors_of(send("/v1/jobs:estimate", **changes))[pointer]
    assert words in errors_of(send(**changes))[pointer]
    with made.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Job)) == 0


@pytest.mark.parametrize(("kind", "more"), [("ablation", {"layer": "conv1"}), ("attack", {})])
def test_kinds_for_classifiers_refuse_a_generator(send, client, kind, more):
    reply = client.post("/v1/jobs", json={"kind": kind, "model": "gan", "dataset": "scenes", **more})
    assert "takes a classifier" in errors_of(reply)["/model"]


def checked(made, team, **changes) -> CheckedDissection:
    with made.sessions() as session:
        return check_dissection(session, team, JobRequestSchema().load({**BODY, **changes}), 2**50)


def test_the_estimate_counts_pictures_and_their_segmentation(send, made, team):
    add_segmenter(made, team, "net", [["object", "tree"]], "11", seconds=0.75)
    found = checked(made, team, latents=LATENTS, segmentation="model:net")
    with made.sessions() as session:
        estimate = found.estimate(session, 1)
    assert estimate.forward_passes == 400 * 2
    assert estimate.seconds == pytest.approx(400 * (0.25 + 0.75) + 0.005 * 16)
    assert found.size.picture_bytes == 3 * 48 * 96
    assert found.request.inputs == {"model": "77" * 32, "model:net": "11" * 32}


def test_pictures_are_kept_no_higher_than_they_are_shown(send, made, team):
    with made.sessions.begin() as session:
        session.execute(sa.update(Model).where(Model.name == "gan").values(input={"size": [448, 224]}))
    assert checked(made, team).size.picture_bytes == 3 * 112 * 56


def test_latents_that_cannot_fit_are_refused_with_how_many_would(made, team, settings, published, send):
    from service import create_app

    client = create_app(replace(settings, scratch_bytes=2_000_000)).test_client()
    detail = errors_of(client.post("/v1/jobs", json=BODY))["/latents/count"]
    fit = int(detail.split('"count": ')[1].split()[0])
    assert client.post("/v1/jobs", json={**BODY, "latents": {"seed": 1, "count": fit + 1}}).status_code == 422
    assert client.post("/v1/jobs", json={**BODY, "latents": {"seed": 1, "count": fit}}).status_code == 202
