"""Units and concepts over HTTP."""

import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.catalog.queries import concept_ids, find_model, layer_ids
from service.database import Sessions
from service.results.queries import LabelResult, LayerResult, UnitResult, write_dissection
from tests.service.conftest import MakeClient
from tests.service.results import planted


@pytest.fixture
def job(sessions: Sessions) -> uuid.UUID:
    """A dissection of two units: one detects trees, the other nothing."""
    return plant(sessions, "local")


SCORES = {
    "iou_low": 0.2,
    "iou_high": 0.3,
    "average_precision": 0.8,
    "auroc": 0.9,
    "equal_error_threshold": 2.5,
    "balanced_accuracy": 0.85,
    "p_value": 0.005,
    "p_value_corrected": 0.02,
}
HISTOGRAM = {"edges": [0.0, 1.0, 3.5], "with": [1, 2], "without": [3, 0]}


def plant(sessions: Sessions, team_name: str) -> uuid.UUID:
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        tree, glass = concept_ids(session, team, [("object", "tree"), ("material", "glass")])
        labels = [LabelResult(tree, 1, 0.25, 25, 100, **SCORES), LabelResult(glass, 2, 0.02, 2, 100)]
        top = [{"image": "a.png", "digest": "c" * 64, "peak": 3.5}]
        units = [
            UnitResult(
                index=0,
                threshold=1.5,
                active=50,
                peak=3.5,
                labels=labels,
                histogram=HISTOGRAM,
                top_images=top,
                picture=planted.PICTURE,
            ),
            UnitResult(index=1, threshold=0.0, active=0, peak=0.0, labels=[]),
        ]
        job = planted.plant_job(session, team, planted.plant_model(session, team, "alpha", ["conv1"]))
        planted.dissect(session, job, ["conv1"], {"conv1": units})
        return job.id


@pytest.fixture
def detector(job: uuid.UUID) -> dict[str, Any]:
    return {
        "model": "alpha",
        "layer": "conv1",
        "unit": 0,
        "threshold": 1.5,
        "label": {
            "category": "object",
            "concept": "tree",
            "iou": 0.25,
            "detector": True,
            "method": "dissection",
            "similarity": None,
        },
        "links": {
            "self": "/v1/models/alpha/layers/conv1/units/0",
            "layer": "/v1/units?model=alpha&layer=conv1",
            "job": f"/v1/jobs/{job}",
            "picture": f"/v1/artifacts/{planted.PICTURE}",
        },
    }


def test_units_come_best_first_with_their_labels(client: FlaskClient, job: uuid.UUID, detector: dict[str, Any]) -> None:
    nothing = {
        "model": "alpha",
        "layer": "conv1",
        "unit": 1,
        "threshold": 0.0,
        "label": None,
        "links": {
            "self": "/v1/models/alpha/layers/conv1/units/1",
            "layer": "/v1/units?model=alpha&layer=conv1",
            "job": f"/v1/jobs/{job}",
        },
    }
    assert client.get("/v1/units").json == {"data": [detector, nothing], "next_cursor": None}


def test_units_of_a_concept_come_with_their_match(client: FlaskClient, detector: dict[str, Any]) -> None:
    reply = client.get("/v1/units?concept=glass")
    match = {"category": "material", "concept": "glass", "iou": 0.02}
    assert reply.json == {"data": [{**detector, "match": match}], "next_cursor": None}
    assert client.get("/v1/units?concept=glass&detectors=true").json["data"] == []
    assert len(client.get("/v1/units?concept=tree&detectors=true").json["data"]) == 1


def test_a_unit_has_all_that_was_found_of_it(client: FlaskClient, job: uuid.UUID, detector: dict[str, Any]) -> None:
    assert client.get(detector["links"]["self"]).json == {
        **detector,
        "active": 50,
        "peak": 3.5,
        "labels": [
            {
                "category": "object",
                "concept": "tree",
                "rank": 1,
                "iou": 0.25,
                "intersection": 25,
                "union": 100,
                "activated_share": 0.5,
                **SCORES,
            },
            {
                "category": "material",
                "concept": "glass",
                "rank": 2,
                "iou": 0.02,
                "intersection": 2,
                "union": 100,
                "activated_share": 0.04,
                **dict.fromkeys(SCORES),
            },
        ],
        "histogram": HISTOGRAM,
        "top_images": [{"image": "a.png", "digest": "c" * 64, "peak": 3.5}],
        "history": [{"job": str(job), "current": True, "threshold": 1.5, "label": detector["label"]}],
        "imported": [],
        "annotations": [],
        **dict.fromkeys(("importance", "accuracy_change", "accuracy_change_low", "accuracy_change_high")),
        "effects": [],
        "attacks": [],
    }
    assert client.get(f"{detector['links']['self']}?job={job}").status_code == 200


def test_a_superseded_unit_links_to_itself_as_its_job_saw_it(
    client: FlaskClient, sessions: Sessions, job: uuid.UUID
) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = find_model(session, team, "alpha")
        newer = planted.plant_job(session, team, model)
        unit = UnitResult(index=0, threshold=9.0, active=1, peak=9.0, labels=[])
        planted.dissect(session, newer, ["conv1"], {"conv1": [unit]})
    (old, _) = client.get(f"/v1/units?job={job}").json["data"]
    assert old["links"]["self"] == f"/v1/models/alpha/layers/conv1/units/0?job={job}"
    assert client.get(old["links"]["self"]).json["threshold"] == 1.5
    assert client.get("/v1/models/alpha/layers/conv1/units/0").json["threshold"] == 9.0
    history = client.get("/v1/models/alpha/layers/conv1/units/0").json["history"]
    assert [(past["job"], past["current"]) for past in history] == [(str(newer.id), True), (str(job), False)]


