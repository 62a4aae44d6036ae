"""Comparisons over HTTP, against brute force over planted dissections, on both databases."""

import math
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.database import Sessions
from service.jobs.tables import Job
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.comparing import compared
from tests.service.results.planted import Known

LAYERS = st.sampled_from([None, None, "conv1", "conv2"])


@pytest.fixture(params=[1, 4])
def jobs(sessions: Sessions, request: pytest.FixtureRequest) -> dict[uuid.UUID, compared.Layers]:
    with sessions.begin() as session:
        return compared.plant(session, planted.plant_team(session, "local"), request.param)


def ask(client: FlaskClient, address: str, **query: Any) -> Any:
    reply = client.get(address, query_string={name: value for name, value in query.items() if value is not None})
    return reply.json if reply.status_code == 200 else reply.status_code


def test_a_comparison_is_what_brute_force_finds(client: FlaskClient, jobs: dict[uuid.UUID, compared.Layers]) -> None:
    some = st.sampled_from([*jobs])

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(a=some, b=some, layer_a=LAYERS, layer_b=LAYERS)
    def check(a: uuid.UUID, b: uuid.UUID, layer_a: str | None, layer_b: str | None) -> None:
        found = ask(client, f"/v1/jobs/{a}/diff/{b}", layer_a=layer_a, layer_b=layer_b)
        pairs = compared.pairs(jobs[a], jobs[b], layer_a, layer_b)
        if not pairs:
            assert found == 422
            return
        assert [(pair["a"]["layer"], pair["b"]["layer"]) for pair in found["layers"]] == pairs
        assert found["only_in_a"] == [x for x in jobs[a] if layer_a in (None, x) and x not in {x for x, _ in pairs}]
        assert found["only_in_b"] == [y for y in jobs[b] if layer_b in (None, y) and y not in {y for _, y in pairs}]
        for (x, y), pair in zip(pairs, found["layers"], strict=True):
            check_figures(jobs[a][x], pair["a"])
            check_figures(jobs[b][y], pair["b"])
            check_concepts(jobs[a][x], jobs[b][y], pair)
            check_changes(jobs[a][x], jobs[b][y], pair["by_unit"] if x == y else None)
            assert (pair["by_unit"] is None) == (x != y) == (pair["links"] == {})

    check()


def check_figures(units: list[Known], found: dict[str, Any]) -> None:
    assert found["units"] == len(units)
    assert found["detectors"] == sum(unit.detector for unit in units)
    assert found["mean_best_iou"] == pytest.approx(sum(map(compared.iou, units)) / len(units), rel=1e-12)
    detected = {compared.label(unit) for unit in units if unit.detector}
    assert sum(found["distinct"].values()) == len(detected)


def check_concepts(a: list[Known], b: list[Known], found: dict[str, Any]) -> None:
    in_a, in_b = compared.concepts(a), compared.concepts(b)
    names = sorted(name for name in planted.CONCEPTS if in_a[name]["units"] or in_b[name]["units"])
    assert found["concepts"] == [
        {"category": name[0], "concept": name[1], "a": in_a[name], "b": in_b[name]} for name in names
    ]

    def only(these: dict[Any, Any], those: dict[Any, Any]) -> list[dict[str, str]]:
        wanted = [name for name in names if these[name]["detectors"] and not those[name]["detectors"]]
        return [{"category": category, "concept": concept} for category, concept in wanted]

    assert (found["concepts_gained"], found["concepts_lost"]) == (only(in_b, in_a), only(in_a, in_b))


def check_changes(a: list[Known], b: list[Known], found: dict[str, Any] | None) -> None:
    if found is None:
        return
    changes = compared.changes(a, b)
    distances = [compared.distance(*pair) for pair in zip(a, b, strict=True)]
    assert {name: found[name] for name in ("gained", "lost", "changed")} == {
        name: sum(change == name for change, *_ in changes) for name in ("gained", "lost", "changed")
    }
    assert found["mean_iou_difference"] == pytest.approx(math.fsum(distances) / len(distances), abs=1e-12)
    assert found["max_iou_difference"] == pytest.approx(max(distances), abs=1e-12)


def test_changed_units_come_page_by_page_furthest_first(
    client: FlaskClient, jobs: dict[uuid.UUID, compared.Layers]
) -> None:
    some = st.sampled_from([*jobs])
    change = st.sampled_from([None, "gained", "lost", "changed"])

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(a=some, b=some, layer=LAYERS, change=change, limit=st.integers(2, 20))
    def check(a: uuid.UUID, b: uuid.UUID, layer: str | None, change: str | None, limit: int) -> None:
        pairs = compared.pairs(jobs[a], jobs[b], layer, layer)
        pairs = [pair for pair in pairs if pair[0] == pair[1]]
        query = {"layer_a": layer, "layer_b": layer, "change": change, "limit": limit}
        found = walk(client, f"/v1/jobs/{a}/diff/{b}/units", query)
        if not pairs:
            assert found is None
            return
        layers = sorted(((jobs[a][x], jobs[b][y]) for x, y in pairs), key=lambda layers: layers[0][0].id)
        expected = [row for layer in layers for row in compared.changes(*layer) if change in (None, row[0])]
        expected.sort(key=lambda row: -compared.distance(*row[1:]))
        assert found == [described(*row) for row in expected]

    check()


def walk(client: FlaskClient, address: str, query: dict[str, Any]) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = ask(client, address, **query, cursor=cursor)
        if page == 422:
            return None
        assert len(page["data"]) == query["limit"] or page["next_cursor"] is None
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def described(change: str, a: Known, b: Known) -> dict[str, Any]:
    def label(unit: Known) -> dict[str, Any] | None:
        name = compared.label(unit)
        return name and {"category": name[0], "concept": name[1], "iou": compared.iou(unit), "detector": unit.detector}

    difference = compared.iou(b) - compared.iou(a)
    sides = {"a": label(a), "b": label(b)}
    return {"layer": a.layer, "unit": a.unit, "change": change, **sides, "iou_difference": difference}


