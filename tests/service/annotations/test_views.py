"""What people say of units: beside what was measured, with all that was said before."""

import random
import uuid

import pytest
from flask.testing import FlaskClient

from service.catalog.queries import concept_ids
from service.database import Sessions
from tests.service.conftest import MakeClient
from tests.service.results import planted

UNIT = "/v1/models/alpha/layers/conv1/units/2"
TREE = {"category": "object", "concept": "tree trunk"}


@pytest.fixture(autouse=True)
def planted_unit(sessions: Sessions) -> None:
    """A dissected layer of a model of the teams blue and local."""
    with sessions.begin() as session:
        for name in ("blue", "local"):
            team = planted.plant_team(session, name)
            concepts = concept_ids(session, team, planted.CONCEPTS)
            job = planted.plant_job(session, team, planted.plant_model(session, team, "alpha"))
            units = [planted.random_unit(random.Random(1), index, concepts) for index in range(6)]
            planted.dissect(session, job, ["conv1"], {"conv1": units})


def said(client: FlaskClient) -> list[tuple[str | None, str, list[str]]]:
    found = client.get(UNIT).json["annotations"]
    return [
        (a["label"] and a["label"]["concept"], a["note"], [version["note"] for version in a["history"]]) for a in found
    ]


def test_from_saying_to_taking_back(client: FlaskClient) -> None:
    measured = client.get(UNIT).json
    made = client.post(f"{UNIT}/annotations", json={"label": TREE, "note": "bark"})
    assert made.status_code == 201
    assert made.json["label"] == {**TREE, "method": "person"}
    assert made.json["author"] == "local"
    address = made.headers["Location"]
    assert made.json["links"] == {"self": address, "unit": UNIT}
    assert client.put(address, json={"note": "rather a fence"}).status_code == 200
    assert said(client) == [(None, "rather a fence", ["bark"])]
    assert client.put(address, json={"note": "a gate", "label": TREE}).json["version"] == 3
    assert said(client) == [("tree trunk", "a gate", ["rather a fence", "bark"])]
    client.post(f"{UNIT}/annotations", json={"note": "another"})
    assert client.delete(address).json["withdrawn"] is True
    assert said(client) == [(None, "another", [])]
    assert client.put(address, json={"note": "again"}).status_code == 409
    assert client.delete(address).status_code == 409
    kept = client.get(address).json
    versions = [kept, *kept["history"]]
    assert [(v["version"], v["note"], v["withdrawn"]) for v in versions] == [
        (4, "a gate", True),
        (3, "a gate", False),
        (2, "rather a fence", False),
        (1, "bark", False),
    ]
    after = client.get(UNIT).json
    assert {**after, "annotations": []} == measured, "what was measured stays as it was"


def test_lists(client: FlaskClient) -> None:
    first = client.post(f"{UNIT}/annotations", json={"label": TREE}).json
    second = client.post("/v1/models/alpha/layers/conv2/units/0/annotations", json={"note": "odd"}).json
    client.put(first["links"]["self"], json={"label": TREE, "note": "more"})

    def ids(**query: object) -> list[str]:
        return [found["id"] for found in client.get("/v1/annotations", query_string=query).json["data"]]

    assert ids() == [second["id"], first["id"]]
    assert ids(concept="tree trunk") == ids(layer="conv1") == ids(category="object", unit=2) == [first["id"]]
    assert ids(author="local", layer="conv2") == [second["id"]]
    assert ids(model="beta") == ids(author="nobody") == []
    page = client.get("/v1/annotations", query_string={"limit": 1}).json
    rest = client.get("/v1/annotations", query_string={"limit": 1, "cursor": page["next_cursor"]}).json
    assert [page["data"][0]["id"], rest["data"][0]["id"]] == [second["id"], first["id"]]
    client.delete(first["links"]["self"])
    assert ids() == [second["id"]]


def test_authors_are_those_who_said_it(client_of: MakeClient) -> None:
    ana, ben = client_of("blue", "read", "write", name="ana"), client_of("blue", "read", "write", name="ben")
    address = ana.post(f"{UNIT}/annotations", json={"note": "bark"}).headers["Location"]
    told = ben.put(address, json={"note": "fence"}).json
    assert [told["author"], told["history"][0]["author"]] == ["ben", "ana"]


def test_teams_never_meet(client_of: MakeClient) -> None:
    blue, green = client_of("blue", "read", "write"), client_of("green", "read", "write")
    address = blue.post(f"{UNIT}/annotations", json={"note": "bark"}).headers["Location"]
    assert green.post(f"{UNIT}/annotations", json={"note": "mine"}).status_code == 404
    for method in ("GET", "DELETE"):
        assert green.open(address, method=method).status_code == 404
    assert green.put(address, json={"note": "mine"}).status_code == 404
    assert green.get("/v1/annotations").json["data"] == []
    assert client_of("local", "read").get(UNIT).json["annotations"] == []


@pytest.mark.parametrize(
    ("address", "body", "status", "detail"),
    [
        (UNIT, {}, 422, "a label, a note or both"),
        (UNIT, {"note": " \n"}, 422, "a label, a note or both"),
        (UNIT, {"note": "x" * 10_001}, 422, "/note"),
        (UNIT, {"label": {"concept": "tree"}}, 422, "/label/category"),
        (UNIT, {"note": "x", "author": "me"}, 422, "/author"),
        ("/v1/models/alpha/layers/conv1/units/6", {"note": "x"}, 404, "has 6 units, 0 to 5"),
        ("/v1/models/alpha/layers/conv9/units/0", {"note": "x"}, 404, "no layer 'conv9'"),
        ("/v1/models/alfa/layers/conv1/units/0", {"note": "x"}, 404, "did you mean 'alpha'"),
    ],
)
def test_refusals_change_nothing(
    client: FlaskClient, address: str, body: dict[str, object], status: int, detail: str
) -> None:
    refused = client.post(f"{address}/annotations", json=body)
    assert refused.status_code == status
    assert detail in refused.json["detail"]
    assert client.get("/v1/annotations").json["data"] == []


def test_no_such_annotation(client: FlaskClient) -> None:
    assert client.get(f"/v1/annotations/{uuid.uuid4()}").status_code == 404