def test_imported_labels_stand_beside_ours(client: FlaskClient, sessions: Sessions, job: uuid.UUID) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = find_model(session, team, "alpha")
        (tree,) = concept_ids(session, team, [("description", "tree")])
        imported = planted.plant_job(session, team, model, "import")
        unit = UnitResult(index=0, labels=[LabelResult(tree, 1, 0.0, 0, 0)], similarity=0.75)
        layer = LayerResult(layer_id=layer_ids(session, model.id)["conv1"], units=[unit])
        write_dissection(session, imported, [layer], "clip-dissect")
    match = {"category": "description", "concept": "tree", "iou": None}
    label = {**match, "detector": False, "method": "clip-dissect", "similarity": 0.75}
    (found,) = client.get("/v1/units?method=clip-dissect&concept=tree").json["data"]
    assert (found["threshold"], found["label"], found["match"]) == (None, label, match)
    both = client.get("/v1/units?method=any&concept=tree").json["data"]
    assert [row["label"]["method"] for row in both] == ["dissection", "clip-dissect"]
    assert len(client.get("/v1/units?concept=tree").json["data"]) == 1

    ours = client.get("/v1/models/alpha/layers/conv1/units/0").json
    assert ours["imported"] == [{"job": str(imported.id), "label": label}]
    assert [past["job"] for past in ours["history"]] == [str(job)]
    theirs = client.get(found["links"]["self"]).json
    assert (theirs["active"], theirs["peak"], theirs["top_images"], theirs["histogram"]) == (None, None, [], None)
    counts = {"rank": 1, "intersection": None, "union": None, "activated_share": None}
    assert theirs["labels"] == [{**match, **counts, **dict.fromkeys(SCORES)}]
    assert [past["job"] for past in theirs["history"]] == [str(imported.id)]
    trees = client.get("/v1/concepts?category=description").json["data"]
    assert [(row["name"], row["units"]) for row in trees] == [("tree", 0)]


@pytest.mark.usefixtures("job")
def test_concepts_are_listed_with_counts(client: FlaskClient) -> None:
    assert client.get("/v1/concepts?category=object").json["data"] == [
        {
            "category": "object",
            "name": "tree",
            "units": 1,
            "detectors": 1,
            "links": {"units": "/v1/units?concept=tree&category=object"},
        }
    ]
    assert [row["name"] for row in client.get("/v1/concepts?q=LA").json["data"]] == ["glass"]


@pytest.mark.usefixtures("job")
def test_what_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    for address in ("/v1/units?concept=tree", "/v1/models/alpha/layers/conv1/units/0", "/v1/concepts"):
        tag = client.get(address).headers["ETag"]
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


BAD_QUERIES = {
    "model=alpa": "query:model",
    "layer=conv2": "query:layer",
    "concept=trees": "query:concept",
    "category=things": "query:category",
    "job=1": "query:job",
    f"job={uuid.UUID(int=1)}": "query:job",
    "min_iou=nan": "query:min_iou",
    "min_iou=1.1": "query:min_iou",
    "detectors=perhaps": "query:detectors",
    "sort=effect": "query:sort",
    "method=broden": "query:method",
    "sort=-accuracy_change": "query:sort",
    "class=beech": "query:class",
    "class=": "query:class",
    "class=beach&method=any": "query:method",
    "class=beach&sort=damage": "query:sort",
    f"class=beach&job={uuid.UUID(int=1)}": "query:job",
    "limit=0": "query:limit",
    "concept=": "query:concept",
    f"concept={'x' * 257}": "query:concept",
}


@pytest.mark.usefixtures("job")
def test_a_bad_query_is_pointed_out(client: FlaskClient, subtests: pytest.Subtests) -> None:
    for query, pointer in BAD_QUERIES.items():
        with subtests.test(query):
            reply = client.get(f"/v1/units?{query}")
            assert reply.status_code == 422
            assert reply.mimetype == "application/problem+json"
            assert pointer in [error["pointer"] for error in reply.json["errors"]]


NOT_THERE = (
    "alpha/layers/conv1/units/2",
    "alpha/layers/conv2/units/0",
    "beta/layers/conv1/units/0",
    "alpha/layers/conv1/units/-1",
    f"alpha/layers/conv1/units/{10**30}",
    "alpha/layers/conv1/units/x",
    f"alpha/layers/conv1/units/0?job={uuid.UUID(int=1)}",
)


@pytest.mark.usefixtures("job")
def test_a_unit_that_is_not_there_is_not_found(client: FlaskClient, subtests: pytest.Subtests) -> None:
    for address in NOT_THERE:
        with subtests.test(address):
            assert client.get(f"/v1/models/{address}").status_code == 404


def test_a_team_sees_its_own_only(client_of: MakeClient, sessions: Sessions) -> None:
    owner, stranger = client_of("ours", "read"), client_of("theirs", "read")
    job = plant(sessions, "ours")
    unit = "/v1/models/alpha/layers/conv1/units/0"
    assert len(owner.get("/v1/units").json["data"]) == 2
    assert owner.get(unit).status_code == 200
    assert stranger.get("/v1/units").json["data"] == []
    assert stranger.get("/v1/concepts").json["data"] == []
    assert stranger.get(unit).status_code == 404
    for query in ("concept=tree", "model=alpha", "layer=conv1", f"job={job}"):
        assert stranger.get(f"/v1/units?{query}").status_code == 422


def test_reading_needs_the_scope(client_of: MakeClient) -> None:
    client = client_of("ours", "run")
    for address in ("/v1/units", "/v1/concepts", "/v1/models/alpha/layers/conv1/units/0"):
        assert client.get(address).status_code == 403
