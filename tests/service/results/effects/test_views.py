"""Units by class, and what a unit is for, over HTTP."""

import uuid
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from service.catalog.queries import class_ids, concept_ids, find_model
from service.database import Sessions
from service.results.queries import LabelResult, UnitResult
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.effects import removed

UNITS = "/v1/models/alpha/layers/conv1/units"
EXPLANATION = "/v1/classes/beach/explanation?model=alpha&layer=conv1"


class Planted(NamedTuple):
    """A dissection and an ablation of `conv1` of the model `alpha`, of which unit 2 is in the ablation alone."""

    dissection: uuid.UUID
    ablation: uuid.UUID


def plant(sessions: Sessions, team_name: str) -> Planted:
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        model = planted.plant_model(session, team, "alpha")
        (tree,) = concept_ids(session, team, [("object", "tree")])
        labels = {0: [LabelResult(tree, 1, 0.25, 25, 100)], 1: []}
        dissection = planted.plant_job(session, team, model)
        units = [
            UnitResult(index=index, threshold=1.5, active=50, peak=3.5, labels=labels, picture=planted.PICTURE)
            for index, labels in labels.items()
        ]
        planted.dissect(session, dissection, ["conv1"], {"conv1": units})
        beach, forest = class_ids(session, model.id)
        effects = [
            removed.effect(beach, 2, 1, -0.3),
            removed.effect(beach, 0, 2, -0.2, class_rank=2),
            removed.effect(forest, 0, 1, -0.25),
            removed.effect(beach, 1, 3, 0.0, accuracy_change_low=None, accuracy_change_high=None, uncertain=True),
        ]
        ablation = planted.plant_job(session, team, model, "ablation")
        removed.ablate(session, ablation, "conv1", effects, units=3)
        return Planted(dissection.id, ablation.id)


@pytest.fixture
def jobs(sessions: Sessions) -> Planted:
    return plant(sessions, "local")


def searched(class_name: str, rank: int, change: float, **more: Any) -> dict[str, Any]:
    figures = {
        "class": class_name,
        "rank": rank,
        "accuracy_change": change,
        "accuracy_change_low": change - 0.05,
        "accuracy_change_high": change + 0.05,
        "uncertain": False,
        "recall_change": 2 * change,
        "log_probability_change": 3 * change,
        "p_value_corrected": 0.01,
        "coactivation": 0.5,
    }
    return figures | more


def test_units_come_most_damaging_first_with_their_labels(client: FlaskClient, jobs: Planted) -> None:
    both = {"layer": "/v1/units?model=alpha&layer=conv1", "ablation": f"/v1/jobs/{jobs.ablation}"}
    found = {"job": f"/v1/jobs/{jobs.dissection}", "picture": f"/v1/artifacts/{planted.PICTURE}"}
    both |= {"explanation": EXPLANATION}
    label = {"category": "object", "concept": "tree", "iou": 0.25, "detector": True}
    unknown = {
        "model": "alpha",
        "layer": "conv1",
        "unit": 2,
        "threshold": None,
        "label": None,
        "effect": searched("beach", 1, -0.3),
        "links": both | {"self": f"{UNITS}/2"},
    }
    detector = {
        **unknown,
        "unit": 0,
        "threshold": 1.5,
        "label": label | {"method": "dissection", "similarity": None},
        "effect": searched("beach", 2, -0.2),
        "links": both | found | {"self": f"{UNITS}/0"},
    }
    silent = {
        **detector,
        "unit": 1,
        "label": None,
        "effect": searched("beach", 3, 0.0, uncertain=True, accuracy_change_low=None, accuracy_change_high=None),
        "links": detector["links"] | {"self": f"{UNITS}/1"},
    }
    assert client.get("/v1/units?class=beach").json == {"data": [unknown, detector, silent], "next_cursor": None}
    assert client.get("/v1/units?class=beach&sort=-effect").json["data"] == [silent, detector, unknown]
    match = {"category": "object", "concept": "tree", "iou": 0.25}
    assert client.get("/v1/units?class=beach&concept=tree").json["data"] == [{**detector, "match": match}]
    assert client.get("/v1/units?class=beach&detectors=true").json["data"] == [detector]
    assert client.get(f"/v1/units?class=beach&job={jobs.ablation}").json["data"] == [unknown, detector, silent]
    assert client.get(f"/v1/units?class=beach&job={jobs.dissection}").json["data"] == [detector, silent]


def test_a_sort_by_effect_needs_a_class(client: FlaskClient, jobs: Planted) -> None:
    reply = client.get("/v1/units?sort=effect")
    assert reply.status_code == 422
    assert reply.json["errors"] == [
        {"pointer": "query:sort", "detail": "an effect is one on a class; name it, as in class=beach"}
    ]
    reply = client.get(f"/v1/units?job={jobs.ablation}")
    assert reply.status_code == 422
    assert "name a class with it" in reply.json["detail"]


