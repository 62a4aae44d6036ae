"""What interventions did, and what removing a unit does beside its IoU, over HTTP."""

import uuid
from typing import NamedTuple

import pytest
from flask.testing import FlaskClient

from service.catalog.queries import concept_ids
from service.database import Sessions
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.interventions import changed

URL = "/v1/interventions"


class Planted(NamedTuple):
    """A removal on layer1, then an insertion on layer2, of the generator `churches`."""

    removal: uuid.UUID
    insertion: uuid.UUID


def plant(sessions: Sessions, team_name: str) -> Planted:
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        model = changed.plant_generator(session, team)
        changed.dissect(session, team, model)
        removal = changed.plant_job(session, team, model)
        changed.intervene(session, removal)
        insertion = changed.plant_job(session, team, model, ["layer2"])
        ids = concept_ids(session, team, changed.CONCEPTS)
        given = {"action": "insert", "extent": "each-cell", "units": [], "changes": changed.changes(ids)[:1]}
        changed.intervene(session, insertion, "layer2", **given)
        return Planted(removal.id, insertion.id)


@pytest.fixture
def jobs(sessions: Sessions) -> Planted:
    return plant(sessions, "local")


def keys(reply):
    assert reply.status_code == 200, reply.json
    return [(row["layer"], row["order"], row["size"], row["concept"]) for row in reply.json["data"]]


def test_a_change_is_told_with_its_place_interval_and_random_sets(client: FlaskClient, jobs: Planted):
    [row] = client.get(f"{URL}?layer=layer1&concept=tree&order=iou&size=2").json["data"]
    assert row == {
        "model": "churches",
        "layer": "layer1",
        "job": str(jobs.removal),
        "action": "remove",
        "where": "everywhere",
        "target": {"category": "object", "concept": "tree"},
        "order": "iou",
        "size": 2,
        "category": "object",
        "concept": "tree",
        "pictures": 30,
        "pixels_before": 1000,
        "pixels_after": 500,
        "change": -0.5,
        "change_low": -0.75,
        "change_high": -0.25,
        "random": {"change": 0.5, "change_low": 0.25, "change_high": 0.75},
        "links": {
            "job": f"/v1/jobs/{jobs.removal}",
            "units": "/v1/units?model=churches&layer=layer1&concept=tree",
        },
    }
    [drawn] = client.get(f"{URL}?concept=red").json["data"]
    assert (drawn["change"], drawn["random"], drawn["pixels_after"]) == (None, None, 4)


REMOVAL = [
    ("layer1", "iou", 1, "tree"),
    ("layer1", "iou", 1, "sky"),
    ("layer1", "iou", 2, "tree"),
    ("layer1", "effect", 2, "tree"),
    ("layer1", "effect", 2, "red"),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("layer2", "iou", 1, "tree"), *REMOVAL]),
        ("action=remove", REMOVAL),
        ("target=tree&concept=sky", REMOVAL[1:2]),
        ("target=sky", []),
        ("order=effect&category=object", REMOVAL[3:4]),
        ("model=churches&layer=layer2", [("layer2", "iou", 1, "tree")]),
    ],
)
def test_it_is_searched_newest_first(client: FlaskClient, jobs: Planted, query: str, expected: list[object]):
    assert keys(client.get(f"{URL}?{query}")) == expected
    pages, cursor = [], ""
    while cursor is not None:
        reply = client.get(f"{URL}?{query}&limit=2{cursor and f'&cursor={cursor}'}")
        pages += keys(reply)
        cursor = reply.json["next_cursor"]
    assert pages == expected


def test_a_job_may_be_named(client: FlaskClient, jobs: Planted):
    assert keys(client.get(f"{URL}?job={jobs.insertion}")) == [("layer2", "iou", 1, "tree")]


@pytest.mark.parametrize("query", ["model=chapels", "layer=layer3", "target=treee", "concept=treee", "order=best"])
def test_unknown_names_are_refused(client: FlaskClient, jobs: Planted, query: str):
    reply = client.get(f"{URL}?{query}")
    assert reply.status_code == 422
    assert query.partition("=")[0] in reply.json["errors"][0]["pointer"]


def test_a_unit_is_found_with_what_removing_it_does(client: FlaskClient, jobs: Planted):
    found = client.get("/v1/units?model=churches&layer=layer1&concept=tree").json["data"]
    assert [unit["unit"] for unit in found] == [1, 5, 3, 4, 0]
    measured = {
        "intervention": str(jobs.removal),
        "change": -0.5,
        "change_low": -0.625,
        "change_high": -0.25,
        "rank": 1,
    }
    assert found[1]["measured"] == measured
    assert found[1]["match"]["iou"] == 0.4
    assert "measured" not in found[2]
    assert all("measured" not in unit for unit in client.get("/v1/units?model=churches").json["data"])


def test_the_newest_removal_everywhere_is_what_was_measured(client: FlaskClient, sessions: Sessions, jobs: Planted):
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = planted_model(session, team)
        job = changed.plant_job(session, team, model)
        changed.intervene(session, job, units=[changed.MEASURED[0]._replace(change=-1.0, rank=None)])
        masked = changed.plant_job(session, team, model)
        changed.intervene(session, masked, extent="mask", units=[changed.MEASURED[1]._replace(change=0.0)])
        newest = str(job.id)
    best, second = client.get("/v1/units?layer=layer1&concept=tree&limit=2").json["data"]
    assert (best["measured"]["intervention"], best["measured"]["change"]) == (newest, -1.0)
    assert (second["measured"]["intervention"], second["measured"]["change"]) == (str(jobs.removal), -0.5)


def planted_model(session, team):
    from service.catalog.queries import find_model

    return find_model(session, team, "churches")


def test_teams_do_not_meet(client_of: MakeClient, sessions: Sessions, jobs: Planted):
    theirs = plant(sessions, "others")
    client = client_of("others", "read")
    assert {row["job"] for row in client.get(URL).json["data"]} == {str(theirs.removal), str(theirs.insertion)}
    assert client.get(f"{URL}?job={jobs.removal}").status_code == 422
    found = client.get("/v1/units?layer=layer1&concept=tree").json["data"]
    assert found[0]["measured"]["intervention"] == str(theirs.removal)
