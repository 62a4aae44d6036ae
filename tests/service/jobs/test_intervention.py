"""Requests for interventions: canonical params, errors that point at the field and name the remedy, and the cost."""

import re
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service import create_app
from service.catalog.queries import find_model
from service.jobs.tables import Job
from tests.service.jobs.conftest import add_segmenter
from tests.service.jobs.test_checks import errors_of
from tests.service.results.interventions import changed

BODY = {"kind": "intervention", "model": "churches", "layer": "layer1", "units": {"concept": "tree", "top": 3}}
LISTED = {"units": [4, 2], "segmentation": "model:painter"}


@pytest.fixture
def dissection(made, team):
    """A generator whose first layer was dissected, and a segmenter."""
    add_segmenter(made, team, "painter", [["object", "tree"], ["object", "sky"], ["part", "sky"], None], "77")
    with made.sessions.begin() as session:
        model = changed.plant_generator(session, team)
        changed.planted.record_artifacts(session, team, [(changed.planted.MATRIX, 4, "application/octet-stream")])
        return str(changed.dissect(session, team, model, ["layer1"]).id)


@pytest.fixture
def ask(dissection, client):
    def send(_path="/v1/jobs", **changes):
        body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
        return client.post(_path, json=body)

    return send


def the_job(made, reply):
    assert reply.status_code == 202, reply.json
    with made.sessions() as session:
        return session.get_one(Job, uuid.UUID(reply.json["id"]))


def test_defaults_take_the_dissections_best_units_and_other_latents(ask, made, dissection):
    job = the_job(made, ask())
    assert job.dataset_id is None
    assert job.params == {
        "layer": ["layer1"],
        "latents": {"seed": 2, "first": 0, "count": 1000},
        "segmentation": ["model:painter"],
        "halves": False,
        "grid": 16,
        "units": {"layer1": [1, 5, 3]},
        "order": "iou",
        "dissections": {"layer1": dissection},
        "target": {"category": "object", "name": "tree"},
        "action": "remove",
        "value": None,
        "where": "everywhere",
        "sizes": {"layer1": [1, 2, 3]},
        "random": 5,
        "ranking": None,
        "realism": None,
        "keep": 20,
    }


def test_what_is_said_in_other_words_is_the_same_work(ask):
    first = ask().json["id"]
    named = {"concept": {"category": "object", "name": "tree"}, "top": 3}
    again = ask(layer=["layer1"], units=named, sizes=[3, 1, 2], grid=16, random=5, where="everywhere")
    assert (again.status_code, again.json["id"]) == (200, first)
    assert ask(sizes=[3]).json["id"] != first


def test_insertions_have_levels_and_cells_one_size(ask, made):
    params = the_job(made, ask(action="insert", where="each-cell", ranking=None)).params
    assert (params["value"], params["sizes"], params["random"]) == ({"quantile": 0.995}, {"layer1": [3]}, 0)
    assert the_job(made, ask(action="insert", value=2)).params["value"] == 2


def test_a_mask_is_brought_to_the_pictures(ask, made):
    mask = {"size": [2, 1], "runs": [1, 1]}
    assert the_job(made, ask(where={"mask": mask})).params["where"] == {"mask": {"size": [16, 24], "runs": [192, 192]}}


