"""Collections of units, against a list in memory."""

import random
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.catalog.queries import concept_ids
from service.database import Sessions
from tests.service.conftest import MakeClient
from tests.service.results import planted

UNITS = [(layer, unit) for layer in ("conv1", "conv2") for unit in range(3)]


@pytest.fixture(autouse=True)
def planted_units(sessions: Sessions) -> None:
    """A model of the teams blue and local, one of whose layers is dissected."""
    with sessions.begin() as session:
        for name in ("blue", "local"):
            team = planted.plant_team(session, name)
            concepts = concept_ids(session, team, planted.CONCEPTS)
            job = planted.plant_job(session, team, planted.plant_model(session, team, "alpha"))
            units = [planted.random_unit(random.Random(1), index, concepts) for index in range(6)]
            planted.dissect(session, job, ["conv1"], {"conv1": units})


def named(layer: str, unit: int, note: str = "") -> dict[str, Any]:
    return {"model": "alpha", "layer": layer, "unit": unit, "note": note}


def shown(collection: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: unit[name] for name in ("model", "layer", "unit", "note")} for unit in collection["units"]]


def test_units_are_as_dissections_saw_them(client: FlaskClient) -> None:
    wanted = [named("conv2", 1, "never dissected"), named("conv1", 4), named("conv1", 0, "first of all")]
    made = client.post("/v1/collections", json={"name": "trees", "note": "of all sorts", "units": wanted})
    assert made.status_code == 201
    assert shown(made.json) == wanted
    assert (made.json["size"], made.json["version"], made.json["author"]) == (3, 1, "local")
    undissected, *dissected = made.json["units"]
    assert (undissected["label"], undissected["threshold"]) == (None, None)
    for unit in dissected:
        listed = client.get("/v1/units", query_string={"model": "alpha", "layer": "conv1"}).json["data"]
        same = next(other for other in listed if other["unit"] == unit["unit"])
        assert {**same, "note": unit["note"]} == unit
    again = client.get(made.headers["Location"]).json
    assert again == made.json
    listed = client.get("/v1/collections").json["data"]
    assert listed == [{name: value for name, value in again.items() if name != "units"}]
    assert client.delete(made.headers["Location"]).status_code == 204
    assert client.get(made.headers["Location"]).status_code == 404
    assert client.get("/v1/collections").json["data"] == []


CHANGES = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(UNITS)),
    st.tuples(st.just("replace"), st.lists(st.sampled_from(UNITS), unique=True)),
    st.tuples(st.just("stale"), st.lists(st.sampled_from(UNITS), unique=True)),
)


def test_changes_are_those_of_a_list(client: FlaskClient) -> None:
    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(CHANGES, max_size=6))
    def run(changes: list[tuple[str, Any]]) -> None:
        known: list[tuple[str, int]] = []
        version = 1
        made = client.post("/v1/collections", json={"name": uuid.uuid4().hex}).json
        address, name = made["links"]["self"], made["name"]
        for kind, value in changes:
            if kind == "append":
                status = client.post(f"{address}/units", json=named(*value)).status_code
                assert status == (409 if value in known else 200)
                done = status == 200
                known = [*known, value] if done else known
            else:
                told = version - (kind == "stale")
                body = {"name": name, "version": told or version + 1, "units": [named(*unit) for unit in value]}
                done = client.put(address, json=body).status_code == 200
                assert done == (kind == "replace")
                known = value if done else known
            version += done
            found = client.get(address).json
            assert ([(unit["layer"], unit["unit"]) for unit in found["units"]], found["version"]) == (known, version)

    run()


@pytest.mark.parametrize(
    ("units", "pointer", "detail"),
    [
        ([named("conv1", 0), named("conv9", 0)], "/units/1", "no layer 'conv9'"),
        ([named("conv1", 6)], "/units/0", "has 6 units"),
        ([named("conv1", 1), named("conv2", 1), named("conv1", 1, "again")], "/units/2", "already"),
        ([{**named("conv1", 1), "model": "beta"}], "/units/0", "no model is named 'beta'"),
        ([{**named("conv1", 1), "label": "x"}], "/units/0/label", "Unknown field"),
        ([named("conv1", -1)], "/units/0/unit", ""),
    ],
)
def test_refusals_change_nothing(client: FlaskClient, units: list[dict[str, Any]], pointer: str, detail: str) -> None:
    made = client.post("/v1/collections", json={"name": "mine", "units": [named("conv1", 0)]}).json
    for refused in (
        client.post("/v1/collections", json={"name": "other", "units": units}),
        client.put(made["links"]["self"], json={"name": "mine", "version": 1, "units": units}),
    ):
        assert refused.status_code == 422
        assert refused.json["errors"][0]["pointer"] == pointer
        assert detail in refused.json["detail"]
    assert client.get(made["links"]["self"]).json == made
    assert len(client.get("/v1/collections").json["data"]) == 1


def test_names_are_the_teams_own(client_of: MakeClient) -> None:
    blue, green = client_of("blue", "read", "write"), client_of("green", "read", "write")
    first, second = (blue.post("/v1/collections", json={"name": name}).json for name in ("a", "b"))
    assert blue.post("/v1/collections", json={"name": "a"}).status_code == 409
    assert blue.put(second["links"]["self"], json={"name": "a", "version": 1}).status_code == 409
    assert green.post("/v1/collections", json={"name": "a"}).status_code == 201
    assert green.get(first["links"]["self"]).status_code == 404
    assert green.delete(first["links"]["self"]).status_code == 404
    assert green.put(first["links"]["self"], json={"name": "c", "version": 1}).status_code == 404
    assert green.post(first["links"]["self"] + "/units", json=named("conv1", 0)).status_code == 404
    assert blue.post(first["links"]["self"] + "/units", json=named("conv1", 9)).status_code == 404
    assert len(green.get("/v1/collections").json["data"]) == 1
