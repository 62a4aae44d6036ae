"""Classes with the units that matter to them, and their explanations, over HTTP."""

import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from service.catalog.queries import class_ids, concept_ids, find_model, write_model
from service.catalog.tables import Model
from service.database import Sessions
from service.results.queries import LabelResult, UnitResult
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.effects import removed

CLASSES = ["beach", "forest/broadleaf", "beach"]
FOREST = "/v1/classes/forest%2Fbroadleaf/explanation"
CURVES = removed.curves([1, 2, 5, 20])


@pytest.fixture
def jobs(sessions: Sessions) -> dict[str, uuid.UUID]:
    return plant(sessions, "local")


def plant(sessions: Sessions, team_name: str) -> dict[str, uuid.UUID]:
    """Ablations of two layers of `alpha` by layer, units 0 to 2 of `conv1` dissected; `beta` was never ablated."""
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        alpha, _ = (
            plant_model(session, team, name, classes) for name, classes in (("alpha", CLASSES), ("beta", ["sea"]))
        )
        snow, tree = concept_ids(session, team, [("object", "snow"), ("object", "tree")])
        labels = [[LabelResult(snow, 1, 0.25, 25, 100)], [LabelResult(tree, 1, 0.03, 3, 100)], []]
        units = [
            UnitResult(index=unit, threshold=1.5, active=1, peak=2.0, labels=found) for unit, found in enumerate(labels)
        ]
        planted.dissect(session, planted.plant_job(session, team, alpha), ["conv1"], {"conv1": units})
        first, forest, last = class_ids(session, alpha.id)
        jobs = {layer: planted.plant_job(session, team, alpha, "ablation") for layer in ("conv1", "conv2")}
        effects = [removed.effect(forest, (3 - rank) % 6, rank, -0.4 / rank) for rank in range(1, 7)]
        important = {"conv1": {first: 1, forest: 3, last: 0}, "conv2": {first: 2, forest: 0, last: 0}}
        removed.ablate(session, jobs["conv1"], "conv1", effects, curves={forest: CURVES}, important=important["conv1"])
        removed.ablate(session, jobs["conv2"], "conv2", [], important=important["conv2"])
        return {layer: job.id for layer, job in jobs.items()}


def plant_model(session: Session, team: uuid.UUID, name: str, classes: list[str]) -> Model:
    return write_model(
        session,
        team,
        name=name,
        kind="classifier",
        source="torchvision:vgg16",
        weights={},
        input={},
        digest=uuid.uuid4().hex * 2,
        forward_seconds=0.1,
        layers=[planted.Shape("conv1"), planted.Shape("conv2")],
        classes=classes,
    )


def test_classes_are_listed_with_the_units_that_matter_to_them(client: FlaskClient, jobs: dict[str, uuid.UUID]) -> None:
    def address(name: str, layer: str) -> str:
        return f"/v1/classes/{name}/explanation?model=alpha&layer={layer}"

    listed = client.get("/v1/classes").json["data"]
    assert [(row["model"], row["index"], row["name"], row["important_units"]) for row in listed] == [
        ("alpha", 0, "beach", 3),
        ("alpha", 1, "forest/broadleaf", 3),
        ("alpha", 2, "beach", 0),
        ("beta", 0, "sea", None),
    ]
    assert [row["links"] for row in listed] == [
        {"units": "/v1/units?class=beach&model=alpha", "explanation": address("beach", "conv2")},
        {
            "units": "/v1/units?class=forest%2Fbroadleaf&model=alpha",
            "explanation": address("forest%2Fbroadleaf", "conv1"),
        },
        {"units": "/v1/units?class=beach&model=alpha", "explanation": address("beach", "conv2")},
        {"units": "/v1/units?class=sea&model=beta"},
    ]
    for row in listed:
        assert all(client.get(link).status_code == 200 for link in row["links"].values())
    (forest,) = client.get("/v1/classes?model=alpha&q=FOREST").json["data"]
    assert forest == listed[1]