def test_a_comparison_says_what_differs(client: FlaskClient, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    a, b = two
    (pair,) = client.get(f"/v1/jobs/{a}/diff/{b}").json["layers"]
    units = f"/v1/jobs/{a}/diff/{b}/units?layer_a=conv1&layer_b=conv1"
    assert client.get(f"/v1/jobs/{a}/diff/{b}").json == {
        "a": str(a),
        "b": str(b),
        "differences": [{"name": "quantile", "a": 0.01, "b": 0.02}],
        "only_in_a": [],
        "only_in_b": [],
        "layers": [pair],
    }
    assert pair["concepts_gained"] == []
    assert pair["concepts_lost"] == [{"category": "material", "concept": "glass"}]
    assert pair["concepts"] == [
        {
            "category": "material",
            "concept": "glass",
            "a": {"units": 1, "detectors": 1, "best_iou": 0.25},
            "b": {"units": 0, "detectors": 0, "best_iou": None},
        },
        {
            "category": "object",
            "concept": "tree",
            "a": {"units": 1, "detectors": 1, "best_iou": 0.05},
            "b": {"units": 2, "detectors": 1, "best_iou": 0.5},
        },
    ]
    assert pair["by_unit"] == {
        "gained": 0,
        "lost": 1,
        "changed": 1,
        "mean_iou_difference": pytest.approx(0.26 / 3),
        "max_iou_difference": 0.25,
    }
    assert pair["links"] == {"units": units}
    assert [(row["unit"], row["change"]) for row in client.get(units).json["data"]] == [(0, "changed"), (2, "lost")]


def test_models_and_datasets_are_among_the_differences(
    client: FlaskClient, jobs: dict[uuid.UUID, compared.Layers], sessions: Sessions
) -> None:
    with sessions() as session:
        first = {session.get_one(Job, id).model_id: id for id in jobs}
    a, b, *_ = first.values()
    found = ask(client, f"/v1/jobs/{a}/diff/{b}", layer_a=next(iter(jobs[a])), layer_b=next(iter(jobs[b])))
    assert {"name": "model", "a": "alpha", "b": "beta"} in found["differences"]


def test_what_has_not_changed_is_not_sent_again(client: FlaskClient, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    for address in ("", "/units"):
        tag = client.get(f"/v1/jobs/{two[0]}/diff/{two[1]}{address}").headers["ETag"]
        again = client.get(f"/v1/jobs/{two[0]}/diff/{two[1]}{address}", headers={"If-None-Match": tag})
        assert again.status_code == 304


def test_layers_of_other_architectures_are_compared_by_concept_only(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        a, _ = compared.plant_two(session, "local")
        model = planted.plant_model(session, planted.plant_team(session, "local"), "other", ["conv1"])
        model.source = "torchvision:alexnet"
        job = planted.plant_job(session, planted.plant_team(session, "local"), model)
        job.summary = session.get_one(Job, a).summary
        planted.dissect(session, job, ["conv1"], {"conv1": [planted.random_unit(planted.random.Random(1), 0, [])]})
        other = job.id
    (pair,) = client.get(f"/v1/jobs/{a}/diff/{other}").json["layers"]
    assert (pair["by_unit"], pair["links"]) == (None, {})
    assert [row["a"]["units"] for row in pair["concepts"]] == [1, 1]
    reply = client.get(f"/v1/jobs/{a}/diff/{other}/units")
    assert reply.status_code == 422
    assert "compared by concept" in reply.json["detail"]


def test_bad_comparisons_are_pointed_out(
    client: FlaskClient, client_of: MakeClient, sessions: Sessions, two: tuple[uuid.UUID, uuid.UUID]
) -> None:
    a, b = two
    with sessions.begin() as session:
        theirs, _ = compared.plant_two(session, "theirs")
        team = planted.plant_team(session, "local")
        model = planted.plant_model(session, team, "beta")
        running, registration = (
            planted.plant_job(session, team, model),
            planted.plant_job(session, team, model, "registration"),
        )
        running.state = "running"
        running, registration = running.id, registration.id
    absent = uuid.UUID(int=7)
    for left, right in ((a, absent), (absent, b), (a, theirs), (theirs, b)):
        compared.refused(client.get(f"/v1/jobs/{left}/diff/{right}"), 404, "there is no job")
        compared.refused(client.get(f"/v1/jobs/{left}/diff/{right}/units"), 404, "there is no job")
    compared.refused(client.get(f"/v1/jobs/{a}/diff/{running}"), 409, "is running")
    compared.refused(client.get(f"/v1/jobs/{registration}/diff/{b}"), 422, "of kind registration")
    compared.refused(
        client.get(f"/v1/jobs/{a}/diff/{b}?layer_a=conv9"), 422, "'conv1'; did you mean 'conv1'?", "query:layer_a"
    )
    compared.refused(
        client.get(f"/v1/jobs/{a}/diff/{b}?layer_b=x"), 422, "job b has no layer 'x', but 'conv1'", "query:layer_b"
    )
    compared.refused(client.get(f"/v1/jobs/{a}/diff/{b}?layer=conv1"), 422, "", "query:layer")
    compared.refused(client.get(f"/v1/jobs/{a}/diff/{b}/units?change=kept"), 422, "", "query:change")
    compared.refused(client.get(f"/v1/jobs/{a}/diff/{b}/units?cursor=x"), 400, "damaged", "query:cursor")
    assert client_of("local", "run").get(f"/v1/jobs/{a}/diff/{b}").status_code == 403
