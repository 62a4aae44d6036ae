"""Requests for attacks: canonical params, errors that point at the field and name the remedy, and the cost."""

import uuid

import pytest
import sqlalchemy as sa

from service.catalog.queries import write_dataset, write_model
from service.catalog.tables import Layer, Model
from service.database import now
from service.jobs.attack import CheckedAttack
from service.jobs.queries import ATTACKS
from service.jobs.requests import JobRequestSchema
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job, Shard, Stage, Worker
from service.results.effects.tables import LayerAblation
from service.results.tables import LayerDissection
from service.settings import Settings
from tests.service.jobs.conftest import INPUT, add_segmenter
from tests.service.jobs.test_checks import errors_of
from workers.jobs.attack.plan import next_stage
from workers.jobs.kind import FinishedStage

BODY = {"kind": "attack", "model": "vgg", "dataset": "coast", "layers": None}
CW = {
    "steps": 1000,
    "binary_search_steps": 5,
    "learning_rate": 0.005,
    "initial_constant": 0.01,
    "confidence": 0.0,
    "abort_early": True,
}


@pytest.fixture
def ask(post, made, team, client):
    """Submit an attack on the team's classifier, whose dataset has its classes."""
    images = {"format": "folder", "location": {"path": "x"}, "images": 100, "grid": None, "concepts": []}
    with made.sessions.begin() as session:
        for name, classes in (("coast", ["forest", "beach"]), ("city", ["street"])):
            digest = str(len(name)) * 64
            write_dataset(session, team, name=name, manifest=digest, classes=classes, **images)
        for name, classes in (("other", ["beach", "moon"]), ("strange", ["moon"])):
            given = {"source": "exported", "weights": {}, "input": INPUT, "forward_seconds": 0.1, "layers": []}
            digest = str(len(name)) * 64
            write_model(session, team, name=name, kind="classifier", digest=digest, classes=classes, **given)
    add_segmenter(made, team, "painter", [["object", "sky"]], "77")

    def send(_path="/v1/jobs", **changes):
        body = {name: value for name, value in {**BODY, **changes}.items() if name != "layers"}
        return client.post(_path, json=body)

    return send


def the_params(made, reply):
    assert reply.status_code == 202, reply.json
    with made.sessions() as session:
        return session.get_one(Job, uuid.UUID(reply.json["id"])).params


def test_defaults_are_the_papers_search_for_any_other_class(ask, made):
    assert the_params(made, ask()) == {
        "layer": [],
        "method": "carlini-wagner-l2",
        "settings": CW,
        "target": [],
        "images": "eligible",
        "max_images": None,
        "transfer": [],
        "keep": 20,
        "ablations": {},
        "dissections": {},
    }


def test_the_same_attack_in_other_words_is_the_same_work(ask):
    first = ask(target="beach", layer="conv5")
    for words in (
        {"preset": "pnas2020"},
        {"settings": {"confidence": 0, "steps": 1000}},
        {"preset": "carlini2017", "settings": CW},
        {"max_images": 100},
        {"max_images": 5000},
    ):
        again = ask(**{"target": ["beach"], "layer": ["conv5"]} | words)
        assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    for other in ({"max_images": 99}, {"preset": "carlini2017"}, {"target": "forest"}, {"layer": []}):
        assert ask(**{"target": "beach", "layer": "conv5"} | other).status_code == 202


def test_a_preset_is_overruled_by_settings(ask, made):
    found = the_params(made, ask(preset="carlini2017", settings={"steps": 7}))["settings"]
    assert (found["steps"], found["binary_search_steps"], found["initial_constant"]) == (7, 9, 1e-3)
    assert the_params(made, ask(method="fgsm"))["settings"] == {"epsilon": 8 / 255}