def test_a_newer_ablation_counts_in_the_place_of_the_older(
    client: FlaskClient, sessions: Sessions, jobs: dict[str, uuid.UUID]
) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        alpha = find_model(session, team, "alpha")
        newer = planted.plant_job(session, team, alpha, "ablation")
        removed.ablate(session, newer, "conv1", [], important=dict.fromkeys(class_ids(session, alpha.id), 7))
    listed = client.get("/v1/classes?model=alpha").json["data"]
    assert [row["important_units"] for row in listed] == [9, 7, 7]


def test_a_class_is_explained_in_one_answer(client: FlaskClient, jobs: dict[str, uuid.UUID]) -> None:
    explained = client.get(f"{FOREST}?layer=conv1&units=4").json
    searched = client.get("/v1/units?class=forest/broadleaf&layer=conv1&limit=4").json["data"]
    assert explained.pop("units") == searched
    assert [row["unit"] for row in searched] == [2, 1, 0, 5]
    removing = explained.pop("removing")
    assert explained == {
        "model": "alpha",
        "layer": "conv1",
        "class": "forest/broadleaf",
        "images": 40,
        "untouched": removed.UNTOUCHED
        | {name: CURVES["untouched"][name] for name in ("all_class_accuracy", "rechosen_balanced_accuracy")},
        "important_units": 3,
        "concepts": [
            {"category": "object", "concept": "tree", "units": 1, "detectors": 0, "accuracy_change": -0.2},
            {"category": "object", "concept": "snow", "units": 1, "detectors": 1, "accuracy_change": -0.4 / 3},
        ],
        "nature": removing["20"]["nature"],
        "verdict": removing["20"]["verdict"],
        "attacks": {"as_target": None, "as_source": []},
        "links": {
            "self": f"{FOREST}?model=alpha&layer=conv1",
            "units": "/v1/units?class=forest%2Fbroadleaf&model=alpha&layer=conv1",
            "ablation": f"/v1/jobs/{jobs['conv1']}",
        },
    }
    assert {wanted: removal["size"] for wanted, removal in removing.items()} == {"4": 5, "20": 20}
    (most,) = [dict(point) for point in CURVES["most"] if point["size"] == 20]
    most.pop("size")
    rechosen = most["rechosen_balanced_accuracy"] - CURVES["untouched"]["rechosen_balanced_accuracy"]
    assert removing["20"]["most"] == most | {"rechosen_change": rechosen}
    assert removing["20"]["random"]["auroc"] == CURVES["random"][-1]["auroc"]
    assert "from 0.900 to 0.880" in removing["20"]["verdict"]
    for link in explained["links"].values():
        if "/jobs/" not in link:
            assert client.get(link).status_code == 200
    assert len(client.get(f"{FOREST}?layer=conv1").json["units"]) == 6


def test_a_class_without_removed_sets_is_explained_by_its_units_alone(
    client: FlaskClient, jobs: dict[str, uuid.UUID]
) -> None:
    explained = client.get(f"{FOREST}?layer=conv2").json
    assert (explained["removing"], explained["nature"], explained["units"], explained["concepts"]) == ({}, None, [], [])
    assert explained["verdict"].startswith("No sets of units were removed")
    assert explained["untouched"]["rechosen_balanced_accuracy"] is None
    # two outputs are called beach: the first of them answers
    assert client.get("/v1/classes/beach/explanation?layer=conv2").json["important_units"] == 2


def test_an_older_ablation_is_pinned_by_its_job(
    client: FlaskClient, sessions: Sessions, jobs: dict[str, uuid.UUID]
) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        alpha = find_model(session, team, "alpha")
        newer = planted.plant_job(session, team, alpha, "ablation")
        forest = class_ids(session, alpha.id)[1]
        removed.ablate(session, newer, "conv1", [removed.effect(forest, 4, 1)])
        gamma = plant_model(session, team, "gamma", CLASSES)
        removed.ablate(session, planted.plant_job(session, team, gamma, "ablation"), "conv1", [])
    assert [row["unit"] for row in client.get(f"{FOREST}?model=alpha&layer=conv1").json["units"]] == [4]
    old = client.get(f"{FOREST}?job={jobs['conv1']}").json
    assert [row["unit"] for row in old["units"]] == [2, 1, 0, 5, 4, 3]
    assert old["links"]["self"].endswith(f"&job={jobs['conv1']}")
    assert client.get(old["links"]["self"]).json == old
    assert len(client.get(old["links"]["units"]).json["data"]) == 6


