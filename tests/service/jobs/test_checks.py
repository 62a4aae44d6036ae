"""Requests against the catalog: canonical params, and errors that point at the field and name the remedy."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings

from service.catalog.tables import Dataset, Model
from service.jobs.checks import input_sides
from service.jobs.tables import Job
from tests.service.jobs.conftest import BODY, add_segmenter
from tests.service.jobs.test_requests import PARAMS


def errors_of(reply):
    assert reply.status_code == 422, reply.json
    assert reply.mimetype == "application/problem+json"
    return {error["pointer"]: error["detail"] for error in reply.json["errors"]}


def update(made, table, **values):
    with made.sessions.begin() as session:
        session.execute(sa.update(table).values(**values))


FAULTS = [
    ({"model": "vg"}, "/model", "did you mean 'vgg'?"),
    ({"model": "qqqqq"}, "/model", "no model is named 'qqqqq'"),
    ({"dataset": "scene"}, "/dataset", "did you mean 'scenes'?"),
    ({"layers": ["conv1", "cnv5"]}, "/layers/1", "has no layer 'cnv5' with a map of units; did you mean 'conv5'"),
    ({"dataset": "photos"}, "/segmentation", 'ask for "colors" or for a segmenter'),
    ({"dataset": "photos", "segmentation": ["masks", "colors"]}, "/segmentation", "has no masks"),
    ({"kind": "divination"}, "/kind", "there is ablation, attack, dissection"),
    ({"grid": 2}, "/grid", "greater than or equal to 4"),
    ({"layers": ["conv1", "conv1"]}, "/layers/1", "twice"),
    ({"latent": {}}, "/latent", "Unknown field"),
    ({"dataset": None}, "/dataset", "name the dataset"),
    ({"latents": {"seed": 1, "count": 9}}, "/latents", "'vgg' is a classifier and takes images"),
    ({"latents": {"count": 9}}, "/latents/seed", "required"),
]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs:estimate"])
def test_a_fault_is_pointed_at(post, made, path):
    for changes, pointer, words in FAULTS:
        assert words in errors_of(post(path, **changes))[pointer]
    with made.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Job)) == 0


def test_every_unknown_layer_is_named_at_once(post):
    assert list(errors_of(post(layers=["x", "conv1", "y"]))) == ["/layers/0", "/layers/2"]


def test_colors_need_no_masks(post):
    assert post(dataset="photos", segmentation="colors").status_code == 202


def test_segmenters_are_not_dissected(post, made):
    update(made, Model, kind="segmenter")
    assert "is a segmenter" in errors_of(post())["/model"]


def test_params_come_back_canonical(post):
    params = post(layers=["conv5", "conv1"], segmentation=["colors", "masks"], max_images=5000).json["params"]
    assert params == {
        "layers": ["conv1", "conv5"],
        "quantile": 0.01,
        "grid": 16,
        "upsampling": "zero",
        "segmentation": ["masks", "colors"],
        "cutoff": 0.04,
        "max_images": None,
        "top_images": 5,
        "halves": False,
        "precision": "float32",
        "controls": [],
    }


def test_the_grid_is_a_quarter_of_the_input(post, made):
    for input, grid in [
        ({"resize": 256, "crop": 224}, 56),
        ({"resize": [227, 227], "crop": None}, 56),
        ({"resize": [128, 64], "crop": None}, 16),
        ({"resize": None, "crop": 8}, 4),
    ]:
        update(made, Model, input=input)
        assert post().json["params"]["grid"] == grid


def test_the_grid_is_the_datasets_unless_it_is_named(post, made):
    update(made, Dataset, grid=24)
    assert post().json["params"]["grid"] == 24
    assert post(grid=7).json["params"]["grid"] == 7


def test_a_model_of_no_size_needs_a_grid(post, made):
    update(made, Model, input={"resize": None, "crop": None})
    assert "must be named" in errors_of(post())["/grid"]
    assert post(grid=9).status_code == 202


def test_sides_of_the_input():
    assert input_sides({}) is None
    assert input_sides({"resize": 256, "crop": [3, 5]}) == (3, 5)


@pytest.fixture
def with_segmenters(made, team):
    for name, digest in (("net", "11"), ("Act", "22")):
        add_segmenter(made, team, name, [["object", name]], digest)


@given(PARAMS)
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_canonical_params_are_the_same_work(post, with_segmenters, params):
    layers = ["conv1", "conv2", "conv5"][: len(params["layers"])]
    first = post(**{**params, "layers": layers}, reuse=True)
    # what is too much for the scratch space is refused, see the test below, and so are halves of colors
    assume([error["pointer"] for error in first.json.get("errors", [])] not in (["/max_images"], ["/halves"]))
    assert first.status_code in (200, 202), first.json
    again = post(**first.json["params"])
    assert again.status_code == 200
    assert (again.json["id"], again.json["params"]) == (first.json["id"], first.json["params"])


def test_a_job_that_cannot_fit_is_refused_with_what_would(made, team, settings, published):
    from service import create_app

    small: Flask = create_app(replace(settings, scratch_bytes=1_000_000))
    client = small.test_client()
    for path in ("/v1/jobs", "/v1/jobs:estimate"):
        detail = errors_of(client.post(path, json=BODY))["/max_images"]
        fit = int(detail.split('"max_images": ')[1].split()[0])
        assert client.post(path, json={**BODY, "max_images": fit + 1}).status_code == 422
        assert client.post(path, json={**BODY, "max_images": fit}).status_code < 300


def test_layers_that_never_fit_are_told_so(team, settings, published):
    from service import create_app

    client = create_app(replace(settings, scratch_bytes=10)).test_client()
    assert "fewer layers" in errors_of(client.post("/v1/jobs", json=BODY))["/max_images"]


def test_estimates_start_from_the_dry_run(post, made):
    estimate = post("/v1/jobs:estimate").json
    assert estimate.pop("scratch_bytes") > 0
    assert estimate.pop("artifact_bytes") > 0
    assert estimate == {"shards": 1 + 16 + 2 + 2, "forward_passes": 1000, "seconds": None, "workers": 0, "notes": []}