FAULTS = [
    ({"model": "vg"}, "/model", "did you mean 'vgg'?"),
    ({"model": "painter"}, "/model", "an attack takes a classifier"),
    ({"dataset": "cost"}, "/dataset", "did you mean 'coast'"),
    ({"dataset": "photos"}, "/dataset", "have no classes"),
    ({"dataset": "city"}, "/dataset", "lacks classes of 'city': 'street'"),
    ({"layer": "conv9"}, "/layer", "has no layer 'conv9'"),
    ({"layer": ["conv5", "conv9"]}, "/layer/1", "has no layer 'conv9'"),
    ({"layer": ["conv5", "conv5"]}, "/layer/1", "twice"),
    ({"target": "beech"}, "/target", "has no class 'beech'; did you mean 'beach'"),
    ({"target": ["beach", "sea"]}, "/target/1", "has no class 'sea'"),
    ({"target": []}, "/target", "between 1 and"),
    ({"target": 3}, "/target", "Not a valid string"),
    ({"method": "FGSM"}, "/method", "a method's name is lower-case"),
    ({"method": "deepfool-l2", "target": "beach"}, "/target", "deepfool-l2 has no target"),
    ({"preset": "pnas"}, "/preset", "carlini-wagner-l2 has no preset 'pnas'; its presets: pnas2020, carlini2017"),
    ({"method": "fgsm", "preset": "pnas2020"}, "/preset", "its presets: none"),
    ({"method": "elsewhere", "preset": "x"}, "/preset", "give settings"),
    ({"settings": {"step": 3}}, "/settings/step", "its settings are steps, binary_search_steps"),
    ({"settings": {"steps": 2.5}}, "/settings/steps", "2.5 is not a whole number"),
    ({"settings": {"steps": True}}, "/settings/steps", "True is not a whole number"),
    ({"settings": {"learning_rate": 0}}, "/settings/learning_rate", "goes above 0 to 10"),
    ({"settings": {"steps": -1}}, "/settings/steps", "goes from 0 to 100000"),
    ({"settings": {"steps": "many"}}, "/settings/steps", "'many' is neither a number nor true or false"),
    ({"settings": {"steps": None}}, "/settings/steps", "neither a number nor true or false"),
    ({"settings": {"abort_early": 1}}, "/settings/abort_early", "1 is not true or false"),
    ({"settings": [1]}, "/settings", "Not a valid mapping"),
    ({"max_images": 0}, "/max_images", "greater than or equal to 1"),
    ({"keep": -1}, "/keep", "greater than or equal to 0"),
    ({"images": "some"}, "/images", "eligible, all"),
    ({"transfer": ["othr"]}, "/transfer/0", "no model is named 'othr'; did you mean 'other'"),
    ({"transfer": ["other", "painter"]}, "/transfer/1", "only a classifier can be fooled"),
    ({"transfer": ["strange"]}, "/transfer/0", "shares no class with the attacked model"),
    ({"ablation": "01936f3e-0000-7000-8000-000000000000", "layer": "conv5"}, "/ablation", "has ablated a layer"),
    ({"ablation": "newest"}, "/ablation", "Not a valid UUID"),
    ({"epsilon": 3}, "/epsilon", "Unknown field"),
]


def test_a_fault_is_pointed_at(ask, made):
    for path in ("/v1/jobs", "/v1/jobs:estimate"):
        for changes, pointer, words in FAULTS:
            found = errors_of(ask(path, **changes))
            assert words in found.get(pointer, ""), (changes, found)
    with made.sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Job)) == 0


def test_a_number_that_is_none_cannot_be_written(client, ask):
    text = '{"kind": "attack", "model": "vgg", "dataset": "coast", "settings": {"confidence": NaN}}'
    assert client.post("/v1/jobs", data=text, content_type="application/json").status_code in (400, 422)


def test_what_another_package_attacks_with_is_known_to_workers(ask, made):
    params = the_params(made, ask(method="others-own", settings={"power": 3}, target="beach"))
    assert (params["method"], params["settings"]) == ("others-own", {"power": 3})


def test_reading_what_was_read_changes_nothing():
    body = {name: value for name, value in BODY.items() if name != "layers"}
    once = JobRequestSchema().load(
        body | {"layer": "conv5", "target": ["beach", "least-likely"], "transfer": ["other"]}
    )
    assert JobRequestSchema().load(body | once["params"]) == once


def add_results(made, table, layer, job_id, **more):
    with made.sessions.begin() as session:
        layer_id = session.scalars(sa.select(Layer.id).where(Layer.name == layer)).one()
        session.add(table(job_id=job_id, layer_id=layer_id, **more))


def add_job(made, team):
    with made.sessions.begin() as session:
        request = JobRequest(team_id=team, kind="ablation", params={}, shared=False)
        return submit(session, request, Settings()).job.id