REFUSED: list[tuple[str, int, str, str | None]] = [
    ("beech/explanation", 404, "did you mean 'beach'?", None),
    ("sea/explanation?model=alpha", 404, "no class is named 'sea' here", None),
    ("sea/explanation", 404, 'POST /v1/jobs with {"kind": "ablation", "model": "beta"', None),
    ("sea/explanation?layer=conv1", 404, "in layer 'conv1'", None),
    ("beach/explanation", 422, "choose with layer one of 'conv1', 'conv2'", "query:layer"),
    ("beach/explanation?layer=conv3", 422, "no layer is named 'conv3' here", "query:layer"),
    ("beach/explanation?model=alphx", 422, "did you mean 'alpha'?", "query:model"),
    (f"beach/explanation?job={uuid.UUID(int=1)}", 422, "GET /v1/jobs?kind=ablation", "query:job"),
    ("beach/explanation?layer=conv1&units=0", 422, "1", "query:units"),
    ("beach/explanation?layer=conv1&units=51", 422, "50", "query:units"),
    ("beach/explanation?level=conv1", 422, "Unknown field", "query:level"),
]


def test_what_cannot_be_explained_is_told(
    client: FlaskClient, jobs: dict[str, uuid.UUID], subtests: pytest.Subtests
) -> None:
    for address, status, detail, pointer in REFUSED:
        with subtests.test(address):
            refused(client.get(f"/v1/classes/{address}"), status, detail, pointer)


def test_several_models_with_a_class_are_named(
    client: FlaskClient, sessions: Sessions, jobs: dict[str, uuid.UUID]
) -> None:
    with sessions.begin() as session:
        plant_model(session, planted.plant_team(session, "local"), "gamma", CLASSES)
    refused(client.get(FOREST), 422, "choose with model one of 'alpha', 'gamma'", "query:model")
    assert client.get(f"{FOREST}?model=gamma").status_code == 404
    job = jobs["conv1"]
    assert client.get(f"{FOREST}?job={job}").json["model"] == "alpha"
    refused(client.get(f"{FOREST}?model=gamma&job={job}"), 404, f"by job {job}")


def test_a_team_is_told_of_its_own_only(client_of: MakeClient, sessions: Sessions) -> None:
    owner, stranger = client_of("ours", "read"), client_of("theirs", "read")
    jobs = plant(sessions, "ours")
    assert owner.get(f"{FOREST}?layer=conv1").status_code == 200
    refused(stranger.get(f"{FOREST}?layer=conv1"), 404, "no class is named 'forest/broadleaf' here")
    refused(stranger.get(f"{FOREST}?job={jobs['conv1']}"), 422, "there is no job", "query:job")
    plant(sessions, "theirs")
    assert owner.get(f"{FOREST}?layer=conv1").json["links"]["ablation"] == f"/v1/jobs/{jobs['conv1']}"
    assert stranger.get(f"{FOREST}?layer=conv1").json["links"]["ablation"] != f"/v1/jobs/{jobs['conv1']}"
    assert [row["important_units"] for row in stranger.get("/v1/classes").json["data"]] == [3, 3, 0, None]
    assert client_of("ours", "run").get(f"{FOREST}?layer=conv1").status_code == 403


def refused(reply: Any, status: int, detail: str, pointer: str | None = None) -> None:
    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json"), reply.json
    assert detail in reply.json["detail"]
    assert pointer is None or pointer in [error["pointer"] for error in reply.json["errors"]]