def test_candidates_may_be_more_than_are_changed_together(ask, made):
    ranking = {"candidates": 4, "latents": {"seed": 1, "count": 5}}
    params = the_job(made, ask(ranking=ranking)).params
    assert (params["units"], params["sizes"]) == ({"layer1": [1, 5, 3, 4]}, {"layer1": [1, 2, 3]})
    assert params["ranking"] == {"candidates": 4, "latents": {"seed": 1, "first": 0, "count": 5}, "share": 0.5}


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"model": "vgg"}, "/model", "takes a generator"),
        ({"layer": "layer3"}, "/layer", "no layer 'layer3'"),
        ({"layer": ["layer1", "layer2"]}, "/units/job", "no dissection has looked at layer 'layer2'"),
        ({"units": {"concept": "treee"}}, "/units/concept", "no concept is named 'treee'"),
        ({"units": {"concept": "sky"}}, "/units/concept", "no unit of layer 'layer1' fits 'sky'"),
        ({"units": {"concept": "tree", "job": str(uuid.UUID(int=1))}}, "/units/job", "has looked at layer"),
        ({"units": {"concept": "tree", "best": 3}}, "/units/best", "Unknown field"),
        ({"units": "tree"}, "/units", "give a list of units"),
        ({"units": []}, "/units", "Length must be"),
        ({"units": [1, 1]}, "/units/1", "twice"),
        ({**LISTED, "units": [6]}, "/units/0", "has units 0 to 5"),
        ({**LISTED, "layer": ["layer1", "layer2"]}, "/units", "of one layer"),
        ({**LISTED, "target": "sea"}, "/target", "not searched for a concept 'sea'"),
        ({**LISTED, "target": "sky"}, "/target/category", "object, part"),
        ({**LISTED, "where": "each-cell"}, "/target", "name the concept"),
        ({**LISTED, "ranking": {}}, "/target", "name the concept"),
        ({**LISTED, "target": "tree", "ranking": {"candidates": 5}}, "/ranking/candidates", "are the candidates"),
        ({"segmentation": "colors"}, "/target", "not searched for a concept 'tree'"),
        ({"segmentation": "masks"}, "/segmentation", "have no masks"),
        ({"segmentation": "model:nobody"}, "/segmentation", "no segmenter is named 'nobody'"),
        ({"value": 3}, "/value", "become 0"),
        ({"action": "insert", "value": {"quantile": 2}}, "/value/quantile", "less than or equal to 1"),
        ({"action": "insert", "value": "high"}, "/value", "Not a valid number"),
        ({"action": "insert", "ranking": {}}, "/ranking", "once each is removed"),
        ({"where": "somewhere"}, "/where", "each-cell"),
        ({"where": {"mask": "?"}}, "/where/mask", "PNG"),
        ({"where": {"mask": {"size": [4, 4], "runs": [16]}}}, "/where/mask", "touches no pixel"),
        ({"sizes": [2, 4]}, "/sizes/1", "4 units is asked for, and there are 3"),
        ({"latents": {"seed": 1, "first": 99, "count": 10}}, "/latents", 'take others, as in {"seed": 2}'),
        ({"latents": {"seed": 1}}, "/latents/count", "Missing"),
        ({"ranking": {"latents": {"seed": 2, "count": 5}}}, "/ranking/latents", "take others"),
        ({"realism": {"model": "painter", "layer": "x"}}, "/realism/model", "a classifier"),
        ({"realism": {"model": "vgg", "layer": "x"}}, "/realism/layer", "no layer 'x'"),
        ({"dataset": "scenes"}, "/dataset", "Unknown field"),
    ],
)
def test_what_cannot_be_is_refused(ask, made, changes, pointer, detail):
    if changes.get("units") == {"concept": "sky"}:
        changes = {"units": {"concept": {"category": "object", "name": "sky"}}}
    reply = ask(**changes)
    assert reply.status_code == 422, reply.json
    found = errors_of(reply)
    assert pointer in found, found
    assert detail in found[pointer]
    with made.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Job).where(Job.kind == "intervention")) == 0


def test_latents_beside_those_that_chose_are_taken(ask):
    assert ask(latents={"seed": 1, "first": 100, "count": 10}).status_code == 202


def test_the_cost_counts_every_picture(ask, made, team):
    given = {"latents": {"seed": 2, "count": 100}, "sizes": [1, 3], "random": 2}
    estimate = ask("/v1/jobs:estimate", **given).json
    assert estimate["forward_passes"] == 100 * (1 + 2 * (1 + 2) + 3)
    assert estimate["shards"] == 2 + 2
    cells = ask("/v1/jobs:estimate", **given, where="each-cell", action="insert").json
    assert cells["forward_passes"] == 100 * (1 + 2 * (1 + 2) * 16)
    ranked = ask("/v1/jobs:estimate", **given, ranking={"latents": {"seed": 3, "count": 10}}).json
    assert ranked["forward_passes"] == 100 * (1 + 2 * (3 + 2) + 3) + 10 * (1 + 6)
    with made.sessions() as session:
        assert find_model(session, team, "churches").forward_seconds == 0.1


def test_what_would_not_fit_the_scratch_space_is_refused(dissection, settings, client):
    small = create_app(replace(settings, scratch_bytes=1_000_000)).test_client()
    reply = small.post("/v1/jobs", json=BODY)
    detail = errors_of(reply)["/latents/count"]
    fit = int(re.search(r'"count": (\d+) would fit', detail)[1])
    assert 0 < fit < 1000
    assert small.post("/v1/jobs", json=BODY | {"latents": {"seed": 2, "count": fit}}).status_code == 202