def test_a_unit_shows_its_effects_most_damaged_class_first(client: FlaskClient, jobs: Planted) -> None:
    more = {
        "class_rank": 1,
        "true_negative_rate_change": 0.005,
        "true_negative_rate_change_low": 0.001,
        "true_negative_rate_change_high": 0.009,
        "p_value": 0.001,
    }

    def stored(class_name: str, rank: int, change: float, **others: Any) -> dict[str, Any]:
        ranking = {"ranking_change": change - 0.01, "ranking_log_probability_change": change - 0.02}
        recall = {"recall_change_low": 2 * change - 0.06, "recall_change_high": 2 * change + 0.06}
        return {**searched(class_name, rank, change), **more, **ranking, **recall, **others}

    unit = client.get(f"{UNITS}/0").json
    assert unit["effects"] == [stored("forest", 1, -0.25), stored("beach", 2, -0.2, class_rank=2)]
    assert unit["label"]["concept"] == "tree"
    assert unit["links"]["ablation"] == f"/v1/jobs/{jobs.ablation}"
    figures = ("importance", "accuracy_change", "accuracy_change_low", "accuracy_change_high")
    unit = client.get(f"{UNITS}/1").json
    assert [unit[name] for name in figures] == [1, -0.01, -0.015, 0.001]


def test_a_unit_that_was_ablated_and_never_dissected_is_there(client: FlaskClient, jobs: Planted) -> None:
    unit = client.get(f"{UNITS}/2").json
    assert [unit[name] for name in ("label", "threshold", "active", "peak", "histogram")] == [None] * 5
    assert [unit[name] for name in ("labels", "top_images", "history", "imported")] == [[]] * 4
    assert [effect["class"] for effect in unit["effects"]] == ["beach"]
    links = {
        "self": f"{UNITS}/2",
        "layer": "/v1/units?model=alpha&layer=conv1",
        "ablation": f"/v1/jobs/{jobs.ablation}",
    }
    assert unit["links"] == links
    assert client.get(f"{UNITS}/2?job={jobs.dissection}").status_code == 404
    assert client.get(f"{UNITS}/3").status_code == 404


def test_a_unit_is_seen_as_the_job_saw_it(client: FlaskClient, sessions: Sessions, jobs: Planted) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = find_model(session, team, "alpha")
        newer = planted.plant_job(session, team, model, "ablation")
        beach, _ = class_ids(session, model.id)
        removed.ablate(session, newer, "conv1", [removed.effect(beach, 0, 1, -0.5)], units=1)
        elsewhere = planted.plant_job(session, team, model, "ablation")
        removed.ablate(session, elsewhere, "conv2", [removed.effect(beach, 0, 1, -0.5)], units=1)
    assert [effect["accuracy_change"] for effect in client.get(f"{UNITS}/0").json["effects"]] == [-0.5]
    old = client.get(f"{UNITS}/0?job={jobs.ablation}").json
    assert [effect["accuracy_change"] for effect in old["effects"]] == [-0.25, -0.2]
    assert old["label"]["concept"] == "tree"
    assert old["links"]["self"] == f"{UNITS}/0?job={jobs.ablation}"
    assert client.get(f"{UNITS}/0?job={jobs.dissection}").json["effects"][0]["accuracy_change"] == -0.5
    (unknown, *_) = client.get(f"/v1/units?class=beach&job={jobs.ablation}").json["data"]
    assert unknown["links"]["self"] == f"{UNITS}/2?job={jobs.ablation}"
    assert client.get(unknown["links"]["self"]).json["effects"][0]["accuracy_change"] == -0.3
    assert client.get(f"{UNITS}/2").status_code == 404  # the newest ablation left it out
    assert client.get(f"{UNITS}/1?job={newer.id}").status_code == 404
    assert client.get(f"{UNITS}/0?job={elsewhere.id}").status_code == 404
    assert len(client.get("/v1/units?class=beach").json["data"]) == 2


def test_a_team_sees_its_own_only(client_of: MakeClient, sessions: Sessions) -> None:
    owner, stranger = client_of("ours", "read"), client_of("theirs", "read")
    jobs = plant(sessions, "ours")
    for address in ("/v1/units?class=beach", f"/v1/units?class=beach&job={jobs.ablation}", f"{UNITS}/2"):
        assert owner.get(address).status_code == 200
        assert stranger.get(address).status_code in (404, 422)
    plant(sessions, "theirs")
    assert len(owner.get("/v1/units?class=beach").json["data"]) == 3
    assert len(stranger.get("/v1/units?class=beach").json["data"]) == 3
    assert stranger.get(f"/v1/units?class=beach&job={jobs.ablation}").status_code == 422
    assert stranger.get(f"{UNITS}/2?job={jobs.ablation}").status_code == 404