def test_units_are_grouped_by_the_named_ablation_else_by_the_newest(ask, made, team):
    old, new, other, dissection = (add_job(made, team) for _ in range(4))
    add_results(made, LayerAblation, "conv5", old, current=False)
    add_results(made, LayerAblation, "conv5", new, current=True)
    add_results(made, LayerAblation, "conv1", other, current=True)
    add_results(made, LayerDissection, "conv1", dissection, current=True)
    layers = ["conv1", "conv2", "conv5"]
    params = the_params(made, ask(layer=layers))
    assert params["ablations"] == {"conv1": str(other), "conv2": None, "conv5": str(new)}
    assert params["dissections"] == {"conv1": str(dissection), "conv2": None, "conv5": None}
    params = the_params(made, ask(layer=layers, ablation=str(old)))
    assert params["ablations"] == {"conv1": str(other), "conv2": None, "conv5": str(old)}
    assert "no job" in errors_of(ask(layer="conv1", ablation=str(old)))["/ablation"]


SMALL = {"settings": {"steps": 10, "binary_search_steps": 2}, "target": ["beach", "least-likely"], "keep": 7}


def test_the_cost_is_that_of_steps_forward_and_back(ask):
    estimate = ask("/v1/jobs:estimate", **SMALL).json
    assert estimate["shards"] == 2 + 1 + 2 * 4  # 100 images, 32 in a shard
    assert estimate["forward_passes"] == 100 + 2 * 100 * 20
    assert estimate["artifact_bytes"] == 2 * 7 * 3 * 64 * 64 * 7
    assert estimate["scratch_bytes"] == 0
    assert estimate["seconds"] is None
    first = ask("/v1/jobs:estimate", max_images=33, **SMALL).json
    assert (first["shards"], first["forward_passes"]) == (2 + 1 + 2 * 2, 100 + 2 * 33 * 20)
    assert ask("/v1/jobs:estimate", max_images=5, **SMALL).json["artifact_bytes"] == 2 * 5 * 3 * 64 * 64 * 7


@pytest.mark.parametrize(("images", "most", "targets"), [(1, None, []), (256, 40, ["a"]), (513, None, ["a", "b", "c"])])
def test_as_many_shards_are_estimated_as_are_planned(made, images, most, targets):
    """Where all images are attacked with every target."""
    sides, count = max(1, len(targets)), min(images, most or images)
    finished = [FinishedStage("prepare", [{}], [{"images": images, "targets": sides, "max_images": most}])]
    planned = 1
    while stage := next_stage(finished):
        planned += len(stage.shards)
        payloads = [shard.payload for shard in stage.shards]
        sizes = [shard.weight for shard in stage.shards]
        results = [{"classified": "c", "attacked": "a", "chosen": [size] * sides} for size in sizes]
        finished.append(FinishedStage(stage.name, payloads, results))
    params = {"settings": {}, "target": targets, "keep": 0, "method": "fgsm"}
    request = JobRequest(team_id=uuid.uuid4(), kind="attack", params=params)
    checked = CheckedAttack(request, Model(id=uuid.uuid4(), input=INPUT, forward_seconds=0.1), images, count)
    with made.sessions() as session:
        assert checked.estimate(session, 1).shards == planned


def test_what_attacks_took_so_far_is_what_they_will_take(ask, made, team):
    job_id = uuid.UUID(ask(**SMALL).json["id"])
    with made.sessions.begin() as session:
        time = now(session)
        session.add(Worker(name="w", device="cpu", shards={}, started_at=time, seen_at=time))
        model_seconds = session.scalars(sa.select(Model.forward_seconds).where(Model.name == "vgg")).one()
    assert ask("/v1/jobs:estimate", **SMALL).json["seconds"] == pytest.approx(model_seconds * (100 + 200 * 20 * 3))
    with made.sessions.begin() as session:
        session.add(Stage(job_id=job_id, position=1, name="attack", unit=ATTACKS, shards=1, created_at=time))
        session.flush()
        given = {"state": "done", "priority": 0, "payload": {}, "not_before": time}
        session.add(Shard(job_id=job_id, stage_position=1, index=0, weight=32, seconds=16.0, **given))
    assert ask("/v1/jobs:estimate", **SMALL).json["seconds"] == pytest.approx(model_seconds * 100 + 200 * 0.5)
    other = SMALL | {"settings": {"steps": 11, "binary_search_steps": 2}}
    assert ask("/v1/jobs:estimate", **other).json["seconds"] == pytest.approx(model_seconds * (100 + 200 * 22 * 3))
